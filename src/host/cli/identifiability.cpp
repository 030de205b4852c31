#include "cli/identifiability.hpp"

#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <optional>

#include "common/random.hpp"
#include "evaluation/replays_held.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

/// Rounding leaves 1e-16 to 1e-17 of the largest singular value where the exact one is zero.
constexpr double kRankTolerance = 1e-14;
constexpr double kMaxMultiplyAdds = 1e10;
/// Beyond, the pages of a replay take longer to come than the look is worth.
constexpr double kMaxBytes = 512 << 20;
constexpr int kNumVectors = 3;
constexpr int kMaxOrder = 24;
constexpr std::uint64_t kSeed = 1;

/// A parameter vector spread over the ranges; unbounded ones get values between 0.5 and 2 above the lower end.
/// `scale` shrinks those, for discrete models whose rows must not exceed 1.
std::vector<double> trial_theta(const Model& model, std::uint64_t index, double scale) {
  PhiloxStream random(kSeed, kStreamDiagnostics, index);
  std::vector<double> theta;
  for (const Parameter& parameter : model.parameters) {
    const double uniform = random.next_uniform();
    const bool below = std::isfinite(parameter.lower), above = std::isfinite(parameter.upper);
    const double positive = scale * std::exp((2 * uniform - 1) * std::log(2.0));
    if (below && above) {
      const double reach = std::min(parameter.upper - parameter.lower, 4 * scale);
      theta.push_back(parameter.lower + reach * (0.2 + 0.6 * uniform));
    } else if (above) {
      theta.push_back(parameter.upper - positive);
    } else {
      theta.push_back((below ? parameter.lower : 0) + positive);
    }
  }
  return theta;
}

/// Rows of d log E[Y_r^k] / d (scaled parameter), or nothing where the model cannot be evaluated at this theta.
std::optional<Eigen::MatrixXd> scaled_derivatives(const Evaluator& evaluator, const std::vector<NamedReward>& rewards,
                                                  int order, const std::vector<double>& theta,
                                                  const std::vector<bool>& on_log_scale) {
  const auto num_parameters = static_cast<Eigen::Index>(theta.size());
  Eigen::MatrixXd rows(static_cast<Eigen::Index>(rewards.size()) * order, num_parameters);
  Eigen::Index row = 0;
  for (const NamedReward& reward : rewards) {
    Quantity moments;
    try {
      moments = evaluator.moments({theta.data(), 1, theta.size()}, reward.values, order, true);
    } catch (const NumericalError&) {
      return std::nullopt;
    }
    if (moments.status.front() != "ok") return std::nullopt;
    for (int k = 0; k < order; ++k, ++row) {
      const double moment = moments.values(0, static_cast<std::size_t>(k));
      for (Eigen::Index p = 0; p < num_parameters; ++p) {
        const double unit = on_log_scale[p] ? theta[p] : std::max(1.0, std::abs(theta[p]));
        const double derivative = moments.gradient[static_cast<std::size_t>(k * num_parameters + p)] * unit / moment;
        if (!std::isfinite(derivative)) return std::nullopt;
        rows(row, p) = derivative;
      }
    }
  }
  return rows;
}

/// Largest weight 1, weights below 1e-6 set to 0.
std::vector<double> scaled_direction(Eigen::VectorXd direction) {
  Eigen::Index largest = 0;
  direction.cwiseAbs().maxCoeff(&largest);
  direction /= direction(largest);
  std::vector<double> weights;
  for (const double weight : direction) weights.push_back(std::abs(weight) < 1e-6 ? 0.0 : weight);
  return weights;
}

}  // namespace

Identifiability identifiability(const Evaluator& evaluator, const std::vector<NamedReward>& rewards) {
  const Model& model = evaluator.model();
  const int num_parameters = model.num_parameters();
  Identifiability result;
  for (const NamedReward& reward : rewards) result.rewards.push_back(reward.name);
  for (const Parameter& parameter : model.parameters) result.on_log_scale.push_back(parameter.lower >= 0);
  if (num_parameters == 0) {
    result.reason = "the model has no parameters";
    return result;
  }
  result.order = std::clamp(num_parameters + 1, 3, kMaxOrder);
  if (result.order * static_cast<int>(rewards.size()) < num_parameters) {
    result.reason = "the model has more parameters than moments that can be told apart";
    return result;
  }
  const PrcCost& cost = evaluator.prc().cost();
  const double multiply_adds = kNumVectors * (static_cast<double>(cost.factor_multiply_adds) +
                                              2.0 * result.order * static_cast<double>(rewards.size()) *
                                                  static_cast<double>(cost.solve_multiply_adds));
  // Gradients keep what each order solved for, its differences and its adjoint.
  const double bytes = result.order * replays_held(cost.replay, kNumVectors, 1).differences;
  if (multiply_adds > kMaxMultiplyAdds || bytes > kMaxBytes) {
    result.reason = "the model is too large for a quick look";
    return result;
  }
  for (int vector = 0; vector < kNumVectors; ++vector) {
    for (const double scale : {1.0, 0.1, 0.01, 1e-3}) {
      const std::vector<double> theta = trial_theta(model, static_cast<std::uint64_t>(vector), scale);
      const auto rows = scaled_derivatives(evaluator, rewards, result.order, theta, result.on_log_scale);
      if (!rows) continue;
      const Eigen::JacobiSVD<Eigen::MatrixXd> svd(*rows, Eigen::ComputeFullV);
      std::vector<double> singular(static_cast<std::size_t>(num_parameters), 0.0);
      const double largest = svd.singularValues().size() > 0 ? svd.singularValues()(0) : 0;
      int rank = 0;
      for (Eigen::Index i = 0; i < svd.singularValues().size() && largest > 0; ++i) {
        singular[static_cast<std::size_t>(i)] = svd.singularValues()(i) / largest;
        rank += svd.singularValues()(i) > kRankTolerance * largest ? 1 : 0;
      }
      if (result.assessed && rank <= result.rank) break;
      result.assessed = true;
      result.rank = rank;
      result.theta = theta;
      result.singular_values = singular;
      result.silent_directions.clear();
      for (int i = rank; i < num_parameters; ++i) {
        result.silent_directions.push_back(scaled_direction(svd.matrixV().col(i)));
      }
      result.weakest_direction = scaled_direction(svd.matrixV().col(num_parameters - 1));
      break;
    }
  }
  if (!result.assessed) result.reason = "none of the trial parameter vectors gives valid weights";
  return result;
}

std::string describe_direction(const Model& model, const Identifiability& result, std::span<const double> weights) {
  std::string text;
  for (std::size_t p = 0; p < weights.size(); ++p) {
    const double weight = weights[p];
    if (weight == 0) continue;
    text += text.empty() ? (weight < 0 ? "-" : "") : (weight < 0 ? " - " : " + ");
    if (std::abs(std::abs(weight) - 1) > 1e-6) text += fmt::format("{:.3g} ", std::abs(weight));
    text += result.on_log_scale[p] ? fmt::format("log({})", model.parameters[p].name) : model.parameters[p].name;
  }
  return text;
}

}  // namespace sojourn::cli
