#include "evaluation/moment_single.hpp"

#include <algorithm>
#include <cmath>

#include "elimination/prc_arrays.hpp"
#include "evaluation/moment_replay.hpp"
#include "evaluation/single_bounds.hpp"

namespace sojourn {
namespace {

/// Roundings on the longest way through the program, each a factor of (1 + d)^(+-1) with |d| <= 2^-24. Positive sums
/// take the largest of their terms' counts and one more for each addition, products and quotients add (Higham 2002,
/// section 3.4). Within a component of several rows the way is a few roundings for every row and the longest sums of
/// any; the proven bound of GTH elimination is larger (O'Cinneide 1993), as it lets all errors point the same way, and
/// a test holds what occurs at half of this one over random chains.
struct Roundings {
  double value = 0;     ///< of one solve, from the rates to x
  double visits = 0;    ///< of one transposed solve
  double starts = 0;    ///< of the sum over the start
  double gradient = 0;  ///< of the sums over all edges, besides those of x and y
};

Roundings count_roundings(const PrcArrays& prc) {
  const auto count = [](std::int64_t n) { return static_cast<double>(n); };
  // A rate: its own rounding. A form: that of its sum, which is exact but for the last digit of a double, and its own.
  const double rate = 3, form = prc.forms.empty() ? 0 : 1;
  std::vector<double> forward(prc.components.size(), 0), backward(forward), behind(forward);
  std::vector<std::size_t> component_of(prc.rows.size());
  std::vector<double> terms_of_entry;  // of the component at hand: direct weights and products
  Roundings roundings;
  double most_groups = 0, most_terms = 0;
  for (std::size_t c = 0; c < prc.components.size(); ++c) {
    const PrcComponent& component = prc.components[c];
    double below = 0, longest = 0, longest_back = 0, groups_here = 0;
    terms_of_entry.assign(component.entry_end - component.entry_begin, 0);
    const std::int64_t last_sum = prc.rows[component.row_end - 1].sum_end;
    for (std::int64_t s = component.direct_begin; s < last_sum; ++s)
      terms_of_entry[prc.sums[s].slot] += 1 + count(s < component.sum_begin ? 0 : prc.sums[s].num_pairs);
    for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
      const PrcRow& row = prc.rows[v];
      component_of[v] = c;
      double terms = 0;
      for (std::int64_t g = row.group_begin; g < row.group_end; ++g) {
        const PrcGroup& group = prc.groups[g];
        terms = std::max(terms, count(group.term_end - group.term_begin));
        for (std::int64_t t = group.term_begin; g < row.group_middle && t < group.term_end; ++t)
          below = std::max(below, forward[component_of[prc.terms[t].column]]);
      }
      double arriving = 0;
      for (std::int64_t g = row.arrival_begin; g < row.arrival_end; ++g)
        arriving = std::max(arriving, count(prc.arrivals[g].term_end - prc.arrivals[g].term_begin));
      double entry = 0;
      for (std::int64_t e = row.entry_begin; e < row.entry_end; ++e)
        entry = std::max(entry, terms_of_entry[e - component.entry_begin]);
      // By fronts no entry adds up more products than its row has columns eliminated before.
      if (component.front_begin != component.front_end) entry += count(row.entry_middle - row.entry_begin);
      const double groups = count(row.group_end - row.group_begin), entries = count(row.entry_end - row.entry_begin);
      const double factor = entry + groups + 2 * entries;
      longest = std::max(longest, factor + terms + groups + entries);
      longest_back = std::max(longest_back, factor + arriving + count(row.arrival_end - row.arrival_begin) + entries);
      groups_here += groups;
      most_terms = std::max(most_terms, terms);
    }
    constexpr double kFew = 8;  // coefficients, products, reciprocal and scaling
    const double rows = component.row_end - component.row_begin;
    const double few = (kFew + 2 * form) * rows + 2 * rate;
    forward[c] = below + longest + few;
    backward[c] = longest_back + few;
    most_groups = std::max(most_groups, groups_here);
    roundings.value = std::max(roundings.value, forward[c]);
  }
  // Predecessors come later: what arrives at a component is behind the longest way of those.
  for (std::size_t c = prc.components.size(); c-- > 0;) {
    const double here = behind[c] + backward[c];
    roundings.visits = std::max(roundings.visits, here);
    const PrcComponent& component = prc.components[c];
    for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
      for (std::int64_t g = prc.rows[v].group_begin; g < prc.rows[v].group_middle; ++g) {
        for (std::int64_t t = prc.groups[g].term_begin; t < prc.groups[g].term_end; ++t) {
          double& next = behind[component_of[prc.terms[t].column]];
          next = std::max(next, here);
        }
      }
    }
  }
  roundings.starts = count(std::count_if(prc.alpha.begin(), prc.alpha.end(), [](double a) { return a != 0; })) + 2;
  roundings.gradient = most_terms + 2 * (static_cast<double>(kSummedGroups) + most_groups) + rate + form + 10;
  return roundings;
}

/// The bound behind a count of roundings: n u / (1 - n u).
double bound_of(double count, double unit) {
  const double error = count * unit;
  return error < 0.5 ? error / (1 - error) : 1;
}

}  // namespace

SingleBounds single_bounds(const StateGraph& graph, const Prc& prc, int order) {
  constexpr double kUnit = 0x1p-24, kDoubleUnit = 0x1p-53;
  const Roundings roundings = count_roundings(prc.arrays());
  SingleBounds bounds;
  for (int k = 1; k <= order; ++k) {
    // Each order is a solve on the order before; the reward's factor takes a few more.
    const double count = k * (roundings.value + 6) + roundings.starts;
    bounds.of_order.push_back(bound_of(count, kUnit));
    bounds.in_double.push_back(bound_of(count, kDoubleUnit));
  }
  const double of_gradient = (order + 1) * (std::max(roundings.value, roundings.visits) + 6) + roundings.gradient;
  bounds.gradient_share = bound_of(of_gradient, kUnit);
  bounds.allowed = graph.time_kind() == TimeKind::kContinuous && bounds.of_order.back() <= kSingleTolerance;
  return bounds;
}

SingleMoments replay_moments_single(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                                    std::span<const double> reward, int order, std::span<double> values,
                                    std::span<double> gradient, int num_threads) {
  const std::size_t num_lanes = phi.num_rows(), num_rates = phi.num_cols(), num = static_cast<std::size_t>(order);
  const SingleBounds bounds = single_bounds(graph, prc, order);
  SingleMoments result;
  result.single.assign(num_lanes, 0);
  result.gradient_error.assign(gradient.size(), 0);
  result.in_doubt.assign(gradient.empty() ? 0 : num_lanes, 0);
  std::vector<char> refused(num_lanes, 0);
  if (bounds.allowed) {
    on_instruction_set([&](auto set) {
      replay_moments_single_on<set>(graph, prc, phi, reward, order, bounds.gradient_share, values, gradient,
                                    result.gradient_error, refused, num_threads);
    });
    for (std::size_t k = 0; k < num_lanes; ++k) {
      const auto own = values.subspan(k * num, num);
      const bool finite = std::all_of(own.begin(), own.end(), [](double value) { return std::isfinite(value); });
      result.single[k] = refused[k] == 0 && finite ? 1 : 0;
    }
  }
  for (std::size_t k = 0; k < num_lanes; ++k) {
    const std::vector<double>& own = result.single[k] != 0 ? bounds.of_order : bounds.in_double;
    result.error_bound.insert(result.error_bound.end(), own.begin(), own.end());
  }
  std::vector<std::size_t> left;
  for (std::size_t k = 0; k < num_lanes; ++k) {
    if (result.single[k] == 0) left.push_back(k);
  }
  if (left.empty()) return result;
  Matrix<double> left_phi(left.size(), num_rates);
  for (std::size_t i = 0; i < left.size(); ++i)
    std::copy_n(phi.row(left[i]).begin(), num_rates, left_phi.row(i).begin());
  std::vector<double> left_values(left.size() * num),
      left_gradient(gradient.empty() ? 0 : left_values.size() * num_rates);
  std::vector<char> in_doubt(gradient.empty() ? 0 : left.size());
  replay_moments(graph, prc, left_phi.view(), reward, order, left_values, left_gradient, num_threads,
                 GradientRoute::kCertified, in_doubt);
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::copy_n(left_values.begin() + static_cast<std::ptrdiff_t>(i * num), num, values.begin() + left[i] * num);
    if (gradient.empty()) continue;
    const std::size_t width = num * num_rates;
    std::copy_n(left_gradient.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                gradient.begin() + left[i] * width);
    result.in_doubt[left[i]] = in_doubt[i];
    // What `replay_moments` promises of a gradient.
    std::fill_n(result.gradient_error.begin() + static_cast<std::ptrdiff_t>(left[i] * width), width, 1e-9);
  }
  return result;
}

}  // namespace sojourn
