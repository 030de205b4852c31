#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "common/expression_ops.hpp"
#include "common/likelihood_lanes.hpp"
#include "common/prior_density.hpp"
#include "common/strided.hpp"

/// From a particle's place on the unconstrained line to the rates of its likelihood, and from that likelihood back to a
/// log density and its score, as device threads compute them and a host loop does in tests.
namespace sojourn {

struct LaneParameter {
  std::int32_t parameter;  ///< of the model
  prior_density::LinePrior prior;
};

/// What all particles of a posterior share, as plain pointers.
struct ParameterView {
  std::int32_t num_free, num_parameters, num_rates;
  /// Rates are computed by a program of so many slots: parameters, constants, results. 0: rates are the parameters.
  std::int32_t num_slots, num_constants, num_steps;
  const LaneParameter* free;
  const double* base;  ///< [num_parameters] values of those that are fixed
  const double* constants;
  const Instruction* code;
  const std::int32_t* output_slot;  ///< [num_rates]

  /// Doubles of scratch a particle: values of all slots, and their adjoints.
  [[nodiscard]] SOJOURN_HD std::int64_t scratch_slots() const {
    return num_slots > 0 ? 2 * std::int64_t{num_slots} : 2 * std::int64_t{num_parameters};
  }
};

SOJOURN_HD inline bool is_finite(double value) { return value - value == 0; }

/// Rates `phi` [num_rates] of a particle at `z` [num_free]; its values stay in `scratch` for `finish_particle`. Where a
/// parameter is not finite, no rate is a number.
template <class Z, class Scratch, class Phi>
SOJOURN_HD inline void place_particle(const ParameterView& view, const Z& z, const Scratch& scratch, const Phi& phi) {
  for (std::int32_t p = 0; p < view.num_parameters; ++p) scratch[p] = view.base[p];
  bool finite = true;
  for (std::int32_t j = 0; j < view.num_free; ++j) {
    const LaneParameter& free = view.free[j];
    const double theta = line_transform::to_natural(free.prior.support, z[j]);
    scratch[free.parameter] = theta;
    finite = finite && is_finite(theta);
  }
  if (view.num_slots > 0) {
    for (std::int32_t k = 0; k < view.num_constants; ++k) scratch[view.num_parameters + k] = view.constants[k];
    run_code(view.code, view.num_steps, scratch);
  }
  for (std::int32_t r = 0; r < view.num_rates; ++r) {
    const double rate = view.num_slots > 0 ? scratch[view.output_slot[r]] : scratch[r];
    phi[r] = finite ? rate : std::numeric_limits<double>::quiet_NaN();
  }
}

/// Log density and score [num_free] of a particle from its log likelihood and the derivatives of that by its rates.
/// Returns whether all of them are finite.
template <class Z, class Scratch, class ByRate, class Score>
SOJOURN_HD inline bool finish_particle(const ParameterView& view, const Z& z, const Scratch& scratch, double likelihood,
                                       const ByRate& by_rate, double& log_density, const Score& score) {
  const Scratch adjoint = scratch.from(view.num_slots > 0 ? view.num_slots : view.num_parameters);
  if (view.num_slots > 0) {
    for (std::int32_t s = 0; s < view.num_slots; ++s) adjoint[s] = 0;
    for (std::int32_t r = 0; r < view.num_rates; ++r) adjoint[view.output_slot[r]] += by_rate[r];
    run_code_adjoint(view.code, view.num_steps, scratch, adjoint);
  } else {
    for (std::int32_t r = 0; r < view.num_rates; ++r) adjoint[r] = by_rate[r];
  }
  bool finite = true;
  for (std::int32_t p = 0; p < view.num_parameters; ++p) finite = finite && is_finite(adjoint[p]);
  double sum = likelihood;
  for (std::int32_t j = 0; j < view.num_free; ++j) {
    const LaneParameter& free = view.free[j];
    const prior_density::LineDensity prior = prior_density::on_line(free.prior, z[j]);
    const double slope =
        adjoint[free.parameter] * line_transform::derivative(free.prior.support, z[j]) + prior.derivative;
    sum += prior.value;
    score[j] = slope;
    finite = finite && is_finite(slope);
  }
  log_density = sum;
  return finite && is_finite(sum);
}

/// The same of one free parameter from its log likelihood and the derivative of that by z.
template <class Z, class Score>
SOJOURN_HD inline bool finish_on_line(const ParameterView& view, const Z& z, double likelihood, double slope,
                                      double& log_density, const Score& score) {
  const prior_density::LineDensity prior = prior_density::on_line(view.free[0].prior, z[0]);
  log_density = likelihood + prior.value;
  score[0] = slope + prior.derivative;
  return is_finite(log_density) && is_finite(score[0]);
}

}  // namespace sojourn
