#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/row_remainder.hpp"
#include "oracle/zoo.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn::oracle {

/// A law of counts with unit rewards up to some count, in 113 bits, with exact derivatives by the rates. Weights and
/// what they leave of 1 are sums of the doubles given; the remainder that is no probability to stay is the library's
/// definition.
class QuadCounts {
 public:
  QuadCounts(const StateGraph& graph, std::span<const double> phi, std::int64_t last)
      : num_rates_(static_cast<std::size_t>(graph.num_rates())) {
    const auto num_states = static_cast<std::size_t>(graph.num_states());
    const std::size_t width = 1 + num_rates_;
    // A vector of numbers with their derivatives: [state, width].
    std::vector<__float128> now(num_states * width, 0), next;
    std::vector<__float128> stay(now.size(), 0);
    Value atom(width, 0);
    atom[0] = graph.defect();
    for (const InitialMass& mass : graph.initial())
      (graph.is_absorbing(mass.state) ? atom[0] : now[static_cast<std::size_t>(mass.state) * width]) +=
          mass.probability;
    struct QuadEdge {
      std::size_t from, to;
      bool absorbed;
      Value weight;
    };
    std::vector<QuadEdge> edges;
    for (std::int32_t i = 0; i < graph.num_states(); ++i) {
      if (graph.is_absorbing(i)) continue;
      __float128* const left = stay.data() + static_cast<std::size_t>(i) * width;
      left[0] = 1;
      for (std::int64_t e = graph.edge_begin(i); e < graph.edge_end(i); ++e) {
        QuadEdge edge{static_cast<std::size_t>(i), static_cast<std::size_t>(graph.edge_to(e)),
                      graph.is_absorbing(graph.edge_to(e)), Value(width, 0)};
        edge.weight[0] = graph.base(e);
        for (const RateTerm& term : graph.terms(e)) {
          edge.weight[0] += static_cast<__float128>(term.coefficient) * phi[static_cast<std::size_t>(term.rate)];
          edge.weight[1 + static_cast<std::size_t>(term.rate)] += term.coefficient;
        }
        for (std::size_t k = 0; k < width; ++k) left[k] -= edge.weight[k];
        edges.push_back(edge);
      }
      const auto num_edges = static_cast<double>(graph.edge_end(i) - graph.edge_begin(i));
      if (!(left[0] > kRowRounding * (1 + num_edges))) left[0] = 0;
    }
    const auto add = [&](Value& sum, const __float128* value) {
      for (std::size_t k = 0; k < width; ++k) sum[k] += value[k];
    };
    const auto alive = [&] {
      Value sum(width, 0);
      for (std::size_t i = 0; i < num_states; ++i) add(sum, now.data() + i * width);
      return sum;
    };
    mass_.push_back(atom);
    cdf_.push_back(atom);
    survival_.push_back(alive());
    for (std::int64_t n = 1; n <= last; ++n) {
      next.assign(now.size(), 0);
      Value absorbed(width, 0);
      const auto move = [&](const __float128* from, const __float128* weight, __float128* to) {
        to[0] += from[0] * weight[0];
        for (std::size_t k = 1; k < width; ++k) to[k] += from[k] * weight[0] + from[0] * weight[k];
      };
      for (std::size_t i = 0; i < num_states; ++i)
        move(now.data() + i * width, stay.data() + i * width, next.data() + i * width);
      for (const QuadEdge& edge : edges)
        move(now.data() + edge.from * width, edge.weight.data(),
             edge.absorbed ? absorbed.data() : next.data() + edge.to * width);
      now.swap(next);
      mass_.push_back(absorbed);
      cdf_.push_back(cdf_.back());
      add(cdf_.back(), absorbed.data());
      survival_.push_back(alive());
    }
  }

  /// The log likelihood, then its derivatives by the rates.
  [[nodiscard]] std::vector<long double> log_likelihood(const Observations& data) const {
    std::vector<long double> result(1 + num_rates_, 0);
    const auto take = [&](const Value& value, double weight) {
      const auto size = static_cast<long double>(value[0]);
      result[0] += weight * std::log(size);
      for (std::size_t k = 1; k < result.size(); ++k)
        result[k] += weight * static_cast<long double>(value[k] / value[0]);
    };
    for (const Observation& item : data.items) {
      if (item.left_censored) {
        take(at(cdf_, item.upper), item.weight);
      } else if (item.right_censored()) {
        take(at(survival_, item.lower), item.weight);
      } else if (item.exact()) {
        take(at(mass_, item.lower), item.weight);
      } else {
        Value sum(1 + num_rates_, 0);
        for (double n = item.lower + 1; n <= item.upper; ++n)
          for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += at(mass_, n)[k];
        take(sum, item.weight);
      }
      if (item.entry > 0) take(at(survival_, item.entry), -item.weight);
    }
    return result;
  }
  /// P(Y = n), P(Y > n) and P(Y <= n).
  [[nodiscard]] double mass(std::int64_t n) const { return first(mass_, n); }
  [[nodiscard]] double survival(std::int64_t n) const { return first(survival_, n); }
  [[nodiscard]] double cdf(std::int64_t n) const { return first(cdf_, n); }

 private:
  using Value = std::vector<__float128>;  ///< a number and its derivatives
  static const Value& at(const std::vector<Value>& values, double n) { return values[static_cast<std::size_t>(n)]; }
  static double first(const std::vector<Value>& values, std::int64_t n) {
    return static_cast<double>(values[static_cast<std::size_t>(n)][0]);
  }

  std::size_t num_rates_;
  std::vector<Value> mass_, survival_, cdf_;
};

/// A discrete chain of 1..9 states and two rates in (0, 1): slow rows, rows p and 1 - p of which nothing is left, rows
/// of which next to nothing is left, cycles, starts in several states, defects and atoms.
inline ZooChain random_counts(std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  const auto uniform = [&] { return static_cast<double>(bits() >> 11) * 0x1p-53; };
  const auto num_states = static_cast<std::int32_t>(1 + 9 * uniform());
  const std::vector<double> phi{0.02 + 0.96 * uniform(), 0.02 + 0.96 * uniform()};
  StateGraphBuilder builder(TimeKind::kDiscrete, 2);
  builder.ensure_states(num_states + 1);
  for (std::int32_t i = 0; i < num_states; ++i) {
    const auto rate = static_cast<std::int32_t>(2 * uniform());
    const std::int32_t onward = i + 1;
    std::int32_t aside = static_cast<std::int32_t>((num_states + 1) * uniform());
    const bool has_aside = num_states > 1;
    while (has_aside && (aside == i || aside == onward)) aside = (aside + 1) % (num_states + 1);
    const double scale = std::pow(10.0, -4 * uniform()), p = phi[static_cast<std::size_t>(rate)];
    const double kind = uniform();
    if (kind < 0.3) {
      edge(builder, i, onward, 0, {{rate, scale}});
      if (has_aside) edge(builder, i, aside, 0, {{1 - rate, 0.25 * scale * uniform()}});
    } else if (kind < 0.5 && has_aside) {
      // Nothing is left.
      edge(builder, i, onward, 0, {{rate, 1.0}});
      edge(builder, i, aside, 1, {{rate, -1.0}});
    } else if (kind < 0.7 && has_aside) {
      // 10^-U(1, 13) is left.
      const double left = std::pow(10.0, -1 - 12 * uniform());
      edge(builder, i, onward, 0, {{rate, 0.75}});
      edge(builder, i, aside, 1 - left - 0.75 * p, {});
    } else if (kind < 0.85) {
      // A weight that cancels nearly whole.
      edge(builder, i, onward, 0.5, {{rate, -0.5 * (1 - scale) / p}});
      if (has_aside) edge(builder, i, aside, 0, {{rate, 0.25 * uniform()}, {1 - rate, 0.125}});
    } else {
      edge(builder, i, onward, 0.125 * scale, {{0, 0.25}, {1, 0.5}});
    }
  }
  const double defect = uniform() < 0.3 ? 0.25 * uniform() : 0, atom = uniform() < 0.3 ? 0.125 : 0;
  const auto other = static_cast<std::int32_t>(num_states * uniform());
  const double first = other == 0 ? 1 : 0.25 + 0.5 * uniform();
  builder.add_initial(0, first * (1 - defect - atom));
  if (other != 0) builder.add_initial(other, (1 - first) * (1 - defect - atom));
  if (atom > 0) builder.add_initial(num_states, atom);
  return finish("counts_" + std::to_string(seed), std::move(builder), phi, false);
}

}  // namespace sojourn::oracle
