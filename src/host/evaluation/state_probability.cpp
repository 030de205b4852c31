#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "evaluation/stepping.hpp"
#include "evaluation/uniformization_weights.hpp"
#include "expects.hpp"

namespace sojourn {

namespace {

constexpr std::int64_t kRun = 64;

/// The chain with its absorbing states: the vector of state probabilities with derivatives, stepped in place.
class FullChain {
 public:
  FullChain(const StateGraph& graph, std::span<const double> phi, bool gradient)
      : graph_(graph), length_(gradient ? 1 + graph.num_rates() : 1) {
    const std::int32_t num_states = graph.num_states();
    const bool discrete = graph.time_kind() == TimeKind::kDiscrete;
    leave_.assign(num_states, 0);
    weight_.resize(graph.num_edges());
    const std::vector<char> reached = reachable();
    for (std::int32_t i = 0; i < num_states; ++i) {
      for (std::int64_t e = graph.edge_begin(i); e < graph.edge_end(i); ++e) {
        weight_[e] = graph.weight(e, phi);
        SOJOURN_EXPECTS(std::isfinite(weight_[e]) && weight_[e] >= 0, NumericalError,
                        "edge {} -> {}: weight {} at rates ({:.17g}) must be finite and >= 0", i, graph.edge_to(e),
                        weight_[e], fmt::join(phi, ", "));
        if (graph.edge_to(e) != i) leave_[i] += weight_[e];
      }
      SOJOURN_EXPECTS(!discrete || leave_[i] <= 1 + 1e-12, NumericalError,
                      "state {}: its probabilities sum to {:.17g} at rates ({:.17g}), at most 1 is allowed", i,
                      leave_[i], fmt::join(phi, ", "));
      if (reached[i]) rate_ = std::max(rate_, leave_[i]);
    }
    if (discrete) rate_ = 1;
    now_.assign(static_cast<std::size_t>(num_states) * length_, 0);
    next_.resize(now_.size());
    for (const InitialMass& mass : graph.initial())
      now_[static_cast<std::size_t>(mass.state) * length_] += mass.probability;
  }

  /// Steps per unit of time.
  [[nodiscard]] double rate() const { return rate_; }
  [[nodiscard]] const std::vector<double>& now() const { return now_; }
  [[nodiscard]] std::int32_t length() const { return length_; }

  void advance() {
    std::fill(next_.begin(), next_.end(), 0.0);
    for (std::int32_t i = 0; i < graph_.num_states(); ++i) {
      const double* self = now_.data() + static_cast<std::int64_t>(i) * length_;
      if (std::all_of(self, self + length_, [](double x) { return x == 0; })) continue;
      double* stay = next_.data() + static_cast<std::int64_t>(i) * length_;
      for (std::int64_t e = graph_.edge_begin(i); e < graph_.edge_end(i); ++e) {
        if (graph_.edge_to(e) == i) continue;
        const double p = weight_[e] / rate_;
        double* out = next_.data() + static_cast<std::int64_t>(graph_.edge_to(e)) * length_;
        for (std::int32_t k = 0; k < length_; ++k) out[k] += p * self[k];
        if (length_ == 1) continue;
        for (const RateTerm& term : graph_.terms(e)) {
          const double slope = term.coefficient / rate_ * self[0];
          out[1 + term.rate] += slope;
          stay[1 + term.rate] -= slope;
        }
      }
      const double x = leave_[i] / rate_;
      // 1 - x is exact enough above one half; below, v - x v rounds once.
      for (std::int32_t k = 0; k < length_; ++k)
        stay[k] += x < 0.5 ? std::fma(-x, self[k], self[k]) : std::max(0.0, 1 - x) * self[k];
    }
    now_.swap(next_);
  }

 private:
  [[nodiscard]] std::vector<char> reachable() const {
    std::vector<char> seen(graph_.num_states(), 0);
    std::vector<std::int32_t> stack;
    const auto visit = [&](std::int32_t state) {
      if (seen[state] == 0) {
        seen[state] = 1;
        stack.push_back(state);
      }
    };
    for (const InitialMass& mass : graph_.initial()) visit(mass.state);
    while (!stack.empty()) {
      const std::int32_t i = stack.back();
      stack.pop_back();
      for (std::int64_t e = graph_.edge_begin(i); e < graph_.edge_end(i); ++e) visit(graph_.edge_to(e));
    }
    return seen;
  }

  const StateGraph& graph_;
  std::int32_t length_;
  double rate_ = 0;
  std::vector<double> weight_, leave_, now_, next_;
};

void write(const std::vector<double>& jets, std::int32_t length, std::span<double> probability,
           std::span<double> gradient) {
  for (std::size_t i = 0; i < probability.size(); ++i) {
    probability[i] = jets[i * length];
    for (std::int32_t k = 1; k < length; ++k) gradient[i * (length - 1) + k - 1] = jets[i * length + k];
  }
}

}  // namespace

template <>
void state_probability_on<kThisSet>(const StateGraph& graph, std::span<const double> phi, double t, double rtol,
                                    std::int64_t max_terms, std::span<double> probability, std::span<double> gradient) {
  const bool discrete = graph.time_kind() == TimeKind::kDiscrete;
  const auto num_states = static_cast<std::size_t>(graph.num_states());
  SOJOURN_EXPECTS(phi.size() == static_cast<std::size_t>(graph.num_rates()), ShapeError,
                  "state probability: {} rates given, the graph has {}", phi.size(), graph.num_rates());
  SOJOURN_EXPECTS(probability.size() == num_states, ShapeError, "state probability: room for {} states, there are {}",
                  probability.size(), num_states);
  SOJOURN_EXPECTS(gradient.empty() || gradient.size() == num_states * phi.size(), ShapeError,
                  "state probability: room for {} derivatives, there are {}", gradient.size(), num_states * phi.size());
  SOJOURN_EXPECTS(std::isfinite(t) && t >= 0, UsageError, "time {}: must be finite and >= 0", t);
  SOJOURN_EXPECTS(!discrete || (t == std::floor(t) && t <= 0x1p53), UsageError,
                  "count {}: a discrete chain is asked at whole numbers from 0 to 2^53", t);
  FullChain chain(graph, phi, !gradient.empty());
  const double mean = t * chain.rate();
  const double steps = discrete ? mean : mean + 9 * std::sqrt(mean) + 64;
  const double per_step = static_cast<double>(graph.num_edges()) + graph.num_states();
  SOJOURN_EXPECTS(steps * per_step <= static_cast<double>(max_terms), NumericalError,
                  "state probability: about {:.3g} steps of {:g} multiply-adds each are {:.3g}, more than the {} "
                  "allowed; raise max_terms (--max-terms of evaluate) or ask for an earlier time",
                  steps, per_step, steps * per_step, max_terms);
  if (discrete || mean == 0) {
    for (auto count = static_cast<std::int64_t>(discrete ? t : 0); count > 0; --count) chain.advance();
    write(chain.now(), chain.length(), probability, gradient);
    return;
  }
  std::vector<double> sum(chain.now().size(), 0.0);
  std::array<double, kRun> mantissa;
  std::array<std::int64_t, kRun> exponent;
  const double cut = std::log2(std::min(rtol, 1e-9)) - 24;
  for (std::int64_t first = 0;; first += kRun) {
    poisson_run(mean, first, mantissa, exponent);
    for (std::int64_t i = 0; i < kRun; ++i) {
      const double weight = std::ldexp(mantissa[i], static_cast<int>(std::max<std::int64_t>(exponent[i], -4000)));
      if (weight > 0) {
        const std::vector<double>& now = chain.now();
        for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += weight * now[j];
      }
      chain.advance();
    }
    const std::int64_t next = first + kRun;
    if (static_cast<double>(next) <= mean) continue;
    // The rest is below the cut of every probability that double can hold, once each state had time to be reached.
    double smallest = 1;
    for (std::size_t i = 0; i < num_states; ++i) {
      if (const double p = sum[i * chain.length()]; p > 0) smallest = std::min(smallest, p);
    }
    const double tail = log2_poisson_tail(next - 1, mean);
    if (tail < -1080 || (next > graph.num_states() && tail < std::log2(smallest) + cut)) break;
  }
  write(sum, chain.length(), probability, gradient);
}

}  // namespace sojourn
