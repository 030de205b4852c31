// What a second thread brings, in elapsed time: both cores must be free of other work.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "likelihood_workload.hpp"
#include "sojourn/evaluator.hpp"

namespace sojourn::bench {
namespace {

template <class Run>
void add(const std::string& name, std::size_t num_particles, const Run& run) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State& state) {
                                 for (auto _ : state) run();
                                 count_rate(state, "particles/s", num_particles);
                               })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

void add_means(std::size_t num_particles, int num_threads) {
  const std::vector<std::int32_t> samples{5, 5};
  const std::vector<double> centre{1.0, 0.7, 0.5, 0.3};
  const auto evaluator = std::make_shared<const Evaluator>(structured_coalescent_blocks(samples),
                                                           EvaluatorOptions{.num_threads = num_threads});
  const auto theta = std::make_shared<const Matrix<double>>(scattered_particles(centre, kSpread, num_particles));
  add("mean/threads_" + std::to_string(num_threads), num_particles, [=] {
    benchmark::DoNotOptimize(
        evaluator->moments(theta->view(), evaluator->model().graph.unit_reward(), 1, /*gradient=*/false));
  });
}

void add_likelihoods(std::size_t num_particles, int num_threads) {
  const auto workload = std::make_shared<const LikelihoodWorkload>(num_particles, 1000, /*migration=*/1, num_threads);
  add("log_likelihood/threads_" + std::to_string(num_threads), num_particles,
      [=] { benchmark::DoNotOptimize(workload->evaluate(num_particles, false)); });
}

}  // namespace
}  // namespace sojourn::bench

int main(int argc, char** argv) {
  using namespace sojourn::bench;
  const bool quick = take_quick_flag(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const int num_threads : {1, 2}) {
    add_means(quick ? 500 : 10'000, num_threads);
    add_likelihoods(quick ? 20 : 1000, num_threads);
  }
  benchmark::RunSpecifiedBenchmarks();
}
