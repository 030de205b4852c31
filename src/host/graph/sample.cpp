#include "sojourn/sample.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <cmath>

#include "common/random.hpp"
#include "expects.hpp"
#include "graph/jump_table.hpp"
#include "graph/reachability.hpp"

namespace sojourn {
namespace {

constexpr double kRowTolerance = 1e-12;

void check_arguments(const Model& model, std::span<const double> theta,
                     const std::vector<std::span<const double>>& rewards, std::int64_t num_draws) {
  SOJOURN_EXPECTS(std::ssize(theta) == model.num_parameters(), ShapeError,
                  "theta has {} values; model '{}' has {} parameters", theta.size(), model.name,
                  model.num_parameters());
  for (std::size_t p = 0; p < theta.size(); ++p)
    SOJOURN_EXPECTS(std::isfinite(theta[p]), UsageError, "theta: value {} of parameter '{}' must be finite", theta[p],
                    model.parameters[p].name);
  SOJOURN_EXPECTS(num_draws >= 0, UsageError, "number of draws {} must be >= 0", num_draws);
  for (std::size_t r = 0; r < rewards.size(); ++r) {
    SOJOURN_EXPECTS(std::ssize(rewards[r]) == model.graph.num_states(), ShapeError,
                    "reward {} has {} values; must be one per state, {}", r, rewards[r].size(),
                    model.graph.num_states());
    for (std::int32_t s = 0; s < model.graph.num_states(); ++s)
      SOJOURN_EXPECTS(model.graph.is_absorbing(s) || (std::isfinite(rewards[r][s]) && rewards[r][s] >= 0), UsageError,
                      "reward {}: value {} of state {} must be finite and >= 0", r, rewards[r][s], s);
  }
}

void check_weights(const StateGraph& graph, std::span<const double> theta, std::span<const double> phi) {
  const std::int64_t edge = first_bad_edge(graph, phi);
  if (edge >= 0)
    throw NumericalError(
        fmt::format("edge {} ({} -> {}): weight {:.17g} at theta = ({:.17g}) must be finite and >= 0; "
                    "keep theta where every weight is",
                    edge, graph.edge_from(edge), graph.edge_to(edge), graph.weight(edge, phi), fmt::join(theta, ", ")));
  const std::vector<std::int32_t> trapped = trapped_states(graph, phi, 1);
  if (!trapped.empty())
    throw NumericalError(
        fmt::format("state {} cannot reach an absorbing state at theta = ({:.17g}), where the weights "
                    "on its way out are 0, so draws would never end; keep theta away from there",
                    trapped.front(), fmt::join(theta, ", ")));
}

void check_rows(const JumpTable& table, const StateGraph& graph, std::span<const double> theta) {
  for (std::int32_t s = 0; s < graph.num_states(); ++s)
    SOJOURN_EXPECTS(table.exit_weight(s) <= 1 + kRowTolerance, NumericalError,
                    "state {}: the probabilities of its edges sum to {:.17g} at theta = ({:.17g}); must be at most 1",
                    s, table.exit_weight(s), fmt::join(theta, ", "));
}

/// Steps spent in a state that is left with probability `leave` in each: 1, 2, ... by inversion.
double num_steps(double leave, PhiloxStream& random) {
  if (leave >= 1) return 1;
  return 1 + std::floor(std::log(random.next_uniform()) / std::log1p(-leave));
}

/// Follows one path and adds what it earns to `gathered` [rewards].
void follow_path(const StateGraph& graph, const JumpTable& table, const std::vector<std::span<const double>>& rewards,
                 PhiloxStream random, std::span<double> gathered) {
  const bool is_discrete = graph.time_kind() == TimeKind::kDiscrete;
  std::int32_t state = table.start(random);
  if (state < 0) return;
  while (!graph.is_absorbing(state)) {
    const double exit = table.exit_weight(state);
    const double held = is_discrete ? num_steps(exit, random) : random.next_exponential() / exit;
    for (std::size_t r = 0; r < rewards.size(); ++r) gathered[r] += rewards[r][state] * held;
    state = table.jump(state, random);
  }
}

}  // namespace

Matrix<double> sample(const Model& model, std::span<const double> theta,
                      const std::vector<std::span<const double>>& rewards, std::int64_t num_draws, std::uint64_t seed,
                      [[maybe_unused]] int num_threads) {
  check_arguments(model, theta, rewards, num_draws);
  const StateGraph& graph = model.graph;
  std::vector<double> phi(graph.num_rates());
  model.rates.evaluate(theta, phi);
  check_weights(graph, theta, phi);
  const JumpTable table(graph, phi);
  if (graph.time_kind() == TimeKind::kDiscrete) check_rows(table, graph, theta);

  Matrix<double> draws(num_draws, rewards.size());
#ifdef _OPENMP
  if (num_threads <= 0) num_threads = omp_get_max_threads();
#endif
#pragma omp parallel for schedule(dynamic, 256) num_threads(num_threads)
  for (std::int64_t i = 0; i < num_draws; ++i)
    follow_path(graph, table, rewards, PhiloxStream(seed, kStreamSample, static_cast<std::uint64_t>(i)), draws.row(i));
  return draws;
}

}  // namespace sojourn
