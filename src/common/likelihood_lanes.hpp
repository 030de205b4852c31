#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "common/contour_bound.hpp"
#include "common/form_sum.hpp"
#include "common/likelihood_terms.hpp"
#include "common/transform_lane.hpp"

/// From rates to log likelihoods with gradients, lane by lane, as device threads compute them and a host loop does in
/// tests. One batch of n particles goes through these steps, each of which needs the one before whole:
///   prepare     a particle         extended rates, whether the poles are proved real, the tilts of the windows
///   transforms  (node, particle)   `transform_lane` at the nodes, with gradients, and at the check nodes
///   invert      (time, particle)   log values and whether the contour certifies them
///   likelihood  a particle         the value, and what each time's transforms are weighted with
///   weigh       (node, particle)   the node's part of the gradient
///   gather      a particle         the gradient, and whether rounding left it enough digits
/// All sums run in an order fixed by the tables, so that a particle's bits depend on its rates alone.
namespace sojourn {

/// What became of one particle.
enum class LaneOutcome : std::int32_t {
  kDone,         ///< value and gradient hold
  kCoarse,       ///< the compressed likelihood's error estimate does not pass: a finer level
  kBadRates,     ///< a rate or a form of rates is negative or not finite
  kNotReal,      ///< the transform's poles are not proved real
  kUncertified,  ///< no route's error bound certifies all values
  kInterval,     ///< an interval is too narrow for the law's accuracy
  kInDoubt,      ///< rounding may have left the gradient too few digits
  kManySteps,    ///< no contour holds, and uniformization would take too many steps
};

/// Kinds of log values, in the order of `LawSide`.
inline constexpr int kDensity = 0, kSurvival = 1, kCdf = 2;

struct LaneWindow {
  std::int32_t node_begin, node_end;
  std::int32_t time_begin, time_end;  ///< places in `LikelihoodView::window_times`
  double reference_time;
};

struct LaneTime {
  contour_bound::Place place;
  std::int32_t window, node_begin, num_nodes, check_begin, num_checks;
  bool asked[3];                                            ///< by kind
  std::int64_t weight_begin, size_begin, check_size_begin;  ///< in the arrays of the same names
  double linear[3];                                         ///< what the likelihood weighs each log value with
};

struct LaneInterval {
  std::int32_t lower, upper;  ///< times
  double weight;
};

/// A piece whose values are interpolated, see `CompressedLikelihood`.
struct LanePiece {
  std::int32_t kind, time_begin, num_nodes;
  std::int64_t offset_begin;
  double weight;
};

/// A weight as a linear form of the rates.
struct LaneEdge {
  double base;
  std::int64_t term_begin, term_end;
};
struct LaneEdgeTerm {
  std::int32_t rate;  ///< from 0
  double coefficient;
};
/// Both directions of a connected pair of states; numbers count inside the component.
struct LanePair {
  std::int32_t from, to;
  std::int64_t forward, backward;  ///< edges
};
/// A component that is neither a single state nor a tree; its tree pairs come first.
struct LaneCycle {
  std::int64_t pair_begin, tree_end, pair_end;
  std::int64_t row_begin, row_end;  ///< in `cycle_rows`
};

/// What all particles of one level of one data set share, as plain pointers.
struct LikelihoodView {
  bool density, survival;  ///< transforms that are wanted
  std::int32_t num_nodes, num_checks, num_windows, num_times, num_intervals, num_pieces, num_cycles;
  std::int32_t num_cycle_states;  ///< of the largest cycle component
  std::int32_t num_tail_coefficients;
  double rtol, transform_roundings;
  double largest_value, largest_turn, largest_miss;
  double constant, total_weight;
  double tail_factor;  ///< 0 where the level is exact
  double gradient_share, gradient_tolerance, negligible_elasticity;
  const double* reward;  ///< [rows]
  const LaneComplex* nodes;
  const LaneComplex* check_nodes;
  const std::int32_t* window_of_node;
  const std::int32_t* window_of_check;
  const LaneWindow* windows;
  const std::int32_t* window_times;
  const LaneTime* times;
  const double* weights;      ///< per time [2 num_nodes]: Re E, then -Im E
  const double* sizes;        ///< per time [num_nodes]
  const double* check_sizes;  ///< per time [num_checks]
  const LaneInterval* intervals;
  const LanePiece* pieces;
  const double* offsets;
  const double* tail;  ///< [num_tail_coefficients, nodes of a piece]
  const LaneCycle* cycles;
  const LanePair* pairs;
  const LaneEdge* edges;
  const LaneEdgeTerm* edge_terms;
  const std::int32_t* cycle_rows;

  [[nodiscard]] SOJOURN_HD int num_transforms() const { return (density ? 1 : 0) + (survival ? 1 : 0); }
};

/// The numbers of one batch of n particles, lane-minor.
struct LikelihoodBatchView {
  std::int64_t n;
  const double* phi;                 ///< [num_rates, n]
  double* rate;                      ///< [num_extended, n]
  double* inverse_rate;              ///< [num_extended, n]
  double* scratch;                   ///< [prepare slots, n]
  double* tilts;                     ///< [windows, n]
  std::int32_t* outcome;             ///< [n]
  LaneComplex* transforms;           ///< [num_transforms, nodes, n]
  LaneComplex* check_transforms;     ///< [num_transforms, check nodes, n]
  LaneComplex* transform_gradients;  ///< [num_transforms, num_rates, nodes, n]; after `weigh` [0] part and size
  double* transform_sizes;           ///< [num_transforms, num_rates, nodes, n]
  double* log_values;                ///< [3, times, n]
  double* slopes;                    ///< [3, times, n] d log value / d what is inverted
  double* errors;                    ///< [times, n] largest relative bound, +inf where nothing is certified
  double* adjoints;                  ///< [num_transforms, times, n]
  double* value;                     ///< [n]
  double* error_bound;               ///< [n] of the law
  double* compression_error;         ///< [n] relative
  double* by_rate;                   ///< [num_rates, n]
};

/// Doubles of `scratch` a particle.
SOJOURN_HD inline std::int64_t prepare_slots(const PrcView& prc, const TransformLaneShape& shape,
                                             const LikelihoodView& likelihood) {
  (void)prc;
  return shape.most_entries + 2 * std::int64_t{shape.most_rows} + 3 * std::int64_t{shape.num_value_slots} +
         likelihood.num_cycle_states;
}

/// Step 1.
template <bool kFronts>
class PrepareLane {
 public:
  SOJOURN_HD PrepareLane(const PrcView& prc, const TransformLaneShape& shape, const LikelihoodView& likelihood,
                         const LikelihoodBatchView& batch, std::int64_t i)
      : prc_(prc),
        shape_(shape),
        likelihood_(likelihood),
        batch_(batch),
        i_(i),
        rate_{batch.rate + i, batch.n},
        entry_{batch.scratch + i, batch.n},
        exit_(entry_.from(shape.most_entries)),
        inverse_(exit_.from(shape.most_rows)),
        x_(inverse_.from(shape.most_rows)),
        potential_(x_.from(3 * std::int64_t{shape.num_value_slots})) {}

  SOJOURN_HD void run() {
    batch_.value[i_] = batch_.error_bound[i_] = batch_.compression_error[i_] = std::numeric_limits<double>::quiet_NaN();
    extend_rates(prc_, Strided<const double>{batch_.phi + i_, batch_.n}, rate_);
    bool good = true;
    for (std::int32_t r = 0; r < 1 + prc_.num_rates + prc_.num_forms; ++r) {
      good = good && rate_[r] >= 0 && rate_[r] <= std::numeric_limits<double>::max();
      batch_.inverse_rate[r * batch_.n + i_] = reciprocal(rate_[r]);
    }
    const bool real = imaginary_bound() * likelihood_.largest_value <= likelihood_.largest_turn;
    batch_.outcome[i_] = static_cast<std::int32_t>(!good   ? LaneOutcome::kBadRates
                                                   : !real ? LaneOutcome::kNotReal
                                                           : LaneOutcome::kDone);
    choose_tilts();
  }

 private:
  struct LowestPivot {
    double* lowest;
    SOJOURN_HD void see(double pivot) const {
      if (!(pivot >= *lowest)) *lowest = pivot;
    }
  };

  [[nodiscard]] SOJOURN_HD double edge_weight(std::int64_t edge) const {
    const LaneEdge& form = likelihood_.edges[edge];
    FormSum<double> sum;
    sum.add(form.base, 1.0);
    for (std::int64_t t = form.term_begin; t < form.term_end; ++t)
      sum.add(likelihood_.edge_terms[t].coefficient, rate_[1 + likelihood_.edge_terms[t].rate]);
    return sum.value();
  }

  /// As `Spectrum::imaginary_bound`.
  [[nodiscard]] SOJOURN_HD double imaginary_bound() const {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    double bound = 0;
    for (std::int32_t c = 0; c < likelihood_.num_cycles; ++c) {
      const LaneCycle& cycle = likelihood_.cycles[c];
      potential_[0] = 0;
      double miss = 0;
      for (std::int64_t p = cycle.pair_begin; p < cycle.pair_end; ++p) {
        const LanePair& pair = likelihood_.pairs[p];
        const double forward = edge_weight(pair.forward), backward = edge_weight(pair.backward);
        const bool in_tree = p < cycle.tree_end;
        if (!in_tree && forward == 0 && backward == 0) continue;
        if (!(forward > 0) || !(backward > 0)) return kInfinity;
        const double step = potential_[pair.from] + std::log(forward / backward);
        if (in_tree) {
          potential_[pair.to] = step;
          continue;
        }
        const double off = std::abs(step - potential_[pair.to]);
        if (!(off <= miss)) miss = off;
      }
      if (!(miss <= likelihood_.largest_miss)) return kInfinity;
      double largest_exit = 0;
      for (std::int64_t k = cycle.row_begin; k < cycle.row_end; ++k) {
        const std::int32_t v = likelihood_.cycle_rows[k];
        double exit = 0;
        for (std::int64_t g = prc_.rows[v].group_begin; g < prc_.rows[v].group_end; ++g)
          add_product(exit, prc_.groups[g].total, rate_[prc_.groups[g].rate]);
        exit /= likelihood_.reward[v];
        if (exit > largest_exit) largest_exit = exit;
      }
      const double own = 2 * miss * largest_exit;
      if (!(own <= bound)) bound = own;
    }
    return bound;
  }

  /// The smallest pivot at a real shift: the shift lies right of the poles exactly where it is positive.
  template <class AfterFactor>
  SOJOURN_HD double factor_all(double shift, AfterFactor&& after) {
    double lowest = std::numeric_limits<double>::infinity();
    const auto kill = [&](std::int32_t v) { return likelihood_.reward[v] * shift; };
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      const PrcComponent& component = prc_.components[c];
      factor_component<double, kFronts>(prc_, component, rate_, kill, entry_, exit_, inverse_, LowestPivot{&lowest});
      after(component);
    }
    return lowest;
  }

  /// As `LawPlan` chooses them: a Newton step from 0 towards each window's saddlepoint, proved right of the poles.
  SOJOURN_HD void choose_tilts() {
    double moment[3] = {0, 0, 0};  // of F, -F', F'' / 2 at 0
    const double lowest = factor_all(0.0, [&](const PrcComponent& component) {
      for (int order = 0; order < 3; ++order) {
        const Strided<double> x = x_.from(order * std::int64_t{shape_.num_value_slots});
        const Strided<double> before = x_.from((order > 0 ? order - 1 : 0) * std::int64_t{shape_.num_value_slots});
        const auto rhs = [&](std::int32_t v) {
          if (order > 0) return likelihood_.reward[v] * before[prc_.value_slot[v]];
          if (!likelihood_.density) return likelihood_.reward[v];
          return absorbing_weight<double>(prc_, prc_.rows[v], rate_);
        };
        solve_component<ValueSlots, double>(prc_, component, rate_, entry_, inverse_, rhs, x);
        for (std::int32_t v = component.row_begin; v < component.row_end; ++v)
          if (prc_.alpha[v] != 0) add_product(moment[order], prc_.alpha[v], x[prc_.value_slot[v]]);
      }
    });
    const double mean = moment[1] / moment[0], spread = 2 * moment[2] / moment[0] / (mean * mean) - 1;
    constexpr int kMaxHalvings = 4;
    for (std::int32_t w = 0; w < likelihood_.num_windows; ++w) {
      double tilt = (1 / mean - 1 / likelihood_.windows[w].reference_time) / spread;
      const bool finite = tilt - tilt == 0;
      if (!(lowest > 0) || !(spread > 0) || !finite) tilt = 0;
      for (int halving = 0; tilt > 0; ++halving) {
        if (factor_all(-tilt, [](const PrcComponent&) {}) > 0) break;
        tilt = halving < kMaxHalvings ? tilt / 2 : 0;
      }
      batch_.tilts[w * batch_.n + i_] = tilt;
    }
  }

  const PrcView& prc_;
  const TransformLaneShape& shape_;
  const LikelihoodView& likelihood_;
  const LikelihoodBatchView& batch_;
  std::int64_t i_;
  Strided<double> rate_, entry_, exit_, inverse_, x_, potential_;
};

/// Step 3, for time `j` of particle `i`.
SOJOURN_HD inline void invert_lane(const LikelihoodView& likelihood, const LikelihoodBatchView& batch, std::int64_t j,
                                   std::int64_t i) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const LaneTime& time = likelihood.times[j];
  const std::int64_t n = batch.n;
  const double t = time.place.time, tilt = batch.tilts[time.window * n + i];
  double worst = 0;
  for (int transform = 0; transform < likelihood.num_transforms(); ++transform) {
    const bool is_density = transform == 0 && likelihood.density;
    if (is_density ? !time.asked[kDensity] : !time.asked[kSurvival] && !time.asked[kCdf]) continue;
    const LaneComplex* const f = batch.transforms + (transform * likelihood.num_nodes + time.node_begin) * n + i;
    const double* const weight = likelihood.weights + time.weight_begin;
    const double* const size = likelihood.sizes + time.size_begin;
    // Real and imaginary halves apart, as the host adds them.
    double real = 0, imaginary = 0;
    contour_bound::Sizes sizes{0, 0, 0, 0};
    double before_last = 0;
    for (std::int32_t k = 0; k < time.num_nodes; ++k) {
      const LaneComplex node = f[k * n];
      const double modulus = std::sqrt(node.re * node.re + node.im * node.im);
      add_product(real, weight[k], node.re);
      add_product(imaginary, weight[time.num_nodes + k], node.im);
      add_product(sizes.all, size[k], modulus);
      if (modulus > sizes.largest) sizes.largest = modulus;
      before_last = sizes.last;
      sizes.last = size[k] * modulus;
    }
    sizes.last += before_last;
    const LaneComplex* const check =
        batch.check_transforms + (transform * likelihood.num_checks + time.check_begin) * n + i;
    for (std::int32_t k = 0; k < time.num_checks; ++k) {
      const LaneComplex node = check[k * n];
      add_product(sizes.check, likelihood.check_sizes[time.check_size_begin + k],
                  std::sqrt(node.re * node.re + node.im * node.im));
    }
    const double inverted = real + imaginary;
    const double error = contour_bound::error(time.place, sizes, tilt, likelihood.transform_roundings);
    const double log_factor = -tilt * t;
    const auto settle = [&](int kind, double value, double value_error, double slope, double add) {
      const std::int64_t place = (kind * std::int64_t{likelihood.num_times} + j) * n + i;
      double relative = value_error / value;
      if (!(value > 0)) relative = kInfinity;
      batch.log_values[place] = std::log(value) + add;
      batch.slopes[place] = slope / value;
      if (!(relative <= worst)) worst = relative;
    };
    if (is_density) {
      settle(kDensity, inverted, error, 1, log_factor);
      continue;
    }
    if (time.asked[kSurvival]) settle(kSurvival, inverted, error, 1, log_factor);
    if (!time.asked[kCdf]) continue;
    // 1 - survival: the absolute error stays, and the bound relative to the cdf says whether that loses anything.
    const double factor = std::exp(log_factor);
    settle(kCdf, 1 - factor * inverted, factor * error + std::numeric_limits<double>::epsilon(), -factor, 0);
  }
  batch.errors[j * n + i] = worst <= likelihood.rtol ? worst : kInfinity;
}

/// Step 4, for particle `i`.
SOJOURN_HD inline void likelihood_lane(const LikelihoodView& likelihood, const LikelihoodBatchView& batch,
                                       std::int64_t i) {
  const std::int64_t n = batch.n, num_times = likelihood.num_times;
  const Strided<const double> log_value{batch.log_values + i, n}, slope{batch.slopes + i, n};
  const Strided<double> adjoint{batch.adjoints + i, n};
  const std::int64_t of_survival = likelihood.density ? num_times : 0;  // where the adjoints of G begin
  const auto finish = [&](LaneOutcome outcome) {
    if (batch.outcome[i] == static_cast<std::int32_t>(LaneOutcome::kDone))
      batch.outcome[i] = static_cast<std::int32_t>(outcome);
  };
  double error_bound = 0;
  CompensatedSum sum;
  sum.add(likelihood.constant);
  for (std::int64_t j = 0; j < num_times; ++j) {
    const double error = batch.errors[j * n + i];
    if (!(error <= error_bound)) error_bound = error;
    for (int transform = 0; transform < likelihood.num_transforms(); ++transform)
      adjoint[transform * num_times + j] = 0;
  }
  for (int kind = 0; kind < 3; ++kind) {
    for (std::int64_t j = 0; j < num_times; ++j) {
      const LaneTime& time = likelihood.times[j];
      if (!time.asked[kind] || time.linear[kind] == 0) continue;
      const std::int64_t place = kind * num_times + j;
      sum.add(time.linear[kind] * log_value[place]);
      adjoint[(kind == kDensity ? 0 : of_survival) + j] += time.linear[kind] * slope[place];
    }
  }
  double amplification = 1;
  bool unresolved = false;
  for (std::int32_t k = 0; k < likelihood.num_intervals; ++k) {
    const LaneInterval& interval = likelihood.intervals[k];
    const std::int64_t l = interval.lower, u = interval.upper;
    const IntervalDifference difference =
        smaller_difference(log_value[kSurvival * num_times + l], log_value[kSurvival * num_times + u],
                           log_value[kCdf * num_times + l], log_value[kCdf * num_times + u]);
    if (!(difference.gap > 0)) {
      unresolved = true;
      continue;
    }
    sum.add(interval.weight * difference.log_probability());
    const double by_large = difference.by_large(), by_small = difference.by_small();
    const std::int64_t large = difference.by_cdf ? u : l, small = difference.by_cdf ? l : u;
    const std::int64_t kind = (difference.by_cdf ? kCdf : kSurvival) * num_times;
    adjoint[of_survival + large] += interval.weight * by_large * slope[kind + large];
    adjoint[of_survival + small] += interval.weight * by_small * slope[kind + small];
    if (by_large - by_small > amplification) amplification = by_large - by_small;
  }
  const double value = sum.value();
  batch.value[i] = value;
  batch.error_bound[i] = error_bound;
  batch.compression_error[i] = 0;
  // A value that is not a number has an error bound that is none.
  if (!(error_bound <= likelihood.rtol) || !(value - value == 0)) return finish(LaneOutcome::kUncertified);
  if (unresolved || !(amplification * error_bound <= kIntervalTolerance)) return finish(LaneOutcome::kInterval);
  if (likelihood.tail_factor == 0) return;
  double error = 0;
  for (std::int32_t p = 0; p < likelihood.num_pieces; ++p) {
    const LanePiece& piece = likelihood.pieces[p];
    double largest = 0;
    for (std::int32_t k = 0; k < likelihood.num_tail_coefficients; ++k) {
      double coefficient = 0;
      for (std::int32_t m = 0; m < piece.num_nodes; ++m)
        add_product(
            coefficient, likelihood.tail[k * piece.num_nodes + m],
            log_value[piece.kind * num_times + piece.time_begin + m] - likelihood.offsets[piece.offset_begin + m]);
      if (!(std::abs(coefficient) <= largest)) largest = std::abs(coefficient);
    }
    error += likelihood.tail_factor * piece.weight * largest;
  }
  const double least = kLeastLikelihoodScale * likelihood.total_weight;
  error /= std::abs(value) > least ? std::abs(value) : least;
  batch.compression_error[i] = error;
  if (!(error <= likelihood.rtol)) finish(LaneOutcome::kCoarse);
}

/// Step 5, for node `k` of particle `i`: the node's part of each derivative, and the size of what it was added from.
SOJOURN_HD inline void weigh_lane(const PrcView& prc, const LikelihoodView& likelihood,
                                  const LikelihoodBatchView& batch, std::int64_t k, std::int64_t i) {
  const std::int64_t n = batch.n, num_lanes = likelihood.num_nodes * n, lane = k * n + i;
  const LaneWindow& window = likelihood.windows[likelihood.window_of_node[k]];
  const std::int64_t in_window = k - window.node_begin, num_nodes = window.node_end - window.node_begin;
  for (int transform = 0; transform < likelihood.num_transforms(); ++transform) {
    double real = 0, imaginary = 0;
    for (std::int32_t p = window.time_begin; p < window.time_end; ++p) {
      const std::int64_t j = likelihood.window_times[p];
      const double* const weight = likelihood.weights + likelihood.times[j].weight_begin + in_window;
      const double adjoint = batch.adjoints[(transform * std::int64_t{likelihood.num_times} + j) * n + i];
      add_product(real, adjoint, weight[0]);
      add_product(imaginary, adjoint, weight[num_nodes]);
    }
    const double turned = absolute(real) + absolute(imaginary);
    for (std::int32_t r = 0; r < prc.num_rates; ++r) {
      const std::int64_t place = (transform * std::int64_t{prc.num_rates} + r) * num_lanes + lane;
      const LaneComplex slope = batch.transform_gradients[place];
      LaneComplex part(real * slope.re + imaginary * slope.im, turned * batch.transform_sizes[place]);
      if (transform > 0) part += batch.transform_gradients[place - prc.num_rates * num_lanes];
      batch.transform_gradients[transform > 0 ? place - prc.num_rates * num_lanes : place] = part;
    }
  }
}

/// Step 6, for particle `i`.
SOJOURN_HD inline void gather_lane(const PrcView& prc, const LikelihoodView& likelihood,
                                   const LikelihoodBatchView& batch, std::int64_t i) {
  const std::int64_t n = batch.n;
  bool sure = true;
  for (std::int32_t r = 0; r < prc.num_rates; ++r) {
    double sum = 0, size = 0;
    for (std::int64_t k = 0; k < likelihood.num_nodes; ++k) {
      const LaneComplex& part = batch.transform_gradients[(r * std::int64_t{likelihood.num_nodes} + k) * n + i];
      sum += part.re;
      size += part.im;
    }
    batch.by_rate[r * n + i] = sum;
    const double bound = likelihood.gradient_share * size;
    // Written so that what is not a number is in doubt.
    sure = sure && (bound <= likelihood.gradient_tolerance * std::abs(sum) ||
                    bound * batch.phi[r * n + i] <= likelihood.negligible_elasticity * likelihood.total_weight);
  }
  if (!sure && batch.outcome[i] == static_cast<std::int32_t>(LaneOutcome::kDone))
    batch.outcome[i] = static_cast<std::int32_t>(LaneOutcome::kInDoubt);
}

}  // namespace sojourn
