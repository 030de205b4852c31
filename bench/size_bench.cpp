// Models of a million states: exploration in edges per second and core, elimination and evaluation with the memory that
// they took beside what was predicted. `--quick` takes models of a hundredth of the size.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "evaluation/replays_held.hpp"
#include "host/elimination/grid_graph.hpp"
#include "host/resident_memory.hpp"
#include "sojourn/elimination.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/explore.hpp"
#include "sojourn/families.hpp"
#include "workload.hpp"

namespace sojourn::bench {
namespace {

/// A grid of side^2 states, one component.
StateGraph grid(std::int32_t side) {
  return grid_graph(side, TimeKind::kContinuous, [](std::int32_t) { return 1.0; });
}

/// The same grid found by a callback.
StateGraph explored_grid(std::int32_t side) {
  ExploreOptions options;
  options.num_rates = 4;
  options.variable_names = {"i", "j"};
  options.initial = {{{0, 0}, 1.0}};
  options.concurrent = true;
  return explore(options, [side](std::span<const std::int32_t> state, TransitionSink& sink) {
    const std::int32_t i = state[0], j = state[1];
    if (i == side) return;
    const auto add = [&](std::int32_t to_i, std::int32_t to_j, std::int32_t rate) {
      const std::int32_t to[] = {to_i, to_j};
      const RateTerm term{rate, 1.0};
      sink.emit(to, 0, {&term, 1});
    };
    if (i > 0) add(i - 1, j, 0);
    if (j > 0) add(i, j - 1, 1);
    if (j + 1 < side) add(i, j + 1, 2);
    if (i + 1 < side || j + 1 == side) add(i + 1, j, 3);
  });
}

StateGraph explored_rules(std::int32_t samples) {
  const std::string n = std::to_string(samples);
  return parse_model("schema: sojourn/model/1\nparameters: [c0, c1, m0, m1]\nvariables: {a: {initial: " + n +
                         "}, b: {initial: 0}}\nrules:\n"
                         " - {when: a >= 2, rate: c0 * a*(a-1)/2, effect: {a: a-1}}\n"
                         " - {when: b >= 2, rate: c1 * b*(b-1)/2, effect: {b: b-1}}\n"
                         " - {when: a >= 1, rate: m0 * a, effect: {a: a-1, b: b+1}}\n"
                         " - {when: b >= 1, rate: m1 * b, effect: {a: a+1, b: b-1}}\n"
                         "absorbing: a + b == 1\n",
                     "rules")
      .graph;
}

template <class Make>
void add_exploration(const std::string& name, const Make& make) {
  benchmark::RegisterBenchmark(("explore/" + name).c_str(), [=](benchmark::State& state) {
    std::size_t num_edges = 0;
    for (auto _ : state) {
      const StateGraph graph = make();
      num_edges = static_cast<std::size_t>(graph.num_edges());
      state.counters["states"] = static_cast<double>(graph.num_states());
      state.counters["edges"] = static_cast<double>(num_edges);
    }
    count_rate(state, "edges/s", num_edges);
  })->Unit(benchmark::kMillisecond);
}

/// Eliminates once, then means of 64 parameter vectors with gradient; each with its height of memory over the
/// predicted.
template <class Make>
void add_large_model(const std::string& name, const Make& make) {
  benchmark::RegisterBenchmark(
      ("eliminate/" + name).c_str(),
      [=](benchmark::State& state) {
        const StateGraph graph = make();
        const CostPrediction predicted = predict_cost(graph);
        for (auto _ : state) {
          forget_past();
          const double before = resident_memory("VmRSS:");
          const Prc prc = eliminate(graph);
          const double height = resident_memory("VmHWM:") - before;
          state.counters["bytes"] = height;
          state.counters["bytes/predicted"] = height / static_cast<double>(predicted.elimination_bytes);
          state.counters["multiply_adds"] = static_cast<double>(prc.cost().factor_multiply_adds);
        }
      })
      ->Unit(benchmark::kMillisecond)
      ->Iterations(1);
  benchmark::RegisterBenchmark(
      ("gradient/" + name).c_str(),
      [=](benchmark::State& state) {
        Model model;
        model.graph = make();
        for (std::int32_t r = 0; r < model.graph.num_rates(); ++r)
          model.parameters.push_back({.name = std::to_string(r)});
        model.rates = RateMap::identity(model.graph.num_rates());
        const CostPrediction predicted = predict_cost(model.graph);
        const Evaluator evaluator(std::move(model), {.num_threads = 1});
        // Births slower than deaths, so that queues empty.
        std::vector<double> centre(evaluator.model().parameters.size(), 1.0);
        centre.front() = 0.5;
        const Matrix<double> theta = scattered_particles(centre, 0.1, 64);
        for (auto _ : state) {
          forget_past();
          const double before = resident_memory("VmRSS:");
          benchmark::DoNotOptimize(evaluator.moments(theta.view(), evaluator.model().graph.unit_reward(), 1, true));
          state.counters["bytes"] = resident_memory("VmHWM:") - before;
          const ReplaysHeld held = replays_held(predicted.replay, 64, 1);
          state.counters["predicted"] = held.gradient;
          state.counters["predicted/differences"] = held.differences;
        }
        count_rate(state, "vectors/s", 64);
      })
      ->Unit(benchmark::kMillisecond)
      ->Iterations(1);
}

}  // namespace
}  // namespace sojourn::bench

int main(int argc, char** argv) {
  using namespace sojourn;
  using namespace sojourn::bench;
  const bool quick = take_quick_flag(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  EliminationSettings settings = elimination_settings_from_environment();
  settings.cache = CacheMode::kOff;
  configure_elimination(settings);
  const std::int32_t blocks = quick ? 30 : 60, capacity = quick ? 10'000 : 1'000'000, side = quick ? 31 : 316;
  add_exploration("coalescent_blocks", [=] { return coalescent_blocks(blocks).graph; });
  add_exploration("three_demes", [=] {
    const std::int32_t samples[] = {quick ? 38 : 180, 0, 0};
    return structured_coalescent(samples).graph;
  });
  add_exploration("callback_grid", [=] { return explored_grid(quick ? 100 : 1000); });
  add_exploration("rules_two_demes", [=] { return explored_rules(quick ? 140 : 1400); });
  add_exploration("two_demes_blocks", [=] {
    const std::int32_t samples = quick ? 5 : 10;
    return structured_coalescent_blocks(std::vector{samples, samples}).graph;
  });
  add_exploration("two_locus", [=] { return two_locus(quick ? 6 : 9).graph; });
  add_large_model("coalescent_blocks", [=] { return coalescent_blocks(blocks).graph; });
  add_large_model("queue", [=] { return birth_death(capacity, 1, false).graph; });
  add_large_model("grid", [=] { return grid(side); });
  benchmark::RunSpecifiedBenchmarks();
}
