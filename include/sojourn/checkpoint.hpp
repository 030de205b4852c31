#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sojourn/error.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {

/// Something that a run is told by, as text.
struct RunField {
  std::string name, value;
};

/// A run stopped between two iterations, with all that it takes to know it again and to go on.
struct Checkpoint {
  std::vector<RunField> identity;        ///< what makes it this run: model, data, seed, options; must be the same
  std::vector<RunField> origin;          ///< program, instruction set: where these differ the last digits may
  std::int64_t num_iterations = 0;       ///< asked for when it was written
  std::vector<std::int64_t> resumed_at;  ///< iterations at which the run was resumed so far
  double seconds = 0;                    ///< wall clock of all parts of the run
  std::int64_t stage = 0;                ///< from 0, of a run from coarse to fine
  std::int64_t iterations_before = 0;    ///< of the stages before this one
  std::vector<double> stage_seconds;     ///< of the stages before this one, each
  SvgdState state;                       ///< without particles: stopped before the start was done
};

/// A checkpoint that cannot be read: cut off, changed, or not one of ours.
struct DamagedCheckpoint : IoError {
  using IoError::IoError;
};

/// The file format, version 1: magic, byte order, version, size, named fields, and the XXH3-128 of all before it.
std::string encode_checkpoint(const Checkpoint& checkpoint);
/// Reads it back. No length in it is trusted: memory stays within a small multiple of `bytes`. `where` begins messages.
/// @throws DamagedCheckpoint; ModelError for a newer version or the other byte order.
Checkpoint decode_checkpoint(std::span<const std::byte> bytes, const std::string& where);

/// "seed: 1 there, 2 here; ..." for every field that differs; empty where none does.
std::string differing_fields(std::span<const RunField> there, std::span<const RunField> here);

/// Keeps the newest two checkpoints of a run in `OUTPUT/checkpoint`, as `step-0000000120.sojourn`.
class CheckpointWriter {
 public:
  /// `resumed_from`: the file that the run goes on from, which is kept as the one before the next.
  explicit CheckpointWriter(std::string output, const std::string& resumed_from = {});
  /// Whole or not at all: a temporary file, forced to the disk and renamed; only then older ones are removed. An output
  /// folder that does not exist appears together with its first checkpoint. Returns the path.
  /// @throws IoError with path and reason, also where the path is a symbolic link; earlier checkpoints are untouched.
  std::string write(const Checkpoint& checkpoint);
  /// Whether this run has a checkpoint in the folder, so that the folder is its own.
  [[nodiscard]] bool has_written() const { return !own_.empty(); }

 private:
  std::string output_;
  std::vector<std::string> own_;  ///< file names, oldest first, two at most
};

/// A checkpoint found in an output folder.
struct FoundCheckpoint {
  Checkpoint checkpoint;
  std::string bytes;                  ///< of its file
  std::string path;                   ///< of its file
  std::vector<std::string> warnings;  ///< newer files that could not be used, and why
};

/// The newest checkpoint of this run in its output folder; nothing where there is no checkpoint at all. One that is
/// damaged, or has a fault, is passed over with a warning, and so is another run's where one of this run
/// is there as well. `fault` says what keeps one from being usable; empty: nothing.
/// @throws IoError where none can be read, or the folder or a file is a symbolic link; ModelError where they belong to
/// another run, with the fields that differ, or where the newest has a newer format or the other byte order.
std::optional<FoundCheckpoint> find_checkpoint(const std::string& output, std::span<const RunField> identity,
                                               const std::function<std::string(const Checkpoint&)>& fault);

/// The newest checkpoint in an output folder, whoever's and unread; empty where there is none.
std::string newest_checkpoint(const std::string& output);

/// @throws IoError where `OUTPUT/checkpoint` is there and is no folder of its own.
void check_checkpoint_folder(const std::string& output);

}  // namespace sojourn
