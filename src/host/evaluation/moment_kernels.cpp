#include <cfenv>
#include <numeric>
#include <optional>

#include "evaluation/moment_block.hpp"

namespace sojourn {
namespace {

/// Notices what left the range of single precision: numbers too large, and numbers so small that digits were lost. The
/// processor keeps these flags over every lane of every operation at no cost. The thread's own flags come back at the
/// end.
class RangeWatch {
 public:
  RangeWatch() { std::feholdexcept(&environment_); }
  RangeWatch(const RangeWatch&) = delete;
  RangeWatch& operator=(const RangeWatch&) = delete;
  ~RangeWatch() { std::fesetenv(&environment_); }
  [[nodiscard]] static bool left_range() { return std::fetestexcept(FE_OVERFLOW | FE_UNDERFLOW | FE_INVALID) != 0; }
  static void clear() { std::feclearexcept(FE_ALL_EXCEPT); }

 private:
  std::fenv_t environment_;
};

}  // namespace

template <>
std::size_t replay_moments_on<kThisSet>(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                                        std::span<const double> reward, int order, std::span<double> values,
                                        std::span<double> gradient, int num_threads, GradientRoute route,
                                        std::span<char> in_doubt_still) {
  std::optional<DifferenceProgram> differences;
  const auto block_of = [&](auto width) {
    return MomentBlock<decltype(width)::value>(graph, prc, reward, order, differences ? &*differences : nullptr);
  };
  if (graph.time_kind() == TimeKind::kDiscrete) differences.emplace(prc.arrays());
  const LaneRows all{phi.num_rows()};
  const auto run_all = [&](auto wide, auto&& body) {
    const auto run = [&](auto width, auto&& next_block) {
      auto block = block_of(width);
      while (const auto first = next_block()) body(block, *first);
    };
    if (prc.arrays().goes_by_fronts()) {
      for_lane_blocks<kFrontLanes>(all.num_lanes, num_threads, run);
    } else {
      for_lane_blocks<decltype(wide)::value>(all.num_lanes, num_threads, run);
    }
  };
  if (gradient.empty()) {
    run_all(std::integral_constant<int, kWideLanes>{},
            [&](auto& block, std::size_t first) { block.value(phi, all, first, values); });
    return 0;
  }
  std::vector<std::size_t> listed;
  LaneRows left = all;
  const GradientJudge judge(prc.arrays(), order);
  if (route != GradientRoute::kDifferences && graph.time_kind() == TimeKind::kContinuous) {
    std::vector<char> in_doubt(phi.num_rows(), 0);
    run_all(std::integral_constant<int, kProductLanes>{}, [&](auto& block, std::size_t first) {
      block.gradient_by_products(phi, all, first, values, gradient, judge.share(), kGradientTolerance, {}, in_doubt);
    });
    if (route == GradientRoute::kProducts) return 0;
    for (std::size_t k = 0; k < in_doubt.size(); ++k) {
      if (in_doubt[k] != 0) listed.push_back(k);
    }
    left = {listed.size(), listed.data()};
  }
  if (left.num_lanes == 0) return 0;
  if (!differences) differences.emplace(prc.arrays());
  const auto by_differences = [&](auto width, auto&& next_block) {
    auto block = block_of(width);
    while (const auto first = next_block())
      block.gradient_by_differences(phi, left, *first, values, gradient, judge, in_doubt_still);
  };
  if (are_differences_narrow(order * prc.cost().replay.differences, lane_widths(kVectorDoubles))) {
    for_lane_blocks<kNarrowLanes>(left.num_lanes, num_threads, by_differences);
  } else {
    for_lane_blocks<kGradientLanes>(left.num_lanes, num_threads, by_differences);
  }
  return left.num_lanes;
}

template <>
void replay_moments_single_on<kThisSet>(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                                        std::span<const double> reward, int order, double share,
                                        std::span<double> values, std::span<double> gradient,
                                        std::span<double> gradient_error, std::span<char> refused, int num_threads) {
  constexpr int kNarrow = kNarrowLanesOf<float>;
  // A call of its own, so that no arithmetic moves across the look at the flags.
  const auto run = [&](auto& block, LaneRows lanes, std::size_t first) __attribute__((noinline)) {
    if (gradient.empty()) {
      block.value(phi, lanes, first, values);
    } else {
      block.gradient_by_products(phi, lanes, first, values, gradient, share, kSingleGradientTolerance, gradient_error,
                                 refused);
    }
  };
  const LaneRows all{phi.num_rows()};
  for_lane_blocks<kWideLanesOf<float>, kNarrow>(all.num_lanes, num_threads, [&](auto width, auto&& next_block) {
    constexpr std::size_t kWidth = decltype(width)::value;
    const RangeWatch watch;
    MomentBlock<kWidth, float> block(graph, prc, reward, order);
    std::optional<MomentBlock<kNarrow, float>> narrow;
    while (const auto first = next_block()) {
      run(block, all, *first);
      if (!RangeWatch::left_range()) continue;
      // Some lane did. Which one must not depend on the batch, so the suspects run alone.
      if (!narrow) narrow.emplace(graph, prc, reward, order);
      const auto leaves_range = [&](std::size_t begin, std::size_t end) {
        std::size_t listed[kNarrow];
        std::iota(listed, listed + (end - begin), begin);
        RangeWatch::clear();
        run(*narrow, {end - begin, listed}, 0);
        return RangeWatch::left_range();
      };
      const std::size_t last = std::min(all.num_lanes, *first + kWidth);
      for (std::size_t part = *first; part < last; part += kNarrow) {
        const std::size_t part_end = std::min(last, part + kNarrow);
        if (!leaves_range(part, part_end)) continue;
        for (std::size_t k = part; k < part_end; ++k) {
          if (leaves_range(k, k + 1)) refused[k] = 1;
        }
      }
      RangeWatch::clear();
    }
  });
}

}  // namespace sojourn
