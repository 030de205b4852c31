// One SVGD iteration of 100 particles on laws of 6 states, 2 threads: 1,000 observations against 1,000,000, and without
// data compression. phasic 0.32.1 takes 70 ms for the iteration with 1,000 observations.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

#include "sojourn/families.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/sample.hpp"
#include "sojourn/svgd.hpp"
#include "workload.hpp"

namespace sojourn::bench {
namespace {

constexpr int kNumThreads = 2;
constexpr std::int64_t kNumParticles = 100;
/// What phasic 0.32.1 takes for the iteration with 1,000 observations, in microseconds.
constexpr double kPhasicMicroseconds = 70e3;

struct Law {
  std::string name;
  Model model;
  std::vector<double> truth;
};

std::vector<Law> make_laws() {
  std::vector<Law> laws;
  laws.push_back({"coalescent_7", coalescent_lineages(7), {1.0}});  // 6 transient states
  Model coxian_6 = coxian(6);
  std::vector<double> truth;
  for (int i = 0; i < 5; ++i) truth.push_back(2);
  for (int i = 0; i < 6; ++i) truth.push_back(i < 5 ? 0.4 : 2);
  laws.push_back({"coxian_6", std::move(coxian_6), truth});
  return laws;
}

std::unique_ptr<Posterior> make_posterior(const Law& law, std::int64_t num_observations, DataCompression compression) {
  Model model = law.model;
  const std::vector<double> reward = model.graph.unit_reward();
  const Matrix<double> times = sample(model, law.truth, {reward}, num_observations, /*seed=*/1, kNumThreads);
  Observations observations = exact_observations(times.values(), TimeKind::kContinuous, "iteration_bench");
  std::map<std::string, Prior> priors;
  for (std::size_t p = 0; p < model.parameters.size(); ++p)
    priors.emplace(model.parameters[p].name, Prior(PriorFamily::kLognormal, std::log(law.truth[p]), 0.5));
  return std::make_unique<Posterior>(std::move(model), std::move(observations), priors, std::map<std::string, double>{},
                                     reward, EvaluatorOptions{.num_threads = kNumThreads}, compression);
}

void count_levels(benchmark::State& state, const Posterior& posterior) {
  const CompressionReport report = posterior.compression();
  double all = static_cast<double>(report.num_exact);
  for (const std::int64_t count : report.level_count) all += static_cast<double>(count);
  state.counters["points"] =
      static_cast<double>(report.level_points.empty() ? report.num_points : report.level_points[0]);
  state.counters["first_level"] =
      report.level_count.empty() || all == 0 ? 0 : static_cast<double>(report.level_count[0]) / all;
  state.counters["exact"] = all == 0 ? 0 : static_cast<double>(report.num_exact) / all;
  state.counters["interpolated"] = static_cast<double>(report.num_line_answers);
  state.counters["estimated_error"] = std::max(report.worst_error, report.line_error);
}

/// Iterations alone, without the start: particles about the truth, as they stand after some iterations.
void run_iterations(benchmark::State& state, const Law& law, const Posterior& posterior) {
  SvgdOptions options;
  options.num_particles = kNumParticles;
  options.num_iterations = 500;
  options.num_threads = kNumThreads;
  options.start = StartKind::kGiven;
  options.given = Matrix<double>(kNumParticles, law.truth.size());
  const Matrix<double> theta = scattered_particles(law.truth, 0.05, kNumParticles);
  for (std::size_t i = 0; i < theta.num_rows(); ++i)
    for (std::size_t p = 0; p < theta.num_cols(); ++p) options.given(i, p) = std::log(theta(i, p));
  double scores = 0, kernel = 0, iterations = 0, seconds = 0;
  for (auto _ : state) {
    const SvgdResult result = svgd(posterior, options);
    if (result.iterations_done != options.num_iterations) state.SkipWithError("SVGD stopped early");
    const double one = result.seconds_total - result.seconds_start;
    state.SetIterationTime(one / static_cast<double>(options.num_iterations));
    scores += result.seconds_scores;
    kernel += result.seconds_kernel;
    seconds += one;
    iterations += static_cast<double>(options.num_iterations);
  }
  state.counters["us_scores"] = 1e6 * scores / iterations;
  state.counters["us_kernel"] = 1e6 * kernel / iterations;
  state.counters["times_phasic"] = kPhasicMicroseconds / (1e6 * seconds / iterations);
  count_levels(state, posterior);
}

/// Scores of the same particles alone.
void run_scores(benchmark::State& state, const Law& law, const Posterior& posterior) {
  const Matrix<double> theta = scattered_particles(law.truth, 0.05, kNumParticles);
  std::vector<double> value(kNumParticles);
  Matrix<double> slope(kNumParticles, theta.num_cols());
  std::vector<std::string> status(kNumParticles);
  for (auto _ : state) {
    posterior.log_likelihood(theta.view(), value, slope.view(), status);
    for (const std::string& text : status)
      if (!text.empty()) throw std::runtime_error(text);
  }
  count_rate(state, "gradients/s", kNumParticles);
  count_levels(state, posterior);
}

}  // namespace
}  // namespace sojourn::bench

int main(int argc, char** argv) {
  using namespace sojourn::bench;
  using sojourn::DataCompression;
  const bool quick = take_quick_flag(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  static const std::vector<Law> laws = make_laws();
  std::vector<std::shared_ptr<sojourn::Posterior>> posteriors;
  for (const Law& law : laws) {
    const auto add = [&](const std::string& data, std::int64_t count, DataCompression compression) {
      const std::shared_ptr<sojourn::Posterior> posterior = make_posterior(law, count, compression);
      benchmark::RegisterBenchmark(("iteration/" + law.name + "/" + data).c_str(),
                                   [&law, posterior](benchmark::State& s) { run_iterations(s, law, *posterior); })
          ->Unit(benchmark::kMicrosecond)
          ->UseManualTime()
          ->Iterations(1);
      benchmark::RegisterBenchmark(("scores/" + law.name + "/" + data).c_str(),
                                   [&law, posterior](benchmark::State& s) { run_scores(s, law, *posterior); })
          ->Unit(benchmark::kMicrosecond)
          ->UseRealTime();
    };
    add("1000", 1000, DataCompression::kAuto);
    add("1000000", quick ? 10'000 : 1'000'000, DataCompression::kAuto);
    add("1000_exact", 1000, DataCompression::kOff);
  }
  benchmark::RunSpecifiedBenchmarks();
}
