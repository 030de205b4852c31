#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "common/likelihood_lanes.hpp"
#include "common/median_select.hpp"
#include "common/strided.hpp"
#include "common/svgd_metric.hpp"
#include "common/svgd_step.hpp"

/// An iteration of SVGD where the particles live, step by step, as device threads take them and a host loop does in
/// tests. Each step is called with the numbers of its lanes, in any order, and needs the one before whole. Sums over
/// particles run in an order fixed by their number, so that the bits depend on neither timing nor machine.
namespace sojourn::svgd_lanes {

/// Sums of the direction live in registers, its tiles in at most 64 KiB of shared memory.
inline constexpr int kMostDimensions = 16;
/// Lanes that share out a sum over all particles: lane q takes particles q, q + kNumChunks, ...
inline constexpr std::int64_t kNumChunks = 256;

/// What stays the same for a run.
struct Rules {
  std::int32_t dim = 1;
  std::int64_t n = 0, stride = 0;  ///< arrays of coordinates are [d, stride]
  bool whiten = true, median = true, uses_adam = true, has_laplace = false;
  double bandwidth = 1, bandwidth_scale = 1, linear_weight = 0;
  svgd_step::Adam adam;
  svgd_step::Schedule schedule;
};

/// What one iteration leaves to the next, and what its steps tell each other.
struct Numbers {
  std::int32_t halted;     ///< not 0: particles are left open, and nothing goes on before they are settled
  std::uint32_t num_open;  ///< of this iteration
  std::int64_t iteration;  ///< done
  std::int64_t trace_begin;
  double rate, correction1, correction2;
  double inverse_h2;
  double mean_log_density, largest_step;
  double worst_error_bound, worst_compression_error;  ///< since the particles came here
  double maxima[3];
  double line_width;  ///< of cells that log likelihoods come from
  std::int64_t num_line_cells;
  double mean_score_size;  ///< mean over particles of the largest |s|
  double centre[kMostDimensions], mean[kMostDimensions], sd[kMostDimensions];
  double factor[kMostDimensions * kMostDimensions], laplace[kMostDimensions * kMostDimensions];
  double covariance[kMostDimensions * kMostDimensions], mixed[kMostDimensions * kMostDimensions];
  double next_factor[kMostDimensions * kMostDimensions], scratch[kMostDimensions * kMostDimensions];
  double mean_u_s[2 * kMostDimensions], moment[kMostDimensions * kMostDimensions];
  median_select::Search search;
};

struct Cloud {
  Rules rules;
  Numbers* numbers;
  double *x, *score, *log_density;                    ///< [d, stride], [d, stride], [n]
  double *trial, *trial_score, *trial_log_density;    ///< where the step ends
  double *u, *s, *phi, *dx;                           ///< [d, stride]; phi the direction, dx the step
  double *first_moment, *second_moment;               ///< [d, stride]
  double *error_bound, *compression_error, *largest;  ///< [n] of the evaluation; move of this particle in sds
  std::int32_t* outcome;                              ///< [n] `LaneOutcome`
  double* partial;                                    ///< [terms, kNumChunks]
  double *trace_mean, *trace_step;                    ///< by iteration - trace_begin

  [[nodiscard]] SOJOURN_HD Strided<double> at(double* array, std::int64_t i) const { return {array + i, rules.stride}; }
};

/// What the rank that owns a particle gives the others of it: coordinates of one array, and of where its step ends its
/// density, bounds and outcome as well.
struct RowNumbers {
  Rules rules;
  double* coordinates;    ///< [d, stride]
  double* single[3];      ///< [n] each, or all null with `outcome`
  std::int32_t* outcome;  ///< [n]; whole numbers of 32 bits are doubles exactly
  [[nodiscard]] SOJOURN_HD int width() const { return rules.dim + (outcome != nullptr ? 4 : 0); }
};
/// A particle from `first` on: its numbers side by side, as they travel.
struct PackStep {
  RowNumbers from;
  std::int64_t first;
  double* packed;  ///< [n, width]
  SOJOURN_HD void operator()(std::int64_t lane) const {
    const std::int64_t i = first + lane;
    const int dim = from.rules.dim;
    double* const to = packed + i * from.width();
    for (int c = 0; c < dim; ++c) to[c] = from.coordinates[c * from.rules.stride + i];
    if (from.outcome == nullptr) return;
    for (int k = 0; k < 3; ++k) to[dim + k] = from.single[k][i];
    to[dim + 3] = from.outcome[i];
  }
};
/// A particle, back to its places.
struct UnpackStep {
  const double* packed;
  RowNumbers to;
  SOJOURN_HD void operator()(std::int64_t i) const {
    const int dim = to.rules.dim;
    const double* const from = packed + i * to.width();
    for (int c = 0; c < dim; ++c) to.coordinates[c * to.rules.stride + i] = from[c];
    if (to.outcome == nullptr) return;
    for (int k = 0; k < 3; ++k) to.single[k][i] = from[dim + k];
    to.outcome[i] = static_cast<std::int32_t>(from[dim + 3]);
  }
};

/// Sums of all particles' terms: `term(k, i)` is particle i's part of sum k.
template <class Term>
struct SumStep {
  Term term;
  std::int64_t n;
  double* partial;
  SOJOURN_HD void operator()(std::int64_t lane) const {
    const std::int64_t k = lane / kNumChunks, q = lane % kNumChunks;
    double sum = 0;
    for (std::int64_t i = q; i < n; i += kNumChunks) sum += term(static_cast<int>(k), i);
    partial[lane] = sum;
  }
};
struct CombineStep {
  const double* partial;
  double divisor;
  double* into;
  SOJOURN_HD void operator()(std::int64_t k) const {
    double sum = 0;
    for (std::int64_t q = 0; q < kNumChunks; ++q) sum += partial[k * kNumChunks + q];
    into[k] = sum / divisor;
  }
};

struct CoordinateTerm {
  const double* values;  ///< [d, stride]
  std::int64_t stride;
  SOJOURN_HD double operator()(int k, std::int64_t i) const { return values[k * stride + i]; }
};
struct CovarianceTerm {
  Cloud cloud;
  SOJOURN_HD double operator()(int k, std::int64_t i) const {
    const int a = k / cloud.rules.dim, b = k % cloud.rules.dim;
    const double* const mean = cloud.numbers->mean;
    return (cloud.x[a * cloud.rules.stride + i] - mean[a]) * (cloud.x[b * cloud.rules.stride + i] - mean[b]);
  }
};
/// Means of u, then of s.
struct WhitenedTerm {
  Cloud cloud;
  SOJOURN_HD double operator()(int k, std::int64_t i) const {
    const int dim = cloud.rules.dim;
    return k < dim ? cloud.u[k * cloud.rules.stride + i] : cloud.s[(k - dim) * cloud.rules.stride + i];
  }
};
/// The largest |s| of a particle.
struct ScoreSizeTerm {
  Cloud cloud;
  SOJOURN_HD double operator()(int, std::int64_t i) const {
    double largest = 0;
    for (int c = 0; c < cloud.rules.dim; ++c) {
      const double size = std::abs(cloud.s[c * cloud.rules.stride + i]);
      if (size > largest) largest = size;
    }
    return largest;
  }
};
/// s_a (u_b - mean of u_b).
struct MomentTerm {
  Cloud cloud;
  SOJOURN_HD double operator()(int k, std::int64_t i) const {
    const int a = k / cloud.rules.dim, b = k % cloud.rules.dim;
    return cloud.s[a * cloud.rules.stride + i] * (cloud.u[b * cloud.rules.stride + i] - cloud.numbers->mean_u_s[b]);
  }
};

/// Largest of all particles' moves, error bounds and compression errors, all >= 0.
struct MaximumStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t lane) const {
    const std::int64_t k = lane / kNumChunks, q = lane % kNumChunks;
    const double* const values = k == 0 ? cloud.largest : k == 1 ? cloud.error_bound : cloud.compression_error;
    double most = 0;
    for (std::int64_t i = q; i < cloud.rules.n; i += kNumChunks)
      if (values[i] > most) most = values[i];
    cloud.partial[lane] = most;
  }
};
struct CombineMaximumStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t k) const {
    double most = 0;
    for (std::int64_t q = 0; q < kNumChunks; ++q)
      if (cloud.partial[k * kNumChunks + q] > most) most = cloud.partial[k * kNumChunks + q];
    cloud.numbers->maxima[k] = most;
  }
};

/// One lane.
struct BeginStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t) const {
    Numbers& numbers = *cloud.numbers;
    const Rules& rules = cloud.rules;
    numbers.num_open = 0;
    numbers.rate = svgd_step::rate_at(rules.schedule, numbers.iteration);
    numbers.correction1 = svgd_step::correction_at(rules.adam.beta1, numbers.iteration);
    numbers.correction2 = svgd_step::correction_at(rules.adam.beta2, numbers.iteration);
  }
};

/// One lane: sds and metric from mean and covariance.
struct MetricStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t) const {
    Numbers& numbers = *cloud.numbers;
    const Rules& rules = cloud.rules;
    const int dim = rules.dim;
    for (int a = 0; a < dim; ++a) numbers.sd[a] = std::sqrt(numbers.covariance[a * dim + a]);
    if (!rules.whiten) return;
    for (int a = 0; a < dim; ++a)
      for (int b = 0; b < dim; ++b)
        numbers.mixed[a * dim + b] = svgd_metric::anchored_covariance(
            dim, static_cast<double>(rules.n), numbers.covariance, rules.has_laplace ? numbers.laplace : nullptr, a, b);
    // A covariance that is not definite leaves the metric as it was.
    if (!svgd_metric::factor_of_covariance(dim, numbers.mixed, numbers.next_factor, numbers.scratch)) return;
    for (int a = 0; a < dim * dim; ++a) numbers.factor[a] = numbers.next_factor[a];
    for (int a = 0; a < dim; ++a) numbers.centre[a] = numbers.mean[a];
  }
};

/// A particle.
struct WhitenStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t i) const {
    const Numbers& numbers = *cloud.numbers;
    const int dim = cloud.rules.dim;
    svgd_metric::whiten_point(dim, numbers.factor, numbers.centre, cloud.at(cloud.x, i), cloud.at(cloud.u, i));
    svgd_metric::whiten_score(dim, numbers.factor, cloud.at(cloud.score, i), cloud.at(cloud.s, i));
  }
};

/// One lane.
struct BeginSearchStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t) const {
    median_select::begin_search(median_select::num_pairs(cloud.rules.n), cloud.numbers->search);
  }
};
/// kPairsPerLane pairs of particles.
struct CountStep {
  Cloud cloud;
  int digit;
  SOJOURN_HD void operator()(std::int64_t lane) const {
    median_select::count_lane(cloud.rules.dim, cloud.u, cloud.rules.stride, cloud.rules.n, digit, lane,
                              cloud.numbers->search);
  }
};
/// One of the two middle values.
struct ChooseStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t m) const {
    median_select::choose_digit(static_cast<int>(m), cloud.numbers->search);
  }
};
/// One lane.
struct BandwidthStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t) const {
    const Rules& rules = cloud.rules;
    double h = rules.bandwidth;
    if (rules.median) {
      h = rules.bandwidth_scale * median_select::bandwidth_of(median_select::median_of(cloud.numbers->search), rules.n);
      // More than half of the pairs coincide: any positive width lets the others repel.
      if (h <= 0) h = 1e-3;
    }
    cloud.numbers->inverse_h2 = 1 / (h * h);
  }
};

/// A particle: its step from the direction, with that of the linear kernel, and where it ends.
struct MoveStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t i) const {
    const Numbers& numbers = *cloud.numbers;
    const Rules& rules = cloud.rules;
    const int dim = rules.dim;
    const Strided<double> u = cloud.at(cloud.u, i), phi = cloud.at(cloud.phi, i), dx = cloud.at(cloud.dx, i);
    const Strided<double> m = cloud.at(cloud.first_moment, i), v = cloud.at(cloud.second_moment, i);
    const bool linear = rules.whiten && rules.linear_weight > 0;
    for (int a = 0; a < dim; ++a) {
      double direction = phi[a];
      if (linear) {
        double sum = numbers.mean_u_s[dim + a];
        for (int b = 0; b < dim; ++b)
          sum += (numbers.moment[a * dim + b] + (a == b ? 1.0 : 0.0)) * (u[b] - numbers.mean_u_s[b]);
        direction += rules.linear_weight * sum;
      }
      dx[a] = rules.uses_adam ? svgd_step::adam_step(rules.adam, numbers.rate, numbers.correction1, numbers.correction2,
                                                     u[a], direction, m[a], v[a])
                              : direction * numbers.rate;
    }
    svgd_metric::step_back(dim, numbers.factor, dx, dx);
    const Strided<double> x = cloud.at(cloud.x, i), trial = cloud.at(cloud.trial, i);
    for (int a = 0; a < dim; ++a) trial[a] = x[a] + dx[a];
  }
};

/// A particle: whether its step's end is evaluated.
struct OpenStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t i) const {
    if (cloud.outcome[i] != static_cast<std::int32_t>(LaneOutcome::kDone))
      median_select::add_to_count(cloud.numbers->num_open, 1);
  }
};
/// One lane.
struct JudgeStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t) const { cloud.numbers->halted = cloud.numbers->num_open > 0 ? 1 : 0; }
};

/// A particle: it stands where its step ended.
struct AcceptStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t i) const {
    const Numbers& numbers = *cloud.numbers;
    double largest = 0;
    for (int c = 0; c < cloud.rules.dim; ++c) {
      const std::int64_t place = c * cloud.rules.stride + i;
      const double moved = std::abs(cloud.trial[place] - cloud.x[place]) / numbers.sd[c];
      if (numbers.sd[c] > 0 && moved > largest) largest = moved;
      cloud.x[place] = cloud.trial[place];
      cloud.score[place] = cloud.trial_score[place];
    }
    cloud.log_density[i] = cloud.trial_log_density[i];
    cloud.largest[i] = largest;
  }
};

/// One lane.
struct EndStep {
  Cloud cloud;
  SOJOURN_HD void operator()(std::int64_t) const {
    Numbers& numbers = *cloud.numbers;
    numbers.largest_step = numbers.maxima[0];
    if (numbers.maxima[1] > numbers.worst_error_bound) numbers.worst_error_bound = numbers.maxima[1];
    if (numbers.maxima[2] > numbers.worst_compression_error) numbers.worst_compression_error = numbers.maxima[2];
    cloud.trace_mean[numbers.iteration - numbers.trace_begin] = numbers.mean_log_density;
    cloud.trace_step[numbers.iteration - numbers.trace_begin] = numbers.largest_step;
    ++numbers.iteration;
  }
};

}  // namespace sojourn::svgd_lanes
