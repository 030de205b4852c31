#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sojourn/posterior.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn::cli {

/// What a run holds on the host of one rank, counted from the sizes of its tables and arrays, in bytes. Not counted:
/// the process itself (its code, libraries and stacks), and what loading and elimination hold only for a while.
struct RunMemory {
  PosteriorBytes posterior;
  int num_threads = 1;
  double particles = 0;   ///< with scores, moments and the room of an iteration
  double history = 0;     ///< the frames that `history_every` keeps
  double checkpoint = 0;  ///< the state that is written, and the text of the file
  double results = 0;     ///< curves, tables and figures at the end, more than what iterations let go of

  [[nodiscard]] double workspaces() const {
    return static_cast<double>(posterior.workspace) * static_cast<double>(num_threads);
  }
  /// Of what is there before the first evaluation.
  [[nodiscard]] double loaded() const {
    return static_cast<double>(posterior.graph + posterior.program + posterior.data);
  }
  /// Beside what is there after evaluations on all threads.
  [[nodiscard]] double still_to_come() const;
  [[nodiscard]] double total() const { return loaded() + workspaces() + still_to_come(); }
  /// Name and bytes of each.
  [[nodiscard]] std::vector<std::pair<std::string, double>> parts() const;
};

/// @param is_first  of the ranks: it writes checkpoints and results.
RunMemory run_memory(const Posterior& posterior, const SvgdOptions& options, int num_threads, bool is_first);

/// Resident memory of this process, now and at its most, in bytes; 0 where the system does not tell.
struct ProcessMemory {
  double now = 0, most = 0;
};
ProcessMemory process_memory();

/// A warning where checkpoints or results at the end of all iterations would not fit into `memory_left()`, which a run
/// that is stopped before may never need; else nothing.
/// @throws UsageError where workspaces of all threads, particles and history alone do not fit.
std::string check_memory(const RunMemory& memory, const SvgdOptions& options);

}  // namespace sojourn::cli
