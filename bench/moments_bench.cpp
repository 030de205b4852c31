// Moments of many particles on one thread, against KLU; what the gradient adds; and the elimination itself.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "cli/bench_cases.hpp"
#include "klu_means.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/families.hpp"
#include "workload.hpp"

namespace sojourn::bench {
namespace {

constexpr double kSpread = 0.3;
/// KLU's moments and ours must agree to this before a time counts; KLU's own rounding sets it.
constexpr double kAgreement = 1e-9;
/// Particles whose matrices the peer finds ready, small enough to stay in the last cache.
constexpr std::size_t kReadyMatrices = 64;

struct Case {
  std::string name;
  Evaluator evaluator;
  Matrix<double> theta;
  std::size_t num_peer_particles;  ///< KLU takes one after the other, so fewer give the same rate

  Case(std::string name_in, Model model, std::vector<double> centre, std::size_t num_particles, std::size_t num_peer)
      : name(std::move(name_in)),
        evaluator(std::move(model), {.num_threads = 1}),
        theta(scattered_particles(centre, kSpread, num_particles)),
        num_peer_particles(std::min(num_peer, num_particles)) {}
  [[nodiscard]] const StateGraph& graph() const { return evaluator.model().graph; }
};
using CasePtr = std::shared_ptr<const Case>;

void run_sojourn(benchmark::State& state, const Case& workload, int order, bool gradient) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        workload.evaluator.moments(workload.theta.view(), workload.graph().unit_reward(), order, gradient));
  }
  count_rate(state, "particles/s", workload.theta.num_rows());
}

void run_klu(benchmark::State& state, const Case& workload, int order, bool assemble, int scale) {
  const Matrix<double>& theta = workload.theta;
  const std::vector<double>& reward = workload.graph().unit_reward();
  KluMeans klu(workload.graph(), reward, theta.row(0), scale);
  const auto moment = [&](std::span<double> values) {
    return order == 1 ? klu.mean(values) : klu.second_moment(values);
  };
  const std::size_t num_ready = std::min(kReadyMatrices, workload.num_peer_particles);
  Matrix<double> ready(num_ready, klu.num_values());
  const Quantity ours =
      workload.evaluator.moments({theta.row(0).data(), num_ready, theta.num_cols()}, reward, order, false);
  for (std::size_t k = 0; k < num_ready; ++k) {
    klu.assemble(theta.row(k), ready.row(k));
    const double theirs = moment(ready.row(k));
    if (!(std::abs(theirs - ours.values(k, order - 1)) <= kAgreement * theirs)) {
      state.SkipWithError("KLU and Sojourn disagree");
      return;
    }
  }
  std::vector<double> values(klu.num_values());
  for (auto _ : state) {
    for (std::size_t k = 0; k < workload.num_peer_particles; ++k) {
      if (assemble) klu.assemble(theta.row(k), values);
      benchmark::DoNotOptimize(moment(assemble ? std::span(values) : ready.row(k % num_ready)));
    }
  }
  count_rate(state, "particles/s", workload.num_peer_particles);
}

/// `first` and `second`: which of mean, mean + variance to measure; the peer's three variants with each.
void add_case(const CasePtr& workload, bool first, bool second, bool gradient) {
  const auto add = [&](const std::string& variant, auto run) {
    benchmark::RegisterBenchmark((workload->name + "/" + variant).c_str(), run)->Unit(benchmark::kMillisecond);
  };
  for (int order = 1; order <= 2; ++order) {
    if (!(order == 1 ? first : second)) continue;
    const std::string suffix = order == 1 ? "" : "_2";
    add("value" + suffix, [=](benchmark::State& state) { run_sojourn(state, *workload, order, false); });
    // KLU's scale: 2 is its default, -1 none.
    add("klu" + suffix, [=](benchmark::State& state) { run_klu(state, *workload, order, true, 2); });
    add("klu_refactor_solve" + suffix, [=](benchmark::State& state) { run_klu(state, *workload, order, false, 2); });
    add("klu_unscaled" + suffix, [=](benchmark::State& state) { run_klu(state, *workload, order, true, -1); });
  }
  if (gradient) add("gradient", [=](benchmark::State& state) { run_sojourn(state, *workload, 1, true); });
}

/// What the parameterised form saves: a mean with an elimination of its own for every particle.
void add_elimination_each(const CasePtr& workload) {
  benchmark::RegisterBenchmark((workload->name + "/eliminate_each").c_str(), [=](benchmark::State& state) {
    for (auto _ : state) {
      const Evaluator evaluator(workload->evaluator.model(), {.num_threads = 1});
      benchmark::DoNotOptimize(evaluator.moments({workload->theta.row(0).data(), 1, workload->theta.num_cols()},
                                                 workload->graph().unit_reward(), 1, /*gradient=*/false));
    }
    count_rate(state, "particles/s", 1);
  })->Unit(benchmark::kMillisecond);
}

void add_elimination(const CasePtr& workload) {
  benchmark::RegisterBenchmark((workload->name + "/elimination").c_str(),
                               [=](benchmark::State& state) {
                                 for (auto _ : state) benchmark::DoNotOptimize(eliminate(workload->graph()));
                               })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

}  // namespace
}  // namespace sojourn::bench

int main(int argc, char** argv) {
  using namespace sojourn;
  const bool quick = bench::take_quick_flag(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const std::size_t many = quick ? 200 : 10'000;
  const std::vector<double> demes{1.0, 0.7, 0.5, 0.3};
  const std::vector<std::int32_t> ten{5, 5}, twenty{10, 10};
  const auto make = [](const char* name, Model model, std::vector<double> centre, std::size_t num_particles,
                       std::size_t num_peer) {
    return std::make_shared<const bench::Case>(name, std::move(model), std::move(centre), num_particles, num_peer);
  };
  bench::add_case(make("coalescent_blocks_20", coalescent_blocks(20), {1.0}, many, many), true, true, true);
  const auto small = make("two_deme_blocks_10", structured_coalescent_blocks(ten), demes, many, many);
  bench::add_case(small, true, true, true);
  bench::add_elimination_each(small);
  bench::add_case(make("coalescent_lineages_10", coalescent_lineages(10), {1.0}, many, many), true, false, true);
  if (!quick) {
    bench::add_case(make("two_locus_8", two_locus(8), {1.0, 0.5}, many, 256), false, true, false);
    const auto large = make("two_deme_blocks_20", structured_coalescent_blocks(twenty), demes, many, 64);
    bench::add_case(large, true, false, true);
    bench::add_elimination(large);
    bench::add_case(make("grid_100x100", cli::grid_walk(100), {1.0, 0.5}, 1000, 32), true, false, false);
  }
  benchmark::RunSpecifiedBenchmarks();
}
