#pragma once

#include <array>
#include <string>
#include <utility>

#include "sojourn/svgd.hpp"

namespace sojourn::cli {

// Options that are a choice of words, by the names that run files, checkpoints and digests have for them.
template <class Choice, std::size_t num_choices>
using OptionNames = std::array<std::pair<const char*, Choice>, num_choices>;

inline constexpr OptionNames<Kernel, 2> kKernelNames{{{"imq", Kernel::kImq}, {"rbf", Kernel::kRbf}}};
inline constexpr OptionNames<BandwidthRule, 2> kBandwidthRuleNames{
    {{"median", BandwidthRule::kMedian}, {"fixed", BandwidthRule::kFixed}}};
inline constexpr OptionNames<Optimizer, 2> kOptimizerNames{
    {{"adam", Optimizer::kAdam}, {"gradient", Optimizer::kGradient}}};
inline constexpr OptionNames<ScheduleKind, 3> kScheduleNames{{{"constant", ScheduleKind::kConstant},
                                                              {"exponential", ScheduleKind::kExponential},
                                                              {"warmup", ScheduleKind::kWarmup}}};
inline constexpr OptionNames<DirectionPrecision, 2> kDirectionPrecisionNames{
    {{"fp64", DirectionPrecision::kDouble}, {"mixed", DirectionPrecision::kMixed}}};
/// A run file chooses between the first two; particles of its own make the third.
inline constexpr OptionNames<StartKind, 3> kStartNames{
    {{"laplace", StartKind::kLaplace}, {"prior", StartKind::kPrior}, {"initial", StartKind::kGiven}}};

template <class Choice, std::size_t num_choices>
std::string name_of(Choice choice, const OptionNames<Choice, num_choices>& names) {
  for (const auto& [name, one] : names)
    if (one == choice) return name;
  return "unknown";
}

}  // namespace sojourn::cli
