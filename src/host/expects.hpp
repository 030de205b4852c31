#pragma once

#include <fmt/format.h>

#include <cassert>

#include "sojourn/error.hpp"

/// Rejects bad input: throws `ErrorType` with the fmt-formatted message that follows.
#define SOJOURN_EXPECTS(condition, ErrorType, ...)                            \
  do {                                                                        \
    if (!(condition)) throw ::sojourn::ErrorType(::fmt::format(__VA_ARGS__)); \
  } while (false)

/// States an invariant of ours; checked in debug and test builds.
#define SOJOURN_ASSERT(condition) assert(condition)
