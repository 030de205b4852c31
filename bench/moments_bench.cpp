// First moments of many particles on one thread, against KLU; and what the gradient adds.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "klu_means.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/families.hpp"
#include "workload.hpp"

namespace sojourn::bench {
namespace {

constexpr double kSpread = 0.3;
/// KLU's means and ours must agree to this before a time counts; KLU's own rounding sets it.
constexpr double kAgreement = 1e-9;
/// Particles whose matrices the peer finds ready, small enough to stay in the last cache.
constexpr std::size_t kReadyMatrices = 64;

struct Case {
  std::string name;
  Evaluator evaluator;
  Matrix<double> theta;

  Case(std::string name_in, Model model, std::vector<double> centre, std::size_t num_particles)
      : name(std::move(name_in)),
        evaluator(std::move(model), {.num_threads = 1}),
        theta(scattered_particles(centre, kSpread, num_particles)) {}
  [[nodiscard]] const StateGraph& graph() const { return evaluator.model().graph; }
};

void run_sojourn(benchmark::State& state, const Case& workload, bool gradient) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        workload.evaluator.moments(workload.theta.view(), workload.graph().unit_reward(), 1, gradient));
  }
  count_rate(state, "particles/s", workload.theta.num_rows());
}

void run_klu(benchmark::State& state, const Case& workload, bool assemble, int scale) {
  const Matrix<double>& theta = workload.theta;
  const std::vector<double>& reward = workload.graph().unit_reward();
  KluMeans klu(workload.graph(), reward, theta.row(0), scale);
  const std::size_t num_ready = std::min(kReadyMatrices, theta.num_rows());
  Matrix<double> ready(num_ready, klu.num_values());
  const Quantity ours =
      workload.evaluator.moments({theta.row(0).data(), num_ready, theta.num_cols()}, reward, 1, false);
  for (std::size_t k = 0; k < num_ready; ++k) {
    klu.assemble(theta.row(k), ready.row(k));
    const double mean = klu.mean(ready.row(k));
    if (!(std::abs(mean - ours.values(k, 0)) <= kAgreement * mean)) {
      state.SkipWithError("KLU and Sojourn disagree");
      return;
    }
  }
  std::vector<double> values(klu.num_values());
  for (auto _ : state) {
    for (std::size_t k = 0; k < theta.num_rows(); ++k) {
      if (assemble) klu.assemble(theta.row(k), values);
      benchmark::DoNotOptimize(klu.mean(assemble ? std::span(values) : ready.row(k % num_ready)));
    }
  }
  count_rate(state, "particles/s", theta.num_rows());
}

void add_case(const std::shared_ptr<Case>& workload, const char* value_goal) {
  const auto add = [&](const std::string& variant, const char* goal, auto run) {
    benchmark::RegisterBenchmark((workload->name + "/" + variant).c_str(), [=](benchmark::State& state) {
      run(state);
      state.SetLabel(goal);
    })->Unit(benchmark::kMillisecond);
  };
  add("value", value_goal, [=](benchmark::State& state) { run_sojourn(state, *workload, false); });
  add("gradient", "goal: time <= 2.5 x value", [=](benchmark::State& state) { run_sojourn(state, *workload, true); });
  add("klu", "peer: weights, refactor, solve", [=](benchmark::State& state) { run_klu(state, *workload, true, 2); });
  add("klu_refactor_solve", "peer: refactor and solve, matrices ready",
      [=](benchmark::State& state) { run_klu(state, *workload, false, 2); });
  add("klu_unscaled", "peer: weights, refactor without row scaling, solve",
      [=](benchmark::State& state) { run_klu(state, *workload, true, -1); });
}

}  // namespace
}  // namespace sojourn::bench

int main(int argc, char** argv) {
  using namespace sojourn;
  const bool quick = bench::take_quick_flag(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const std::size_t many = quick ? 200 : 10'000, few = quick ? 32 : 128;
  const std::vector<double> demes{1.0, 0.7, 0.5, 0.3};
  const std::vector<std::int32_t> ten{5, 5}, twenty{10, 10};
  const auto add = [](const char* name, Model model, std::vector<double> centre, std::size_t num_particles,
                      const char* value_goal) {
    bench::add_case(std::make_shared<bench::Case>(name, std::move(model), std::move(centre), num_particles),
                    value_goal);
  };
  add("coalescent_blocks_20", coalescent_blocks(20), {1.0}, many, "goal: 8 x klu");
  add("two_deme_blocks_10", structured_coalescent_blocks(ten), demes, many, "goal: 8 x klu");
  add("coalescent_lineages_10", coalescent_lineages(10), {1.0}, many, "no goal set");
  if (!quick) add("two_deme_blocks_20", structured_coalescent_blocks(twenty), demes, few, "no goal set");
  benchmark::RunSpecifiedBenchmarks();
}
