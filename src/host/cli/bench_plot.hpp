#pragma once

#include <string>

#include "cli/bench_output.hpp"

namespace sojourn::cli {

/// The report as one SVG file, 380 units wide so that a phone shows its text as large as any other: per case the share
/// of the machine's limit and the rates with the most threads, and, with several numbers of threads, how rates grow
/// with them. Colours are told apart in every kind of colour blindness, and each bar has its words beside it.
std::string bench_plot(const BenchReport& report);

}  // namespace sojourn::cli
