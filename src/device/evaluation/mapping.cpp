#include "device/evaluation/mapping.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "device/support/blocks.hpp"

namespace sojourn {
namespace {

/// Assumed of an H200, not measured. Cycles of a multiply-add of one thread that waits for its numbers: program and
/// both numbers from shared memory, or from the second cache.
constexpr double kSharedCycles = 20, kGlobalCycles = 60;
/// Streams of one warp follow different loops.
constexpr double kDivergence = 1.5;
/// Bytes a cycle and processor.
constexpr double kSharedBytes = 128, kGlobalBytes = 21;
constexpr double kCyclesPerMicrosecond = 1800;
/// Threads of a processor at 128 registers each; at 168, which fronts take.
constexpr int kResidentThreads = 512, kResidentThreadsWithFronts = 384;
/// Multiply-adds that a row takes besides, as schedules count them.
constexpr double kRowOverhead = 4;
/// What is not measured is taken only where it promises this much.
constexpr double kWorthwhile = 0.8;
constexpr std::int64_t kManyEntries = 100'000;
/// Entries and rows from which a schedule takes 10 ms and more, so that few are tried.
constexpr std::int64_t kSomeEntries = 2000, kAnySize = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kReservedShared = 1024;

/// Multiply-adds a lane, its longest way, and where the numbers lie.
struct Count {
  double factor = 0, solve = 0;                  ///< all there are
  double longest_factor = 0, longest_solve = 0;  ///< one after another, with overheads
};

/// What a lane reads.
struct Bytes {
  double shared, global;
};
/// A factor's multiply-add reads two numbers; a solve's one of the factors or of the program, and one of the solution.
Bytes bytes_of(const LaneWork& work, const Count& count, const Mapping& mapping) {
  const auto bytes = static_cast<double>(work.slot_bytes);
  const double local = 2 * bytes * count.factor, wide = 1.5 * bytes * count.solve;
  const double shared = (mapping.placement != SlotPlacement::kGlobal ? local : 0) +
                        (mapping.placement == SlotPlacement::kShared ? wide : 0);
  return {shared, local + wide - shared};
}

/// `num_blocks` in work at once; 0: as many as the device holds.
double predicted_microseconds(const LaneWork& work, const Count& count, const Mapping& mapping, std::int64_t num_lanes,
                              const DeviceSize& device, std::int64_t num_blocks = 0) {
  const bool local_in_shared = mapping.placement != SlotPlacement::kGlobal;
  const bool all_in_shared = mapping.placement == SlotPlacement::kShared;
  const double lanes = mapping.lanes_per_block, most = 1.0 * mapping.blocks_per_processor * device.num_processors;
  const double blocks = num_blocks > 0 ? std::min(most, static_cast<double>(num_blocks)) : most;
  // Processors without a block move nothing.
  const double at_work = std::min<double>(device.num_processors, blocks);
  const double narrow = mapping.by_levels && mapping.lanes_per_block < kWarp ? kDivergence : 1;
  const double waiting = narrow * (count.longest_factor * (local_in_shared ? kSharedCycles : kGlobalCycles) +
                                   count.longest_solve * (all_in_shared ? kSharedCycles : kGlobalCycles));
  const Bytes bytes = bytes_of(work, count, mapping);
  const auto all_lanes = static_cast<double>(num_lanes);
  const double moving = all_lanes / at_work * (bytes.shared / kSharedBytes + bytes.global / kGlobalBytes);
  const double rounds = std::ceil(all_lanes / (blocks * lanes));
  return std::max(rounds * waiting, moving) / kCyclesPerMicrosecond;
}

int blocks_that_fit(const Mapping& mapping, int threads, const DeviceSize& device) {
  const int by_threads = std::max(1, kResidentThreads / threads);
  if (mapping.shared_bytes == 0) return by_threads;
  const auto by_shared = static_cast<int>(device.processor_shared_bytes / (mapping.shared_bytes + kReservedShared));
  return std::max(1, std::min(by_threads, by_shared));
}

/// `all` with the longest ways of streams.
Count count_levels(const Count& all, const LaneWork& work, const LevelSchedule& schedule) {
  Count count = all;
  count.longest_factor = work.factors * schedule.factor_cost;
  count.longest_solve =
      work.solves * schedule.solve_cost + work.visits * schedule.visit_cost + work.sums * schedule.sum_cost;
  return count;
}

Count count_all(const PrcArrays& arrays, const LaneWork& work) {
  Count count;
  // Pairs read two numbers a multiply-add; a front's count as pairs of numbers as well.
  const FrontCount fronts = count_fronts(arrays, work.tile_rows, work.tile_columns);
  count.factor = work.factors *
                 (static_cast<double>(arrays.cost.factor_multiply_adds) - fronts.multiply_adds + fronts.numbers / 2);
  count.solve = (work.solves + work.visits + work.sums) * static_cast<double>(arrays.cost.solve_multiply_adds);
  return count;
}

/// The part of its longest way that one thread waits for is all of it.
Count count_threads(const PrcArrays& arrays, const LaneWork& work) {
  Count count = count_all(arrays, work);
  if (arrays.component_bounds().has_fronts) {
    // No schedule is made of them: one number waits for the other.
    const double rows = kRowOverhead * static_cast<double>(arrays.rows.size());
    count.longest_factor = count.factor + work.factors * rows;
    count.longest_solve = count.solve + (work.solves + work.visits + work.sums) * rows;
    return count;
  }
  const LevelSchedule one = make_level_schedule(arrays, {1, std::int64_t{1} << 40, 1});
  count.longest_factor = work.factors * one.factor_cost;
  count.longest_solve = work.solves * one.solve_cost + work.visits * one.visit_cost + work.sums * one.sum_cost;
  return count;
}

class Chooser {
 public:
  Chooser(const PrcArrays& arrays, const LaneWork& work, std::int64_t num_lanes, const DeviceSize& device)
      : arrays_(arrays), work_(work), num_lanes_(num_lanes), device_(device) {
    const PrcComponentBounds bounds = arrays.component_bounds();
    largest_ = std::max<std::int64_t>(1, bounds.most_entries + 2 * std::int64_t{bounds.most_rows});
  }

  void try_threads(Mapping threads, const Count& count) {
    threads.blocks_per_processor = blocks_that_fit(threads, threads.lanes_per_block, device_);
    threads.microseconds = predicted_microseconds(work_, count, threads, num_lanes_, device_);
    best_ = threads;
  }

  /// All placements of blocks of so many lanes and streams: with as many components at a time as there is `roomy`
  /// memory for, or as few as need be, which leaves room for more blocks.
  void try_levels(const Count& all, int lanes, int streams, bool roomy, bool forced) {
    const std::int64_t room = static_cast<std::int64_t>(device_.block_shared_bytes) / (work_.slot_bytes * lanes);
    const std::int64_t for_factors = room - work_.rate_slots;
    if (for_factors >= largest_) {
      add(all, SlotPlacement::kSharedFactors, lanes, streams, roomy ? for_factors : largest_, forced);
      // Value slots depend on the schedule; those of the program are the least.
      const std::int64_t beside = for_factors - work_.solution_slots - work_.value_solutions * arrays_.num_value_slots;
      if (beside >= largest_)
        add(all, SlotPlacement::kShared, lanes, streams, roomy ? beside * 3 / 4 : largest_, forced);
    } else {
      add(all, SlotPlacement::kGlobal, lanes, streams, roomy ? 4 * largest_ : largest_, forced);
    }
  }

  [[nodiscard]] const Mapping& best() const { return best_; }

 private:
  void add(const Count& all, SlotPlacement placement, int lanes, int streams, std::int64_t factor_slots, bool forced) {
    Mapping mapping;
    mapping.by_levels = true;
    mapping.placement = placement;
    mapping.lanes_per_block = lanes;
    mapping.num_streams = streams;
    mapping.level = {streams, std::max(factor_slots, largest_), work_.num_partials};
    const LevelSchedule schedule = make_level_schedule(arrays_, mapping.level);
    const std::int64_t local = work_.rate_slots + schedule.num_factor_slots;
    const std::int64_t solution = work_.solution_slots + work_.value_solutions * schedule.num_value_slots;
    const std::int64_t shared = placement == SlotPlacement::kShared          ? local + solution
                                : placement == SlotPlacement::kSharedFactors ? local
                                                                             : 0;
    mapping.global_slots = local + solution - shared;
    mapping.shared_bytes = static_cast<std::size_t>(shared * lanes * work_.slot_bytes);
    if (mapping.shared_bytes > device_.block_shared_bytes) return;
    mapping.blocks_per_processor = blocks_that_fit(mapping, lanes * streams, device_);
    mapping.microseconds =
        predicted_microseconds(work_, count_levels(all, work_, schedule), mapping, num_lanes_, device_);
    const double allowed = best_.by_levels ? best_.microseconds : kWorthwhile * best_.microseconds;
    if (mapping.microseconds < allowed || (forced && !best_.by_levels)) best_ = mapping;
  }

  const PrcArrays& arrays_;
  const LaneWork& work_;
  std::int64_t num_lanes_;
  const DeviceSize& device_;
  std::int64_t largest_;
  Mapping best_;
};

template <class Plan>
Mapping by_threads(const Plan& plan) {
  Mapping mapping;
  mapping.placement = plan.placement;
  mapping.lanes_per_block = plan.lanes_per_block;
  mapping.shared_bytes = plan.shared_bytes;
  mapping.global_slots = plan.global_slots;
  return mapping;
}

}  // namespace

std::string Mapping::to_string() const {
  const std::string lanes = std::to_string(lanes_per_block) + " lanes";
  return (by_levels ? "levels, " + lanes + " x " + std::to_string(num_streams) + " streams" : "threads, " + lanes) +
         ", " + sojourn::to_string(placement);
}

LaneWork work_of(const PrcView& prc, const MomentLaneShape& shape) {
  const MomentLaneSlots slots = shape.slots(prc);
  const double order = shape.order, gradient = shape.gradient ? 1 : 0;
  return {.slot_bytes = shape.slot_bytes(),
          .rate_slots = slots.rate,
          .solution_slots = shape.gradient ? slots.solution : 0,
          .value_solutions = shape.gradient ? 0 : shape.order,
          .factors = 1 + gradient,
          .solves = order,
          .visits = gradient * order,
          .sums = gradient * order * (order + 1) / 2,
          .num_partials = shape.num_partials};
}

LaneWork work_of(const PrcView& prc, const TransformLaneShape& shape) {
  const TransformLaneSlots slots = shape.slots(prc);
  const double count = shape.num_transforms(), gradient = shape.gradient ? 1 : 0;
  return {.slot_bytes = sizeof(LaneComplex),
          .rate_slots = 0,
          .solution_slots = shape.gradient ? slots.solution : 0,
          .value_solutions = shape.gradient ? 0 : shape.num_transforms(),
          .factors = 1 + gradient,
          .solves = count,
          .visits = gradient,
          .sums = gradient * count,
          .num_partials = shape.num_partials,
          .tile_rows = FrontTile<LaneComplex>::kRows,
          .tile_columns = FrontTile<LaneComplex>::kColumns};
}

Mapping choose_mapping(const PrcArrays& arrays, const LaneWork& work, const Mapping& threads, std::int64_t num_lanes,
                       const DeviceSize& device, MappingChoice choice) {
  const Count count = count_threads(arrays, work);
  if (arrays.component_bounds().has_fronts) {
    Mapping with_fronts = threads;
    with_fronts.blocks_per_processor = std::max(1, kResidentThreadsWithFronts / threads.lanes_per_block);
    with_fronts.microseconds = predicted_microseconds(work, count, with_fronts, num_lanes, device);
    return with_fronts;
  }
  Chooser chooser(arrays, work, num_lanes, device);
  chooser.try_threads(threads, count);
  if (choice == MappingChoice::kThreads) return chooser.best();
  const bool forced = choice == MappingChoice::kLevels;
  const auto size = static_cast<std::int64_t>(arrays.entry_column.size() + arrays.rows.size());
  struct Block {
    int lanes, streams;
    bool roomy;
    std::int64_t most;  ///< entries and rows
  };
  constexpr Block kBlocks[] = {{32, 8, true, kAnySize},      {8, 16, true, kAnySize},      {32, 4, false, kManyEntries},
                               {16, 8, true, kSomeEntries},  {8, 4, true, kSomeEntries},   {32, 4, true, kSomeEntries},
                               {32, 8, false, kSomeEntries}, {16, 8, false, kSomeEntries}, {8, 4, false, kSomeEntries}};
  for (const Block& block : kBlocks)
    if (size <= block.most) chooser.try_levels(count, block.lanes, block.streams, block.roomy, forced);
  return chooser.best();
}

double predict_microseconds(const PrcArrays& arrays, const LaneWork& work, const Mapping& mapping,
                            std::int64_t num_lanes, const DeviceSize& device, std::int64_t num_blocks) {
  const Count one = count_threads(arrays, work);
  if (!mapping.by_levels) return predicted_microseconds(work, one, mapping, num_lanes, device, num_blocks);
  const LevelSchedule schedule = make_level_schedule(arrays, mapping.level);
  return predicted_microseconds(work, count_levels(one, work, schedule), mapping, num_lanes, device, num_blocks);
}

FrontCount count_fronts(const PrcArrays& arrays, int tile_rows, int tile_columns) {
  const double R = tile_rows, C = tile_columns;
  FrontCount count;
  for (const PrcComponent& component : arrays.components)
    for (std::int64_t f = component.front_begin; f < component.front_end; ++f) {
      const PrcFront& front = arrays.fronts[static_cast<std::size_t>(f)];
      const double rows = front.row_end - front.row_begin, lower = front.num_lower, upper = front.num_upper;
      // A row of the front from those before it, in its own columns and in those after it.
      for (double k = 1; k < rows; ++k) {
        const double own = k * (k - 1) / 2, after = k * (upper + rows - 1 - k);
        count.multiply_adds += own + after;
        count.numbers += 2 * own + after * (1 + 1 / (2 * C)) + 2 * (upper + rows - 1 - k);
      }
      // What it passes on: entries of lower rows are finished, then tiles. A single row goes by numbers.
      const double finished = lower * rows * (rows - 1) / 2, passed = rows * lower * upper;
      // Tiles have the diagonal's places too, which are no entries.
      const auto targets =
          std::span(arrays.front_slots)
              .subspan(static_cast<std::size_t>(front.target_begin),
                       static_cast<std::size_t>(front.num_lower) * static_cast<std::size_t>(front.num_upper));
      const auto entries = static_cast<double>(std::ranges::count_if(targets, [](auto t) { return t != kNoSlot; }));
      count.multiply_adds += finished + rows * entries;
      count.numbers += finished * (1 + 1 / R) + passed * (rows > 1 ? 1 / R + 1 / C : 1) + 2 * lower * upper;
    }
  return count;
}

MomentTraffic traffic_of(const PrcArrays& arrays, const LaneWork& work, const Mapping& mapping, std::int64_t in_work,
                         const DeviceSize& device) {
  MomentTraffic traffic;
  traffic.mapping = mapping.to_string();
  const Bytes bytes = bytes_of(work, count_all(arrays, work), mapping);
  traffic.shared_bytes = bytes.shared;
  const double slots = static_cast<double>(mapping.global_slots * work.slot_bytes) * static_cast<double>(in_work);
  (slots > static_cast<double>(device.cache_bytes) ? traffic.memory_bytes : traffic.cache_bytes) = bytes.global;
  return traffic;
}

std::int64_t lanes_of_same_mapping(const PrcArrays& arrays, std::int64_t num_lanes) {
  const bool large = static_cast<std::int64_t>(arrays.entry_column.size()) > kManyEntries;
  if (large || num_lanes >= kManyLanes) return kManyLanes;
  return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(1, num_lanes))));
}

Mapping map_moments(const PrcArrays& arrays, const MomentLaneShape& shape, std::int64_t num_lanes,
                    const DeviceSize& device, MappingChoice choice) {
  const PrcView view = arrays.view();
  // Kernels by levels are made for these orders alone.
  if (shape.order > kMostLevelOrder) choice = MappingChoice::kThreads;
  return choose_mapping(arrays, work_of(view, shape), by_threads(plan_moments(view, shape, device.block_shared_bytes)),
                        num_lanes, device, choice);
}

Mapping map_transforms(const PrcArrays& arrays, const TransformLaneShape& shape, std::int64_t num_lanes,
                       const DeviceSize& device, MappingChoice choice) {
  const PrcView view = arrays.view();
  return choose_mapping(arrays, work_of(view, shape),
                        by_threads(plan_transforms(view, shape, device.block_shared_bytes)), num_lanes, device, choice);
}

}  // namespace sojourn
