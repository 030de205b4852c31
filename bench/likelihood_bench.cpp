// Log-likelihood of 1,000 times for 1,000 particles on one thread: two-deme coalescent of 10 samples (479 states).
// `--export FOLDER` writes the chain of a few particles as CSV for compare_scipy.py, with our values to check.
#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <fstream>
#include <stdexcept>
#include <string>

#include "sojourn/families.hpp"
#include "sojourn/posterior.hpp"
#include "workload.hpp"

namespace sojourn::bench {
namespace {

/// Equally spaced, so that scipy's expm_multiply takes its fast path for many times. The range is what a data set of
/// 1,000 draws spans: the law's quantiles at 0.0005 and 0.9995 at the centre of the particles.
constexpr double kFirstTime = 0.745, kLastTime = 26.6;
constexpr double kSpread = 0.2;
constexpr std::size_t kNumExported = 5;

class Workload {
 public:
  Workload(std::size_t num_particles, std::size_t num_times)
      : num_times_(num_times),
        posterior_(make_model(), make_observations(num_times), make_priors(), {}, make_model().graph.unit_reward(),
                   {.num_threads = 1}),
        theta_(scattered_particles(kCentre, kSpread, num_particles)) {}

  [[nodiscard]] const Posterior& posterior() const { return posterior_; }
  [[nodiscard]] std::size_t num_particles() const { return theta_.num_rows(); }
  [[nodiscard]] std::size_t num_times() const { return num_times_; }
  [[nodiscard]] const Matrix<double>& theta() const { return theta_; }

  /// Log-likelihoods [K] of the first K particles. @throws std::runtime_error where one fails.
  std::vector<double> evaluate(std::size_t num_particles, bool gradient) const {
    std::vector<double> value(num_particles);
    Matrix<double> slope(gradient ? num_particles : 0, theta_.num_cols());
    std::vector<std::string> status(num_particles);
    posterior_.log_likelihood({theta_.row(0).data(), num_particles, theta_.num_cols()}, value, slope.view(), status);
    for (const std::string& text : status)
      if (!text.empty()) throw std::runtime_error(text);
    return value;
  }

 private:
  static constexpr double kCentre[] = {1.0, 0.7, 0.5, 0.3};
  static Model make_model() {
    const std::vector<std::int32_t> samples{5, 5};
    return structured_coalescent_blocks(samples);
  }
  static Observations make_observations(std::size_t num_times) {
    Observations observations;
    for (std::size_t i = 0; i < num_times; ++i) {
      const double part = static_cast<double>(i) / static_cast<double>(num_times - 1);
      Observation item;
      item.lower = item.upper = kFirstTime + (kLastTime - kFirstTime) * part;
      observations.items.push_back(item);
      observations.first_row.push_back(static_cast<std::int64_t>(i + 1));
    }
    observations.num_rows = static_cast<std::int64_t>(num_times);
    observations.origin = "likelihood_bench";
    return observations;
  }
  static std::map<std::string, Prior> make_priors() {
    std::map<std::string, Prior> priors;
    for (const Parameter& parameter : make_model().parameters)
      priors.emplace(parameter.name, Prior(PriorFamily::kLognormal, 0, 1));
    return priors;
  }

  std::size_t num_times_;
  Posterior posterior_;
  Matrix<double> theta_;
};

void run(benchmark::State& state, const Workload& workload, bool gradient, const char* goal) {
  const Posterior::RouteCounts before = workload.posterior().route_counts();
  for (auto _ : state) benchmark::DoNotOptimize(workload.evaluate(workload.num_particles(), gradient));
  const Posterior::RouteCounts after = workload.posterior().route_counts();
  const std::size_t num_values = workload.num_particles() * workload.num_times();
  count_rate(state, "particles/s", workload.num_particles());
  count_rate(state, "densities/s", num_values);
  const auto share = [&](std::int64_t count) {
    return static_cast<double>(count) / (static_cast<double>(num_values) * static_cast<double>(state.iterations()));
  };
  state.counters["contour"] = share(after.contour - before.contour);
  state.counters["saddlepoint"] = share(after.saddlepoint - before.saddlepoint);
  state.counters["uniformization"] = share(after.uniformization - before.uniformization);
  state.counters["error_bound"] = after.worst_error_bound;
  state.SetLabel(goal);
}

/// times.csv, start.csv, states.csv (absorbing), edges.csv (a weight per particle), log_likelihood.csv.
void export_chain(const Workload& workload, const std::string& folder) {
  const Model& model = workload.posterior().model();
  const StateGraph& graph = model.graph;
  const auto open = [&](const char* name) {
    std::ofstream file(folder + "/" + name);
    if (!file) throw std::runtime_error("cannot write " + folder + "/" + name);
    return file;
  };
  open("times.csv") << fmt::format("start,stop,num\n{},{},{}\n", kFirstTime, kLastTime, workload.num_times());
  std::ofstream start = open("start.csv"), states = open("states.csv"), edges = open("edges.csv");
  start << "state,probability\n";
  for (const InitialMass& mass : graph.initial()) start << fmt::format("{},{}\n", mass.state, mass.probability);
  states << "absorbing\n";
  for (std::int32_t s = 0; s < graph.num_states(); ++s) states << graph.is_absorbing(s) << '\n';
  edges << "from,to,weights\n";
  for (std::int32_t s = 0; s < graph.num_states(); ++s) {
    for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e) {
      edges << fmt::format("{},{}", s, graph.edge_to(e));
      for (std::size_t k = 0; k < kNumExported; ++k)
        edges << fmt::format(",{}", graph.weight(e, workload.theta().row(k)));
      edges << '\n';
    }
  }
  std::ofstream values = open("log_likelihood.csv");
  values << "log_likelihood\n";
  for (const double value : workload.evaluate(kNumExported, false)) values << fmt::format("{}\n", value);
}

}  // namespace
}  // namespace sojourn::bench

int main(int argc, char** argv) {
  using namespace sojourn::bench;
  const bool quick = take_quick_flag(argc, argv);
  benchmark::Initialize(&argc, argv);
  const bool exporting = argc == 3 && std::string_view(argv[1]) == "--export";
  if (!exporting && benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const Workload workload(quick ? 20 : 1000, quick ? 100 : 1000);
  if (exporting) {
    export_chain(workload, argv[2]);
    return 0;
  }
  const auto add = [&](const char* name, bool gradient, const char* goal) {
    benchmark::RegisterBenchmark(name, [&workload, gradient, goal](benchmark::State& state) {
      run(state, workload, gradient, goal);
    })->Unit(benchmark::kMillisecond);
  };
  add("two_deme_blocks_10/value", false, "goal: 100 x scipy's expm_multiply");
  add("two_deme_blocks_10/gradient", true, "value and gradient: no goal set");
  benchmark::RunSpecifiedBenchmarks();
}
