#pragma once

#include <cstdint>
#include <string>

#include "sojourn/error.hpp"

namespace sojourn::cli {

/// Who asks a run to stop, the more urgent later.
enum class StopRequest : std::uint8_t { kNone, kScheduler, kUser };

/// Makes Ctrl-C (SIGINT), SIGTERM and SIGUSR1 end the program at once, until `stop_gracefully` is called and but for
/// the section below: the first with status 130, the others, which come from schedulers, with 130 too, or 75 once
/// `expect_to_run_again` was called.
void handle_interrupts();

/// From here on a run that a scheduler stops is one to start again: status 75.
void expect_to_run_again();
/// And what a scheduler ends at once says so on standard error; for one rank of a run.
void say_when_stopped_early();

/// What has come so far; of both the user's.
StopRequest stop_request();
/// "interrupted", "SIGTERM", "SIGUSR1": the signal that came first; empty where none came.
std::string name_of_stop();

/// From here to the end of the process a signal is only counted, for the caller to stop in good order, or to end what
/// is done anyway; a second Ctrl-C ends the program at once with status 130. Schedulers send several signals, and not
/// to all ranks at one instant; those never cut short what the first one began. That has to hold until MPI has ended: a
/// rank that leaves while others still write, or wait for it in MPI_Finalize, takes them with it or leaves them
/// waiting.
void stop_gracefully();

/// While it lives, signals are only counted, so that no half-written file stays behind. Keep it short.
class UninterruptedSection {
 public:
  UninterruptedSection();
  ~UninterruptedSection();
  UninterruptedSection(const UninterruptedSection&) = delete;
  UninterruptedSection& operator=(const UninterruptedSection&) = delete;
};

}  // namespace sojourn::cli
