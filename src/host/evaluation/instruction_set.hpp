#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "sojourn/info.hpp"

/// Kernels are compiled once for each instruction set of this build, and the processor chooses among them at run time.
///
/// A kernel is declared once as a template over the set, `template <InstructionSet> void f_on(...)`, and defined in a
/// source that the build compiles for every set, as `template <> void f_on<kThisSet>(...)`. Whatever else such an
/// object defines is local to it: a function of a header compiled there for a wide set could otherwise be the copy that
/// the linker keeps for everybody.
namespace sojourn {

/// The set that this translation unit is compiled for.
#if !defined(SOJOURN_KERNEL_SET)
#define SOJOURN_KERNEL_SET kBaseline
#endif
inline constexpr InstructionSet kThisSet = InstructionSet::SOJOURN_KERNEL_SET;

/// Calls `body` with the set in use as an integral constant.
template <class Body>
decltype(auto) on_instruction_set(Body&& body) {
#if defined(SOJOURN_INSTRUCTION_SETS)
  switch (instruction_set()) {
    case InstructionSet::kAvx512:
      return body(std::integral_constant<InstructionSet, InstructionSet::kAvx512>{});
    case InstructionSet::kAvx2:
      return body(std::integral_constant<InstructionSet, InstructionSet::kAvx2>{});
    case InstructionSet::kBaseline:
      break;
  }
#endif
  return body(std::integral_constant<InstructionSet, InstructionSet::kBaseline>{});
}

}  // namespace sojourn
