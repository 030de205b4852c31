#pragma once

#include <cmath>
#include <numeric>
#include <optional>

#include "evaluation/lane_blocks.hpp"
#include "evaluation/lane_replay.hpp"
#include "evaluation/moment_replay.hpp"
#include "evaluation/moment_single.hpp"

namespace sojourn {

/// Orders above this are computed with rewards scaled by a power of two near the largest mean, so that m_k stays near
/// k!.
inline constexpr int kUnscaledOrder = 4;

/// The lanes of a replay: rows of phi, or those listed.
struct LaneRows {
  std::size_t num_lanes;
  const std::size_t* listed = nullptr;

  [[nodiscard]] std::size_t row(std::size_t lane) const { return listed == nullptr ? lane : listed[lane]; }
};

inline double binomial(int n, int k) {
  double value = 1;
  for (int i = 1; i <= k; ++i) value = value * (n - k + i) / i;
  return value;
}

/// Moments of one block of lanes.
template <int W, class Scalar = double>
class MomentBlock {
 public:
  using Lanes = Pack<W, Scalar>;
  /// For sums over the whole chain, which have many more terms than any row.
  using WideLanes = Pack<W, double>;
  static constexpr bool kSingle = std::is_same_v<Scalar, float>;

  /// Differences, and discrete time, need their program.
  MomentBlock(const StateGraph& graph, const Prc& prc, std::span<const double> reward, int order,
              const DifferenceProgram* differences = nullptr)
      : discrete_(graph.time_kind() == TimeKind::kDiscrete),
        order_(order),
        arrays_(prc.arrays()),
        replay_(prc),
        reward_(prc.arrays().by_row(reward)),
        num_value_slots_(prc.arrays().num_value_slots),
        scale_(1.0) {
    if (differences != nullptr) rises_.emplace(*differences);
    const auto single = [&](const PrcComponent& component) { return has_single_rate(replay_.prc(), component); };
    all_single_rates_ = std::all_of(arrays_.components.begin(), arrays_.components.end(), single);
  }

  void value(MatrixView<const double> phi, LaneRows lanes, std::size_t first, std::span<double> values) {
    load(phi, lanes, first);
    if (discrete_) {
      replay_.factor();
      solve_chain();
    } else {
      if (order_ > kUnscaledOrder) {
        stream(1);
        choose_scale();
      }
      stream(order_);
    }
    write_values(values);
  }

  /// Sets `in_doubt` [K] (may be empty) by the judge where rounding may have left too few digits even so.
  void gradient_by_differences(MatrixView<const double> phi, LaneRows lanes, std::size_t first,
                               std::span<double> values, std::span<double> gradient, const GradientJudge& judge,
                               std::span<char> in_doubt) {
    judged_ = !in_doubt.empty();
    load(phi, lanes, first);
    replay_.factor();
    solve_chain();
    if (discrete_) {
      discrete_gradient();
    } else {
      continuous_gradient();
    }
    write_values(values);
    for (int j = 1; j <= order_; ++j) {
      fold_forms(replay_.prc(), gradient_of(j));
      write_gradient(j, gradient);
      if (judged_) mark_doubts(j, judge, in_doubt);
    }
  }

  /// Continuous time alone. The error of a difference is `share` of what it was taken from; `in_doubt` [K] is set where
  /// that is more than `tolerance` of the difference. `error` [K, order, num_rates] takes the relative errors, or is
  /// empty.
  void gradient_by_products(MatrixView<const double> phi, LaneRows lanes, std::size_t first, std::span<double> values,
                            std::span<double> gradient, double share, double tolerance, std::span<double> error,
                            std::span<char> in_doubt) {
    load(phi, lanes, first);
    if (order_ > kUnscaledOrder) {
      stream(1);
      choose_scale();
    }
    replay_.factor();
    sum_products();
    write_values(values);
    for (int j = 1; j <= order_; ++j) {
      subtract_sums(j, share, tolerance, error, in_doubt);
      write_gradient(j, gradient);
    }
  }

 private:
  void load(MatrixView<const double> phi, LaneRows lanes, std::size_t first) {
    num_filled_ = static_cast<int>(std::min<std::size_t>(lanes.num_lanes - first, W));
    for (int lane = 0; lane < W; ++lane) row_of_lane_[lane] = lanes.row(first + std::min(lane, num_filled_ - 1));
    replay_.load_rows(phi, [&](int lane) { return row_of_lane_[lane]; });
    std::fill_n(exponent_, W, 0);
    scale_ = Lanes(1.0);
  }

  void write_values(std::span<double> values) const {
    for (int lane = 0; lane < num_filled_; ++lane) {
      for (int j = 1; j <= order_; ++j) {
        values[row_of_lane_[lane] * order_ + j - 1] = unscaled(mean_[j].lane(lane), j, lane);
      }
    }
  }
  /// Undoes the scaling of the rewards.
  [[nodiscard]] double unscaled(double value, int order, int lane) const {
    return exponent_[lane] == 0 ? value : std::ldexp(value, order * exponent_[lane]);
  }

  /// Value alone: component by component with slots re-used, all orders of a component while its factors are warm.
  /// Fewer orders than wanted are for `choose_scale`.
  void stream(int order) {
    const PrcView& prc = replay_.prc();
    const std::size_t stride = num_value_slots_;
    const bool scaled = order_ > kUnscaledOrder;
    x_.resize(stride * order);
    mean_.assign(order + 1, Lanes(0.0));
    largest_ = Lanes(0.0);
    for (std::int32_t c = 0; c < prc.num_components; ++c) {
      const PrcComponent& component = prc.components[c];
      replay_.factor_in_place(component);
      for (int j = 1; j <= order; ++j) {
        Lanes* x = x_.data() + stride * (j - 1);
        const Lanes* before = x - stride;
        // Most calls have the scale 1, and rewards are read for every row.
        const auto rhs = [&](std::int32_t v) {
          if (j == 1) return scaled ? reward_[v] * scale_ : Lanes(reward_[v]);
          const Lanes& lower = before[prc.value_slot[v]];
          return (j * reward_[v]) * (scaled ? scale_ * lower : lower);
        };
        replay_.solve_in_place(component, rhs, x);
        for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
          if (prc.alpha[v] != 0) add_product(mean_[j], prc.alpha[v], x[prc.value_slot[v]]);
          if (order < order_) largest_ = lane_max(largest_, x[prc.value_slot[v]]);
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
      scale_.lane(lane) = std::ldexp(Scalar(1), -exponent);
    }
  }

  Differences<Lanes*> solution(int j) { return solutions_[j - 1].view(); }
  /// The sizes of an order's slopes: pairs of them add up to the sizes of gradients.
  Lanes* slope_size(int j) { return sizes_.data() + arrays_.groups.size() * (j - 1); }
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
    if (judged_) sizes_.resize(arrays_.groups.size() * order_);
    mean_.assign(order_ + 1, Lanes(0.0));
    if (order_ > kUnscaledOrder) {
      replay_.solve([&](std::int32_t v) { return Lanes(reward_[v]); }, solution(1), rises_->view());
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
        if (judged_) {
          replay_.solve_part(component, entry, exit, inverse, rhs, no_kill, 0.0, solution(j), rises_->view(),
                             rises_->sizes(slope_size(j)));
        } else {
          replay_.solve_part(component, entry, exit, inverse, rhs, no_kill, 0.0, solution(j), rises_->view(),
                             NoDifferenceSizes{});
        }
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
    const int num_sums = order_ * replay_.num_extended_rates();
    gradient_sums_.resize(num_sums);
    for (int i = 0; i < num_sums; ++i) gradient_sums_[i] = WideLanes(0.0);
    if (!judged_) return;
    size_sums_.resize(num_sums);
    for (int i = 0; i < num_sums; ++i) size_sums_[i] = Lanes(0.0);
  }
  Lanes* size_of(int j) { return size_sums_.data() + static_cast<std::size_t>(j - 1) * replay_.num_extended_rates(); }
  /// Adds a pair to the gradient of order k, and its sizes to what that gradient is judged by.
  void add_pair(const Lanes* y, int b, int k) {
    replay_.add_gradient(y, solution(b).slope, gradient_of(k));
    if (judged_) replay_.add_gradient(y, slope_size(b), size_of(k));
  }
  WideLanes* gradient_of(int j) {
    return gradient_sums_.data() + static_cast<std::size_t>(j - 1) * replay_.num_extended_rates();
  }

  /// dE_k = sum_{a + b = k + 1} edge(y_a, m_b) k! / b!, with y_1 = M^T alpha, y_{a+1} = M^T R y_a: one transposed solve
  /// for each order.
  void continuous_gradient() {
    const std::int32_t rows = replay_.num_rows();
    reset_gradient();
    y_.resize(static_cast<std::size_t>(rows) * order_);
    replay_.backward([&](const PrcComponent& component, const Lanes* entry, const Lanes*, const Lanes* inverse) {
      solve_visits(component, entry, inverse);
    });
    add_pair(y(1), 1, 1);
    for (int k = 2; k <= order_; ++k) {
      double factor = 1;  // k! / b!
      for (int b = k; b >= 1; --b) {
        const int a = k + 1 - b;
        if (factor == 1) {
          add_pair(y(a), b, k);
        } else {
          weighted_.resize(rows);
          for (std::int32_t v = 0; v < rows; ++v) weighted_[v] = factor * y(a)[v];
          add_pair(weighted_.data(), b, k);
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
        replay_.add_gradient(at(by_m, j), solution(j).slope, gradient_of(k));
        if (judged_) {
          weighted_.resize(rows);
          for (std::int32_t v = 0; v < rows; ++v) weighted_[v] = absolute(at(by_m, j)[v]);
          replay_.add_gradient(weighted_.data(), slope_size(j), size_of(k));
        }
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

  GradientSums<Lanes*> sums_of(int j) {
    Lanes* gained = product_sums_.data() + static_cast<std::size_t>(2 * j - 2) * replay_.num_extended_rates();
    return {gained, gained + replay_.num_extended_rates()};
  }
  Lanes* product_x(int j) { return product_x_.data() + static_cast<std::size_t>(j - 1) * replay_.num_rows(); }

  /// Solves, transposed solves and the sums of all orders' gradients, with the pairs of `continuous_gradient`.
  void sum_products() {
    const std::int32_t rows = replay_.num_rows();
    product_x_.resize(static_cast<std::size_t>(rows) * order_);
    y_.resize(static_cast<std::size_t>(rows) * order_);
    reset_gradient();
    product_sums_.resize(static_cast<std::size_t>(2 * order_) * replay_.num_extended_rates());
    for (int i = 0; i < 2 * order_ * replay_.num_extended_rates(); ++i) product_sums_[i] = Lanes(0.0);
    mean_.assign(order_ + 1, Lanes(0.0));
    const auto rhs_of = [&](int j) {
      return [&, j](std::int32_t v) {
        return j == 1 ? scaled_reward(v) : (j * reward_[v]) * (scale_ * product_x(j - 1)[v]);
      };
    };
    // Where every row has one rate its gradient needs no x, and the mean is the reward summed over the visits: a sum of
    // too many terms for single precision.
    const bool visits_alone = all_single_rates_ && order_ == 1 && !kSingle;
    [[maybe_unused]] std::int64_t num_groups = 0;
    if constexpr (kSingle) {
      wide_sums_.resize(static_cast<std::size_t>(2 * order_) * replay_.num_extended_rates());
      for (int i = 0; i < 2 * order_ * replay_.num_extended_rates(); ++i) wide_sums_[i] = WideLanes(0.0);
    }
    if (!visits_alone) {
      replay_.forward([&](const PrcComponent& component, const Lanes* entry, const Lanes*, const Lanes* inverse) {
        for (int j = 1; j <= order_; ++j) {
          replay_.solve_part(component, entry, inverse, rhs_of(j), product_x(j));
        }
      });
      for (int j = 1; j <= order_; ++j) mean_[j] = replay_.dot_alpha(product_x(j));
    }
    replay_.backward([&](const PrcComponent& component, const Lanes* entry, const Lanes*, const Lanes* inverse) {
      if (order_ == 1 && !has_single_rate(replay_.prc(), component)) {
        solve_visits(component, entry, inverse, [&](std::int32_t v, const Lanes& visits) SOJOURN_INLINE_LAMBDA {
          add_row_gradient_sums<Lanes>(replay_.prc(), v, product_x(1), visits, sums_of(1));
        });
      } else {
        solve_visits(component, entry, inverse);
        for (std::int32_t v = component.row_begin; visits_alone && v < component.row_end; ++v) {
          add_product(mean_[1], reward_[v], y(1)[v]);
        }
        add_gradient_pairs(component, rhs_of);
      }
      if constexpr (kSingle) {
        const PrcRow* const rows_of = replay_.prc().rows;
        num_groups += rows_of[component.row_end - 1].group_end - rows_of[component.row_begin].group_begin;
        if (num_groups > kSummedGroups || component.row_begin == 0) {
          num_groups = 0;
          widen_sums();
        }
      }
    });
  }

  /// Adds the gradients of all orders on a component whose visits are solved.
  template <class RhsOf>
  void add_gradient_pairs(const PrcComponent& component, RhsOf&& rhs_of) {
    for (int k = 1; k <= order_; ++k) {
      double factor = 1;  // k! / b!
      for (int b = k; b >= 1; --b) {
        add_gradient_sums<Lanes>(replay_.prc(), component, replay_.inverse_rate(), rhs_of(b), product_x(b), factor,
                                 y(k + 1 - b), sums_of(k));
        factor *= b;
      }
    }
  }

  /// Moves what is summed so far to double precision.
  void widen_sums() {
    for (int i = 0; i < 2 * order_ * replay_.num_extended_rates(); ++i) {
      for (int lane = 0; lane < W; ++lane) wide_sums_[i].lane(lane) += product_sums_[i].lane(lane);
      product_sums_[i] = Lanes(0.0);
    }
  }

  /// y_1 = M^T alpha, y_{a+1} = M^T R y_a on one component. `done(v, y_v)` is called for each row and order.
  template <class RowDone = IgnoreRows>
  void solve_visits(const PrcComponent& component, const Lanes* entry, const Lanes* inverse, RowDone&& done = {}) {
    for (int a = 1; a <= order_; ++a) {
      for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
        y(a)[v] = a == 1 ? Lanes(replay_.prc().alpha[v]) : scaled_reward(v) * y(a - 1)[v];
      }
      replay_.transposed_solve_part(component, entry, inverse, y(a), done);
    }
  }

  GradientSums<WideLanes*> all_sums_of(int j) {
    if constexpr (kSingle) {
      WideLanes* gained = wide_sums_.data() + static_cast<std::size_t>(2 * j - 2) * replay_.num_extended_rates();
      return {gained, gained + replay_.num_extended_rates()};
    } else {
      return sums_of(j);
    }
  }

  /// Takes the difference of an order's sums and judges it. A zero sum is an exact zero.
  void subtract_sums(int j, double share, double tolerance, std::span<double> error, std::span<char> in_doubt) {
    const PrcView& prc = replay_.prc();
    const GradientSums<WideLanes*> sums = all_sums_of(j);
    fold_forms(prc, sums);
    for (std::int32_t r = 1; r <= prc.num_rates; ++r) {
      const WideLanes difference = sums.gained[r] - sums.lost[r];
      const WideLanes lost = share * (sums.gained[r] + sums.lost[r]);
      gradient_of(j)[r] = difference;
      for (int lane = 0; lane < num_filled_; ++lane) {
        const double left = std::abs(difference.lane(lane));
        // Written so that what is not a number is in doubt.
        if (!(tolerance * left >= lost.lane(lane))) in_doubt[row_of_lane_[lane]] = 1;
        if (error.empty()) continue;
        error[(row_of_lane_[lane] * order_ + j - 1) * prc.num_rates + r - 1] = left > 0 ? lost.lane(lane) / left : 0;
      }
    }
  }

  /// Judges an order's gradient from differences: below the tolerance for each of its components, or so small beside
  /// the moment that a change of the rate could not be seen in it.
  void mark_doubts(int j, const GradientJudge& judge, std::span<char> in_doubt) {
    const PrcView& prc = replay_.prc();
    fold_forms(prc, GradientSums<Lanes*>{size_of(j), size_of(j)});
    for (std::int32_t r = 1; r <= prc.num_rates; ++r) {
      for (int lane = 0; lane < num_filled_; ++lane) {
        if (!judge.is_sure(size_of(j)[r].lane(lane), gradient_of(j)[r].lane(lane), replay_.rate()[r].lane(lane),
                           mean_[j].lane(lane)))
          in_doubt[row_of_lane_[lane]] = 1;
      }
    }
  }

  void write_gradient(int j, std::span<double> gradient) {
    const PrcView& prc = replay_.prc();
    const WideLanes* sums = gradient_of(j);
    for (int lane = 0; lane < num_filled_; ++lane) {
      for (std::int32_t r = 0; r < prc.num_rates; ++r) {
        gradient[(row_of_lane_[lane] * order_ + j - 1) * prc.num_rates + r] = unscaled(sums[1 + r].lane(lane), j, lane);
      }
    }
  }

  bool discrete_;
  int order_;
  const PrcArrays& arrays_;
  LaneReplay<W, Scalar> replay_;
  std::vector<double> reward_;
  std::size_t num_value_slots_;
  Lanes scale_, largest_{};
  bool all_single_rates_ = false;
  int exponent_[W];
  int num_filled_ = 0;
  std::size_t row_of_lane_[W];
  std::vector<Lanes> mean_;
  std::vector<SolutionArrays<Lanes>> solutions_;
  std::optional<RiseArrays<Lanes>> rises_;
  bool judged_ = false;  ///< whether differences are
  PackArray<Lanes> x_, q_, y_, weighted_, product_x_, product_sums_, sizes_, size_sums_;
  PackArray<WideLanes> gradient_sums_, wide_sums_;
};

}  // namespace sojourn
