#pragma once

#include <cstdint>

#include "common/level_view.hpp"
#include "common/moment_lane.hpp"
#include "common/transform_lane.hpp"

/// Replay of a program by the streams of a block, by a level schedule. Each thread is one lane of one stream; lanes
/// keep the numbers that `MomentLane` and `TransformLane` keep, and each row adds in the order in which those add, so
/// that the bits are the same. A `Block` has
///   step(work)    calls work(thread) for every thread of the block, in any order, and then waits for all of them.
namespace sojourn {

/// What the tasks of a stream do to the factors and solutions of one lane.
template <class Real, class Local>
class LevelTasks {
 public:
  SOJOURN_HD LevelTasks(const PrcView& prc, const LevelView& levels, std::int32_t stream, Local factor)
      : prc_(prc), levels_(levels), stream_(stream), factor_(factor) {}

  [[nodiscard]] SOJOURN_HD std::int32_t stream() const { return stream_; }

  /// `single(v)` is the inverse pivot of a component of one row.
  template <class RateArray, class Kill, class Single>
  SOJOURN_HD void factor(std::int32_t step, const RateArray& rate, Kill&& kill, Single&& single) const {
    for (std::int32_t k = begin(levels_.factor_run, step); k < end(levels_.factor_run, step); ++k) {
      const LevelFactor& task = levels_.factors[k];
      const PrcComponent& component = prc_.components[task.component];
      const Local entry = entries_of(task.component);
      if (task.row < 0) {
        start_entries<Real>(prc_, component, rate, entry);
      } else if (is_single(component)) {
        entry[0] = single(task.row);
      } else {
        sum_entries<Real>(prc_.sums + task.sum_begin, prc_.sums + task.sum_end, prc_.pairs + task.pair_begin, rate,
                          entry);
        if (task.finishes != 0) {
          const Local exit = entry.from(component.entry_end - component.entry_begin);
          const Local inverse = inverses_of(component, entry);
          finish_row<Real>(prc_, component, task.row, rate, kill, entry, exit, inverse, IgnorePivots{});
        }
      }
    }
  }

  /// `rhs(v)` is the right-hand side at row v.
  template <class Slots, class RateArray, class Rhs, class Wide>
  SOJOURN_HD void solve(std::int32_t step, const RateArray& rate, Rhs&& rhs, const Wide& x) const {
    for (std::int32_t k = begin(levels_.solve_run, step); k < end(levels_.solve_run, step); ++k) {
      const LevelRow& task = levels_.solves[k];
      const PrcComponent& component = prc_.components[task.component];
      const Local entry = entries_of(task.component);
      if (task.second != 0) {
        solve_second_half<Slots, Real>(prc_, component, task.row, entry, x);
      } else if (is_single(component)) {
        x[Slots::of_row(prc_, task.row)] =
            solve_single_row<Slots, Real>(prc_, prc_.rows[task.row], rate, entry[0], rhs(task.row), x);
      } else {
        solve_first_half<Slots, Real>(prc_, component, task.row, rate, entry, inverses_of(component, entry),
                                      rhs(task.row), x);
      }
    }
  }

  /// The transposed solve, whose rows gather what `transposed_solve_component` scatters.
  template <class RateArray, class Rhs, class Wide>
  SOJOURN_HD void visit(std::int32_t step, const RateArray& rate, Rhs&& rhs, const Wide& y) const {
    for (std::int32_t k = begin(levels_.visit_run, step); k < end(levels_.visit_run, step); ++k) {
      const LevelRow& task = levels_.visits[k];
      const std::int32_t v = task.row;
      const PrcComponent& component = prc_.components[task.component];
      const Local entry = entries_of(task.component);
      if (is_single(component)) {
        y[v] = transposed_solve_single_row<Real>(prc_, prc_.rows[v], rate, entry[0], Real(rhs(v)), y);
        continue;
      }
      const std::int64_t middle = levels_.column_middle[v];
      if (task.second != 0) {
        Real acc = y[v];
        add_column(middle, levels_.column_begin[v + 1], entry, y, acc);
        y[v] = acc * inverses_of(component, entry)[v - component.row_begin];
      } else {
        Real acc(rhs(v));
        add_arrivals(prc_, prc_.rows[v], rate, y, acc);
        add_column(levels_.column_begin[v], middle, entry, y, acc);
        y[v] = acc;
      }
    }
  }

  /// The stream's rows of the gradient's sums of a wave.
  template <class Add>
  SOJOURN_HD void sums(std::int32_t wave, Add&& add) const {
    for (std::int32_t p = stream_; p < levels_.num_partials; p += levels_.num_streams) {
      const std::int32_t run = wave * levels_.num_partials + p;
      for (std::int32_t k = levels_.sum_run[run]; k < levels_.sum_run[run + 1]; ++k)
        add(prc_.components[levels_.sum_rows[k].component], levels_.sum_rows[k].row);
    }
  }

  /// The stream's share of [0, count).
  template <class Do>
  SOJOURN_HD void share(std::int64_t count, Do&& act) const {
    for (std::int64_t i = stream_; i < count; i += levels_.num_streams) act(i);
  }

 private:
  SOJOURN_HD static bool is_single(const PrcComponent& component) {
    return component.row_end - component.row_begin == 1;
  }
  [[nodiscard]] SOJOURN_HD std::int32_t begin(const std::int32_t* run, std::int32_t step) const {
    return run[step * levels_.num_streams + stream_];
  }
  [[nodiscard]] SOJOURN_HD std::int32_t end(const std::int32_t* run, std::int32_t step) const {
    return run[step * levels_.num_streams + stream_ + 1];
  }
  [[nodiscard]] SOJOURN_HD Local entries_of(std::int32_t component) const {
    return factor_.from(levels_.local_begin[component]);
  }
  [[nodiscard]] SOJOURN_HD static Local inverses_of(const PrcComponent& component, const Local& entry) {
    return entry.from(component.entry_end - component.entry_begin + (component.row_end - component.row_begin));
  }
  template <class Wide>
  SOJOURN_HD void add_column(std::int64_t first, std::int64_t last, const Local& entry, const Wide& y,
                             Real& acc) const {
    for (std::int64_t e = first; e < last; ++e)
      add_product(acc, entry[levels_.column_entries[e].slot], y[levels_.column_entries[e].row]);
  }

  const PrcView& prc_;
  const LevelView& levels_;
  std::int32_t stream_;
  Local factor_;
};

/// Moments of one lane by one stream of a block; see `MomentLane`.
template <int kOrder, class Local, class Wide>
class MomentLevels : MomentTerms<kOrder, Local, Wide> {
  using Terms = MomentTerms<kOrder, Local, Wide>;
  using Terms::prc_;
  using Terms::shape_;
  using typename Terms::Real;

 public:
  /// `local` has the shape's rates and the schedule's factors; `lane` of the batch, `phi` and `output` as for
  /// `moment_lane`.
  SOJOURN_HD MomentLevels(const PrcView& prc, const LevelView& levels, const MomentLaneShape& shape,
                          const double* reward, const double* phi, std::int64_t num_lanes, std::int64_t lane,
                          std::int32_t stream, Local local, Wide solution, const MomentLaneOutput& output)
      : Terms(prc, shape, reward, local, solution),
        levels_(levels),
        tasks_(prc, levels, stream, local.from(shape.slots(prc).rate)),
        phi_{phi + lane, num_lanes},
        values_{output.values + lane, num_lanes},
        gradient_{shape.gradient ? output.gradient + lane : nullptr, num_lanes},
        in_doubt_(shape.gradient ? output.in_doubt + lane : nullptr) {}

  /// The whole block's work for its lanes.
  template <class Block>
  SOJOURN_HD static void run(Block&& block, const LevelView& levels, const MomentLaneShape& shape) {
    using Self = MomentLevels;
    const bool gradient = Terms::kHasGradient && shape.gradient;
    block.step([](Self& own) { own.begin(); });
    for (std::int32_t w = 0; w < levels.num_waves; ++w) {
      const LevelWave& wave = levels.waves[w];
      factor(block, wave);
      for (int j = 1; j <= kOrder; ++j) {
        for (std::int32_t step = wave.solve_begin; step < wave.solve_end; ++step) {
          if (gradient) {
            block.step([=](Self& own) { own.template solve<OwnSlots>(step, j); });
          } else {
            block.step([=](Self& own) { own.template solve<ValueSlots>(step, j); });
          }
        }
      }
      if (wave.start_begin == wave.start_end) continue;
      if (gradient) {
        block.step([&](Self& own) { own.template add_starts<OwnSlots>(wave); });
      } else {
        block.step([&](Self& own) { own.template add_starts<ValueSlots>(wave); });
      }
    }
    if constexpr (Terms::kHasGradient) {
      if (gradient) run_gradient(block, levels);
    }
  }

 private:
  template <class Block>
  SOJOURN_HD static void run_gradient(Block&& block, const LevelView& levels) {
    using Self = MomentLevels;
    for (std::int32_t w = levels.num_waves - 1; w >= 0; --w) {
      const LevelWave& wave = levels.waves[w];
      // The last wave's factors are still there.
      if (w < levels.num_waves - 1) factor(block, wave);
      for (int a = 1; a <= kOrder; ++a)
        for (std::int32_t step = wave.visit_begin; step < wave.visit_end; ++step)
          block.step([=](Self& own) { own.visit(step, a); });
      block.step([=](Self& own) {
        own.tasks_.sums(w, [&](const PrcComponent& component, std::int32_t v) { own.add_sums(component, v); });
      });
    }
    block.step([](Self& own) { own.tasks_.share(own.num_sums(), [&](std::int64_t i) { own.combine_sums(i); }); });
    block.step([](Self& own) { own.finish(); });
  }

  template <class Block>
  SOJOURN_HD static void factor(Block&& block, const LevelWave& wave) {
    for (std::int32_t step = wave.factor_begin; step < wave.factor_end; ++step)
      block.step([=](MomentLevels& own) { own.factor(step); });
  }

  SOJOURN_HD void begin() {
    if (tasks_.stream() == 0) {
      this->load(phi_);
      for (int j = 0; j < kOrder; ++j) values_[j] = 0;
    }
    if (Terms::kHasGradient && shape_.gradient)
      tasks_.share(shape_.num_partials * this->num_sums(), [&](std::int64_t i) { this->sums_[i] = 0; });
  }
  SOJOURN_HD void factor(std::int32_t step) {
    const auto single = [this](std::int32_t v) {
      return factor_single_row<Real>(prc_, prc_.rows[v], this->rate_, this->inverse_rate_);
    };
    tasks_.factor(step, this->rate_, typename Terms::NoKill{}, single);
  }
  template <class Slots>
  SOJOURN_HD void solve(std::int32_t step, int j) {
    tasks_.template solve<Slots>(
        step, this->rate_, [=, this](std::int32_t v) { return this->template rhs<Slots>(j, v); }, this->x(j));
  }
  SOJOURN_HD void visit(std::int32_t step, int a) {
    tasks_.visit(
        step, this->rate_, [=, this](std::int32_t v) { return this->visits_rhs(a, v); }, this->y(a));
  }
  template <class Slots>
  SOJOURN_HD void add_starts(const LevelWave& wave) {
    tasks_.share(kOrder, [&](std::int64_t j) {
      const Wide solution = this->x(static_cast<int>(j) + 1);
      // The mean so far is a number of single precision where slots are.
      Real sum(values_[j]);
      for (std::int32_t k = wave.start_begin; k < wave.start_end; ++k) {
        const std::int32_t v = levels_.starts[k];
        add_product(sum, prc_.alpha[v], solution[Slots::of_row(prc_, v)]);
      }
      values_[j] = widened(sum);
    });
  }
  SOJOURN_HD void finish() {
    if (tasks_.stream() != 0) return;
    bool in_doubt = false;
    for (int k = 1; k <= kOrder; ++k) in_doubt |= this->take_gradient(k, gradient_);
    *in_doubt_ = in_doubt ? 1 : 0;
  }

  const LevelView& levels_;
  LevelTasks<Real, Local> tasks_;
  Strided<const double> phi_;
  Strided<double> values_, gradient_;
  unsigned char* in_doubt_;
};

/// Transforms of one lane by one stream of a block; see `TransformLane`.
template <class Local, class Wide>
class TransformLevels : TransformTerms<Strided<const double>, Wide> {
  using Terms = TransformTerms<Strided<const double>, Wide>;
  using Terms::prc_;
  using Terms::shape_;

 public:
  /// `factor` has the schedule's factors; the rest as for `transform_lane`.
  SOJOURN_HD TransformLevels(const PrcView& prc, const LevelView& levels, const TransformLaneShape& shape,
                             const double* reward, const LaneRates& rates, const LaneNodes& nodes,
                             std::int64_t num_particles, std::int64_t num_lanes, std::int64_t lane, std::int32_t stream,
                             Local factor, Wide solution, const TransformLaneOutput& output)
      : Terms(prc, shape, reward, {rates.rate + lane % num_particles, num_particles},
              nodes.at(lane / num_particles, lane % num_particles, num_particles), solution),
        levels_(levels),
        tasks_(prc, levels, stream, factor),
        inverse_rate_{rates.inverse_rate + lane % num_particles, num_particles},
        values_{output.values + lane, num_lanes},
        gradients_{shape.gradient ? output.gradients + lane : nullptr, num_lanes},
        sizes_{shape.gradient ? output.sizes + lane : nullptr, num_lanes} {}

  /// The whole block's work for its lanes.
  template <class Block>
  SOJOURN_HD static void run(Block&& block, const LevelView& levels, const TransformLaneShape& shape) {
    using Self = TransformLevels;
    block.step([](Self& own) { own.begin(); });
    for (std::int32_t w = 0; w < levels.num_waves; ++w) {
      const LevelWave& wave = levels.waves[w];
      factor(block, wave);
      for (std::int32_t step = wave.solve_begin; step < wave.solve_end; ++step) {
        if (shape.gradient) {
          block.step([=](Self& own) { own.template solve<OwnSlots>(step); });
        } else {
          block.step([=](Self& own) { own.template solve<ValueSlots>(step); });
        }
      }
      if (wave.start_begin == wave.start_end) continue;
      if (shape.gradient) {
        block.step([&](Self& own) { own.template add_starts<OwnSlots>(wave); });
      } else {
        block.step([&](Self& own) { own.template add_starts<ValueSlots>(wave); });
      }
    }
    if (!shape.gradient) return;
    for (std::int32_t w = levels.num_waves - 1; w >= 0; --w) {
      const LevelWave& wave = levels.waves[w];
      if (w < levels.num_waves - 1) factor(block, wave);
      for (std::int32_t step = wave.visit_begin; step < wave.visit_end; ++step)
        block.step([=](Self& own) { own.visit(step); });
      block.step([=](Self& own) {
        own.tasks_.sums(w, [&](const PrcComponent&, std::int32_t v) {
          for (int t = 0; t < own.shape_.num_transforms(); ++t) own.add_sums(own.inverse_rate_, t, v);
        });
      });
    }
    block.step([](Self& own) { own.tasks_.share(own.num_sums(), [&](std::int64_t i) { own.combine_sums(i); }); });
    block.step([](Self& own) {
      if (own.tasks_.stream() == 0) own.take_gradients(own.gradients_, own.sizes_);
    });
  }

 private:
  template <class Block>
  SOJOURN_HD static void factor(Block&& block, const LevelWave& wave) {
    for (std::int32_t step = wave.factor_begin; step < wave.factor_end; ++step)
      block.step([=](TransformLevels& own) { own.factor(step); });
  }

  SOJOURN_HD void begin() {
    tasks_.share(shape_.num_transforms(), [&](std::int64_t t) { values_[t] = LaneComplex(0.0); });
    if (shape_.gradient)
      tasks_.share(shape_.num_partials * this->num_sums(), [&](std::int64_t i) { this->sums_[i] = LaneComplex(0.0); });
  }
  SOJOURN_HD void factor(std::int32_t step) {
    const auto kill = [this](std::int32_t v) { return this->kill(v); };
    const auto single = [this](std::int32_t v) {
      return reciprocal(this->kill(v) + external_weight<LaneComplex>(prc_, prc_.rows[v], this->rate_));
    };
    tasks_.factor(step, this->rate_, kill, single);
  }
  template <class Slots>
  SOJOURN_HD void solve(std::int32_t step) {
    for (int t = 0; t < shape_.num_transforms(); ++t)
      tasks_.template solve<Slots>(
          step, this->rate_, [=, this](std::int32_t v) { return this->rhs(t, v); }, this->x(t));
  }
  SOJOURN_HD void visit(std::int32_t step) {
    tasks_.visit(
        step, this->rate_, [this](std::int32_t v) { return prc_.alpha[v]; }, this->y_);
  }
  template <class Slots>
  SOJOURN_HD void add_starts(const LevelWave& wave) {
    tasks_.share(shape_.num_transforms(), [&](std::int64_t t) {
      const Wide solution = this->x(static_cast<int>(t));
      LaneComplex sum = values_[t];
      for (std::int32_t k = wave.start_begin; k < wave.start_end; ++k) {
        const std::int32_t v = levels_.starts[k];
        add_product(sum, prc_.alpha[v], solution[Slots::of_row(prc_, v)]);
      }
      values_[t] = sum;
    });
  }

  const LevelView& levels_;
  LevelTasks<LaneComplex, Local> tasks_;
  Strided<const double> inverse_rate_;
  Strided<LaneComplex> values_, gradients_;
  Strided<double> sizes_;
};

}  // namespace sojourn
