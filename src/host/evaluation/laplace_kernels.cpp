#include <cmath>
#include <optional>

#include "evaluation/lane_blocks.hpp"
#include "evaluation/moment_replay.hpp"

namespace sojourn {
namespace {

/// Writes one quantity of a block: value and, where asked, gradient by rate.
template <int W>
struct BlockOutput {
  std::span<double> values, gradient;
  std::size_t stride;  // quantities per lane

  void store(const Pack<W>& value, std::size_t first, std::size_t last, std::size_t at) const {
    for (std::size_t k = first; k < last; ++k) values[k * stride + at] = value.lane(static_cast<int>(k - first));
  }
  void store_gradient(const Pack<W>* by_rate, std::int32_t num_rates, std::size_t first, std::size_t last,
                      std::size_t at) const {
    for (std::size_t k = first; k < last; ++k) {
      for (std::int32_t r = 0; r < num_rates; ++r) {
        gradient[(k * stride + at) * num_rates + r] = by_rate[1 + r].lane(static_cast<int>(k - first));
      }
    }
  }
};

/// exp(-700) is zero beside any other double, and exp(700) still finite.
constexpr double kLargestShift = 700;

template <int W>
void reset(PackArray<Pack<W>>& gradient, const LaneReplay<W>& replay) {
  gradient.resize(replay.num_extended_rates());
  for (std::int32_t k = 0; k < replay.num_extended_rates(); ++k) gradient[k] = Pack<W>(0.0);
}

}  // namespace

template <>
void replay_laplace_on<kThisSet>(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                                 std::span<const double> reward, std::span<const double> s, std::span<double> values,
                                 std::span<double> gradient, int num_threads, std::span<char> in_doubt,
                                 TransformOf of) {
  const bool discrete = graph.time_kind() == TimeKind::kDiscrete;
  const bool survival = of == TransformOf::kSurvival;
  double at_once = survival ? 0 : graph.defect();  // absorbed at time zero: Y = 0
  for (const InitialMass& start : graph.initial()) {
    if (!survival && graph.is_absorbing(start.state)) at_once += start.probability;
  }
  const DifferenceProgram differences(prc.arrays());
  const GradientJudge judge(prc.arrays(), 1);
  for_lane_blocks(phi.num_rows(), num_threads, [&](auto width, auto&& next_block) {
    constexpr int kWidth = decltype(width)::value;
    using Lanes = Pack<kWidth>;
    LaneReplay<kWidth> replay(prc);
    const auto& state_of_row = prc.arrays().state_of_row;
    SolutionArrays<Lanes> solution(prc.arrays());
    RiseArrays<Lanes> rises(differences);
    PackArray<Lanes> y(state_of_row.size()), sums, size_sums, sizes(prc.arrays().groups.size());
    const BlockOutput<kWidth> output{values, gradient, s.size()};
    while (const auto first = next_block()) {
      const std::size_t last = std::min<std::size_t>(phi.num_rows(), *first + kWidth);
      replay.load(phi, *first);
      for (std::size_t j = 0; j < s.size(); ++j) {
        // Continuous: (s r + A) x = exit. Discrete: a step in v is worth exp(-s r), so (expm1(s r) + A) x = exit.
        const auto kill = [&](std::int32_t v) {
          const double shift = s[j] * reward[state_of_row[v]];
          return Lanes(discrete ? std::expm1(std::min(shift, kLargestShift)) : shift);
        };
        replay.factor(kill);
        const auto gain = [&](std::int32_t v) {
          return survival ? Lanes(reward[state_of_row[v]]) : replay.absorbing_weight(v);
        };
        const double absorbing = survival ? 0 : 1;
        if (in_doubt.empty()) {
          replay.solve(gain, kill, absorbing, solution.view(), rises.view());
        } else {
          replay.solve(gain, kill, absorbing, solution.view(), rises.view(), rises.sizes(sizes.data()));
        }
        const Lanes value = replay.dot_alpha(solution.view().x) + Lanes(at_once);
        output.store(value, *first, last, j);
        if (gradient.empty()) continue;
        replay.transposed_solve_alpha(y.data());
        reset(sums, replay);
        replay.add_gradient(y.data(), solution.view().slope, sums.data());
        fold_forms(replay.prc(), sums.data());
        output.store_gradient(sums.data(), replay.prc().num_rates, *first, last, j);
        if (in_doubt.empty()) continue;
        reset(size_sums, replay);
        replay.add_gradient(y.data(), sizes.data(), size_sums.data());
        fold_forms(replay.prc(), GradientSums<Lanes*>{size_sums.data(), size_sums.data()});
        for (std::size_t k = *first; k < last; ++k) {
          const int lane = static_cast<int>(k - *first);
          for (std::int32_t r = 1; r <= replay.prc().num_rates; ++r) {
            if (!judge.is_sure(size_sums[r].lane(lane), sums[r].lane(lane), replay.rate()[r].lane(lane),
                               value.lane(lane)))
              in_doubt[k * s.size() + j] = 1;
          }
        }
      }
    }
  });
}

template <>
void replay_expected_sojourn_on<kThisSet>(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                                          std::span<double> values, std::span<double> gradient, int num_threads) {
  const auto num_states = static_cast<std::size_t>(graph.num_states());
  std::fill(values.begin(), values.end(), 0.0);
  std::fill(gradient.begin(), gradient.end(), 0.0);
  std::optional<DifferenceProgram> differences;
  if (!gradient.empty()) differences.emplace(prc.arrays());
  for_lane_blocks(phi.num_rows(), num_threads, [&](auto width, auto&& next_block) {
    constexpr int kWidth = decltype(width)::value;
    using Lanes = Pack<kWidth>;
    LaneReplay<kWidth> replay(prc);
    const auto& state_of_row = prc.arrays().state_of_row;
    SolutionArrays<Lanes> solution(prc.arrays());
    std::optional<RiseArrays<Lanes>> rises;
    if (differences) rises.emplace(*differences);
    PackArray<Lanes> y(state_of_row.size()), sums;
    const BlockOutput<kWidth> output{values, gradient, num_states};
    while (const auto first = next_block()) {
      const std::size_t last = std::min<std::size_t>(phi.num_rows(), *first + kWidth);
      replay.load(phi, *first);
      replay.factor();
      replay.transposed_solve_alpha(y.data());
      for (std::size_t v = 0; v < state_of_row.size(); ++v) {
        output.store(y[v], *first, last, state_of_row[v]);
        if (gradient.empty()) continue;
        replay.solve([&](std::int32_t row) { return Lanes(std::cmp_equal(row, v) ? 1.0 : 0.0); }, solution.view(),
                     rises->view());
        reset(sums, replay);
        replay.add_gradient(y.data(), solution.view().slope, sums.data());
        fold_forms(replay.prc(), sums.data());
        output.store_gradient(sums.data(), replay.prc().num_rates, *first, last, state_of_row[v]);
      }
    }
  });
}

}  // namespace sojourn
