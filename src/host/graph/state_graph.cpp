#include "sojourn/state_graph.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "common/form_sum.hpp"
#include "expects.hpp"
#include "graph/edge_store.hpp"
#include "graph/reachability.hpp"

namespace sojourn {
namespace {

constexpr double kSumTolerance = 1e-12;
constexpr std::size_t kListedStates = 8;

std::uint64_t row_hash(std::span<const std::uint8_t> row) {
  std::uint64_t hash = 0x9e3779b97f4a7c15ULL;
  for (const std::uint8_t byte : row) {
    hash = (hash ^ byte) * 0xff51afd7ed558ccdULL;
    hash ^= hash >> 32;
  }
  return hash;
}

bool is_ascending(const TermBegins& begins) {
  for (std::size_t e = 1; begins.is_held() && e < begins.size(); ++e)
    if (begins[e - 1] > begins[e]) return false;
  return true;
}

}  // namespace

void insert_term(GrowingArray<RateTerm>& terms, std::size_t begin, const RateTerm& term) {
  RateTerm* const place = std::lower_bound(terms.begin() + begin, terms.end(), term.rate,
                                           [](const RateTerm& t, std::int32_t rate) { return t.rate < rate; });
  if (place != terms.end() && place->rate == term.rate) {
    place->coefficient += term.coefficient;
    return;
  }
  const std::ptrdiff_t offset = place - terms.begin();
  terms.push_back(term);
  std::rotate(terms.begin() + offset, terms.end() - 1, terms.end());
}

std::int64_t StateGraph::num_bytes() const {
  std::size_t bytes = 8 * (edge_begin_.capacity() + unit_reward_.capacity()) + base_.num_bytes() +
                      term_begin_.num_bytes() + 4 * edge_to_.capacity() + variables_.num_bytes() +
                      sizeof(RateTerm) * terms_.capacity();
  for (const Reward& reward : rewards_) bytes += 8 * reward.values.capacity();
  return static_cast<std::int64_t>(bytes);
}

std::int32_t StateGraph::edge_from(std::int64_t edge) const {
  const auto next = std::upper_bound(edge_begin_.begin(), edge_begin_.end(), edge);
  return static_cast<std::int32_t>(next - edge_begin_.begin()) - 1;
}

double StateGraph::cancelling_weight(std::int64_t edge, std::span<const double> phi) const {
  FormSum<double> sum;
  sum.add(base_[edge], 1.0);
  for (const RateTerm& term : terms(edge)) sum.add(term.coefficient, phi[term.rate]);
  return sum.value();
}

std::span<const double> StateGraph::reward(std::string_view name) const {
  for (const Reward& reward : rewards_)
    if (reward.name == name) return reward.values;
  std::string known;
  for (const Reward& reward : rewards_) known += (known.empty() ? "" : ", ") + reward.name;
  SOJOURN_EXPECTS(!rewards_.empty(), UsageError, "no reward '{}': the model defines no rewards, only time", name);
  throw UsageError(fmt::format("no reward '{}'; the model has: {}", name, known));
}

void StateGraphBuilder::ensure_states(std::int32_t num_states) { num_states_ = std::max(num_states_, num_states); }

void StateGraphBuilder::set_variable_names(std::vector<std::string> names) {
  variables_ = IntegerRows(names.size());
  variable_names_ = std::move(names);
}

void StateGraphBuilder::set_states(std::vector<std::string> names, IntegerRows variables, StateRows rows) {
  SOJOURN_EXPECTS(!names.empty() && variables.width() == names.size(), ModelError,
                  "state variables: rows of {} values for {} names", variables.width(), names.size());
  num_states_ = static_cast<std::int32_t>(variables.size());
  variable_names_ = std::move(names);
  variables_ = std::move(variables);
  state_rows_ = rows;
}

void StateGraphBuilder::set_rows(GrowingArray<std::int64_t> edge_begin, GrowingArray<std::int32_t> to, EdgeBases base,
                                 TermBegins term_begin, GrowingArray<RateTerm> terms) {
  edge_from_ = {};
  edge_begin_ = std::move(edge_begin);
  edge_to_ = std::move(to);
  base_ = std::move(base);
  term_begin_ = std::move(term_begin);
  terms_ = std::move(terms);
}

std::int32_t StateGraphBuilder::add_state(std::span<const std::int32_t> variables) {
  SOJOURN_EXPECTS(variables.size() == variable_names_.size(), ModelError,
                  "state {}: {} values for {} variables; give one per variable", num_states_, variables.size(),
                  variable_names_.size());
  state_rows_ = StateRows::kToCheck;
  variables_.append(variables);
  return num_states_++;
}

void StateGraphBuilder::add_edge(std::int32_t from, std::int32_t to, double base, std::span<const RateTerm> terms) {
  SOJOURN_EXPECTS(edge_begin_.empty(), ModelError, "edge {} -> {}: the edges were set as rows; give it among them",
                  from, to);
  edge_from_.push_back(from);
  edge_to_.push_back(to);
  base_.push_back(base);
  const std::size_t begin = terms_.size();
  for (const RateTerm& term : terms) {
    if (term.coefficient == 0) continue;
    if (terms_.size() == begin || terms_.back().rate < term.rate) {
      terms_.push_back(term);
      continue;
    }
    insert_term(terms_, begin, term);
  }
  term_begin_.push_back(static_cast<std::int64_t>(terms_.size()));
}

void StateGraphBuilder::add_initial(std::int32_t state, double probability) {
  initial_.push_back({state, probability});
}

void StateGraphBuilder::add_reward(std::string name, std::vector<double> values) {
  rewards_.push_back({std::move(name), std::move(values)});
}

void StateGraphBuilder::check_states() const {
  SOJOURN_EXPECTS(num_states_ > 0, ModelError, "the graph has no states; add at least one absorbing state");
  SOJOURN_EXPECTS(num_rates_ >= 0, ModelError, "the number of rates {} must be >= 0", num_rates_);
  if (variable_names_.empty()) return;
  SOJOURN_EXPECTS(std::cmp_equal(variables_.size(), num_states_), ModelError,
                  "variables are given for {} of {} states; add every state with its variables", variables_.size(),
                  num_states_);
  if (state_rows_ == StateRows::kExplored) return;
  const auto row = [&](std::int32_t s) { return std::span(variables_.row(s), variables_.row_bytes()); };
  std::vector<std::pair<std::uint64_t, std::int32_t>> hashes(num_states_);
  for (std::int32_t s = 0; s < num_states_; ++s) hashes[s] = {row_hash(row(s)), s};
  std::sort(hashes.begin(), hashes.end());
  // Rows of one hash stand together; different rows that collide are rare, so comparing neighbours of a run pairwise is
  // cheap.
  for (std::size_t k = 1; k < hashes.size(); ++k)
    for (std::size_t j = k; j-- > 0 && hashes[j].first == hashes[k].first;)
      SOJOURN_EXPECTS(!std::ranges::equal(row(hashes[j].second), row(hashes[k].second)), ModelError,
                      "state {}: the same variables as state {} ({}); merge them into one state", hashes[k].second,
                      hashes[j].second, fmt::join(variables_.values(hashes[k].second), ", "));
}

/// Whether an edge passes every check of `check_edge`, in few steps; takes its weight into the bounds.
inline bool StateGraphBuilder::is_plain(std::int64_t e, WeightBounds& bounds) const {
  constexpr double kUnbounded = std::numeric_limits<double>::infinity();
  const double base = base_[e];
  bool fits = edge_to_[e] >= 0 && edge_to_[e] < num_states_ && std::isfinite(base);
  bool is_constant = true, is_non_negative = base >= 0;
  double coefficient_sum = 0;
  const std::int64_t end = term_begin_[e + 1];
  for (std::int64_t k = term_begin_[e]; k < end; ++k) {
    const RateTerm& term = terms_[k];
    fits = fits && term.rate >= 0 && term.rate < num_rates_ && std::isfinite(term.coefficient);
    is_constant = is_constant && term.coefficient == 0;
    is_non_negative = is_non_negative && term.coefficient >= 0;
    coefficient_sum += term.coefficient;
  }
  bounds.base = std::max(bounds.base, is_non_negative ? base : kUnbounded);
  bounds.coefficient_sum = std::max(bounds.coefficient_sum, coefficient_sum);
  return fits && (!is_constant || base > 0);
}

StateGraphBuilder::WeightBounds StateGraphBuilder::check_edges() const {
  WeightBounds bounds;
  if (edge_begin_.empty()) {
    const auto num_edges = static_cast<std::int64_t>(edge_from_.size());
    for (std::int64_t e = 0; e < num_edges; ++e) {
      const std::int32_t from = edge_from_[e];
      if (!is_plain(e, bounds) || from < 0 || from >= num_states_ || from == edge_to_[e]) check_edge(e);
    }
    return bounds;
  }
  const auto num_rows = static_cast<std::int64_t>(edge_begin_.size()) - 1;
  const auto num_edges = static_cast<std::int64_t>(edge_to_.size());
  SOJOURN_EXPECTS(num_rows <= num_states_ && std::ranges::is_sorted(edge_begin_) && is_ascending(term_begin_) &&
                      edge_begin_.front() == 0 && edge_begin_.back() == num_edges &&
                      static_cast<std::int64_t>(base_.size()) == num_edges &&
                      static_cast<std::int64_t>(term_begin_.size()) == num_edges + 1 && term_begin_.front() == 0 &&
                      term_begin_.back() == static_cast<std::int64_t>(terms_.size()),
                  ModelError, "edges: the arrays of {} rows and {} edges do not fit each other or {} states", num_rows,
                  num_edges, num_states_);
  for (std::int64_t from = 0; from < num_rows; ++from) {
    std::int32_t last = -1;
    for (std::int64_t e = edge_begin_[from]; e < edge_begin_[from + 1]; ++e) {
      if (!is_plain(e, bounds) || edge_to_[e] == from || edge_to_[e] <= last) check_edge(e);
      last = edge_to_[e];
    }
  }
  return bounds;
}

/// @throws ModelError for what is wrong with an edge.
void StateGraphBuilder::check_edge(std::int64_t e) const {
  const std::int32_t to = edge_to_[e];
  const std::int32_t from =
      edge_begin_.empty()
          ? edge_from_[e]
          : static_cast<std::int32_t>(std::ranges::upper_bound(edge_begin_, e) - edge_begin_.begin()) - 1;
  for (const std::int32_t state : {from, to})
    SOJOURN_EXPECTS(state >= 0 && state < num_states_, ModelError,
                    "edge {} ({} -> {}): state {} is not defined; the graph has states 0 to {}", e, from, to, state,
                    num_states_ - 1);
  SOJOURN_EXPECTS(from != to, ModelError, "edge {} ({} -> {}): self-loop; {}", e, from, to,
                  time_kind_ == TimeKind::kContinuous
                      ? "in continuous time a transition must leave its state; remove the edge"
                      : "what a row's edges leave of 1 stays in the state by itself; remove the edge");
  SOJOURN_EXPECTS(std::isfinite(base_[e]), ModelError, "edge {} ({} -> {}): rate {} must be finite and > 0", e, from,
                  to, base_[e]);
  bool is_constant = true;
  for (std::int64_t k = term_begin_[e]; k < term_begin_[e + 1]; ++k) {
    const RateTerm& term = terms_[k];
    SOJOURN_EXPECTS(term.rate >= 0 && term.rate < num_rates_, ModelError,
                    "edge {} ({} -> {}): parameter {} of {} (index {}); indices run from 0 to {}", e, from, to,
                    static_cast<std::int64_t>(term.rate) + 1, num_rates_, term.rate, num_rates_ - 1);
    SOJOURN_EXPECTS(std::isfinite(term.coefficient), ModelError,
                    "edge {} ({} -> {}): coefficient {} of parameter index {} must be finite", e, from, to,
                    term.coefficient, term.rate);
    is_constant = is_constant && term.coefficient == 0;
  }
  SOJOURN_EXPECTS(!is_constant || base_[e] > 0, ModelError,
                  "edge {} ({} -> {}): rate {} must be finite and > 0; remove the edge or give it a parameter", e, from,
                  to, base_[e]);
  SOJOURN_EXPECTS(edge_begin_.empty() || e == edge_begin_[from] || edge_to_[e - 1] < to, ModelError,
                  "edge {} ({} -> {}): the targets of a row must be given once each in ascending order", e, from, to);
}

/// Brings the edges into (from, to) order. Edges already in order, as explorers give them, stay where they are.
void StateGraphBuilder::sort_edges() {
  if (!edge_begin_.empty()) return;
  const std::int64_t num_edges = static_cast<std::int64_t>(edge_from_.size());
  const auto before = [&](std::int64_t a, std::int64_t b) {
    return std::pair(edge_from_[a], edge_to_[a]) < std::pair(edge_from_[b], edge_to_[b]);
  };
  bool is_sorted = true;
  for (std::int64_t e = 1; e < num_edges && is_sorted; ++e) is_sorted = before(e - 1, e);
  if (is_sorted) return;

  std::vector<std::int64_t> order(num_edges);
  {
    std::vector<std::int64_t> next(static_cast<std::size_t>(num_states_) + 1, 0);
    for (const std::int32_t from : edge_from_) ++next[from + 1];
    for (std::int32_t s = 0; s < num_states_; ++s) next[s + 1] += next[s];
    for (std::int64_t e = 0; e < num_edges; ++e) order[next[edge_from_[e]]++] = e;
  }
  for (std::int64_t begin = 0; begin < num_edges;) {
    std::int64_t end = begin + 1;
    while (end < num_edges && edge_from_[order[end]] == edge_from_[order[begin]]) ++end;
    std::stable_sort(order.begin() + begin, order.begin() + end,
                     [&](std::int64_t a, std::int64_t b) { return edge_to_[a] < edge_to_[b]; });
    for (std::int64_t k = begin + 1; k < end; ++k)
      SOJOURN_EXPECTS(edge_to_[order[k - 1]] != edge_to_[order[k]], ModelError,
                      "edge {} ({} -> {}): duplicate of edge {}; merge them into one by adding their weights", order[k],
                      edge_from_[order[k]], edge_to_[order[k]], order[k - 1]);
    begin = end;
  }

  const auto permute = [&](auto& values) {
    std::remove_cvref_t<decltype(values)> sorted;
    sorted.reserve(values.size());
    for (const std::int64_t e : order) sorted.push_back(values[e]);
    values = std::move(sorted);
  };
  GrowingArray<RateTerm> terms;
  TermBegins term_begin;
  terms.reserve(terms_.size());
  term_begin.push_back(0);
  for (const std::int64_t e : order) {
    terms.append({terms_.begin() + term_begin_[e], terms_.begin() + term_begin_[e + 1]});
    term_begin.push_back(static_cast<std::int64_t>(terms.size()));
  }
  terms_ = std::move(terms);
  term_begin_ = std::move(term_begin);
  permute(edge_from_);
  permute(edge_to_);
  permute(base_);
}

/// In discrete time the part of a row that no parameter can lower must not exceed 1.
void StateGraphBuilder::check_rows(const StateGraph& graph) const {
  if (time_kind_ != TimeKind::kDiscrete) return;
  for (std::int32_t s = 0; s < graph.num_states(); ++s) {
    double all_bases = 0, constant_edges = 0;
    bool can_decrease = false;
    for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e) {
      all_bases += graph.base(e);
      if (graph.terms(e).empty()) constant_edges += graph.base(e);
      for (const RateTerm& term : graph.terms(e)) can_decrease = can_decrease || term.coefficient < 0;
    }
    const double sum = can_decrease ? constant_edges : std::max(all_bases, constant_edges);
    SOJOURN_EXPECTS(sum <= 1 + kSumTolerance, ModelError,
                    "state {}: the constant probabilities of its edges sum to {:.17g}; a row of a discrete model may "
                    "sum to at most 1",
                    s, sum);
  }
}

void StateGraphBuilder::check_absorption(const StateGraph& graph) const {
  bool any_absorbing = false;
  for (std::int32_t s = 0; s < graph.num_states() && !any_absorbing; ++s) any_absorbing = graph.is_absorbing(s);
  SOJOURN_EXPECTS(any_absorbing, ModelError,
                  "no absorbing state: each of the {} states has out-edges (state 0 is trapped), so the law would be "
                  "defective; add a state without out-edges that the start can reach",
                  graph.num_states());
  const std::vector<std::int32_t> trapped = trapped_states(
      graph, {}, kListedStates, state_rows_ == StateRows::kExplored ? Discovery::kInOrder : Discovery::kUnknown);
  SOJOURN_EXPECTS(trapped.empty(), ModelError,
                  "state {} is reachable from the start but cannot reach an absorbing state, so the law would be "
                  "defective; trapped states: {}{}; add an edge from them towards an absorbing state",
                  trapped.empty() ? -1 : trapped.front(), fmt::join(trapped, ", "),
                  trapped.size() == kListedStates ? ", ..." : "");
}

void StateGraphBuilder::take_initial(StateGraph& graph) {
  SOJOURN_EXPECTS(!initial_.empty(), ModelError, "no start state: give at least one state with its probability");
  for (const InitialMass& mass : initial_) {
    SOJOURN_EXPECTS(mass.state >= 0 && mass.state < num_states_, ModelError,
                    "initial: state {} is not defined; the graph has states 0 to {}", mass.state, num_states_ - 1);
    SOJOURN_EXPECTS(std::isfinite(mass.probability) && mass.probability >= 0, ModelError,
                    "initial: state {} has probability {}; must be in [0, 1]", mass.state, mass.probability);
  }
  std::ranges::stable_sort(initial_, {}, &InitialMass::state);
  for (std::size_t k = 1; k < initial_.size(); ++k)
    SOJOURN_EXPECTS(initial_[k - 1].state != initial_[k].state, ModelError,
                    "initial: state {} is given twice; merge its probabilities", initial_[k].state);
  double sum = 0, rest = 1;
  for (const InitialMass& mass : initial_) {
    sum += mass.probability;
    rest -= mass.probability;
  }
  SOJOURN_EXPECTS(sum <= 1 + kSumTolerance, ModelError,
                  "initial: the start probabilities sum to {:.17g}; they may sum to at most 1", sum);
  SOJOURN_EXPECTS(sum > 0, ModelError, "initial: the start probabilities sum to 0; at least one must be > 0");
  std::erase_if(initial_, [](const InitialMass& mass) { return mass.probability == 0; });
  graph.initial_ = std::move(initial_);
  graph.defect_ = rest > kSumTolerance ? rest : 0;
}

void StateGraphBuilder::take_rewards(StateGraph& graph) {
  const std::size_t num_states = static_cast<std::size_t>(num_states_);
  graph.unit_reward_.resize(num_states);
  bool any_transient = false;
  for (std::int32_t s = 0; s < num_states_; ++s) {
    graph.unit_reward_[s] = graph.is_absorbing(s) ? 0 : 1;
    any_transient = any_transient || !graph.is_absorbing(s);
  }
  for (std::size_t r = 0; r < rewards_.size(); ++r) {
    Reward& reward = rewards_[r];
    SOJOURN_EXPECTS(!reward.name.empty(), ModelError, "reward {} has no name", r);
    for (std::size_t q = 0; q < r; ++q)
      SOJOURN_EXPECTS(rewards_[q].name != reward.name, ModelError, "reward '{}' is given twice; rename one",
                      reward.name);
    SOJOURN_EXPECTS(reward.values.size() == num_states, ModelError,
                    "reward '{}' has {} values; must be one per state, {}", reward.name, reward.values.size(),
                    num_states);
    bool any_positive = false;
    for (std::size_t s = 0; s < num_states; ++s) {
      double& value = reward.values[s];
      if (graph.unit_reward_[s] == 0) {
        value = 0;
        continue;
      }
      SOJOURN_EXPECTS(std::isfinite(value) && value >= 0, ModelError,
                      "reward '{}': value {} of state {} must be finite and >= 0", reward.name, value, s);
      any_positive = any_positive || value > 0;
    }
    SOJOURN_EXPECTS(any_positive || !any_transient, ModelError,
                    "reward '{}' is zero in every transient state; at least one value must be > 0", reward.name);
  }
  graph.rewards_ = std::move(rewards_);
}

StateGraph StateGraphBuilder::build() && {
  check_states();
  const WeightBounds bounds = check_edges();
  sort_edges();

  StateGraph graph;
  graph.time_kind_ = time_kind_;
  graph.num_rates_ = num_rates_;
  if (edge_begin_.empty()) {
    graph.edge_begin_.clear();
    graph.edge_begin_.resize(static_cast<std::size_t>(num_states_) + 1, 0);
    for (const std::int32_t from : edge_from_) ++graph.edge_begin_[from + 1];
    std::partial_sum(graph.edge_begin_.begin(), graph.edge_begin_.end(), graph.edge_begin_.begin());
    edge_from_ = {};
  } else {
    graph.edge_begin_ = std::move(edge_begin_);
    graph.edge_begin_.resize(static_cast<std::size_t>(num_states_) + 1, graph.edge_begin_.back());
  }
  graph.edge_to_ = std::move(edge_to_);
  graph.base_ = std::move(base_);
  graph.term_begin_ = std::move(term_begin_);
  graph.terms_ = std::move(terms_);
  graph.edge_to_.shrink_to_fit();
  graph.base_.shrink_to_fit();
  graph.term_begin_.shrink_to_fit();
  graph.terms_.shrink_to_fit();
  graph.variable_names_ = std::move(variable_names_);
  graph.variables_ = std::move(variables_);
  graph.variables_.shrink_to_fit();
  graph.largest_base_ = bounds.base;
  graph.largest_coefficient_sum_ = bounds.coefficient_sum;

  check_rows(graph);
  take_initial(graph);
  check_absorption(graph);
  take_rewards(graph);
  return graph;
}

std::int64_t first_bad_edge(const StateGraph& graph, std::span<const double> phi) {
  double largest_rate = 0;
  bool needs_scan = false;
  for (const double rate : phi) {
    needs_scan = needs_scan || !(rate >= 0);
    largest_rate = std::max(largest_rate, rate);
  }
  if (!needs_scan && std::isfinite(graph.weight_bound(largest_rate))) return -1;
  for (std::int64_t e = 0; e < graph.num_edges(); ++e) {
    const double weight = graph.weight(e, phi);
    if (!(weight >= 0) || !std::isfinite(weight)) return e;
  }
  return -1;
}

}  // namespace sojourn
