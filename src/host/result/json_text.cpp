#include "result/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sojourn {

namespace {

using Json = nlohmann::ordered_json;

void append(const Json& value, int level, std::string& text) {
  const auto line = [&text](int depth) { text.append("\n").append(2 * static_cast<std::size_t>(depth), ' '); };
  if (value.is_object() && !value.empty()) {
    text += '{';
    bool first = true;
    for (const auto& [key, item] : value.items()) {
      if (!first) text += ',';
      first = false;
      line(level + 1);
      text += Json(key).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
      append(item, level + 1, text);
    }
    line(level);
    text += '}';
  } else if (value.is_array() && !value.empty()) {
    const bool flat = std::all_of(value.begin(), value.end(), [](const Json& item) { return !item.is_structured(); });
    text += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) text += flat ? ", " : ",";
      if (!flat) line(level + 1);
      append(value[i], level + 1, text);
    }
    if (!flat) line(level);
    text += ']';
  } else if (value.is_number_float()) {
    const double number = value.get<double>();
    text += std::isfinite(number) ? fmt::format("{:.17g}", number) : "null";
  } else {
    text += value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

}  // namespace

std::string json_text(const Json& value) {
  std::string text;
  append(value, 0, text);
  return text + '\n';
}

}  // namespace sojourn
