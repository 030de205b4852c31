#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "common/prc_replay.hpp"
#include "common/row_remainder.hpp"
#include "common/step_view.hpp"
#include "common/strided.hpp"

/// Uniformization of many particles, as device threads compute it and a host loop does in tests. A batch goes through
///   values      `StepThread::values`: the scalars of alpha P^n of a particle, P = I + S / rate
///   invert      (time, particle)  log values from the scalars and the Poisson weights, with a bound of their error
///   likelihood  a particle        `likelihood_lane`
///   weigh       (step, particle)  what the likelihood weighs the step's scalars with
///   gradient    `StepThread::gradient`: sum over steps of v_n dP h_{n+1}, h_n = w_n r + P h_{n+1}
/// The rate belongs to a particle's rung, whatever batch it is in, and is a constant in the derivatives.
namespace sojourn {

/// Weight out of row v, all edges, by these rates.
template <class RateArray>
SOJOURN_HD inline double leaving_weight(const PrcView& prc, std::int32_t v, const RateArray& rate) {
  double sum = 0;
  for (std::int64_t g = prc.rows[v].group_begin; g < prc.rows[v].group_end; ++g)
    add_product(sum, prc.groups[g].total, rate[prc.groups[g].rate]);
  return sum;
}

/// One thread of a particle: one of `kStepStreams` that share its rows. A `Block` has step(work), which calls
/// work(thread) for all its threads in any order and waits for them, see `level_replay.hpp`.
class StepThread {
 public:
  /// `slot` has `slots.total` numbers of this lane.
  SOJOURN_HD StepThread(const PrcView& prc, const StepView& view, const LikelihoodView& likelihood,
                        const StepBatchView& batch, const StepSlots& slots, std::int64_t lane, std::int32_t stream,
                        Strided<double> slot)
      : prc_(prc),
        view_(view),
        likelihood_(likelihood),
        batch_(batch),
        slots_(slots),
        lane_(lane),
        stream_(stream),
        rate_(slot),
        slot_(slot) {}

  /// The scalars of steps 0 to `num_steps`; the block's lanes need no more.
  template <class Block>
  SOJOURN_HD static void values(Block&& block, std::int64_t num_steps) {
    block.step([](StepThread& own) { own.take_rates(); });
    block.step([](StepThread& own) {
      own.start();
      if (own.stream_ == 0) own.clear_results();
    });
    for (std::int64_t n = 0; n <= num_steps; ++n) {
      block.step([=](StepThread& own) {
        own.read(n);
        if (n < num_steps) own.advance(own.walk(n), own.walk(n + 1), own.parts(n + 1));
      });
    }
  }

  /// The derivatives by the rates from the weights of all steps. Vectors are kept every `segment` steps on a first way
  /// forward, and computed again in between on the way back.
  template <class Block>
  SOJOURN_HD static void gradient(Block&& block, const StepSlots& slots, std::int64_t num_steps) {
    const std::int64_t segment = slots.segment;
    block.step([](StepThread& own) { own.take_rates(); });
    block.step([=](StepThread& own) {
      own.start();
      own.clear_sums(num_steps);
    });
    const std::int64_t last = num_steps / segment;
    for (std::int64_t n = 0; n < last * segment; ++n)
      block.step([=](StepThread& own) { own.advance(own.kept_or_walk(n), own.kept_or_walk(n + 1), own.parts(n + 1)); });
    for (std::int64_t s = last; s >= 0; --s) {
      const std::int64_t begin = s * segment;
      const std::int64_t end = begin + segment <= num_steps ? begin + segment : num_steps + 1;
      block.step([=](StepThread& own) { own.begin_again(begin); });
      for (std::int64_t n = begin; n + 1 < end; ++n)
        block.step([=](StepThread& own) { own.advance(own.again(n - begin), own.again(n + 1 - begin), own.parts(n)); });
      for (std::int64_t n = end - 1; n >= begin; --n)
        block.step([=](StepThread& own) { own.step_back(n, own.again(n - begin)); });
    }
    block.step([](StepThread& own) {
      if (own.stream_ == 0) own.gather();
    });
  }

 private:
  [[nodiscard]] SOJOURN_HD const StepRung& rung() const { return view_.rungs[batch_.rung[lane_]]; }
  [[nodiscard]] SOJOURN_HD std::int64_t num_extended() const {
    return 1 + std::int64_t{prc_.num_rates} + prc_.num_forms;
  }
  [[nodiscard]] SOJOURN_HD Strided<double> walk(std::int64_t n) const {
    return slot_.from(slots_.walk + n % 2 * prc_.num_rows);
  }
  /// Sums over each stream's rows: [survival, absorption] of kStepStreams each.
  [[nodiscard]] SOJOURN_HD Strided<double> parts(std::int64_t n) const {
    return slot_.from(slots_.parts + n % 2 * (2 * kStepStreams));
  }
  [[nodiscard]] SOJOURN_HD Strided<double> kept_or_walk(std::int64_t n) const {
    return n > 0 && n % slots_.segment == 0 ? slot_.from(slots_.kept + (n / slots_.segment - 1) * prc_.num_rows)
                                            : walk(n);
  }
  [[nodiscard]] SOJOURN_HD Strided<double> again(std::int64_t n) const {
    return slot_.from(slots_.again + n * prc_.num_rows);
  }
  /// h_n, and behind it the same from weights without signs.
  [[nodiscard]] SOJOURN_HD Strided<double> back(std::int64_t n) const {
    return slot_.from(slots_.back + n % 2 * (2 * prc_.num_rows));
  }

  /// Extended rates over the rung's.
  SOJOURN_HD void take_rates() {
    if (stream_ != 0) return;
    const LikelihoodBatchView& batch = batch_.likelihood;
    extend_rates(prc_, Strided<const double>{batch.phi + lane_, batch.n}, rate_);
    for (std::int64_t r = 0; r < num_extended(); ++r) rate_[r] /= rung().rate;
  }

  SOJOURN_HD void start() {
    const Strided<double> stay = slot_.from(slots_.stay), exit = slot_.from(slots_.exit), now = walk(0);
    double alive = 0, absorbed = 0, excess = 0;
    for (std::int32_t v = stream_; v < prc_.num_rows; v += kStepStreams) {
      if (view_.counts) {
        const double left = remainder(v), missed = absolute(left);
        stay[v] = RowRemainder::stay(left, view_.exits[v].num_edges);
        if (stay[v] == 0 && missed > excess) excess = missed;
      } else {
        // The rung's rate is at least the largest exit rate, as the host rounds it.
        const double left = 1 - view_.inverse_reward[v] * leaving_weight(prc_, v, rate_);
        stay[v] = left > 0 ? left : 0;
      }
      exit[v] = view_.inverse_reward[v] * absorbing_weight<double>(prc_, prc_.rows[v], rate_);
      now[v] = prc_.alpha[v];
      alive += now[v];
      add_product(absorbed, exit[v], now[v]);
    }
    parts(0)[stream_] = alive;
    parts(0)[kStepStreams + stream_] = absorbed;
    slot_[slots_.excess + stream_] = excess;
  }
  /// What the edges of row v leave of 1, by the rates themselves: forms are rounded.
  [[nodiscard]] SOJOURN_HD double remainder(std::int32_t v) const {
    RowRemainder left;
    for (std::int64_t t = view_.exits[v].term_begin; t < view_.exits[v].term_end; ++t)
      left.take(view_.exit_terms[t].coefficient, rate_[view_.exit_terms[t].rate]);
    return left.value();
  }

  SOJOURN_HD void clear_results() {
    const LikelihoodBatchView& batch = batch_.likelihood;
    batch.value[lane_] = batch.error_bound[lane_] = batch.compression_error[lane_] =
        std::numeric_limits<double>::quiet_NaN();
    batch.outcome[lane_] = static_cast<std::int32_t>(LaneOutcome::kDone);
  }

  /// One step of a vector for the rows of this stream: gathered by target, so that every row is written once.
  SOJOURN_HD void advance(Strided<double> now, Strided<double> next, Strided<double> part) {
    const Strided<double> stay = slot_.from(slots_.stay), exit = slot_.from(slots_.exit);
    double alive = 0, absorbed = 0;
    for (std::int32_t v = stream_; v < prc_.num_rows; v += kStepStreams) {
      double sum = stay[v] * now[v];
      for (std::int64_t g = view_.rows[v].group_begin; g < view_.rows[v].group_end; ++g) {
        const StepGroup& group = view_.groups[g];
        double inflow = 0;
        for (std::int64_t t = group.term_begin; t < group.term_end; ++t)
          add_product(inflow, view_.terms[t].coefficient, now[view_.terms[t].row]);
        add_product(sum, rate_[group.rate], inflow);
      }
      next[v] = sum;
      alive += sum;
      add_product(absorbed, exit[v], sum);
    }
    part[stream_] = alive;
    part[kStepStreams + stream_] = absorbed;
  }

  /// Step n's scalars from the parts of its streams; a stream in turn.
  SOJOURN_HD void read(std::int64_t n) {
    if (n % kStepStreams != stream_) return;
    const Strided<double> part = parts(n);
    double alive = 0, absorption = 0;
    for (std::int32_t s = 0; s < kStepStreams; ++s) {
      alive += part[s];
      absorption += part[kStepStreams + s];
    }
    const std::int64_t stride = batch_.likelihood.n, place = n * stride + lane_;
    batch_.survival[place] = alive;
    batch_.absorption[place] = absorption;
    if (n == 0) {
      batch_.absorbed[place] = 0;
      find_excess();
    }
    if (n < batch_.num_steps) batch_.absorbed[place + stride] = batch_.absorbed[place] + absorption;
  }

  SOJOURN_HD void find_excess() {
    const Strided<double> part = slot_.from(slots_.excess);
    double most = 0;
    for (std::int32_t s = 0; s < kStepStreams; ++s)
      if (part[s] > most) most = part[s];
    batch_.excess[lane_] = most;
  }

  SOJOURN_HD void clear_sums(std::int64_t num_steps) {
    const Strided<double> onward = back(num_steps + 1);
    for (std::int32_t v = stream_; v < prc_.num_rows; v += kStepStreams) onward[v] = onward[prc_.num_rows + v] = 0;
    for (std::int64_t r = 0; r < num_extended(); ++r) sum(r) = size(r) = 0;
  }
  [[nodiscard]] SOJOURN_HD double& sum(std::int64_t rate) const {
    return slot_[slots_.sums + stream_ * num_extended() + rate];
  }
  [[nodiscard]] SOJOURN_HD double& size(std::int64_t rate) const {
    return slot_[slots_.sizes + stream_ * num_extended() + rate];
  }

  SOJOURN_HD void begin_again(std::int64_t n) {
    const Strided<double> now = again(0), kept = kept_or_walk(n);
    for (std::int32_t v = stream_; v < prc_.num_rows; v += kStepStreams) now[v] = n == 0 ? prc_.alpha[v] : kept[v];
  }

  /// From h_{n+1} to h_n, and v_n dP h_{n+1} by each rate.
  SOJOURN_HD void step_back(std::int64_t n, Strided<double> visits) {
    const std::int64_t place = n * batch_.likelihood.n + lane_;
    const Strided<double> stay = slot_.from(slots_.stay), h = back(n + 1), into = back(n);
    const std::int64_t rows = prc_.num_rows;
    // What is absorbed in step n is absorbed before every later one.
    const double by_exit = batch_.absorption[place] + later_,
                 exit_size = absolute(batch_.absorption[place]) + later_size_;
    const double by_alive = batch_.survival[place], alive_size = absolute(by_alive);
    later_ += batch_.absorbed[place];
    later_size_ += absolute(batch_.absorbed[place]);
    for (std::int32_t v = stream_; v < rows; v += kStepStreams) {
      const double own = h[v], own_size = h[rows + v], weight = view_.inverse_reward[v] * visits[v];
      double gained = 0, gained_size = 0;
      for (std::int64_t g = prc_.rows[v].group_begin; g < prc_.rows[v].group_end; ++g) {
        const PrcGroup& group = prc_.groups[g];
        double target = group.absorbing * by_exit, target_size = group.absorbing * exit_size;
        for (std::int64_t t = group.term_begin; t < group.term_end; ++t) {
          const PrcTerm& term = prc_.terms[t];
          add_product(target, term.coefficient, h[term.column]);
          add_product(target_size, term.coefficient, h[rows + term.column]);
        }
        const double rate = rate_[group.rate];
        add_product(gained, rate, target);
        add_product(gained_size, rate, target_size);
        if (group.rate == 0) continue;
        add_product(sum(group.rate), weight, target - group.total * own);
        add_product(size(group.rate), weight, target_size + group.total * own_size);
      }
      into[v] = by_alive + stay[v] * own + view_.inverse_reward[v] * gained;
      into[rows + v] = alive_size + stay[v] * own_size + view_.inverse_reward[v] * gained_size;
    }
  }

  /// Sums of all streams in their order, and whether rounding left each derivative digits enough.
  SOJOURN_HD void gather() {
    const LikelihoodBatchView& batch = batch_.likelihood;
    const Strided<double> sums = slot_.from(slots_.sums), sizes = slot_.from(slots_.sizes);
    const std::int64_t extended = num_extended();
    for (std::int64_t r = 0; r < extended; ++r) {
      for (std::int32_t s = 1; s < kStepStreams; ++s) {
        sums[r] += sums[s * extended + r];
        sizes[r] += sizes[s * extended + r];
      }
    }
    fold_forms(prc_, sums);
    for (std::int32_t f = 0; f < prc_.num_forms; ++f) {
      for (std::int64_t k = prc_.forms[f].term_begin; k < prc_.forms[f].term_end; ++k) {
        const PrcFormTerm& term = prc_.form_terms[k];
        add_product(sizes[term.rate], absolute(term.coefficient), sizes[1 + prc_.num_rates + f]);
      }
    }
    // The rounded coefficients of P err alike in every step; roundings of sums average out. Tests hold what occurs at
    // a quarter of this.
    const double share = 0x1p-53 * (16 + 2 * static_cast<double>(rung().num_steps));
    bool sure = true;
    for (std::int32_t r = 0; r < prc_.num_rates; ++r) {
      const double derivative = sums[1 + r] / rung().rate, bound = share * sizes[1 + r] / rung().rate;
      batch.by_rate[r * batch.n + lane_] = derivative;
      // Written so that what is not a number is in doubt.
      sure = sure &&
             (bound <= likelihood_.gradient_tolerance * absolute(derivative) ||
              bound * batch.phi[r * batch.n + lane_] <= likelihood_.negligible_elasticity * likelihood_.total_weight);
    }
    if (!sure && batch.outcome[lane_] == static_cast<std::int32_t>(LaneOutcome::kDone))
      batch.outcome[lane_] = static_cast<std::int32_t>(LaneOutcome::kInDoubt);
  }

  const PrcView& prc_;
  const StepView& view_;
  const LikelihoodView& likelihood_;
  const StepBatchView& batch_;
  const StepSlots& slots_;
  std::int64_t lane_;
  std::int32_t stream_;
  Strided<double> rate_, slot_;
  double later_ = 0, later_size_ = 0;  ///< weights of what was absorbed before steps after n
};

/// Log values of time number `place` by size, of particle `i`.
SOJOURN_HD inline void invert_step(const StepView& view, const LikelihoodView& likelihood, const StepBatchView& steps,
                                   std::int64_t place, std::int64_t i) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kUnit = 0x1p-53;
  const LikelihoodBatchView& batch = steps.likelihood;
  const std::int64_t n = batch.n, j = view.time_order[place];
  const LaneTime& time = likelihood.times[j];
  const StepRung& rung = view.rungs[steps.rung[i]];
  const StepWindow& window = view.windows[rung.window_begin + place];
  const double* const weight = view.weights + window.weight_begin;
  const std::int64_t begin = window.first * n + i, last = window.first + window.count - 1;
  double density = 0, survival = 0, absorbed = 0;
  if (view.counts) {
    // A count is absorbed in the step before it; none of it is P(Y = 0).
    for (std::int64_t k = window.first; k <= last; ++k)
      density += k == 0 ? view.atom : steps.absorption[(k - 1) * n + i];
    survival = steps.survival[last * n + i];
    absorbed = steps.absorbed[last * n + i];
  } else {
    for (std::int64_t k = 0; k < window.count; ++k) {
      add_product(density, weight[k], steps.absorption[begin + k * n]);
      add_product(survival, weight[k], steps.survival[begin + k * n]);
      add_product(absorbed, weight[k], steps.absorbed[begin + k * n]);
    }
  }
  const double cdf = view.atom + absorbed, alive_last = steps.survival[last * n + i];
  // Nothing later survives or is absorbed that is not alive at the window's end.
  const double rest = window.tail * alive_last + kLeastStepValue;
  const double rest_of_cdf = window.tail * (steps.absorbed[last * n + i] + alive_last) + kLeastStepValue;
  const double rounded = kUnit * (view.roundings + view.roundings_per_step * static_cast<double>(last));
  double worst = 0;
  const auto settle = [&](int kind, double log_value, double slope, double error) {
    const std::int64_t into = (kind * std::int64_t{likelihood.num_times} + j) * n + i;
    batch.log_values[into] = log_value;
    batch.slopes[into] = slope;
    // The logarithms of weights are rounded as the value's is.
    const double bound = error + kUnit * 4 * absolute(log_value);
    if (!(bound <= worst)) worst = bound;
  };
  if (time.asked[kDensity]) {
    const double value = rung.rate * density;
    settle(kDensity, std::log(value), 1 / value, rounded + rest / density);
  }
  if (time.asked[kSurvival] || time.asked[kCdf]) {
    // Of two numbers that sum to 1 the larger is best taken from the smaller.
    const bool from_cdf = cdf < survival;
    steps.from_cdf[j * n + i] = from_cdf ? 1 : 0;
    const double small = from_cdf ? cdf : survival, large = 1 - small;
    const double left_out = from_cdf ? rest_of_cdf : rest, error = rounded + left_out / small;
    // Both sum to 1 as closely as the rows do. The smaller may be 0, as before the first count there is.
    const double missed = steps.excess[i] * static_cast<double>(last);
    const double error_of_large = (rounded * small + left_out + missed) / large + 2 * kUnit;
    const double log_small = std::log(small), log_large = std::log1p(-small);
    if (time.asked[kSurvival])
      settle(kSurvival, from_cdf ? log_large : log_small, 1 / (from_cdf ? large : small),
             from_cdf ? error_of_large : error);
    if (time.asked[kCdf])
      settle(kCdf, from_cdf ? log_small : log_large, -1 / (from_cdf ? small : large),
             from_cdf ? error : error_of_large);
  }
  batch.errors[j * n + i] = worst <= likelihood.rtol ? worst : kInfinity;
}

/// What the likelihood weighs the scalars of step `k` of particle `i` with, in their place. Times by size have windows
/// that begin and end one after the other.
SOJOURN_HD inline void weigh_step(const StepView& view, const LikelihoodView& likelihood, const StepBatchView& steps,
                                  std::int64_t k, std::int64_t i) {
  const LikelihoodBatchView& batch = steps.likelihood;
  const std::int64_t n = batch.n, num_times = likelihood.num_times;
  const StepRung& rung = view.rungs[steps.rung[i]];
  const StepWindow* const windows = view.windows + rung.window_begin;
  std::int64_t place = 0;
  for (std::int64_t beyond = num_times; place < beyond;) {
    const std::int64_t middle = place + (beyond - place) / 2;
    if (windows[middle].first + windows[middle].count <= k) {
      place = middle + 1;
    } else {
      beyond = middle;
    }
  }
  double by_density = 0, by_survival = 0, by_absorbed = 0;
  for (; place < num_times; ++place) {
    // A count is absorbed in the step before it. In discrete time windows end one after the other, but may begin
    // anywhere.
    if (windows[place].least_first > (view.counts ? k + 1 : k)) break;
    const std::int64_t first = windows[place].first, last = first + windows[place].count - 1;
    const std::int64_t j = view.time_order[place], at = j * n + i;
    const double weight = view.counts ? 1 : view.weights[windows[place].weight_begin + k - first];
    const bool has_density = !view.counts || (first <= k + 1 && k + 1 <= last);
    if (likelihood.density && has_density) add_product(by_density, batch.adjoints[at], weight);
    if (view.counts && k != last) continue;
    if (!likelihood.survival || !(likelihood.times[j].asked[kSurvival] || likelihood.times[j].asked[kCdf])) continue;
    const double adjoint = batch.adjoints[(likelihood.density ? num_times : 0) * n + at];
    if (steps.from_cdf[at] != 0) {
      add_product(by_absorbed, -adjoint, weight);
    } else {
      add_product(by_survival, adjoint, weight);
    }
  }
  steps.absorption[k * n + i] = rung.rate * by_density;
  steps.survival[k * n + i] = by_survival;
  steps.absorbed[k * n + i] = by_absorbed;
}

}  // namespace sojourn
