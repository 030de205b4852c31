#include "cli/run_checkpoints.hpp"

#include <filesystem>

#include "cli/interrupt.hpp"
#include "cli/run_identity.hpp"
#include "comm/launcher.hpp"
#include "expects.hpp"
#include "result/folder_swap.hpp"
#include "sojourn/result.hpp"

namespace sojourn::cli {
RunCheckpoints::RunCheckpoints(FolderWishes wishes, CheckpointPolicy policy,
                               std::function<void(const std::string&)> warn)
    : wishes_(std::move(wishes)), policy_(policy), warn_(std::move(warn)), writer_(wishes_.output) {}

bool RunCheckpoints::requeued() const {
  return whole_variable("SLURM_RESTART_COUNT", 0, "let sbatch set it").value_or(0) > 0;
}

void RunCheckpoints::check_folder() {
  const bool goes_on = wishes_.resume || requeued();
  if (const std::string newest = newest_checkpoint(wishes_.output); !newest.empty() && !goes_on && !wishes_.overwrite) {
    throw UsageError(
        fmt::format("output folder {} exists and holds a run that can go on ({}); give --resume to go on with it, "
                    "--overwrite to start anew in its place, or another --output",
                    wishes_.output, std::filesystem::path(newest).filename().string()));
  }
  check_output_folder(wishes_.output, {.overwrite = goes_on || wishes_.overwrite});
  try {
    check_checkpoint_folder(wishes_.output);
  } catch (const IoError& error) {
    if (!wishes_.keep_going || goes_on) throw;
    off_ = true;
    warn_(fmt::format("{}; the run goes on without checkpoints", error.what()));
  }
}

std::optional<FoundCheckpoint> RunCheckpoints::find(const std::vector<RunField>& identity,
                                                    const std::function<std::string(const Checkpoint&)>& fault,
                                                    const std::function<void(const std::string&)>& say) {
  const std::string& output = wishes_.output;
  if (wishes_.resume || wishes_.overwrite || requeued()) clear_leftovers(output);
  if (!wishes_.resume && (wishes_.overwrite || !requeued())) return std::nullopt;
  std::optional<FoundCheckpoint> found = find_checkpoint(output, identity, fault);
  if (!found) {
    check_output_folder(output, {.overwrite = wishes_.overwrite || holds_no_results(output)});
    say(fmt::format("no checkpoint in {} yet: starting from the beginning", output));
    return std::nullopt;
  }
  for (const std::string& warning : found->warnings) warn_(warning + "; an earlier one is used");
  if (const std::string differences = differing_fields(found->checkpoint.origin, run_origin()); !differences.empty())
    warn_(fmt::format("{}: written by another program ({}); the particles may differ in their last digits", found->path,
                      differences));
  newest_ = found->path;
  writer_ = CheckpointWriter(output, found->path);
  last_iteration_ = found->checkpoint.iterations_before + found->checkpoint.state.iteration;
  return found;
}

bool RunCheckpoints::is_due(std::int64_t iteration) const {
  if (off_) return false;
  if (policy_.every_iterations > 0 && iteration >= last_iteration_ + policy_.every_iterations) return true;
  return std::chrono::duration<double>(Clock::now() - last_write_).count() >= policy_.every_seconds;
}

void RunCheckpoints::write(const Checkpoint& checkpoint) {
  if (off_) return;
  const UninterruptedSection section;
  try {
    newest_ = writer_.write(checkpoint);
  } catch (const Error& error) {
    const std::string kept =
        newest_.empty() ? std::string("; nothing is kept yet") : fmt::format("; {} is intact", newest_);
    if (!wishes_.keep_going) {
      throw IoError(
          fmt::format("{}{}; mend that and run again with --resume, or give --keep-going to do without "
                      "checkpoints",
                      error.what(), kept));
    }
    off_ = true;
    warn_(fmt::format("{}{}; the run goes on without checkpoints", error.what(), kept));
  }
  last_write_ = Clock::now();
  last_iteration_ = checkpoint.iterations_before + checkpoint.state.iteration;
}

}  // namespace sojourn::cli
