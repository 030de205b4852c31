// Log-likelihood of 1,000 times for 1,000 particles on one thread: two-deme coalescent of 10 samples (479 states), and
// the same with migration a million times faster.
// `--export FOLDER` writes the chain of a few particles as CSV for compare_scipy.py, with our values to check.
#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <fstream>
#include <stdexcept>
#include <string>

#include "likelihood_workload.hpp"

namespace sojourn::bench {
namespace {

constexpr std::size_t kNumExported = 5;

void run(benchmark::State& state, const LikelihoodWorkload& workload, bool gradient) {
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
}

/// times.csv, start.csv, states.csv (absorbing), edges.csv (a weight per particle), log_likelihood.csv.
void export_chain(const LikelihoodWorkload& workload, const std::string& folder) {
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
  const std::size_t num_particles = quick ? 20 : 1000, num_times = quick ? 100 : 1000;
  const LikelihoodWorkload workload(num_particles, num_times);
  if (exporting) {
    export_chain(workload, argv[2]);
    return 0;
  }
  const LikelihoodWorkload stiff(num_particles, num_times, /*migration=*/1e6);
  const auto add = [](const char* name, const LikelihoodWorkload& of, bool gradient) {
    benchmark::RegisterBenchmark(name, [&of, gradient](benchmark::State& state) {
      run(state, of, gradient);
    })->Unit(benchmark::kMillisecond);
  };
  add("two_deme_blocks_10/value", workload, false);
  add("two_deme_blocks_10/gradient", workload, true);
  add("two_deme_blocks_10_stiff/value", stiff, false);
  add("two_deme_blocks_10_stiff/gradient", stiff, true);
  benchmark::RunSpecifiedBenchmarks();
}
