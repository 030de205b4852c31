#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>
#include <utility>

#include "common/row_remainder.hpp"
#include "evaluation/numeric_chain_eliminate.hpp"
#include "evaluation/stepping.hpp"
#include "expects.hpp"

namespace sojourn {

namespace {

/// Transient states that the start can reach, ascending; `index` maps the graph's states to them, -1 elsewhere.
std::vector<std::int32_t> reachable_transient(const StateGraph& graph, std::vector<std::int32_t>& index) {
  index.assign(graph.num_states(), -1);
  std::vector<std::int32_t> found;
  const auto visit = [&](std::int32_t state) {
    if (index[state] >= 0 || graph.is_absorbing(state)) return;
    index[state] = 0;
    found.push_back(state);
  };
  for (const InitialMass& mass : graph.initial()) visit(mass.state);
  for (std::size_t next = 0; next < found.size(); ++next) {
    for (std::int64_t e = graph.edge_begin(found[next]); e < graph.edge_end(found[next]); ++e) visit(graph.edge_to(e));
  }
  std::sort(found.begin(), found.end());
  for (std::size_t i = 0; i < found.size(); ++i) index[found[i]] = static_cast<std::int32_t>(i);
  return found;
}

/// Eliminates the states in `zero`, cheapest products of degrees first (degrees may be stale, which costs time alone).
void eliminate_zero_states(JetChain& chain, const std::vector<std::int32_t>& zero,
                           const std::vector<std::int32_t>& state) {
  using Candidate = std::pair<std::size_t, std::int32_t>;
  const auto cost = [&](std::int32_t z) { return chain.rows[z].size() * chain.predecessors[z].size(); };
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  for (const std::int32_t z : zero) queue.emplace(cost(z), z);
  while (!queue.empty()) {
    const auto [expected, z] = queue.top();
    queue.pop();
    if (const std::size_t now = cost(z); now > 2 * expected + 16) {
      queue.emplace(now, z);
      continue;
    }
    SOJOURN_EXPECTS(pass_through(chain, z), NumericalError,
                    "state {}: earns no reward and every weight that leaves it is 0 at these rates, so the law is not "
                    "defined; take rates > 0",
                    state[z]);
  }
}

void copy_jets(const std::vector<double>& jets, std::int32_t length, std::int64_t jet, double scale,
               std::vector<double>& values, std::vector<double>& gradients) {
  const double* source = jets.data() + jet * length;
  values.push_back(scale * source[0]);
  for (std::int32_t k = 1; k < length; ++k) gradients.push_back(scale * source[k]);
}

}  // namespace

NumericChain numeric_chain(const StateGraph& graph, std::span<const double> phi, std::span<const double> reward,
                           bool gradient) {
  SOJOURN_EXPECTS(phi.size() == static_cast<std::size_t>(graph.num_rates()), ShapeError,
                  "numeric chain: {} rates given, the graph has {}", phi.size(), graph.num_rates());
  SOJOURN_EXPECTS(reward.size() == static_cast<std::size_t>(graph.num_states()), ShapeError,
                  "numeric chain: {} rewards given, the graph has {} states", reward.size(), graph.num_states());
  const bool discrete = graph.time_kind() == TimeKind::kDiscrete;
  const std::int32_t length = gradient ? 1 + graph.num_rates() : 1;
  std::vector<std::int32_t> index;
  const std::vector<std::int32_t> state = reachable_transient(graph, index);
  const auto num_states = static_cast<std::int32_t>(state.size());

  JetChain chain(num_states, length);
  std::vector<double> jet(length);
  std::vector<std::int32_t> zero;
  for (std::int32_t i = 0; i < num_states; ++i) {
    const std::int32_t from = state[i];
    SOJOURN_EXPECTS(std::isfinite(reward[from]) && reward[from] >= 0, ModelError,
                    "state {}: reward {} must be finite and >= 0", from, reward[from]);
    SOJOURN_EXPECTS(!discrete || reward[from] == 0 || reward[from] == 1, ModelError,
                    "state {}: reward {} in discrete time, where a law needs rewards of 0 or 1", from, reward[from]);
    if (reward[from] == 0) zero.push_back(i);
    double total = 0;
    RowRemainder left;
    const Jet stay = chain.stay(i);
    for (std::int64_t e = graph.edge_begin(from); e < graph.edge_end(from); ++e) {
      const std::int32_t to = graph.edge_to(e);
      jet.assign(length, 0.0);
      jet[0] = graph.weight(e, phi);
      SOJOURN_EXPECTS(std::isfinite(jet[0]) && jet[0] >= 0, NumericalError,
                      "edge {} -> {}: weight {} at rates ({:.17g}) must be finite and >= 0", from, to, jet[0],
                      fmt::join(phi, ", "));
      if (gradient) {
        for (const RateTerm& term : graph.terms(e)) jet[1 + term.rate] += term.coefficient;
      }
      if (to == from) continue;
      total += jet[0];
      if (discrete) {
        left.take(graph.base(e), 1);
        for (const RateTerm& term : graph.terms(e)) left.take(term.coefficient, phi[term.rate]);
      }
      const bool absorbed = graph.is_absorbing(to);
      const Jet out = absorbed ? chain.exit(i) : chain.edge(i, index[to]);
      for (std::int32_t k = 0; k < length; ++k) {
        out[k] += jet[k];
        if (discrete && k > 0) stay[k] -= jet[k];
      }
    }
    if (discrete) {
      SOJOURN_EXPECTS(total <= 1 + 1e-12, NumericalError,
                      "state {}: its probabilities sum to {:.17g} at rates ({:.17g}), at most 1 is allowed", from,
                      total, fmt::join(phi, ", "));
      stay[0] = RowRemainder::stay(left.value(), graph.edge_end(from) - graph.edge_begin(from));
    }
  }
  chain.atom[0] = graph.defect();
  for (const InitialMass& mass : graph.initial()) {
    (graph.is_absorbing(mass.state) ? chain.atom.data() : chain.alpha(index[mass.state]))[0] += mass.probability;
  }
  // In discrete time a zero-reward state's chance to stay costs nothing either, so its pivot leaves it out as well.
  eliminate_zero_states(chain, zero, state);

  NumericChain result;
  result.time_kind = graph.time_kind();
  result.num_rates = graph.num_rates();
  std::vector<std::int32_t> kept(num_states, -1);
  for (std::int32_t i = 0; i < num_states; ++i) {
    if (reward[state[i]] > 0) kept[i] = result.num_states++;
  }
  result.row_begin.push_back(0);
  for (std::int32_t i = 0; i < num_states; ++i) {
    if (kept[i] < 0) continue;
    const double scale = 1 / reward[state[i]];
    for (const JetChain::Entry& entry : chain.rows[i]) {
      result.column.push_back(kept[entry.column]);
      copy_jets(chain.weights, length, entry.slot, scale, result.weight, result.weight_gradient);
    }
    result.row_begin.push_back(static_cast<std::int64_t>(result.column.size()));
    copy_jets(chain.exits, length, i, scale, result.exit, result.exit_gradient);
    // A return to the same state is no event in continuous time.
    copy_jets(chain.stays, length, i, discrete ? 1.0 : 0.0, result.stay, result.stay_gradient);
    copy_jets(chain.alphas, length, i, 1, result.alpha, result.alpha_gradient);
    result.state.push_back(state[i]);
  }
  result.atom = chain.atom[0];
  result.atom_gradient.assign(chain.atom.begin() + 1, chain.atom.end());
  return result;
}

}  // namespace sojourn
