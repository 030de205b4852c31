#include <optional>
#include <utility>

#include "evaluation/lane_blocks.hpp"
#include "evaluation/moment_replay.hpp"

namespace sojourn {
namespace {

/// Means and second cross moments of one block of lanes.
///
/// E[Y_a] = alpha m_a with m_a = M r_a. E[Y_a Y_b] = alpha M (r_a m_b + r_b m_a), less r_a r_b inside the bracket in
/// discrete time, where a step's own rewards would be counted twice.
template <int W>
class CrossMomentBlock {
 public:
  using Lanes = Pack<W>;

  /// `differences` serve gradients alone and may be null without.
  CrossMomentBlock(const StateGraph& graph, const Prc& prc, const DifferenceProgram* differences,
                   const std::vector<std::span<const double>>& rewards)
      : discrete_(graph.time_kind() == TimeKind::kDiscrete),
        arrays_(prc.arrays()),
        replay_(prc),
        num_rewards_(rewards.size()) {
    if (differences != nullptr) rises_.emplace(*differences);
    for (const auto& reward : rewards) {
      std::vector<double>& by_row = reward_.emplace_back();
      for (const std::int32_t state : prc.arrays().state_of_row) by_row.push_back(reward[state]);
    }
  }

  void run_gradients(MatrixView<const double> phi, std::size_t first, std::span<double> means, std::span<double> second,
                     std::span<double> means_gradient, std::span<double> second_gradient) {
    const std::int32_t rows = replay_.num_rows();
    first_ = first;
    last_ = std::min<std::size_t>(phi.num_rows(), first + W);
    replay_.load(phi, first);
    replay_.factor();
    while (mean_solutions_.size() < num_rewards_) mean_solutions_.emplace_back(arrays_);
    if (pair_solution_.empty()) pair_solution_.emplace_back(arrays_);
    for (std::size_t a = 0; a < num_rewards_; ++a) {
      replay_.solve([&](std::int32_t v) { return Lanes(reward_[a][v]); }, mean_solutions_[a].view(), rises_->view());
      store(replay_.dot_alpha(solution(a)), means, num_rewards_, a);
    }
    visits_.resize(rows);
    rewarded_visits_.resize(num_rewards_ * rows);
    replay_.transposed_solve_alpha(visits_.data());
    for (std::size_t a = 0; a < num_rewards_; ++a) {
      reset_gradient();
      replay_.add_gradient(visits_.data(), mean_solutions_[a].view().slope, gradient_.data());
      store_gradient(means_gradient, num_rewards_, a);
      for (std::int32_t v = 0; v < rows; ++v) rewarded(a)[v] = reward_[a][v] * visits_[v];
      replay_.transposed_solve(rewarded(a));
    }
    const Differences<Lanes*> pair = pair_solution_.front().view();
    for (std::size_t a = 0; a < num_rewards_; ++a) {
      for (std::size_t b = a; b < num_rewards_; ++b) {
        replay_.solve([&](std::int32_t v) { return pair_rhs(a, b, v); }, pair, rises_->view());
        const Lanes value = replay_.dot_alpha(pair.x);
        reset_gradient();
        replay_.add_gradient(visits_.data(), pair.slope, gradient_.data());
        replay_.add_gradient(rewarded(a), mean_solutions_[b].view().slope, gradient_.data());
        replay_.add_gradient(rewarded(b), mean_solutions_[a].view().slope, gradient_.data());
        for (const std::size_t at : {a * num_rewards_ + b, b * num_rewards_ + a}) {
          store(value, second, num_rewards_ * num_rewards_, at);
          store_gradient(second_gradient, num_rewards_ * num_rewards_, at);
        }
      }
    }
  }

  /// The values alone, in push form: with the visits y = M^T alpha each second moment is a sum over the rows instead of
  /// a solve of its own.
  void run_values(MatrixView<const double> phi, std::size_t first, std::span<double> means, std::span<double> second) {
    const std::int32_t rows = replay_.num_rows();
    first_ = first;
    last_ = std::min<std::size_t>(phi.num_rows(), first + W);
    replay_.load(phi, first);
    replay_.factor();
    values_.resize(num_rewards_ * rows);
    visits_.resize(rows);
    const auto x = [&](std::size_t a) { return values_.data() + a * rows; };
    replay_.forward([&](const PrcComponent& component, const Lanes* entry, const Lanes*, const Lanes* inverse) {
      for (std::size_t a = 0; a < num_rewards_; ++a)
        replay_.solve_part(
            component, entry, inverse, [&](std::int32_t v) { return Lanes(reward_[a][v]); }, x(a));
    });
    replay_.transposed_solve_alpha(visits_.data());
    for (std::size_t a = 0; a < num_rewards_; ++a) store(replay_.dot_alpha(x(a)), means, num_rewards_, a);
    for (std::size_t a = 0; a < num_rewards_; ++a) {
      for (std::size_t b = a; b < num_rewards_; ++b) {
        Lanes value(0.0);
        for (std::int32_t v = 0; v < rows; ++v) {
          if (reward_[a][v] == 0 && reward_[b][v] == 0) continue;
          add_product(value, visits_[v], pair_rhs(a, b, v, x(a)[v], x(b)[v]));
        }
        for (const std::size_t at : {a * num_rewards_ + b, b * num_rewards_ + a})
          store(value, second, num_rewards_ * num_rewards_, at);
      }
    }
  }

 private:
  Lanes* solution(std::size_t a) { return mean_solutions_[a].view().x; }
  Lanes* rewarded(std::size_t a) { return rewarded_visits_.data() + a * replay_.num_rows(); }

  Lanes pair_rhs(std::size_t a, std::size_t b, std::int32_t v) {
    return pair_rhs(a, b, v, solution(a)[v], solution(b)[v]);
  }
  Lanes pair_rhs(std::size_t a, std::size_t b, std::int32_t v, const Lanes& x_a, const Lanes& x_b) const {
    Lanes sum(0.0);
    add_product(sum, reward_[a][v], x_b);
    // r_b m_a - r_a r_b = r_b (m_a - r_a), the reward after this step, never negative.
    add_product(sum, reward_[b][v], discrete_ ? x_a - Lanes(reward_[a][v]) : x_a);
    return sum;
  }
  void reset_gradient() {
    gradient_.resize(replay_.num_extended_rates());
    for (std::int32_t k = 0; k < replay_.num_extended_rates(); ++k) gradient_[k] = Lanes(0.0);
    folded_ = false;
  }
  void store(const Lanes& value, std::span<double> out, std::size_t stride, std::size_t at) const {
    for (std::size_t k = first_; k < last_; ++k) out[k * stride + at] = value.lane(static_cast<int>(k - first_));
  }
  void store_gradient(std::span<double> out, std::size_t stride, std::size_t at) {
    const std::int32_t num_rates = replay_.prc().num_rates;
    if (!std::exchange(folded_, true)) fold_forms(replay_.prc(), gradient_.data());
    for (std::size_t k = first_; k < last_; ++k) {
      for (std::int32_t r = 0; r < num_rates; ++r) {
        out[(k * stride + at) * num_rates + r] = gradient_[1 + r].lane(static_cast<int>(k - first_));
      }
    }
  }

  bool discrete_;
  const PrcArrays& arrays_;
  LaneReplay<W> replay_;
  std::optional<RiseArrays<Lanes>> rises_;
  std::size_t num_rewards_;
  std::vector<std::vector<double>> reward_;
  std::vector<SolutionArrays<Lanes>> mean_solutions_, pair_solution_;
  PackArray<Lanes> values_, visits_, rewarded_visits_, gradient_;
  std::size_t first_ = 0, last_ = 0;
  bool folded_ = false;
};

}  // namespace

template <>
void replay_cross_moments_on<kThisSet>(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                                       const std::vector<std::span<const double>>& rewards, std::span<double> means,
                                       std::span<double> second, std::span<double> means_gradient,
                                       std::span<double> second_gradient, int num_threads) {
  std::optional<DifferenceProgram> differences;
  if (!means_gradient.empty()) differences.emplace(prc.arrays());
  for_lane_blocks(phi.num_rows(), num_threads, [&](auto width, auto&& next_block) {
    CrossMomentBlock<decltype(width)::value> block(graph, prc, differences ? &*differences : nullptr, rewards);
    while (const auto first = next_block()) {
      if (differences) {
        block.run_gradients(phi, *first, means, second, means_gradient, second_gradient);
      } else {
        block.run_values(phi, *first, means, second);
      }
    }
  });
}

}  // namespace sojourn
