#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sojourn/posterior.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {

/// Summary of one parameter on the natural scale.
struct ParameterSummary {
  std::string name;
  double mean, sd, q025, q05, q25, q50, q75, q95, q975;
  std::string prior, transform;
};

/// Posterior predictive against the data, for the picture.
struct PredictiveCheck {
  std::vector<double> grid;                    ///< points on the time axis
  std::vector<double> lower, median, upper;    ///< 95 % band and median of the survival curve over particles
  std::vector<double> data_x, data_survival;   ///< Kaplan-Meier (product-limit) estimate of the data, as steps
  std::vector<double> data_lower, data_upper;  ///< its pointwise 95 % band (Greenwood, log-log)
};

/// Everything `infer` hands over to its output folder.
struct InferenceResult {
  std::vector<ParameterSummary> parameters;
  Matrix<double> particles;  ///< [n, d] natural scale, in particle order
  SvgdResult svgd;
  PredictiveCheck predictive;
  Posterior::RouteCounts routes;
  std::string model_name, model_digest, data_digest, device, command;
  std::uint64_t seed = 0;
  int num_threads = 1;
  std::vector<std::string> warnings;
  std::map<std::string, double> seconds;  ///< by phase: model, elimination, start, scores, kernel, predictive, total
};

std::vector<ParameterSummary> summarize(const Posterior& posterior, const SvgdResult& svgd);
PredictiveCheck predictive_check(const Posterior& posterior, const SvgdResult& svgd, int num_threads);

struct OutputOptions {
  bool overwrite = false;
};

/// Writes summary.json, particles.csv, posterior.nc, trace.csv (when history was kept) and report.html into `folder`,
/// whole or not at all: a temporary folder beside it, fsync, rename.
/// @throws UsageError if the folder exists and `overwrite` is false, IoError.
void write_output_folder(const std::string& folder, const InferenceResult& result, const Posterior& posterior,
                         const OutputOptions& options);

}  // namespace sojourn
