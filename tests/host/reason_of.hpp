#pragma once

#include <string>

#include "sojourn/error.hpp"

namespace sojourn {

/// What the error says that `call` throws; empty where it throws none.
std::string reason_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace sojourn
