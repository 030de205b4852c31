#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sojourn/evaluator.hpp"
#include "sojourn/model.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn::cli {

/// One quantity of `evaluate` for all parameter vectors.
struct EvaluatedBlock {
  std::string key;                   ///< member of the JSON object: "moments", "pdf"
  std::vector<std::size_t> extents;  ///< of the values of one theta: {K}, {R, R}, {} for a single number
  std::vector<std::string> labels;   ///< one per value, for the table: "1", "t=0.5"
  Quantity quantity;
  std::vector<std::int64_t>
      route_counts;  ///< log-likelihood alone: contour, saddlepoint, uniformization, stepping, closed
};

/// Everything one call of `evaluate` computed.
struct Evaluation {
  std::string variable;  ///< name of the reward that is the variable
  std::vector<std::string> covariance_rewards;
  std::vector<std::pair<std::string, std::vector<double>>> points;  ///< evaluation points by quantity
  Matrix<double> thetas;                                            ///< [K, P]
  std::vector<EvaluatedBlock> blocks;
  std::optional<CompressionReport> compression;  ///< of the log-likelihood, where it was asked for
  std::vector<std::string> status;               ///< [K] "ok", or what is missing and why
};

std::string evaluation_json(const Model& model, const Evaluation& evaluation);
std::string evaluation_table(const Model& model, const Evaluation& evaluation);

}  // namespace sojourn::cli
