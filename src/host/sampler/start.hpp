#pragma once

#include <string>
#include <vector>

#include "sojourn/svgd.hpp"

namespace sojourn {

/// Start particles, all with finite log density and score.
struct Start {
  Matrix<double> particles;
  std::vector<double> log_density;
  Matrix<double> score;
  std::vector<double> map;
  Matrix<double> laplace_covariance;
  std::string failure;
  std::size_t num_modes = 0;
  std::int64_t num_repairs = 0;
};

/// Laplace draws around the modes (inflated), prior draws, or the given particles; see `SvgdOptions::start`.
/// A Laplace or prior draw where the target is not finite is drawn nearer to the mode, or drawn again.
/// What is known so far stands in `start` if the target throws; its particles stay empty until they are drawn.
/// @throws ParticleError when that does not help, UsageError when a given particle is not finite.
void make_start(const Target& target, const SvgdOptions& options, Start& start);

/// "[a, b, c]" with 17 digits, for messages.
std::string format_position(std::span<const double> position);

/// True when the log density and all score components are finite.
bool finite_row(double log_density, std::span<const double> score);

}  // namespace sojourn
