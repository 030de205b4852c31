#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "sojourn/communicator.hpp"
#include "sojourn/distributed.hpp"
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
  std::vector<double> grid;                    ///< points on the time axis, ascending
  std::vector<double> lower, median, upper;    ///< 95 % band and median of the survival curve over particles
  std::vector<double> data_x, data_survival;   ///< Kaplan-Meier (product-limit) estimate of the data, as steps
  std::vector<double> data_lower, data_upper;  ///< its pointwise 95 % band (Greenwood, log-log)
  std::vector<double> censored_x;              ///< distinct times at which observations are right-censored
  bool logarithmic = false;                    ///< the grid is geometric: draw it on a logarithmic axis
  std::int64_t num_particles = 0;              ///< particles whose curve entered the band
  std::vector<std::string> notes;              ///< what the reader must know, e.g. interval midpoints
};

/// A stage of a run from coarse to fine, as it was done.
struct StageFacts {
  std::int64_t num_particles = 0, num_iterations = 0;
  double learning_rate = 0, tolerance = 0;
  DataCompression compression = DataCompression::kAuto;
  double seconds = 0;  ///< start, scores and kernel
  std::string model_name, model_digest, data_digest;
};

/// Everything `infer` hands over to its output folder.
struct InferenceResult {
  std::vector<ParameterSummary> parameters;
  Matrix<double> particles;  ///< [n, d] natural scale, in particle order
  SvgdResult svgd;
  PredictiveCheck predictive;
  Posterior::RouteCounts routes;
  CompressionReport compression;
  DeviceReport device_work;  ///< of this process and the last stage
  std::string model_name, model_digest, data_digest, command;
  std::string device = "cpu";
  std::uint64_t seed = 0;
  int num_threads = 1;
  int num_ranks = 1;
  DistributedConfig distributed;   ///< of the rank that writes
  CommCost communication;          ///< of the rank that writes, since it was started; nothing with one rank
  double communication_share = 0;  ///< of the wall clock since then
  std::vector<std::string> warnings;
  /// By phase: model, elimination, start, scores, kernel, predictive, total. Of a run that was resumed start, scores,
  /// kernel and total count all its parts.
  std::map<std::string, double> seconds;
  std::vector<std::int64_t> resumed_at;  ///< iterations at which the run was resumed, those of earlier stages counted
  std::vector<StageFacts> stages;        ///< those done or begun; `svgd` is the last one's. One stage: empty
};

/// Type-7 quantile (linear between order statistics, the default of R and NumPy) at p in [0, 1] of ascending values.
/// NaN for no values. Source: Hyndman and Fan (1996).
double quantile_of_sorted(std::span<const double> sorted, double p);

/// The particles of a run on the natural scale, [n, d], columns in the order of `posterior.free()`.
/// @throws ShapeError if the columns are not as many as the free parameters.
Matrix<double> natural_particles(const Posterior& posterior, const SvgdResult& svgd);

/// Mean, sd (n - 1) and type-7 quantiles of every free parameter on the natural scale. Cost: O(d n log n).
std::vector<ParameterSummary> summarize(const Posterior& posterior, const SvgdResult& svgd);

/// Survival curves of up to 200 evenly chosen particles on about 120 points, and the product-limit estimate of the
/// data. Interval-censored observations enter the product-limit estimate at the middle of their interval, for the
/// picture alone; with left truncation both curves are conditional on surviving the earliest entry. Bits do not depend
/// on `num_threads`. Particles whose curve cannot be certified are left out and counted in `notes`.
PredictiveCheck predictive_check(const Posterior& posterior, const SvgdResult& svgd, int num_threads);

/// One line on what data compression did: "1,000,000 points read as 56; largest estimated error 2.0e-12"; empty where
/// there was nothing to compress.
std::string compression_text(const CompressionReport& report);

struct OutputOptions {
  bool overwrite = false;
  bool keep_checkpoints = false;  ///< those in the folder that is replaced stay in the new one
};

/// Fails now where `write_output_folder` would fail after the run. Writes nothing.
/// @throws UsageError if the folder exists and `overwrite` is false, or holds files that Sojourn did not write;
///   IoError if its parent is not a folder or cannot be written to.
void check_output_folder(const std::string& folder, const OutputOptions& options);

/// Writes summary.json, particles.csv, convergence.csv, posterior.nc, trace.csv (when history was kept) and report.html
/// into `folder`, whole or not at all: a temporary folder beside it, fsync, rename. An existing folder is replaced as a
/// whole with `overwrite`, but only if it holds nothing except files that Sojourn writes.
/// @throws UsageError if the folder exists and `overwrite` is false, IoError with path and reason, ShapeError.
void write_output_folder(const std::string& folder, const InferenceResult& result, const Posterior& posterior,
                         const OutputOptions& options);

/// Whether there is no such folder, or nothing in it that a run has found out: at most failure.json and an empty folder
/// for checkpoints.
bool holds_no_results(const std::string& folder);
/// Whether the folder holds the results of a run that has done all of so many iterations.
bool holds_whole_results(const std::string& folder, std::int64_t num_iterations);

/// A run that a particle ended whose log density is not finite: what it takes to look at it again.
struct RunFailure {
  std::string message;  ///< of the error
  std::string reason;   ///< what the posterior said of the particle
  std::int64_t particle = 0, iteration = 0;
  std::vector<std::string> parameters;              ///< [P] names, fixed ones included
  std::vector<double> theta, previous_theta;        ///< [P]; previous: before its last step, empty in the start
  std::vector<double> position, previous_position;  ///< [d] the same on the unconstrained scale
  std::string model_name, model_digest, data_digest;
  std::string command;  ///< of the run
  std::string replay;   ///< command that evaluates `theta` again; empty where none can
  std::string note;     ///< on `replay`
  std::uint64_t seed = 0;
};

/// Writes failure.json (schema `sojourn/failure/1`) into the output folder of the run and returns its path: as a new
/// folder, or, where there is one (a run with `overwrite`), beside the earlier results, which stay. Whole or not at
/// all.
/// @throws UsageError, IoError as `write_output_folder` does.
std::string write_failure_file(const std::string& folder, const RunFailure& failure, const OutputOptions& options);

}  // namespace sojourn
