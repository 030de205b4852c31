#pragma once

#include <cstdint>
#include <string>

#include "sojourn/svgd.hpp"

namespace sojourn::cli {

/// Shows how far a run is on standard error: a bar redrawn in place on a terminal, elsewhere a line when the start is
/// done and one every 10 %.
class Progress {
 public:
  enum class Style { kBar, kLines, kQuiet };
  /// A bar where standard error is a terminal, lines elsewhere.
  static Style style_of_stderr(bool quiet);

  explicit Progress(Style style) : style_(style) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(const SvgdProgress& progress);
  /// Ends the bar's line, so that other text can follow.
  void finish();

 private:
  Style style_;
  std::int64_t tenths_shown_ = -1;
  bool on_bar_ = false;
};

/// "[#########---------------------]  30 %  iteration 150/500  3.1 s left  mean log density -123.456"
std::string progress_bar(const SvgdProgress& progress);
/// "30 %  iteration 150/500  3.1 s left  mean log density -123.456"
std::string progress_text(const SvgdProgress& progress);

}  // namespace sojourn::cli
