#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace sojourn {

/// JSON text, two spaces per level, every double with 17 significant digits, NaN and infinities as null. Arrays of
/// numbers stay on one line. Texts that are not UTF-8 get U+FFFD in place of the bad bytes.
std::string json_text(const nlohmann::ordered_json& value);

}  // namespace sojourn
