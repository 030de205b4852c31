#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/run_file.hpp"
#include "sojourn/checkpoint.hpp"

namespace sojourn::cli {

/// What the command line says about an output folder that may hold an earlier run.
struct FolderWishes {
  std::string output;
  bool resume = false, overwrite = false, keep_going = false;
};

/// The checkpoints of one run in its output folder: which to go on from, and when to write the next. Of several ranks
/// the first one has it.
class RunCheckpoints {
 public:
  /// `warn` is told what the run goes on in spite of.
  RunCheckpoints(FolderWishes wishes, CheckpointPolicy policy, std::function<void(const std::string&)> warn);

  /// Fails at once where the folder cannot be what the command line takes it for. Writes nothing. With --keep-going
  /// a place where no checkpoints can be is a warning.
  /// @throws UsageError where it exists and nothing says what to do with it, IoError.
  void check_folder();

  /// The checkpoint to go on from, if any: with --resume, or where a scheduler starts the job again
  /// (SLURM_RESTART_COUNT) and the folder holds a checkpoint of this run. `say` is told where the run begins.
  /// @throws as `find_checkpoint`; UsageError where the folder holds results, but no checkpoint.
  std::optional<FoundCheckpoint> find(const std::vector<RunField>& identity,
                                      const std::function<std::string(const Checkpoint&)>& fault,
                                      const std::function<void(const std::string&)>& say);

  /// Whether a checkpoint is due after this iteration, counted over all stages.
  [[nodiscard]] bool is_due(std::int64_t iteration) const;

  /// Writes it. A failure ends the run, or with --keep-going is one warning, after which none are written any more.
  /// @throws IoError without --keep-going.
  void write(const Checkpoint& checkpoint);

  /// Whether the folder holds a checkpoint of this run, so that its results may replace the folder.
  [[nodiscard]] bool folder_is_ours() const { return writer_.has_written(); }
  /// The newest; empty where there is none.
  [[nodiscard]] const std::string& newest() const { return newest_; }

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] bool requeued() const;

  FolderWishes wishes_;
  CheckpointPolicy policy_;
  std::function<void(const std::string&)> warn_;
  CheckpointWriter writer_;
  std::string newest_;
  Clock::time_point last_write_ = Clock::now();
  std::int64_t last_iteration_ = 0;
  bool off_ = false;
};

}  // namespace sojourn::cli
