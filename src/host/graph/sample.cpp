#include "sojourn/sample.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <atomic>
#include <cmath>

#include "common/sample_path.hpp"
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

/// The tables of a chain that can be drawn from.
JumpTable checked_table(const Model& model, std::span<const double> theta,
                        const std::vector<std::span<const double>>& rewards, std::int64_t num_draws) {
  check_arguments(model, theta, rewards, num_draws);
  const StateGraph& graph = model.graph;
  std::vector<double> phi(graph.num_rates());
  model.rates.evaluate(theta, phi);
  check_weights(graph, theta, phi);
  JumpTable table(graph, phi, rewards);
  if (graph.time_kind() == TimeKind::kDiscrete) check_rows(table, graph, theta);
  return table;
}

[[noreturn]] void fail_endless(std::int64_t draw, std::span<const double> theta) {
  throw NumericalError(fmt::format(
      "draw {}: not absorbed after {} jumps at theta = ({:.17g}), where the way out is next to never taken; "
      "keep theta away from there",
      draw, kMostJumps, fmt::join(theta, ", ")));
}

/// First draws of a device that the CPU draws as well. Logarithms may differ by a unit in the last place.
constexpr std::int64_t kNumChecked = 4;
constexpr double kAllowance = 1e-12;

}  // namespace

Matrix<double> sample(const Model& model, std::span<const double> theta,
                      const std::vector<std::span<const double>>& rewards, std::int64_t num_draws, std::uint64_t seed,
                      [[maybe_unused]] int num_threads) {
  const JumpTable table = checked_table(model, theta, rewards, num_draws);
  const JumpView chain = table.view();
  Matrix<double> draws(num_draws, rewards.size());
#ifdef _OPENMP
  if (num_threads <= 0) num_threads = omp_get_max_threads();
#endif
  std::atomic<std::int64_t> endless = -1;  // one that is found lets the others be
#pragma omp parallel for schedule(dynamic, 256) num_threads(num_threads)
  for (std::int64_t i = 0; i < num_draws; ++i)
    if (endless.load(std::memory_order_relaxed) < 0 && !follow_path(chain, seed, i, draws.row(i))) endless = i;
  if (endless >= 0) fail_endless(endless, theta);
  return draws;
}

Matrix<double> sample(const Model& model, std::span<const double> theta,
                      const std::vector<std::span<const double>>& rewards, std::int64_t num_draws, std::uint64_t seed,
                      SampleDevice& device) {
  const JumpTable table = checked_table(model, theta, rewards, num_draws);
  const JumpView chain = table.view();
  Matrix<double> draws(num_draws, rewards.size());
  device.draw(table, seed, num_draws, draws.values());
  const auto lost = std::ranges::find_if(draws.values(), [](double draw) { return std::isnan(draw); });
  if (lost != draws.values().end()) fail_endless((lost - draws.values().begin()) / std::ssize(rewards), theta);
  std::vector<double> wanted(rewards.size());
  for (std::int64_t i = 0; i < std::min(num_draws, kNumChecked); ++i) {
    follow_path(chain, seed, i, std::span(wanted));
    for (std::size_t r = 0; r < wanted.size(); ++r)
      SOJOURN_EXPECTS(draws(i, r) == wanted[r] || std::abs(draws(i, r) - wanted[r]) <= kAllowance * wanted[r],
                      DeviceError, "{}: draw {} is {} there and {} on the CPU; use --device cpu and report this",
                      device.name(), i, draws(i, r), wanted[r]);
  }
  return draws;
}

std::unique_ptr<TensorDraws> tensor_draws(const Model& model, std::span<const double> theta,
                                          const std::vector<std::span<const double>>& rewards, SampleDevice& device) {
  return device.on_tensors(checked_table(model, theta, rewards, 0));
}

}  // namespace sojourn
