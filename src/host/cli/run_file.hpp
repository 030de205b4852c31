#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/document.hpp"
#include "sojourn/distributed.hpp"
#include "sojourn/model.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn::cli {

/// A prior or a fixed value with its place in the file, so that later errors can name it.
struct PriorEntry {
  std::string parameter;
  Prior prior;
  Document::Value place;
};
struct FixedEntry {
  std::string parameter;
  double value;
  Document::Value place;
};

/// What is inferred from what, as it stands in the file: nothing that it names has been opened.
struct ProblemSource {
  std::string model_path;  ///< empty where the model stands in the run file
  std::optional<Document::Value> inline_model;
  std::string data_path;  ///< empty where `data` is missing
  std::string reward;     ///< reward observed; empty: time
  std::string where;      ///< in messages: the run file, or the place of a stage in it
};

/// A stage of a run as it stands in the file: what it has in place of the sampler's own and of the run's.
struct StageEntry {
  std::optional<std::int64_t> particles, iterations;
  std::optional<double> learning_rate, tolerance;
  std::optional<DataCompression> data_compression;
  /// Of a stage that names a model, data or rewards; what it does not name is the run's.
  std::optional<ProblemSource> problem;
};

/// When a run writes checkpoints while it goes on; at its end and when it is stopped it does in any case.
struct CheckpointPolicy {
  double every_seconds = 60;          ///< infinite: not by time
  std::int64_t every_iterations = 0;  ///< 0: not by iterations
};

/// A run file (`sojourn/run/1`) as it stands: nothing it names has been opened.
struct RunFile {
  std::string path;  ///< of the file itself
  std::string name;  ///< `name`, else the file's name without folder and ending
  ProblemSource problem;
  std::vector<PriorEntry> priors;
  std::vector<FixedEntry> fixed;
  SvgdOptions sampler;                 ///< `seed` included; `given` empty until the particles are read
  bool particles_given = false;        ///< the file says how many
  std::string initial_path;            ///< CSV of starting particles
  std::int64_t initial_first_row = 1;  ///< where its numbers begin, once they are read
  double tolerance = 1e-9;             ///< relative, of likelihoods
  std::vector<StageEntry> stages;      ///< coarse to fine; none: one stage, the sampler as it stands
  CheckpointPolicy checkpoint;
  DataCompression data_compression = DataCompression::kAuto;
  Strategy strategy = Strategy::kAuto;
  std::int64_t n_devices = 0;           ///< 0: all there are
  std::int64_t observation_shares = 0;  ///< of several ranks, see `SvgdControl::num_part_shares`

  [[nodiscard]] std::map<std::string, Prior> prior_map() const;
  [[nodiscard]] std::map<std::string, double> fixed_map() const;
};

/// Of how many ranks share out the observations: "auto" (0) or a whole number from 1. @throws UsageError with `name`.
std::int64_t parse_shares(const std::string& name, const std::string& text);

/// Reads a run file strictly; paths in it are relative to its folder. `-` is standard input (paths: current folder).
/// @throws IoError, ModelError (file:line:column, path of the key), UsageError for sampler values and seeds out of
/// range.
RunFile load_run_file(const std::string& path);
RunFile parse_run_file(std::string_view text, const std::string& path);

/// Reads `model`, `data` and `rewards` of the run or of one of its stages, as far as they stand there, over what
/// `problem` has already. @throws ModelError with their place.
void read_problem(const Document::Value& block, const std::string& run_path, ProblemSource& problem);

/// The model a run file or a stage names or contains.
Model load_run_model(const ProblemSource& problem, const ModelLimits& limits);

/// Checks the names of priors and fixed values against the model. @throws ModelError with the place in the run file.
void check_parameter_names(const RunFile& run, const Model& model);

/// The reward observed, [num_states]. @throws ModelError where the model has none of that name.
std::vector<double> observed_reward(const ProblemSource& problem, const Model& model);

}  // namespace sojourn::cli
