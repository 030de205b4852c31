#pragma once

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include "sojourn/error.hpp"

namespace sojourn {

/// Whether a program compiled for the architectures `built`, as CMAKE_CUDA_ARCHITECTURES names them with commas between
/// ("80,90-real,100-virtual,90a"), has code for a device of compute capability 10 * major + minor. Machine code runs on
/// its own major version from its minor one on, PTX on everything from its own on, and both where the name ends with a
/// letter on exactly that one. A word that names no number ("native", "all") says nothing: true.
/// Source: CUDA C++ Programming Guide, "Application compatibility".
inline bool has_code_for(std::string_view built, int capability) {
  while (!built.empty()) {
    const std::string_view word = built.substr(0, built.find(','));
    built.remove_prefix(std::min(built.size(), word.size() + 1));
    int number = 0;
    const auto [end, fault] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (fault != std::errc()) return true;
    const std::string_view rest(end, static_cast<std::size_t>(word.data() + word.size() - end));
    const bool is_exact = !rest.empty() && rest.front() != '-';
    const bool has_machine_code = !rest.ends_with("-virtual"), has_ptx = !rest.ends_with("-real");
    if (capability == number) return true;
    if (is_exact || capability < number) continue;
    if (has_ptx || (has_machine_code && capability / 10 == number / 10)) return true;
  }
  return false;
}

/// @throws DeviceError where the program has no code for a device, which else shows at the first kernel.
inline void expect_code_for(const std::string& device, int capability, std::string_view built) {
  if (has_code_for(built, capability)) return;
  const std::string dotted = std::to_string(capability / 10) + "." + std::to_string(capability % 10);
  throw DeviceError(device + ": its compute capability is " + dotted + ", and this program has code for " +
                    std::string(built) +
                    " only; use --device cpu, or build with -DCMAKE_CUDA_ARCHITECTURES=" + std::to_string(capability));
}

}  // namespace sojourn
