#pragma once

#include <span>

#include "sojourn/result.hpp"

namespace sojourn {

/// Mean, sd (n - 1) and type-7 quantiles; NaN where there are too few values or one is not finite. Texts stay empty.
ParameterSummary summarize_values(std::span<const double> values);

}  // namespace sojourn
