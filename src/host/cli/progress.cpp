#include "cli/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "cli/streams.hpp"
#include "cli/text_table.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

constexpr std::int64_t kBarWidth = 30;

}  // namespace

Progress::Style Progress::style_of_stderr(bool quiet) {
  if (quiet) return Style::kQuiet;
  return ::isatty(STDERR_FILENO) == 1 ? Style::kBar : Style::kLines;
}

Progress::~Progress() {
  try {
    finish();
  } catch (...) {
    // Out of memory while an error unwinds: the missing line end does not matter then.
  }
}

void Progress::update(const SvgdProgress& progress) {
  if (style_ == Style::kQuiet || progress.num_iterations <= 0) return;
  if (style_ == Style::kBar) {
    // Erases to the end of the line, as the new text may be shorter.
    write_stderr('\r' + progress_bar(progress) + "\x1b[K");
    on_bar_ = true;
    return;
  }
  // The first line comes when the start is done.
  if (!std::isfinite(progress.mean_log_density)) return;
  const std::int64_t tenths = 10 * progress.iteration / progress.num_iterations;
  if (tenths <= tenths_shown_) return;
  tenths_shown_ = tenths;
  write_stderr(progress_text(progress) + '\n');
}

void Progress::finish() {
  if (!on_bar_) return;
  on_bar_ = false;
  write_stderr("\n");
}

std::string progress_text(const SvgdProgress& progress) {
  std::string text = fmt::format("{:3} %  iteration {}/{}", 100 * progress.iteration / progress.num_iterations,
                                 progress.iteration, progress.num_iterations);
  if (!std::isfinite(progress.mean_log_density))
    return text + fmt::format("  finding the start, {} so far", format_duration(progress.seconds));
  if (std::isfinite(progress.seconds_left)) text += fmt::format("  {} left", format_duration(progress.seconds_left));
  return text + fmt::format("  mean log density {:.6g}", progress.mean_log_density);
}

std::string progress_bar(const SvgdProgress& progress) {
  const std::int64_t filled =
      std::clamp<std::int64_t>(kBarWidth * progress.iteration / progress.num_iterations, 0, kBarWidth);
  return fmt::format("[{:#<{}}{:-<{}}] ", "", filled, "", kBarWidth - filled) + progress_text(progress);
}

}  // namespace sojourn::cli
