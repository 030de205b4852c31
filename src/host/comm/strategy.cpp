#include <fmt/format.h>

#include "expects.hpp"
#include "model/suggest.hpp"
#include "sojourn/distributed.hpp"

namespace sojourn {

const char* to_string(Strategy strategy) {
  switch (strategy) {
    case Strategy::kAuto:
      return "auto";
    case Strategy::kDevices:
      return "devices";
    case Strategy::kBatch:
      return "batch";
    case Strategy::kSequential:
      return "sequential";
  }
  return "unknown";
}

Strategy strategy_from(std::string_view text) {
  std::vector<std::string> names;
  for (const Strategy strategy : {Strategy::kAuto, Strategy::kDevices, Strategy::kBatch, Strategy::kSequential}) {
    if (text == to_string(strategy)) return strategy;
    names.emplace_back(to_string(strategy));
  }
  throw UsageError(fmt::format("strategy '{}' is none of {}{}", text, fmt::join(names, ", "), suggestion(text, names)));
}

}  // namespace sojourn
