#pragma once

#include <string>

#include "result/run_facts.hpp"

namespace sojourn {

/// report.html: one page with its figures and style inside, no script, nothing fetched. Readable from 320 px up, light
/// or dark as the reader's system asks.
std::string report_html(const RunFacts& facts);

/// The page's style sheet.
const char* report_style();

}  // namespace sojourn
