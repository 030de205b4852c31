#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sojourn/communicator.hpp"
#include "sojourn/environment.hpp"
#include "sojourn/svgd_device.hpp"

namespace sojourn::cli {

/// What a program that is linked with MPI gives: how to reach the other ranks, and how to end all at once.
struct RankBackEnd {
  std::unique_ptr<Communicator> (*open)() = nullptr;
  void (*abort)(int exit_status) = nullptr;
};
void set_rank_back_end(RankBackEnd back_end);

/// The ranks that this process was started with. All but the first stop writing to standard
/// error. SOJOURN_DEBUG_COMM=1 (or SOJOURN_COMM_LOG=1) writes a line for every call; a call longer than
/// SOJOURN_COMM_TIMEOUT seconds (3600) ends all ranks with status 6. @throws CommError where the launcher's variables,
/// the build and MPI do not agree. What is said adds up in `cost` where one is given, which outlives the ranks.
std::unique_ptr<Communicator> open_ranks(CommCost* cost = nullptr,
                                         const Environment& environment = process_environment());

/// Before anything needs them. @throws CommError for variables of SLURM that cannot be, or disagree.
void expect_slurm_variables(const Environment& environment = process_environment());
/// For a run, inside `on_all_ranks`: also @throws UsageError for a value of SOJOURN_CUDA_AWARE_MPI that is none, and
/// CommError where it is asked for on several ranks and this MPI does not have it, with or without devices.
void expect_variables(const Communicator& ranks, const Environment& environment = process_environment());

/// How the devices of these ranks reach each other: SOJOURN_CUDA_AWARE_MPI, and the log and deadline of above.
/// @throws UsageError naming variable and value.
DeviceMessages device_messages(const Environment& environment = process_environment());

/// This rank has nothing of its own to say: another one failed, and says so.
struct EndedElsewhere : Error {
  using Error::Error;
};

/// Runs `work` on every rank. Where it throws on any, the lowest such rank throws on and may speak; all others throw
/// EndedElsewhere with its exit status.
void on_all_ranks(Communicator& ranks, const std::function<void()>& work);

/// All ranks call it. A file that a rank cannot see, or that is no regular file, says nothing.
/// @throws CommError on every rank, naming the first one whose file of this path has other bytes than rank 0's.
void expect_same_file(Communicator& ranks, const char* what, const std::string& path);

/// What the first rank gives, on all of them.
std::string text_of_first(Communicator& ranks, const std::string& text);

}  // namespace sojourn::cli
