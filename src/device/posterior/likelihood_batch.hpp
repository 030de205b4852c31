#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/likelihood_lanes.hpp"
#include "device/support/batches.hpp"
#include "sojourn/likelihood_device.hpp"

/// The way of a batch of particles through the steps of `likelihood_lanes.hpp`, for any machine that runs lanes.
namespace sojourn {

/// What the lanes of one step are given; both sides call `operator()` with the lane's number.
template <bool kFronts>
struct PrepareStep {
  PrcView prc;
  TransformLaneShape shape;
  LikelihoodView likelihood;
  LikelihoodBatchView batch;
  SOJOURN_HD void operator()(std::int64_t lane) const {
    PrepareLane<kFronts>(prc, shape, likelihood, batch, lane).run();
  }
};
struct InvertStep {
  LikelihoodView likelihood;
  LikelihoodBatchView batch;
  SOJOURN_HD void operator()(std::int64_t lane) const {
    invert_lane(likelihood, batch, lane / batch.n, lane % batch.n);
  }
};
struct LikelihoodStep {
  LikelihoodView likelihood;
  LikelihoodBatchView batch;
  SOJOURN_HD void operator()(std::int64_t lane) const { likelihood_lane(likelihood, batch, lane); }
};
struct WeighStep {
  PrcView prc;
  LikelihoodView likelihood;
  LikelihoodBatchView batch;
  SOJOURN_HD void operator()(std::int64_t lane) const {
    weigh_lane(prc, likelihood, batch, lane / batch.n, lane % batch.n);
  }
};
struct GatherStep {
  PrcView prc;
  LikelihoodView likelihood;
  LikelihoodBatchView batch;
  SOJOURN_HD void operator()(std::int64_t lane) const { gather_lane(prc, likelihood, batch, lane); }
};

/// Transforms at nodes or check nodes: what `transform_lane` is given.
struct TransformStep {
  PrcView prc;
  TransformLaneShape shape;
  const double* reward;
  LaneRates rates;
  LaneNodes nodes;
  std::int64_t num_particles, num_lanes;
  TransformLaneOutput output;

  /// One thread of `num_threads` in work at once: takes its share of the lanes in turn.
  template <bool kFronts, class Local, class Wide>
  SOJOURN_HD void run(std::int64_t thread, std::int64_t num_threads, Local factor, Wide solution) const {
    for (std::int64_t lane = thread; lane < num_lanes; lane += num_threads)
      transform_lane<kFronts>(prc, shape, reward, rates, nodes, num_particles, num_lanes, lane, factor, solution,
                              output);
  }
};

/// Blocks of threads that transforms of one shape go by, on a whole machine.
struct TransformBlocks {
  std::int64_t most;   ///< that it holds at once
  std::int64_t slots;  ///< of one block, in memory that it does not share with its threads alone
};
/// What blocks in work have of it: [num_blocks, slots] numbers. Lanes beyond take turns, so that their bits do not
/// depend on the number of blocks.
struct BlockSlots {
  LaneComplex* slots;
  std::int64_t num_blocks;
};

/// A level's batches on one machine. `Machine` has
///   Buffer<T>                        an owning array of T there, made from its size, with data() and size()
///   upload(T* there, span), download(const T* there, span)   in order with all else; a download waits
///   run(num_lanes, step)             calls step(lane) for every lane, in any order
///   run_transforms(step, blocks)     the same for `TransformStep`, by so many blocks
///   transform_blocks(prc, shape)     the most of them, and what one takes; `slots(size)` makes a Buffer for them
///   free_bytes()                     what is free
///   moved()                          told that memory which steps were given is not theirs any more
/// and a batch needs no more of it.
template <class Machine>
class LikelihoodBatch {
 public:
  /// The views point into the machine's memory.
  LikelihoodBatch(Machine& machine, const PrcView& prc, const LikelihoodView& likelihood,
                  const TransformLaneShape& shape)
      : machine_(machine), prc_(prc), likelihood_(likelihood), shape_(shape) {}

  /// As `DeviceLevel::evaluate`, into `values` of that size.
  void evaluate(MatrixView<const double> phi, bool gradient, DeviceValues& values,
                const LikelihoodDevice::Report& report) {
    const std::size_t count = phi.num_rows();
    for_each_batch(static_cast<std::int64_t>(count), batch_size(static_cast<std::int64_t>(count), gradient),
                   kSmallestBatch, report, [&](std::int64_t first, std::int64_t size) {
                     run_batch(phi, static_cast<std::size_t>(first), size, gradient, values);
                   });
    tell(report);
  }

  /// With all its nodes: what they take beside it never matters (docs/device.md).
  static constexpr std::int64_t kSmallestBatch = 1;

  /// Particles to evaluate at once, of `count`: as many as fit into what is free.
  [[nodiscard]] std::int64_t batch_size(std::int64_t count, bool gradient) const {
    if (count <= capacity_ && (has_gradient_ || !gradient)) return count;
    const bool both = gradient || has_gradient_;
    const auto slots = std::max(static_cast<double>(slots_.size()), static_cast<double>(blocks_for(both).slots()));
    const double usable = usable_bytes() - kBytes * slots;
    const double fitting = usable / static_cast<double>(sizes(both).bytes());
    return fitting < static_cast<double>(count) ? static_cast<std::int64_t>(std::max(0.0, fitting)) : count;
  }

  /// Blocks in work at once, after `room`.
  [[nodiscard]] std::int64_t num_blocks(bool gradient) const { return blocks_.num_blocks[gradient ? 1 : 0]; }

  /// Where memory holds fewer blocks in work than the machine would, `report` is told, once.
  void tell(const LikelihoodDevice::Report& report) {
    const int kind = has_gradient_ ? 1 : 0;
    if (told_ || blocks_.num_blocks[kind] >= blocks_.most[kind]) return;
    told_ = true;
    report("transforms: " + std::to_string(blocks_.num_blocks[kind]) + " of " + std::to_string(blocks_.most[kind]) +
           " blocks of lanes are in work at once, whose slots take " +
           std::to_string(slots_.size() * sizeof(LaneComplex)) +
           " bytes, about half of what was free; lanes take turns");
  }

  /// Room for n particles, for `launch`; `phi` [num_rates, n] is for their rates, `results` where what they gave stands
  /// side by side. It is the next caller's too: whoever keeps it knows that nobody else evaluates. @throws DeviceError.
  LikelihoodBatchView room(std::int64_t n, bool gradient, double*& phi, double*& results) {
    reserve(n, gradient);
    return cut(n, gradient, phi, results);
  }

  /// From rates to log likelihoods and their derivatives by rate, all of them in the machine's memory.
  void launch(const LikelihoodBatchView& batch, bool gradient) {
    const std::int64_t n = batch.n;
    TransformLaneShape shape = shape_;
    if (shape.has_fronts) {
      machine_.run(n, PrepareStep<true>{prc_, shape, likelihood_, batch});
    } else {
      machine_.run(n, PrepareStep<false>{prc_, shape, likelihood_, batch});
    }
    // Checks need no derivatives.
    const auto transform = [&](bool with_gradient, const LaneComplex* nodes, const std::int32_t* windows,
                               std::int32_t num_nodes, LaneComplex* into) {
      shape.gradient = with_gradient;
      machine_.run_transforms(TransformStep{prc_,
                                            shape,
                                            likelihood_.reward,
                                            {batch.rate, batch.inverse_rate},
                                            {nodes, windows, batch.tilts},
                                            n,
                                            n * num_nodes,
                                            {into, batch.transform_gradients, batch.transform_sizes}},
                              {slots_.data(), num_blocks(with_gradient)});
    };
    transform(gradient, likelihood_.nodes, likelihood_.window_of_node, likelihood_.num_nodes, batch.transforms);
    transform(false, likelihood_.check_nodes, likelihood_.window_of_check, likelihood_.num_checks,
              batch.check_transforms);
    machine_.run(n * likelihood_.num_times, InvertStep{likelihood_, batch});
    machine_.run(n, LikelihoodStep{likelihood_, batch});
    if (gradient) {
      machine_.run(n * likelihood_.num_nodes, WeighStep{prc_, likelihood_, batch});
      machine_.run(n, GatherStep{prc_, likelihood_, batch});
    }
  }

  [[nodiscard]] double total_weight() const { return likelihood_.total_weight; }

 private:
  /// Numbers of one particle.
  struct Sizes {
    std::int64_t rates, extended, scratch, windows, times, transforms, nodes, checks, gradients;
    [[nodiscard]] std::int64_t doubles() const {
      return rates + 2 * extended + scratch + windows + gradients + 7 * times + transforms * times + 3 + rates;
    }
    [[nodiscard]] std::int64_t complexes() const { return transforms * (nodes + checks) + gradients; }
    [[nodiscard]] std::int64_t bytes() const { return 8 * doubles() + 16 * complexes() + 4; }
  };
  [[nodiscard]] Sizes sizes(bool gradient) const {
    Sizes s{};
    s.rates = prc_.num_rates;
    s.extended = 1 + std::int64_t{prc_.num_rates} + prc_.num_forms;
    s.scratch = prepare_slots(prc_, shape_, likelihood_);
    s.windows = likelihood_.num_windows;
    s.times = likelihood_.num_times;
    s.transforms = likelihood_.num_transforms();
    s.nodes = likelihood_.num_nodes;
    s.checks = likelihood_.num_checks;
    s.gradients = gradient ? s.transforms * s.rates * s.nodes : 0;
    return s;
  }

  static constexpr double kBytes = sizeof(LaneComplex);

  /// Blocks in work without [0] and with [1] derivatives, which share their slots.
  struct Blocks {
    std::int64_t num_blocks[2] = {0, 0}, most[2] = {0, 0}, slots_of_one[2] = {0, 0};
    [[nodiscard]] std::int64_t slots() const {
      return std::max(num_blocks[0] * slots_of_one[0], num_blocks[1] * slots_of_one[1]);
    }
    /// False where there is one block alone.
    bool halve() {
      if (num_blocks[0] <= 1 && num_blocks[1] <= 1) return false;
      for (std::int64_t& count : num_blocks) count = (count + 1) / 2;
      return true;
    }
  };
  [[nodiscard]] double usable_bytes() const {
    const double held = static_cast<double>(capacity_) * static_cast<double>(sizes(has_gradient_).bytes()) +
                        kBytes * static_cast<double>(slots_.size());
    return kUsableMemory * (machine_.free_bytes() + held);
  }
  /// As many as the machine holds, or as fit into their share, and one at least.
  [[nodiscard]] Blocks blocks_for(bool gradient) const {
    const double share = kSlotShare * usable_bytes();
    Blocks all;
    for (int kind = 0; kind <= (gradient ? 1 : 0); ++kind) {
      TransformLaneShape shape = shape_;
      shape.gradient = kind == 1;
      const TransformBlocks blocks = machine_.transform_blocks(prc_, shape);
      const double fitting = share / (kBytes * static_cast<double>(std::max<std::int64_t>(1, blocks.slots)));
      all.most[kind] = blocks.most;
      all.num_blocks[kind] = fitting < static_cast<double>(blocks.most)
                                 ? std::max<std::int64_t>(1, static_cast<std::int64_t>(fitting))
                                 : blocks.most;
      all.slots_of_one[kind] = blocks.slots;
    }
    return all;
  }

  /// Fewer blocks where a driver has less than it said.
  void reserve_slots(Blocks& blocks) {
    if (static_cast<std::size_t>(blocks.slots()) <= slots_.size()) return;
    slots_ = {};
    for (;;) {
      try {
        slots_ = machine_.slots(static_cast<std::size_t>(blocks.slots()));
        return;
      } catch (const OutOfDeviceMemory& error) {
        if (blocks.halve()) continue;
        throw LeastDoesNotFit(std::string(error.what()) +
                              "; that is for one block of lanes, whatever the batch: free memory there, take a device "
                              "with more, or use --device cpu");
      }
    }
  }

  void reserve(std::int64_t n, bool gradient) {
    if (n <= capacity_ && (has_gradient_ || !gradient)) return;
    const bool both = gradient || has_gradient_;
    Blocks blocks = blocks_for(both);
    machine_.moved();
    // What there is goes before its successor comes: both need not fit.
    capacity_ = 0;
    doubles_ = {};
    complexes_ = {};
    outcome_ = {};
    reserve_slots(blocks);
    blocks_ = blocks;
    const Sizes s = sizes(both);
    doubles_ = typename Machine::template Buffer<double>(static_cast<std::size_t>(n * s.doubles()));
    complexes_ = typename Machine::template Buffer<LaneComplex>(static_cast<std::size_t>(n * s.complexes()));
    outcome_ = typename Machine::template Buffer<std::int32_t>(static_cast<std::size_t>(n));
    capacity_ = n;
    has_gradient_ = both;
  }

  /// The buffers cut up for n particles; `results` are what goes back, side by side.
  LikelihoodBatchView cut(std::int64_t n, bool gradient, double*& phi, double*& results) const {
    const Sizes s = sizes(gradient);
    double* next = doubles_.data();
    const auto take = [&](std::int64_t width) { return std::exchange(next, next + width * n); };
    LaneComplex* next_complex = complexes_.data();
    const auto take_complex = [&](std::int64_t width) { return std::exchange(next_complex, next_complex + width * n); };
    LikelihoodBatchView batch{};
    batch.n = n;
    phi = take(s.rates);
    batch.phi = phi;
    batch.rate = take(s.extended);
    batch.inverse_rate = take(s.extended);
    batch.scratch = take(s.scratch);
    batch.tilts = take(s.windows);
    batch.transform_sizes = take(s.gradients);
    batch.log_values = take(3 * s.times);
    batch.slopes = take(3 * s.times);
    batch.errors = take(s.times);
    batch.adjoints = take(s.transforms * s.times);
    results = next;
    batch.value = take(1);
    batch.error_bound = take(1);
    batch.compression_error = take(1);
    batch.by_rate = take(s.rates);
    batch.transforms = take_complex(s.transforms * s.nodes);
    batch.check_transforms = take_complex(s.transforms * s.checks);
    batch.transform_gradients = take_complex(s.gradients);
    batch.outcome = outcome_.data();
    return batch;
  }

  void run_batch(MatrixView<const double> phi, std::size_t first, std::int64_t n, bool gradient, DeviceValues& values) {
    double *device_phi = nullptr, *device_results = nullptr;
    const LikelihoodBatchView batch = room(n, gradient, device_phi, device_results);
    const auto count = static_cast<std::size_t>(n), num_rates = phi.num_cols();
    transfer_.resize(num_rates * count);
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t r = 0; r < num_rates; ++r) transfer_[r * count + i] = phi(first + i, r);
    machine_.upload(device_phi, std::span<const double>(transfer_));

    launch(batch, gradient);
    transfer_.resize((3 + (gradient ? num_rates : 0)) * count);
    machine_.download(device_results, std::span<double>(transfer_));
    machine_.download(batch.outcome, std::span<std::int32_t>(values.outcome).subspan(first, count));
    for (std::size_t i = 0; i < count; ++i) {
      values.value[first + i] = transfer_[i];
      values.error_bound[first + i] = transfer_[count + i];
      values.compression_error[first + i] = transfer_[2 * count + i];
      for (std::size_t r = 0; gradient && r < num_rates; ++r)
        values.by_rate[(first + i) * num_rates + r] = transfer_[(3 + r) * count + i];
    }
  }

  Machine& machine_;
  PrcView prc_;
  LikelihoodView likelihood_;
  TransformLaneShape shape_;
  std::int64_t capacity_ = 0;
  bool has_gradient_ = false;
  typename Machine::template Buffer<double> doubles_;
  typename Machine::template Buffer<LaneComplex> complexes_, slots_;
  Blocks blocks_;
  bool told_ = false;
  typename Machine::template Buffer<std::int32_t> outcome_;
  std::vector<double> transfer_;
};

}  // namespace sojourn
