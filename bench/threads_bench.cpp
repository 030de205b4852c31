// What a second thread brings, in elapsed time: both cores must be free of other work. Beside it what the machine has
// to give: the same work twice, by two evaluators of one thread each that share nothing.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <thread>

#include "likelihood_workload.hpp"
#include "sojourn/evaluator.hpp"

namespace sojourn::bench {
namespace {

/// Runs both at once.
template <class Run>
auto twice(const Run& run, const Run& other) {
  return [=] {
    const std::jthread beside([&] { other(); });
    run();
  };
}

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

auto means(std::size_t num_particles, int num_threads) {
  const std::vector<std::int32_t> samples{5, 5};
  const std::vector<double> centre{1.0, 0.7, 0.5, 0.3};
  const auto evaluator = std::make_shared<const Evaluator>(structured_coalescent_blocks(samples),
                                                           EvaluatorOptions{.num_threads = num_threads});
  const auto theta = std::make_shared<const Matrix<double>>(scattered_particles(centre, kSpread, num_particles));
  return [=] {
    benchmark::DoNotOptimize(
        evaluator->moments(theta->view(), evaluator->model().graph.unit_reward(), 1, /*gradient=*/false));
  };
}

auto likelihoods(std::size_t num_particles, int num_threads) {
  const auto workload = std::make_shared<const LikelihoodWorkload>(num_particles, 1000, /*migration=*/1, num_threads);
  return [=] { benchmark::DoNotOptimize(workload->evaluate(num_particles, false)); };
}

template <class Work>
void add_all(const std::string& name, std::size_t num_particles, const Work& work) {
  for (const int num_threads : {1, 2})
    add(name + "/threads_" + std::to_string(num_threads), num_particles, work(num_particles, num_threads));
  add(name + "/two_copies", 2 * num_particles, twice(work(num_particles, 1), work(num_particles, 1)));
}

}  // namespace
}  // namespace sojourn::bench

int main(int argc, char** argv) {
  using namespace sojourn::bench;
  const bool quick = take_quick_flag(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  add_all("mean", quick ? 500 : 10'000, means);
  add_all("log_likelihood", quick ? 20 : 1000, likelihoods);
  benchmark::RunSpecifiedBenchmarks();
}
