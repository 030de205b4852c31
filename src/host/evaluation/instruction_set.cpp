#include "evaluation/instruction_set.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include "expects.hpp"

namespace sojourn {
namespace {

constexpr const char* kVariable = "SOJOURN_INSTRUCTION_SET";
constexpr InstructionSet kAllSets[] = {InstructionSet::kBaseline, InstructionSet::kAvx2, InstructionSet::kAvx512};

/// Processor and operating system alike; both must save the wide registers.
bool machine_has(InstructionSet set) {
#if defined(SOJOURN_INSTRUCTION_SETS)
  __builtin_cpu_init();
  switch (set) {
    case InstructionSet::kBaseline:
      return true;
    case InstructionSet::kAvx2:
      return __builtin_cpu_supports("x86-64-v3") != 0;
    case InstructionSet::kAvx512:
      return __builtin_cpu_supports("x86-64-v4") != 0;
  }
#endif
  return set == InstructionSet::kBaseline;
}

std::string usable_names() {
  std::string names;
  for (const InstructionSet set : usable_instruction_sets()) {
    if (!names.empty()) names += ", ";
    names += to_string(set);
  }
  return names;
}

InstructionSet choose() {
  const std::vector<InstructionSet> usable = usable_instruction_sets();
  const char* const wanted = std::getenv(kVariable);
  if (wanted == nullptr || *wanted == '\0') return usable.back();
  for (const InstructionSet set : usable) {
    if (std::string_view(wanted) == to_string(set)) return set;
  }
  const bool known = std::any_of(std::begin(kAllSets), std::end(kAllSets),
                                 [&](InstructionSet set) { return std::string_view(wanted) == to_string(set); });
  throw UsageError(
      fmt::format("{}={}: {}; here there are {}; choose one of these or leave the variable unset", kVariable, wanted,
                  known ? "this machine or build does not have it" : "no such instruction set", usable_names()));
}

}  // namespace

const char* to_string(InstructionSet set) {
  switch (set) {
    case InstructionSet::kBaseline:
      return "baseline";
    case InstructionSet::kAvx2:
      return "avx2";
    case InstructionSet::kAvx512:
      return "avx512";
  }
  return "unknown";
}

std::vector<InstructionSet> usable_instruction_sets() {
  std::vector<InstructionSet> usable;
  for (const InstructionSet set : kAllSets) {
    if (machine_has(set)) usable.push_back(set);
  }
  return usable;
}

InstructionSet instruction_set() {
  static const InstructionSet chosen = choose();
  return chosen;
}

}  // namespace sojourn
