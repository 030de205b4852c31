#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "device/evaluation/moment_plan.hpp"
#include "device/evaluation/transform_plan.hpp"
#include "elimination/level_schedule.hpp"
#include "sojourn/moment_device.hpp"

/// Which threads work on a lane: one alone, or the streams of a block by a level schedule.
namespace sojourn {

/// Moments of higher orders go by threads.
inline constexpr int kMostLevelOrder = 2;

/// kAuto: by predicted cost.
enum class MappingChoice : std::uint8_t { kAuto, kThreads, kLevels };

/// What a mapping has to fit into; the numbers of an H200.
struct DeviceSize {
  std::size_t block_shared_bytes = 227 * 1024;      ///< what a block may ask for
  std::size_t processor_shared_bytes = 228 * 1024;  ///< 1 KiB of which each block takes beside its own
  int num_processors = 132;
  std::size_t cache_bytes = 50 * 1024 * 1024;  ///< the second one
};

/// What a lane asks of a replay: slots, and how often it factors, solves, solves transposed and passes the edges.
struct LaneWork {
  std::int64_t slot_bytes;
  std::int64_t rate_slots;       ///< beside the factors
  std::int64_t solution_slots;   ///< beside the solutions that need the start's value alone
  std::int64_t value_solutions;  ///< of which each takes the schedule's value slots
  double factors, solves, visits, sums;
  std::int32_t num_partials;
  int tile_rows = 1, tile_columns = 1;  ///< of fronts
};
LaneWork work_of(const PrcView& prc, const MomentLaneShape& shape);
LaneWork work_of(const PrcView& prc, const TransformLaneShape& shape);

/// How lanes are put onto a device. By threads: blocks of `lanes_per_block`, one thread a lane. By levels:
/// `num_streams` threads a lane, and `level` makes their schedule.
struct Mapping {
  bool by_levels = false;
  SlotPlacement placement = SlotPlacement::kGlobal;
  int lanes_per_block = 0;
  int num_streams = 1;
  std::size_t shared_bytes = 0;   ///< of a block
  std::int64_t global_slots = 0;  ///< of a resident lane
  LevelOptions level;
  int blocks_per_processor = 1;  ///< predicted
  double microseconds = 0;       ///< predicted, of all lanes at 1.8 GHz

  [[nodiscard]] std::int64_t num_blocks(std::int64_t num_lanes) const {
    return (num_lanes + lanes_per_block - 1) / lanes_per_block;
  }
  /// "levels, 32 lanes x 8 streams, shared factors".
  [[nodiscard]] std::string to_string() const;
};

/// The mapping of least predicted cost for so many lanes of a program without fronts (those with fronts go by threads,
/// decision 0039); `threads` is the best one by threads. Predictions count multiply-adds and steps and assume what a
/// multiply-add and a barrier take (`mapping.cpp`): none of them is measured yet.
/// @param arrays  by level (`by_level`).
/// Cost: a dozen level schedules; two to four for programs of more than 2,000 entries and rows.
Mapping choose_mapping(const PrcArrays& arrays, const LaneWork& work, const Mapping& threads, std::int64_t num_lanes,
                       const DeviceSize& device, MappingChoice choice);

/// Microseconds predicted of a mapping for so many lanes, which need not be those that it was chosen for; by the same
/// assumptions. Cost: one or two level schedules.
/// @param num_blocks  in work at once on the whole device; 0: as many as it holds.
double predict_microseconds(const PrcArrays& arrays, const LaneWork& work, const Mapping& mapping,
                            std::int64_t num_lanes, const DeviceSize& device, std::int64_t num_blocks = 0);

/// Bytes of a lane by where it reads them, `in_work` lanes at once; see `MomentTraffic`.
MomentTraffic traffic_of(const PrcArrays& arrays, const LaneWork& work, const Mapping& mapping, std::int64_t in_work,
                         const DeviceSize& device);

/// Multiply-adds of a program's fronts in one factorization, and the numbers that a thread reads and writes for them in
/// tiles of so many rows and columns. All else of `PrcCost::factor_multiply_adds` goes by pairs.
struct FrontCount {
  double multiply_adds = 0, numbers = 0;
};
FrontCount count_fronts(const PrcArrays& arrays, int tile_rows, int tile_columns);

/// As many lanes as fill any device.
inline constexpr std::int64_t kManyLanes = 1 << 20;

/// Lanes to choose for where there are so many: powers of two up to a device's fill, so that few mappings are made for
/// one program, and one for a large program.
std::int64_t lanes_of_same_mapping(const PrcArrays& arrays, std::int64_t num_lanes);

Mapping map_moments(const PrcArrays& arrays, const MomentLaneShape& shape, std::int64_t num_lanes,
                    const DeviceSize& device, MappingChoice choice = MappingChoice::kAuto);
Mapping map_transforms(const PrcArrays& arrays, const TransformLaneShape& shape, std::int64_t num_lanes,
                       const DeviceSize& device, MappingChoice choice = MappingChoice::kAuto);

}  // namespace sojourn
