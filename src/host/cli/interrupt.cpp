#include "cli/interrupt.hpp"

#include <unistd.h>

#include <csignal>
#include <cstring>

#include "sojourn/error.hpp"

namespace sojourn::cli {
namespace {

// Signal handlers may only touch these; the sections below are entered and left by the main thread alone.
volatile std::sig_atomic_t interrupt_count = 0;
volatile std::sig_atomic_t num_graceful = 0;
volatile std::sig_atomic_t num_uninterrupted = 0;

extern "C" void on_interrupt(int) {
  interrupt_count = interrupt_count + 1;
  if (num_uninterrupted > 0) return;
  if (num_graceful > 0 && interrupt_count == 1) {
    constexpr char kMessage[] =
        "\nstopping after this iteration and writing what there is; Ctrl-C again leaves at once\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
    return;
  }
  ::_exit(static_cast<int>(ExitCode::kInterrupted));
}

}  // namespace

void handle_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM}) {
    // A shell starts background jobs with SIGINT ignored; that stays so.
    struct sigaction old {};
    if (::sigaction(signal, nullptr, &old) == 0 && old.sa_handler == SIG_IGN) continue;
    ::sigaction(signal, &action, nullptr);
  }
}

int num_interrupts() { return interrupt_count; }

GracefulSection::GracefulSection() { num_graceful = num_graceful + 1; }
GracefulSection::~GracefulSection() { num_graceful = num_graceful - 1; }
UninterruptedSection::UninterruptedSection() { num_uninterrupted = num_uninterrupted + 1; }
UninterruptedSection::~UninterruptedSection() { num_uninterrupted = num_uninterrupted - 1; }

}  // namespace sojourn::cli
