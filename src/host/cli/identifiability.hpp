#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/theta.hpp"
#include "sojourn/evaluator.hpp"

namespace sojourn::cli {

/// Which parameters, or combinations of them, the law of some rewards depends on.
struct Identifiability {
  bool assessed = false;
  std::string reason;                   ///< why not, when !assessed
  std::vector<std::string> rewards;     ///< whose moments were looked at
  int order = 0;                        ///< moments 1..order of each
  int rank = 0;                         ///< of the scaled derivatives, at most the number of parameters
  std::vector<double> singular_values;  ///< [P], falling, the largest is 1
  std::vector<double> theta;            ///< [P] where the rank is attained
  /// Directions in which no moment moves: [P] weights of log(parameter), or of the parameter itself where its
  /// range reaches below 0; largest weight 1, weights below 1e-6 set to 0.
  std::vector<std::vector<double>> silent_directions;
  std::vector<double> weakest_direction;  ///< [P], of the smallest singular value, whether it is zero or not
  std::vector<bool> on_log_scale;         ///< [P]
};

/// Local identifiability: the rank of d log E[Y_r^k] / d parameter over all rewards r and k = 1..order, by singular
/// values, at a few fixed parameter vectors inside the model's ranges, of which the best counts. Moments are exact to
/// rounding with exact gradients, so singular values below 1e-14 of the largest are taken for zero.
/// Cost: 2 * order solves per reward and vector; not assessed where that exceeds about 10^10 multiply-adds.
Identifiability identifiability(const Evaluator& evaluator, const std::vector<NamedReward>& rewards);

/// "log(a) - log(b)": a direction in words.
std::string describe_direction(const Model& model, const Identifiability& result, std::span<const double> weights);

}  // namespace sojourn::cli
