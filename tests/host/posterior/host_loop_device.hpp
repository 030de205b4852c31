#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/level_replay.hpp"
#include "common/svgd_block.hpp"
#include "device/posterior/posterior_batch.hpp"
#include "device/posterior/resident_posterior.hpp"
#include "device/posterior/routed_likelihood.hpp"
#include "device/sampler/cloud_batch.hpp"
#include "elimination/level_schedule.hpp"
#include "host/evaluation/shuffled_streams.hpp"
#include "host/suite_device.hpp"
#include "host/unwritten_memory.hpp"
#include "posterior/likelihood_tables.hpp"

/// A "device" that is a host loop over the bodies which kernels run, blocks in shuffled order and two at a time, all
/// memory filled with NaN first. Lanes of a step that read what others of the same step write would show.
namespace sojourn::testing {

/// What the direction kernel does, in a host loop over its blocks in the order given.
template <class Number, class PairKernel>
void sum_direction_blocks(const std::vector<std::int64_t>& order, const DirectionLaunch& work) {
  using namespace svgd_block;
  const int dim = work.dimension;
#pragma omp parallel for schedule(dynamic) num_threads(2)
  for (std::size_t o = 0; o < order.size(); ++o) {
    const std::int64_t first = work.row_begin + order[o] * kBlockRows;
    std::vector<double> slice_sum(static_cast<std::size_t>(kBlockSlices * dim * kBlockRows), 0.0);
    std::vector<Number> tile_u(static_cast<std::size_t>(dim * kTileColumns)), tile_s(tile_u.size());
    std::vector<Number> row_u(static_cast<std::size_t>(dim));
    std::vector<double> sum(row_u.size());
    for (int slice = 0; slice < kBlockSlices; ++slice)
      for (int lane = 0; lane < kBlockRows; ++lane) {
        const std::int64_t row = std::min(first + lane, work.row_end - 1);
        for (int c = 0; c < dim; ++c) {
          row_u[c] = static_cast<Number>(work.u[c * work.stride + row]);
          sum[c] = 0;
        }
        for (std::int64_t tile = slice; tile < num_tiles(work.num_particles); tile += kBlockSlices) {
          const int columns = tile_columns(tile, work.num_particles);
          for (int j = 0; j < columns; ++j)
            load_column(dim, work.u, work.s, work.stride, tile, j, tile_u.data(), tile_s.data());
          accumulate_tile<PairKernel, 1>(dim, row_u.data(), tile_u.data(), tile_s.data(), kTileColumns, columns,
                                         static_cast<Number>(*work.inverse_h2), sum.data());
        }
        for (int c = 0; c < dim; ++c) slice_sum[(slice * dim + c) * kBlockRows + lane] = sum[c];
      }
    for (int lane = 0; lane < kBlockRows && first + lane < work.row_end; ++lane)
      for (int c = 0; c < dim; ++c)
        work.phi[c * work.stride + first + lane] =
            combine_slices(dim, slice_sum.data(), c, lane, 1.0 / static_cast<double>(work.num_particles));
  }
}

template <class Number>
void sum_direction_blocks(const std::vector<std::int64_t>& order, const DirectionLaunch& work) {
  if (work.imq) {
    sum_direction_blocks<Number, ImqKernel>(order, work);
  } else {
    sum_direction_blocks<Number, RbfKernel>(order, work);
  }
}

/// What a host loop's steps are put on where there are several ranks: they are done later, in order, as a device does
/// them, and messages between ranks stand among them.
class HostStream {
 public:
  virtual ~HostStream() = default;
  virtual void put(std::function<void()> work) = 0;
  virtual void synchronize() = 0;
  /// Work beside the steps that come after, behind those before; here at once.
  virtual void put_aside(std::function<void()> work) {
    synchronize();
    work();
  }
  virtual void synchronize_aside() {}
  [[nodiscard]] virtual std::unique_ptr<RankExchange> connect(Communicator& ranks, const DeviceMessages& messages) = 0;
};

class HostLoop : public UnwrittenMemory {
 public:
  /// Steps as a graph holds them: what they were given when they were recorded.
  struct Recording {
    std::vector<std::function<void()>> steps;
    bool is_made = false;
    std::int64_t generation = -1;
  };

  /// `stream`: null where everything is done at once.
  explicit HostLoop(double free_bytes, HostStream* stream = nullptr) : free_bytes_(free_bytes), stream_(stream) {}

  template <class T>
  void upload(T* there, std::span<const T> here) {
    expect_no_recording("upload");
    if (stream_ != nullptr) stream_->synchronize();
    ++num_copies;
    UnwrittenMemory::upload(there, here);
  }
  template <class T>
  void download(const T* there, std::span<T> here) {
    expect_no_recording("download");
    if (stream_ != nullptr) stream_->synchronize();
    ++num_copies;
    bytes_back += here.size_bytes();
    UnwrittenMemory::download(there, here);
  }
  template <class T>
  void fetch(const T* there, std::span<T> here) {
    put([=] {
      ++num_copies;
      bytes_back += here.size_bytes();
      std::copy_n(there, here.size(), here.begin());
    });
  }
  void wait() const {
    expect_no_recording("wait");
    if (stream_ != nullptr) stream_->synchronize();
  }
  template <class T>
  void copy(T* to, const T* from, std::size_t size) {
    put([=] { std::copy_n(from, size, to); });
  }
  template <class T>
  void fetch_aside(const T* there, std::span<T> here) {
    expect_no_recording("fetch_aside");
    ++num_copies;
    bytes_aside += here.size_bytes();
    const auto work = [=] { std::copy_n(there, here.size(), here.begin()); };
    if (stream_ == nullptr) {
      work();
    } else {
      stream_->put_aside(work);
    }
  }
  void wait_aside() const {
    if (stream_ != nullptr) stream_->synchronize_aside();
  }
  [[nodiscard]] std::unique_ptr<RankExchange> connect(Communicator& ranks, const DeviceMessages& messages) {
    if (stream_ == nullptr) throw DeviceError("this host loop has no stream");
    return stream_->connect(ranks, messages);
  }

  template <class Step>
  void run(std::int64_t num_lanes, const Step& step) {
    guarded([=, this] { loop(num_lanes, step); });
  }
  template <class Step>
  void loop(std::int64_t num_lanes, const Step& step) {
    const std::vector<std::int64_t> order = shuffled((num_lanes + kLanesPerBlock - 1) / kLanesPerBlock);
#pragma omp parallel for schedule(dynamic) num_threads(2) if (num_lanes > kLanesPerBlock)
    for (const std::int64_t block : order) {
      const std::int64_t end = std::min(num_lanes, (block + 1) * kLanesPerBlock);
      for (std::int64_t lane = block * kLanesPerBlock; lane < end; ++lane) step(lane);
    }
  }
  /// Transforms go by this schedule of their program from now on, which outlives this.
  void replay(const LevelSchedule& schedule, const PrcArrays& arrays) {
    schedule_ = &schedule;
    slotted_ = with_value_slots(arrays, schedule);
  }
  /// Programs without fronts keep their factors apart from the solutions, as in shared memory.
  void run_transforms(const TransformStep& step, const BlockSlots& slots) {
    num_transform_blocks = slots.num_blocks;
    guarded([=, this] { loop_transforms(step, slots); });
  }
  void loop_transforms(const TransformStep& step, const BlockSlots& blocks) {
    // What a launch before has left is no number to this one.
    const TransformBlocks each = transform_blocks(step.prc, step.shape);
    std::fill_n(blocks.slots, blocks.num_blocks * each.slots, kNothing);
    if (schedule_ != nullptr) {
      run_by_levels(step, blocks);
      return;
    }
    const std::int64_t num_factors = step.shape.slots(step.prc).factor, resident = blocks.num_blocks * kLanesPerBlock;
    const std::vector<std::int64_t> order = shuffled(blocks.num_blocks);
#pragma omp parallel for schedule(dynamic) num_threads(2)
    for (const std::int64_t block : order) {
      std::vector<LaneComplex> factors(static_cast<std::size_t>(num_factors * kLanesPerBlock), kNothing);
      for (std::int64_t thread = 0; thread < kLanesPerBlock; ++thread) {
        const std::int64_t own = block * kLanesPerBlock + thread;
        const Strided<LaneComplex> factor{factors.data() + thread, kLanesPerBlock};
        const Strided<LaneComplex> solution{blocks.slots + own, resident};
        if (step.shape.has_fronts) {
          step.run<true>(own, resident, factor, solution);
        } else {
          step.run<false>(own, resident, factor, solution);
        }
      }
    }
  }
  [[nodiscard]] TransformBlocks transform_blocks(const PrcView& prc, TransformLaneShape shape) const {
    if (schedule_ == nullptr) return {most_transform_blocks, shape.slots(prc).solution * kLanesPerBlock};
    shape.num_value_slots = schedule_->num_value_slots;
    return {most_transform_blocks, shape.slots(slotted_.view()).solution * kLevelLanes};
  }
  /// Not counted with the batch.
  [[nodiscard]] static Buffer<LaneComplex> slots(std::size_t size) {
    const std::size_t before = allocated_bytes;
    Buffer<LaneComplex> buffer(size);
    allocated_bytes = before;
    return buffer;
  }
  [[nodiscard]] static std::int64_t step_lanes() { return 4; }
  [[nodiscard]] static std::int64_t most_step_blocks() { return 3; }
  /// Blocks in shuffled order and their threads in another order each step; a block's slots are unwritten at first and
  /// then as its lanes before left them.
  void run_steps(const StepRun& run) {
    guarded([=, this] { loop_steps(run); });
  }
  void loop_steps(const StepRun& run) {
    const std::int64_t n = run.batch.likelihood.n, lanes = step_lanes();
    const std::vector<std::int64_t> order = shuffled(run.num_blocks);
#pragma omp parallel for schedule(dynamic) num_threads(2)
    for (const std::int64_t own : order) {
      for (std::int64_t first = own * lanes; first < n; first += run.num_blocks * lanes) {
        const std::int64_t end = std::min(n, first + lanes);
        std::vector<StepThread> threads;
        for (std::int64_t lane = first; lane < end; ++lane)
          for (std::int32_t stream = 0; stream < kStepStreams; ++stream)
            threads.push_back(
                run.thread(lane, stream, {run.slots + own * lanes * run.place.total + (lane - first), lanes}));
        ShuffledBlock<StepThread> block(std::move(threads), static_cast<unsigned>(11 + first));
        run.run(block, run.steps_of(first, end));
      }
    }
  }
  void run_direction(const DirectionLaunch& launch) {
    guarded([=, this] { loop_direction(launch); });
  }
  void loop_direction(const DirectionLaunch& launch) {
    const std::vector<std::int64_t> order = shuffled(svgd_block::num_row_blocks(launch.row_end - launch.row_begin));
    if (launch.mixed) {
      sum_direction_blocks<float>(order, launch);
      launch.phi[launch.row_begin] += spoil_mixed;
    } else {
      sum_direction_blocks<double>(order, launch);
    }
  }
  void guard(const std::int32_t* guard) { guard_ = guard; }
  void moved() { ++generation_; }
  [[nodiscard]] std::int32_t index() const { return -1; }
  void on_stream(void* stream) { current_stream_ = stream; }
  [[nodiscard]] static void* default_stream() { return &num_copies; }
  /// Launches by the stream that they went to, null: the machine's own; kept where `keeps_launches`.
  static inline std::map<void*, std::int64_t> launches;
  static inline bool keeps_launches = false;
  static inline std::atomic<std::int64_t> num_copies = 0;  ///< from and to what is the host's memory elsewhere
  /// To the host's memory, in order with all else and beside it.
  static inline std::atomic<std::size_t> bytes_back = 0, bytes_aside = 0;
  double spoil_mixed = 0;                                ///< added to one number of each direction in mixed precision
  static inline std::int64_t most_transform_blocks = 5;  ///< that this machine holds at once
  static inline std::atomic<std::int64_t> num_transform_blocks = 0;  ///< of the last launch
  /// As a device does: at once the first time, then recorded, and from then on played again.
  template <class Enqueue>
  void repeat(Recording& recording, Enqueue&& enqueue) {
    if (recording.generation != generation_) {
      recording = {};
      enqueue();
      recording.generation = generation_;
      return;
    }
    if (!recording.is_made) {
      recorded_ = &recording.steps;
      enqueue();
      recorded_ = nullptr;
      recording.is_made = true;
    }
    ++num_replays;
    for (const std::function<void()>& step : recording.steps) put(step);
  }
  static inline std::atomic<std::int64_t> num_replays = 0;
  [[nodiscard]] double free_bytes() const { return free_bytes_; }

 private:
  /// Work goes where work goes, and is left out where the guard of now is not 0 by then.
  template <class Work>
  void guarded(Work&& work) {
    if (keeps_launches) ++launches[current_stream_];
    const auto step = [guard = guard_, work = std::forward<Work>(work)] {
      if (guard == nullptr || *guard == 0) work();
    };
    put(step);
  }
  /// What a graph cannot hold.
  void expect_no_recording(const char* what) const {
    if (recorded_ != nullptr) throw std::logic_error(std::string(what) + " while a graph is recorded");
  }
  template <class Work>
  void put(const Work& work) {
    if (recorded_ != nullptr) {
      recorded_->push_back(work);
    } else if (stream_ == nullptr) {
      work();
    } else {
      stream_->put(work);
    }
  }

  /// Factors apart from the solutions, as in shared memory.
  void run_by_levels(const TransformStep& step, const BlockSlots& blocks) {
    const PrcView view = slotted_.view();
    const LevelView levels = schedule_->view();
    TransformLaneShape shape = step.shape;
    shape.num_value_slots = schedule_->num_value_slots;
    const std::int64_t slots_of_block = shape.slots(view).solution * kLevelLanes;
    using Thread = TransformLevels<Strided<LaneComplex>, Strided<LaneComplex>>;
    const std::vector<std::int64_t> order = shuffled(blocks.num_blocks);
#pragma omp parallel for schedule(dynamic) num_threads(2)
    for (const std::int64_t own : order) {
      std::vector<LaneComplex> factors(static_cast<std::size_t>(schedule_->num_factor_slots * kLevelLanes), kNothing);
      for (std::int64_t first = own * kLevelLanes; first < step.num_lanes; first += blocks.num_blocks * kLevelLanes) {
        std::vector<Thread> threads;
        for (std::int64_t lane = first; lane < std::min(step.num_lanes, first + kLevelLanes); ++lane)
          for (std::int32_t stream = 0; stream < levels.num_streams; ++stream)
            threads.emplace_back(
                view, levels, shape, step.reward, step.rates, step.nodes, step.num_particles, step.num_lanes, lane,
                stream, Strided<LaneComplex>{factors.data() + (lane - first), kLevelLanes},
                Strided<LaneComplex>{blocks.slots + own * slots_of_block + (lane - first), kLevelLanes}, step.output);
        ShuffledBlock<Thread> block(std::move(threads), static_cast<unsigned>(5 + first));
        Thread::run(block, levels, shape);
      }
    }
  }

  std::vector<std::int64_t> shuffled(std::int64_t count) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::shuffle(order.begin(), order.end(), random_);
    return order;
  }

  static constexpr std::int64_t kLanesPerBlock = 8, kLevelLanes = 4;
  static inline const LaneComplex kNothing{std::numeric_limits<double>::quiet_NaN(),
                                           std::numeric_limits<double>::quiet_NaN()};
  double free_bytes_;
  HostStream* stream_;
  const std::int32_t* guard_ = nullptr;
  std::vector<std::function<void()>>* recorded_ = nullptr;
  std::int64_t generation_ = 0;
  void* current_stream_ = nullptr;
  const LevelSchedule* schedule_ = nullptr;
  PrcArrays slotted_;
  std::mt19937 random_{7};
};

class HostLoopDevice final : public LikelihoodDevice {
 public:
  explicit HostLoopDevice(double free_bytes = 1e12, HostStream* stream = nullptr)
      : free_bytes_(free_bytes), stream_(stream) {}
  [[nodiscard]] std::string name() const override { return "host loop"; }
  std::unique_ptr<DeviceLevel> load(const PrcArrays& arrays, const LikelihoodTables& tables) override {
    ++num_levels;
    return std::make_unique<Level>(arrays, tables, free_bytes_, moves_particles, num_streams, spoil_mixed, stream_,
                                   report);
  }
  int num_levels = 0;
  std::int32_t num_streams = 0;  ///< of transforms by levels, 0: one thread a lane
  bool moves_particles = true;
  double spoil_mixed = 0;  ///< as `HostLoop` has it
  Report report = [](const std::string&) {};

 private:
  class Level final : public DeviceLevel {
   public:
    Level(const PrcArrays& arrays, const LikelihoodTables& tables, double free_bytes, bool moves_particles,
          std::int32_t num_streams, double spoil_mixed, HostStream* stream, Report report)
        : arrays_(by_level(arrays)),
          tables_(tables),
          machine_(free_bytes, stream),
          routed_(machine_, arrays_, arrays_.view(), tables_, tables_.view(), own_shape()),
          moves_particles_(moves_particles),
          report_(std::move(report)) {
      machine_.spoil_mixed = spoil_mixed;
      if (num_streams == 0) return;
      schedule_ = make_level_schedule(arrays_, {num_streams, 200, tables_.shape.num_partials});
      machine_.replay(schedule_, arrays_);
    }
    void evaluate(MatrixView<const double> phi, bool gradient, DeviceValues& values) override {
      routed_.evaluate(phi, gradient, values, report_);
    }
    std::unique_ptr<DeviceCloud> make_cloud(const ParameterTables& parameters, const SvgdOptions& options,
                                            const std::string& name) override {
      if (!moves_particles_) return nullptr;
      auto posterior = std::make_unique<PosteriorBatch<HostLoop>>(machine_, routed_.contour(), parameters);
      return std::make_unique<CloudBatch<HostLoop>>(machine_, std::move(posterior), options, name, report_);
    }
    std::unique_ptr<DevicePosterior> make_posterior(const ParameterTables& parameters,
                                                    std::int64_t most_particles) override {
      auto posterior = std::make_unique<PosteriorBatch<HostLoop>>(machine_, routed_.contour(), parameters);
      posterior->reserve(most_particles, [](const std::string&) {});
      return std::make_unique<ResidentPosterior<HostLoop>>(machine_, std::move(posterior), most_particles);
    }

   private:
    [[nodiscard]] TransformLaneShape own_shape() const {
      TransformLaneShape shape = tables_.shape;
      shape.num_value_slots = arrays_.num_value_slots;
      return shape;
    }

    PrcArrays arrays_;
    LikelihoodTables tables_;
    LevelSchedule schedule_;
    HostLoop machine_;
    RoutedLikelihood<HostLoop> routed_;
    bool moves_particles_;
    Report report_;
  };
  double free_bytes_;
  HostStream* stream_;
};

/// A suite's device. Another has the memory that it has, and makes batches of its own size.
inline std::shared_ptr<LikelihoodDevice> suite_likelihoods(double free_bytes = 1e12) {
  if (suite_device != nullptr) return suite_device->likelihood;
  return std::make_shared<HostLoopDevice>(free_bytes);
}

}  // namespace sojourn::testing
