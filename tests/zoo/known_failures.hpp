#pragma once

#include <string_view>

namespace sojourn::zoo {

/// A comparison that is known to fail, as "chain quantity route".
struct KnownFailure {
  std::string_view key;
  /// Fails by so little that another compiler or processor may pass it.
  bool by_rounding = false;
};

/// The test fails when one of them passes (those near rounding apart), so that a row leaves this list, and the table of
/// docs/accuracy.md, in the commit that mends it.
inline constexpr KnownFailure kKnownFailures[] = {
    {"mm1k_60_load_2 log_pdf gradient auto"},
    {"mm1k_60_load_2 log_cdf gradient auto"},
    {"mm1k_60_load_2 log_survival gradient auto"},
    {"mm1k_60_load_2 log_pdf gradient contour"},
    {"mm1k_60_load_2 log_cdf gradient contour"},
    {"mm1k_60_load_2 log_survival gradient contour"},
    {"mm1k_60_load_2 log_pdf gradient saddlepoint"},
    {"mm1k_60_load_2 log_cdf gradient saddlepoint"},
    {"mm1k_60_load_2 log_survival gradient saddlepoint"},
    {"birth_death_quasi_stationary log_pdf gradient auto"},
    {"birth_death_quasi_stationary log_cdf gradient auto"},
    {"birth_death_quasi_stationary log_survival gradient auto"},
    {"birth_death_quasi_stationary log_pdf gradient contour"},
    {"birth_death_quasi_stationary log_cdf gradient contour"},
    {"birth_death_quasi_stationary log_survival gradient contour"},
    {"birth_death_quasi_stationary log_pdf gradient saddlepoint"},
    {"birth_death_quasi_stationary log_cdf gradient saddlepoint", true},
    {"birth_death_quasi_stationary log_survival gradient saddlepoint"},
};

}  // namespace sojourn::zoo
