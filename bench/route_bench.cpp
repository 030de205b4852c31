// The route that `auto` takes beside each route by itself: densities of chains of 1 to 479 states at 50 times for 64
// parameter vectors, one thread. A route that refuses a chain, or some of its times, has no row.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sojourn/evaluator.hpp"
#include "sojourn/families.hpp"
#include "workload.hpp"

namespace sojourn::bench {
namespace {

constexpr std::size_t kNumParticles = 64, kNumTimes = 50;

/// Times over the law's bulk: 0.02 to 4 times its mean at the centre of the particles.
std::vector<double> times_of(const Evaluator& evaluator, std::span<const double> centre) {
  const Matrix<double> theta = scattered_particles(centre, 0, 1);
  const double mean = evaluator.moments(theta.view(), evaluator.model().graph.unit_reward(), 1, false).values(0, 0);
  std::vector<double> times(kNumTimes);
  for (std::size_t i = 0; i < kNumTimes; ++i)
    times[i] = mean * (0.02 + 3.98 * static_cast<double>(i) / static_cast<double>(kNumTimes - 1));
  return times;
}

struct Case {
  Case(std::string name_in, Model model, LawMethod method, std::vector<double> centre)
      : name(std::move(name_in)),
        evaluator(std::move(model), {.num_threads = 1, .method = method}),
        reward(evaluator.model().graph.unit_reward()),
        theta(scattered_particles(centre, 0.2, kNumParticles)),
        times(times_of(evaluator, centre)) {}
  [[nodiscard]] Quantity densities() const { return evaluator.law(theta.view(), reward, LawKind::kPdf, times, false); }

  std::string name;
  Evaluator evaluator;
  std::vector<double> reward;
  Matrix<double> theta;
  std::vector<double> times;
};

void run(benchmark::State& state, const Case& of) {
  for (auto _ : state) benchmark::DoNotOptimize(of.densities());
  count_rate(state, "densities/s", kNumParticles * kNumTimes);
}

void add(const std::string& chain, const Model& model, const std::vector<double>& centre) {
  constexpr LawMethod kMethods[] = {LawMethod::kAuto, LawMethod::kContour, LawMethod::kSaddlepoint,
                                    LawMethod::kUniformization};
  for (const LawMethod method : kMethods) {
    const auto of = std::make_shared<Case>(chain + "/" + to_string(method), model, method, centre);
    const Quantity values = of->densities();
    if (std::ranges::any_of(values.status, [](const std::string& text) { return text != "ok"; })) continue;
    benchmark::RegisterBenchmark(of->name.c_str(), [of](benchmark::State& state) {
      run(state, *of);
    })->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace
}  // namespace sojourn::bench

int main(int argc, char** argv) {
  using namespace sojourn;
  using bench::add;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  add("erlang_1", erlang(1), {1.3});
  add("erlang_3", erlang(3), {1.3});
  add("hypoexponential_5", hypoexponential(5), {0.5, 0.9, 1.3, 2.1, 3.0});
  add("coalescent_blocks_8", coalescent_blocks(8), {1.0});
  add("coalescent_blocks_15", coalescent_blocks(15), {1.0});
  const std::vector<std::int32_t> small{2, 2}, large{5, 5};
  add("two_deme_blocks_4", structured_coalescent_blocks(small), {1.0, 0.7, 0.5, 0.3});
  add("two_deme_blocks_10", structured_coalescent_blocks(large), {1.0, 0.7, 0.5, 0.3});
  benchmark::RunSpecifiedBenchmarks();
}
