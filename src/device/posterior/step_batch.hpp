#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "common/step_lanes.hpp"
#include "device/posterior/likelihood_batch.hpp"
#include "device/support/array_layout.hpp"
#include "device/support/batches.hpp"
#include "posterior/step_tables.hpp"

/// The way of particles through uniformization, for any machine that runs lanes.
namespace sojourn {

struct InvertStepsStep {
  StepView view;
  LikelihoodView likelihood;
  StepBatchView batch;
  SOJOURN_HD void operator()(std::int64_t lane) const {
    invert_step(view, likelihood, batch, lane / batch.likelihood.n, lane % batch.likelihood.n);
  }
};
struct WeighStepsStep {
  StepView view;
  LikelihoodView likelihood;
  StepBatchView batch;
  SOJOURN_HD void operator()(std::int64_t lane) const {
    weigh_step(view, likelihood, batch, lane / batch.likelihood.n, lane % batch.likelihood.n);
  }
};

/// All steps of a batch's particles: what the threads of `StepThread` are given.
struct StepRun {
  PrcView prc;
  StepView view;
  LikelihoodView likelihood;
  StepBatchView batch;
  StepSlots place;
  bool gradient;
  double* slots;            ///< [blocks, place.total, lanes of a block]
  std::int64_t num_blocks;  ///< in work at once; they take lanes in turn

  [[nodiscard]] SOJOURN_HD StepThread thread(std::int64_t lane, std::int32_t stream, Strided<double> slot) const {
    return {prc, view, likelihood, batch, place, lane, stream, slot};
  }
  /// Steps that lanes [first, end) need.
  [[nodiscard]] SOJOURN_HD std::int64_t steps_of(std::int64_t first, std::int64_t end) const {
    std::int64_t most = 0;
    for (std::int64_t lane = first; lane < end; ++lane) {
      const std::int64_t own = view.rungs[batch.rung[lane]].num_steps;
      if (own > most) most = own;
    }
    return most;
  }
  template <class Block>
  SOJOURN_HD void run(Block&& block, std::int64_t num_steps) const {
    if (gradient) {
      StepThread::gradient(block, place, num_steps);
    } else {
      StepThread::values(block, num_steps);
    }
  }
};

/// A level's particles by uniformization. Beside what `LikelihoodBatch` asks of it a machine has
///   step_lanes()          lanes of a block of `kStepStreams` threads each
///   most_step_blocks()    blocks in work at once
///   run_steps(run)        `StepRun::run` for every block of lanes
template <class Machine>
class StepBatch {
 public:
  /// `arrays` are those of `prc`, in host memory, and outlive this; the views point into the machine's memory.
  StepBatch(Machine& machine, const PrcArrays& arrays, const PrcView& prc, const LikelihoodTables& tables,
            const LikelihoodView& likelihood)
      : machine_(machine), host_prc_(arrays.view()), prc_(prc), likelihood_(likelihood), tables_(arrays, tables) {}

  /// Rows `open` of phi, each with all its answers in `values`. A vector's bits depend on it alone.
  void evaluate(MatrixView<const double> phi, std::span<const std::size_t> open, bool gradient, DeviceValues& values,
                const LikelihoodDevice::Report& report) {
    std::vector<Lane> lanes = sorted_lanes(phi, open, values);
    upload_tables();
    const std::int64_t block = machine_.step_lanes();
    const double usable = kUsableMemory * (machine_.free_bytes() + held_bytes());
    // Neighbours take about as many steps, the last ones most: those are left out that leave no room for a block.
    while (!lanes.empty() && 2 * static_cast<double>(block) * bytes(lanes.back().num_steps, gradient) > usable) {
      values.outcome[lanes.back().index] = static_cast<std::int32_t>(LaneOutcome::kManySteps);
      lanes.pop_back();
    }
    if (lanes.empty()) return;
    const std::int64_t count = std::ssize(lanes), steps = lanes.back().num_steps;
    const double slot_bytes = 8.0 * static_cast<double>(StepSlots(prc_, steps, gradient).total);
    const auto half = static_cast<std::int64_t>(std::min(1e12, kSlotShare * usable / slot_bytes)) / block;
    most_blocks_ = std::clamp<std::int64_t>(half, 1, machine_.most_step_blocks());
    const double for_lanes =
        usable - slot_bytes * static_cast<double>(block * std::min(most_blocks_, (count + block - 1) / block));
    const auto batch =
        static_cast<std::int64_t>(std::min(static_cast<double>(count), for_lanes / (8.0 * doubles(steps) + 8)));
    for_each_batch(count, batch, block, report, [&](std::int64_t first, std::int64_t size) {
      run_batch(phi, std::span(lanes).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(size)),
                gradient, values);
    });
  }

  /// The most lanes that have gone at once.
  [[nodiscard]] std::int64_t largest_batch() const { return largest_batch_; }

 private:
  struct Lane {
    std::size_t index;  ///< row of phi
    std::int32_t rung;
    std::int64_t num_steps;
  };
  /// Weights kept from one evaluation to the next; rungs that come and go are made again beyond.
  static constexpr std::size_t kMostWeights = std::size_t{1} << 26;
  static constexpr std::int64_t kManyParticles = 64;

  /// Lanes that have a rung, those with fewest steps first.
  std::vector<Lane> sorted_lanes(MatrixView<const double> phi, std::span<const std::size_t> open,
                                 DeviceValues& values) {
    if (tables_.weights.size() > kMostWeights) tables_.forget();
    const auto count = static_cast<std::int64_t>(open.size());
    std::vector<double> largest(open.size());
#pragma omp parallel for schedule(static) if (count > kManyParticles)
    for (std::int64_t i = 0; i < count; ++i)
      largest[static_cast<std::size_t>(i)] = largest_rate(phi.row(open[static_cast<std::size_t>(i)]));
    std::vector<Lane> lanes;
    for (std::size_t i = 0; i < open.size(); ++i) {
      std::int32_t& outcome = values.outcome[open[i]];
      if (!(largest[i] > 0)) {
        outcome = static_cast<std::int32_t>(largest[i] == 0 ? LaneOutcome::kUncertified : LaneOutcome::kBadRates);
        continue;
      }
      const bool counts = tables_.numbers.counts;
      if (counts && largest[i] > 1 + StepTables::kRowTolerance) {
        outcome = static_cast<std::int32_t>(LaneOutcome::kBadRates);
        continue;
      }
      const std::int32_t rung = tables_.find(counts ? StepTables::kCounts : StepTables::rung_code(largest[i]));
      if (rung == StepTables::kTooLong) {
        outcome = static_cast<std::int32_t>(LaneOutcome::kManySteps);
      } else {
        lanes.push_back({open[i], rung, tables_.rungs[static_cast<std::size_t>(rung)].num_steps});
      }
    }
    std::ranges::stable_sort(lanes, [](const Lane& a, const Lane& b) {
      return std::pair(a.num_steps, a.rung) < std::pair(b.num_steps, b.rung);
    });
    return lanes;
  }

  /// -1 where a rate or a form of rates is negative or not finite.
  [[nodiscard]] double largest_rate(std::span<const double> phi) const {
    std::vector<double> extended(static_cast<std::size_t>(1 + prc_.num_rates + prc_.num_forms));
    extend_rates(host_prc_, phi, extended);
    for (const double rate : extended)
      if (!(rate >= 0 && std::isfinite(rate))) return -1;
    const double largest = tables_.largest_rate(extended);
    return std::isfinite(largest) ? largest : -1;
  }

  void upload_tables() {
    const auto upload = [&](auto& buffer, auto&& each_array) {
      ArrayLayout layout;
      each_array([&](auto& pointer, const auto& array) { layout.place(pointer, array); });
      buffer = {};
      buffer = typename Machine::template Buffer<unsigned char>(layout.bytes().size());
      machine_.upload(buffer.data(), std::span<const unsigned char>(layout.bytes()));
      layout.point_into(buffer.data());
    };
    if (lasting_.size() == 0) {
      view_ = tables_.numbers;
      upload(lasting_, [&](auto&& place) { tables_.each_lasting_array(view_, place); });
    }
    // Rungs are added at the end or forgotten as a whole.
    if (growing_.size() > 0 && num_rungs_ == tables_.rungs.size() && num_weights_ == tables_.weights.size()) return;
    upload(growing_, [&](auto&& place) { tables_.each_growing_array(view_, place); });
    num_rungs_ = tables_.rungs.size();
    num_weights_ = tables_.weights.size();
  }

  /// Numbers of one lane of a batch.
  [[nodiscard]] std::int64_t doubles(std::int64_t num_steps) const {
    return 2 * std::int64_t{prc_.num_rates} + 3 * (num_steps + 1) +
           (8 + likelihood_.num_transforms()) * std::int64_t{likelihood_.num_times} + 4;
  }
  /// Of a lane in work.
  [[nodiscard]] double bytes(std::int64_t num_steps, bool gradient) const {
    return 8.0 * static_cast<double>(doubles(num_steps) + StepSlots(prc_, num_steps, gradient).total) + 8;
  }
  [[nodiscard]] double held_bytes() const {
    return 8.0 * static_cast<double>(doubles_.size() + slots_.size()) + 4.0 * static_cast<double>(whole_.size());
  }

  template <class T>
  static void reserve(typename Machine::template Buffer<T>& buffer, std::int64_t size) {
    if (static_cast<std::size_t>(size) <= buffer.size()) return;
    buffer = {};
    buffer = typename Machine::template Buffer<T>(static_cast<std::size_t>(size));
  }

  void run_batch(MatrixView<const double> phi, std::span<const Lane> lanes, bool gradient, DeviceValues& values) {
    const std::int64_t n = std::ssize(lanes), steps = lanes.back().num_steps, block = machine_.step_lanes();
    const StepSlots place(prc_, steps, gradient);
    const std::int64_t num_blocks = std::min(most_blocks_, (n + block - 1) / block);
    reserve<double>(doubles_, n * doubles(steps));
    reserve<std::int32_t>(whole_, 2 * n);
    reserve<double>(slots_, num_blocks * block * place.total);
    largest_batch_ = std::max(largest_batch_, n);

    StepBatchView batch{};
    double* next = doubles_.data();
    const auto take = [&](std::int64_t width) { return std::exchange(next, next + width * n); };
    const std::int64_t num_rates = prc_.num_rates, num_times = likelihood_.num_times;
    double* const device_phi = take(num_rates);
    batch.num_steps = steps;
    batch.absorption = take(steps + 1);
    batch.survival = take(steps + 1);
    batch.absorbed = take(steps + 1);
    batch.from_cdf = take(num_times);
    batch.excess = take(1);
    LikelihoodBatchView& numbers = batch.likelihood;
    numbers.n = n;
    numbers.phi = device_phi;
    numbers.log_values = take(3 * num_times);
    numbers.slopes = take(3 * num_times);
    numbers.errors = take(num_times);
    numbers.adjoints = take(likelihood_.num_transforms() * num_times);
    double* const results = next;
    numbers.value = take(1);
    numbers.error_bound = take(1);
    numbers.compression_error = take(1);
    numbers.by_rate = take(num_rates);
    numbers.outcome = whole_.data();
    batch.rung = whole_.data() + n;

    const auto count = static_cast<std::size_t>(n), rates = static_cast<std::size_t>(num_rates);
    transfer_.resize(std::max(rates, rates + 3) * count);
    rungs_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      rungs_[i] = lanes[i].rung;
      for (std::size_t r = 0; r < rates; ++r) transfer_[r * count + i] = phi(lanes[i].index, r);
    }
    machine_.upload(device_phi, std::span<const double>(transfer_).first(rates * count));
    machine_.upload(whole_.data() + n, std::span<const std::int32_t>(rungs_));

    StepRun run{prc_, view_, likelihood_, batch, place, false, slots_.data(), num_blocks};
    machine_.run_steps(run);
    machine_.run(n * num_times, InvertStepsStep{view_, likelihood_, batch});
    machine_.run(n, LikelihoodStep{likelihood_, numbers});
    if (gradient) {
      machine_.run(n * (steps + 1), WeighStepsStep{view_, likelihood_, batch});
      run.gradient = true;
      machine_.run_steps(run);
    }
    const std::span<double> answers = std::span(transfer_).first((3 + (gradient ? rates : 0)) * count);
    machine_.download(results, answers);
    machine_.download(static_cast<const std::int32_t*>(whole_.data()), std::span(rungs_));
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t k = lanes[i].index;
      values.value[k] = answers[i];
      values.error_bound[k] = answers[count + i];
      values.compression_error[k] = answers[2 * count + i];
      for (std::size_t r = 0; gradient && r < rates; ++r) values.by_rate[k * rates + r] = answers[(3 + r) * count + i];
      values.outcome[k] = rungs_[i];
      values.by_steps[k] = 1;
    }
  }

  Machine& machine_;
  PrcView host_prc_, prc_;
  LikelihoodView likelihood_;
  StepTables tables_;
  StepView view_{};
  std::int64_t most_blocks_ = 1, largest_batch_ = 0;
  std::size_t num_rungs_ = 0, num_weights_ = 0;
  typename Machine::template Buffer<unsigned char> lasting_, growing_;
  typename Machine::template Buffer<double> doubles_, slots_;
  typename Machine::template Buffer<std::int32_t> whole_;
  std::vector<double> transfer_;
  std::vector<std::int32_t> rungs_;
};

}  // namespace sojourn
