#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sojourn/communicator.hpp"

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
std::unique_ptr<Communicator> open_ranks(CommCost* cost = nullptr);

/// This rank has nothing of its own to say: another one failed, and says so.
struct EndedElsewhere : Error {
  using Error::Error;
};

/// Runs `work` on every rank. Where it throws on any, the lowest such rank throws on and may speak; all others throw
/// EndedElsewhere with its exit status.
void on_all_ranks(Communicator& ranks, const std::function<void()>& work);

}  // namespace sojourn::cli
