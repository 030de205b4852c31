#include "evaluation/moment_replay.hpp"

#include <cmath>

#include "evaluation/lane_blocks.hpp"
#include "evaluation/lane_replay.hpp"

namespace sojourn {
namespace {

/// Orders above this are computed with rewards scaled by a power of two near the largest mean, so that m_k stays near
/// k!.
constexpr int kUnscaledOrder = 4;

double binomial(int n, int k) {
  double value = 1;
  for (int i = 1; i <= k; ++i) value = value * (n - k + i) / i;
  return value;
}

/// Moments of one block of lanes.
template <int W>
class MomentBlock {
 public:
  using Lanes = Pack<W>;

  MomentBlock(const StateGraph& graph, const Prc& prc, std::span<const double> reward, int order, bool gradient)
      : discrete_(graph.time_kind() == TimeKind::kDiscrete),
        order_(order),
        gradient_(gradient),
        arrays_(prc.arrays()),
        replay_(prc),
        reward_(prc.arrays().rows.size()),
        value_slot_(prc.arrays().value_slot.data()),
        num_value_slots_(prc.arrays().num_value_slots),
        scale_(1.0) {
    for (std::size_t v = 0; v < reward_.size(); ++v) reward_[v] = reward[prc.arrays().state_of_row[v]];
  }

  void run(MatrixView<const double> phi, std::size_t first, std::span<double> values, std::span<double> gradient) {
    replay_.load(phi, first);
    std::fill_n(exponent_, W, 0);
    scale_ = Lanes(1.0);
    if (gradient_ || discrete_) {
      replay_.factor();
      solve_chain();
    } else {
      if (order_ > kUnscaledOrder) {
        stream(1);
        choose_scale();
      }
      stream(order_);
    }
    const std::size_t last = std::min<std::size_t>(phi.num_rows(), first + W);
    for (std::size_t k = first; k < last; ++k) {
      for (int j = 1; j <= order_; ++j) {
        const double value = mean_[j].lane(static_cast<int>(k - first));
        values[k * order_ + j - 1] = std::ldexp(value, j * exponent_[k - first]);
      }
    }
    if (gradient_) {
      if (discrete_) {
        discrete_gradient();
      } else {
        continuous_gradient();
      }
      write_gradient(first, last, gradient);
    }
  }

 private:
  /// Value alone: component by component with slots re-used, all orders of a component while its factors are warm.
  void stream(int order) {
    const PrcView& prc = replay_.prc();
    const std::size_t stride = num_value_slots_;
    x_.resize(stride * order);
    mean_.assign(order + 1, Lanes(0.0));
    largest_ = Lanes(0.0);
    for (std::int32_t c = 0; c < prc.num_components; ++c) {
      const PrcComponent& component = prc.components[c];
      replay_.factor_in_place(component);
      for (int j = 1; j <= order; ++j) {
        Lanes* x = x_.data() + stride * (j - 1);
        const Lanes* before = x - stride;
        const auto rhs = [&](std::int32_t v) {
          if (j == 1) return reward_[v] * scale_;
          return (j * reward_[v]) * (scale_ * before[value_slot_[v]]);
        };
        replay_.solve_in_place(component, rhs, x, value_slot_);
        for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
          if (prc.alpha[v] != 0) add_product(mean_[j], prc.alpha[v], x[value_slot_[v]]);
          if (order == 1) largest_ = lane_max(largest_, x[value_slot_[v]]);
        }
      }
    }
  }

  static Lanes lane_max(Lanes a, const Lanes& b) {
    Lanes::each([&](auto i) { a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
    return a;
  }

  void choose_scale() {
    for (int lane = 0; lane < W; ++lane) {
      const double largest = largest_.lane(lane);
      const int exponent = std::isfinite(largest) && largest > 0 ? std::ilogb(largest) : 0;
      exponent_[lane] = exponent;
      scale_.lane(lane) = std::ldexp(1.0, -exponent);
    }
  }

  Differences<Lanes*> solution(int j) { return solutions_[j - 1].view(); }
  Lanes* x(int j) { return solution(j).x; }
  Lanes* q(int j) { return q_.data() + static_cast<std::size_t>(j - 1) * replay_.num_rows(); }
  Lanes* y(int j) { return y_.data() + static_cast<std::size_t>(j - 1) * replay_.num_rows(); }
  Lanes scaled_reward(std::int32_t v) const { return reward_[v] * scale_; }

  /// All m_k at all rows, kept. Continuous: m_k = M (k r m_{k-1}). Discrete: m_k = M q_k with
  /// q_k = sum_l C(k,l) r^l (P m_{k-l}), P m = m - q and P m_0 = 1.
  void solve_chain() {
    const std::int32_t rows = replay_.num_rows();
    while (solutions_.size() < static_cast<std::size_t>(order_)) solutions_.emplace_back(arrays_);
    if (discrete_) q_.resize(static_cast<std::size_t>(rows) * order_);
    mean_.assign(order_ + 1, Lanes(0.0));
    if (order_ > kUnscaledOrder) {
      replay_.solve([&](std::int32_t v) { return Lanes(reward_[v]); }, solution(1));
      largest_ = Lanes(0.0);
      for (std::int32_t v = 0; v < rows; ++v) largest_ = lane_max(largest_, x(1)[v]);
      choose_scale();
    }
    // A component finishes all its right-hand sides while its factors are warm.
    const auto no_kill = [](std::int32_t) { return Lanes(0.0); };
    replay_.forward([&](const PrcComponent& component, const Lanes* entry, const Lanes* exit, const Lanes* inverse) {
      for (int j = 1; j <= order_; ++j) {
        const auto rhs = [&](std::int32_t v) {
          if (discrete_) return q(j)[v];
          return j == 1 ? scaled_reward(v) : (j * reward_[v]) * (scale_ * x(j - 1)[v]);
        };
        for (std::int32_t v = component.row_begin; discrete_ && v < component.row_end; ++v)
          q(j)[v] = discrete_rhs(j, v);
        replay_.solve_part(component, entry, exit, inverse, rhs, no_kill, 0.0, solution(j));
      }
    });
    for (int j = 1; j <= order_; ++j) mean_[j] = replay_.dot_alpha(x(j));
  }

  Lanes discrete_rhs(int j, std::int32_t v) {
    Lanes sum(0.0);
    Lanes power(1.0);
    for (int l = 1; l <= j; ++l) {
      power = power * scaled_reward(v);
      const Lanes after = l == j ? Lanes(1.0) : x(j - l)[v] - q(j - l)[v];
      add_product(sum, binomial(j, l), power * after);
    }
    return sum;
  }

  void reset_gradient() {
    gradient_sums_.resize(static_cast<std::size_t>(order_) * replay_.num_extended_rates());
    for (int i = 0; i < order_ * replay_.num_extended_rates(); ++i) gradient_sums_[i] = Lanes(0.0);
  }
  Lanes* gradient_of(int j) {
    return gradient_sums_.data() + static_cast<std::size_t>(j - 1) * replay_.num_extended_rates();
  }

  /// dE_k = sum_{a + b = k + 1} edge(y_a, m_b) k! / b!, with y_1 = M^T alpha, y_{a+1} = M^T R y_a: one transposed solve
  /// for each order.
  void continuous_gradient() {
    const std::int32_t rows = replay_.num_rows();
    reset_gradient();
    y_.resize(static_cast<std::size_t>(rows) * order_);
    replay_.backward([&](const PrcComponent& component, const Lanes* entry, const Lanes*, const Lanes* inverse) {
      for (int a = 1; a <= order_; ++a) {
        for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
          y(a)[v] = a == 1 ? Lanes(replay_.prc().alpha[v]) : scaled_reward(v) * y(a - 1)[v];
        }
        replay_.transposed_solve_part(component, entry, inverse, y(a));
      }
    });
    replay_.add_gradient(y(1), solution(1), gradient_of(1));
    for (int k = 2; k <= order_; ++k) {
      double factor = 1;  // k! / b!
      for (int b = k; b >= 1; --b) {
        const int a = k + 1 - b;
        if (factor == 1) {
          replay_.add_gradient(y(a), solution(b), gradient_of(k));
        } else {
          weighted_.resize(rows);
          for (std::int32_t v = 0; v < rows; ++v) weighted_[v] = factor * y(a)[v];
          replay_.add_gradient(weighted_.data(), solution(b), gradient_of(k));
        }
        factor *= b;
      }
    }
  }

  /// Reverse sweep of the recursion of `solve_chain` for each order.
  void discrete_gradient() {
    const std::int32_t rows = replay_.num_rows();
    reset_gradient();
    PackArray<Lanes> by_m(static_cast<std::size_t>(rows) * order_), by_q(static_cast<std::size_t>(rows) * order_);
    const auto at = [rows](PackArray<Lanes>& array, int j) {
      return array.data() + static_cast<std::size_t>(j - 1) * rows;
    };
    for (int k = 1; k <= order_; ++k) {
      for (std::size_t i = 0; i < static_cast<std::size_t>(rows) * k; ++i) by_m[i] = by_q[i] = Lanes(0.0);
      for (std::int32_t v = 0; v < rows; ++v) at(by_m, k)[v] = Lanes(replay_.prc().alpha[v]);
      for (int j = k; j >= 1; --j) {
        replay_.transposed_solve(at(by_m, j));
        replay_.add_gradient(at(by_m, j), solution(j), gradient_of(k));
        for (std::int32_t v = 0; v < rows; ++v) {
          const Lanes through = at(by_q, j)[v] + at(by_m, j)[v];
          Lanes power(1.0);
          for (int l = 1; l < j; ++l) {
            power = power * scaled_reward(v);
            const Lanes flow = binomial(j, l) * (power * through);
            at(by_m, j - l)[v] += flow;
            at(by_q, j - l)[v] = at(by_q, j - l)[v] - flow;
          }
        }
      }
    }
  }

  void write_gradient(std::size_t first, std::size_t last, std::span<double> gradient) {
    const PrcView& prc = replay_.prc();
    for (int j = 1; j <= order_; ++j) {
      Lanes* sums = gradient_of(j);
      fold_forms(prc, sums);
      for (std::size_t k = first; k < last; ++k) {
        for (std::int32_t r = 0; r < prc.num_rates; ++r) {
          gradient[(k * order_ + j - 1) * prc.num_rates + r] =
              std::ldexp(sums[1 + r].lane(static_cast<int>(k - first)), j * exponent_[k - first]);
        }
      }
    }
  }

  bool discrete_;
  int order_;
  bool gradient_;
  const PrcArrays& arrays_;
  LaneReplay<W> replay_;
  std::vector<double> reward_;
  const std::int32_t* value_slot_;
  std::size_t num_value_slots_;
  Lanes scale_, largest_{};
  int exponent_[W];
  std::vector<Lanes> mean_;
  std::vector<SolutionArrays<Lanes>> solutions_;
  PackArray<Lanes> x_, q_, y_, weighted_, gradient_sums_;
};

}  // namespace

void replay_moments(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                    std::span<const double> reward, int order, std::span<double> values, std::span<double> gradient,
                    int num_threads) {
  const auto run = [&](auto width, auto&& next_block) {
    MomentBlock<decltype(width)::value> block(graph, prc, reward, order, !gradient.empty());
    while (const auto first = next_block()) block.run(phi, *first, values, gradient);
  };
  if (gradient.empty()) {
    for_lane_blocks(phi.num_rows(), num_threads, run);
  } else {
    for_lane_blocks<kGradientLanes>(phi.num_rows(), num_threads, run);
  }
}

}  // namespace sojourn
