#include "cli/interrupt.hpp"

#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstring>

namespace sojourn::cli {
namespace {

// Signal handlers may only touch these; sections are entered and left by the main thread alone.
volatile std::sig_atomic_t num_by_user = 0;
volatile std::sig_atomic_t first_signal = 0;
volatile std::sig_atomic_t is_graceful = 0;
volatile std::sig_atomic_t num_uninterrupted = 0;
volatile std::sig_atomic_t runs_again = 0;
volatile std::sig_atomic_t says_so = 0;

ExitCode status_of(int signal) {
  return signal != SIGINT && runs_again != 0 ? ExitCode::kCheckpoint : ExitCode::kInterrupted;
}

template <std::size_t N>
void write_text(const char (&text)[N]) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, N - 1);
}

extern "C" void on_signal(int signal) {
  if (first_signal == 0) first_signal = signal;
  if (signal == SIGINT) num_by_user = num_by_user + 1;
  if (num_uninterrupted > 0) return;
  if (is_graceful != 0 && (signal != SIGINT || num_by_user == 1)) {
    if (signal != SIGINT) return;
    write_text("\nstopping after this iteration and writing what there is; Ctrl-C again leaves at once\n");
    return;
  }
  const ExitCode status = status_of(signal);
  if (status == ExitCode::kCheckpoint && says_so != 0)
    write_text("\nstopped while the run was being prepared: nothing is written or lost; start it again\n");
  ::_exit(static_cast<int>(status));
}

}  // namespace

void handle_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    // A shell starts background jobs with SIGINT ignored; that stays so.
    struct sigaction old {};
    if (::sigaction(signal, nullptr, &old) == 0 && old.sa_handler == SIG_IGN) continue;
    ::sigaction(signal, &action, nullptr);
  }
}

void expect_to_run_again() { runs_again = 1; }

void say_when_stopped_early() { says_so = 1; }

StopRequest stop_request() {
  if (num_by_user > 0) return StopRequest::kUser;
  return first_signal != 0 ? StopRequest::kScheduler : StopRequest::kNone;
}

std::string name_of_stop() {
  switch (first_signal) {
    case 0:
      return {};
    case SIGTERM:
      return "SIGTERM";
    case SIGUSR1:
      return "SIGUSR1";
    default:
      return "interrupted";
  }
}

void stop_gracefully() { is_graceful = 1; }

UninterruptedSection::UninterruptedSection() { num_uninterrupted = num_uninterrupted + 1; }
UninterruptedSection::~UninterruptedSection() { num_uninterrupted = num_uninterrupted - 1; }

}  // namespace sojourn::cli
