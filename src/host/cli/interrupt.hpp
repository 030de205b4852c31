#pragma once

namespace sojourn::cli {

/// Makes Ctrl-C (SIGINT) and SIGTERM end the program at once with status 130, unless one of the scopes below is open.
void handle_interrupts();

/// How many interrupts have come.
int num_interrupts();

/// While it lives, the first interrupt is only counted, for the caller to stop in good order; a second one ends the
/// program at once with status 130.
class GracefulSection {
 public:
  GracefulSection();
  ~GracefulSection();
  GracefulSection(const GracefulSection&) = delete;
  GracefulSection& operator=(const GracefulSection&) = delete;
};

/// While it lives, interrupts are only counted, so that no half-written file stays behind. Keep it short.
class UninterruptedSection {
 public:
  UninterruptedSection();
  ~UninterruptedSection();
  UninterruptedSection(const UninterruptedSection&) = delete;
  UninterruptedSection& operator=(const UninterruptedSection&) = delete;
};

}  // namespace sojourn::cli
