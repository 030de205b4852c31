#pragma once

namespace sojourn::bench {

/// Prints, without a GPU, what level schedules of the benchmarks' models count and what both mappings are predicted to
/// take on an H200: tables in Markdown.
void print_device_plans();

}  // namespace sojourn::bench
