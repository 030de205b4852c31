#include "device/evaluation/mapping.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evaluation/moment_lane_shape.hpp"
#include "evaluation/transform_lane_shape.hpp"
#include "host/evaluation/dense_chain.hpp"
#include "sojourn/families.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

PrcArrays two_demes(std::int32_t samples) {
  const std::int32_t each[] = {samples, samples};
  return by_level(eliminate(structured_coalescent_blocks(each).graph).arrays());
}

/// Slots of a block and of the lanes in work, as the mapping's own schedule counts them.
void expect_room(const PrcArrays& arrays, const LaneWork& work, const Mapping& mapping, const DeviceSize& device) {
  ASSERT_TRUE(mapping.by_levels);
  const LevelSchedule schedule = make_level_schedule(arrays, mapping.level);
  EXPECT_EQ(mapping.level.num_streams, mapping.num_streams);
  EXPECT_LE(mapping.lanes_per_block * mapping.num_streams, 256);
  EXPECT_EQ(mapping.lanes_per_block * mapping.num_streams % 32, 0);
  const std::int64_t local = work.rate_slots + schedule.num_factor_slots;
  const std::int64_t all = local + work.solution_slots + work.value_solutions * schedule.num_value_slots;
  const std::int64_t in_shared = mapping.placement == SlotPlacement::kShared          ? all
                                 : mapping.placement == SlotPlacement::kSharedFactors ? local
                                                                                      : 0;
  EXPECT_EQ(static_cast<std::int64_t>(mapping.shared_bytes), in_shared * mapping.lanes_per_block * work.slot_bytes);
  EXPECT_EQ(mapping.global_slots, all - in_shared);
  EXPECT_LE(mapping.shared_bytes, device.block_shared_bytes);
}

TEST(Mapping, LevelsFitWhateverTheDevice) {
  const PrcArrays programs[] = {two_demes(2), two_demes(4), by_level(eliminate(coalescent_blocks(14).graph).arrays())};
  for (const PrcArrays& arrays : programs) {
    for (const std::size_t bytes : {48u * 1024, 99u * 1024, 163u * 1024, 227u * 1024}) {
      const DeviceSize device{bytes, bytes + 1024, 100};
      for (const bool gradient : {false, true}) {
        // Without a gradient in single precision as well.
        for (const bool single : {false, !gradient}) {
          const MomentLaneShape moments = moment_lane_shape(arrays, 2, gradient, single);
          expect_room(arrays, work_of(arrays.view(), moments),
                      map_moments(arrays, moments, 10'000, device, MappingChoice::kLevels), device);
        }
        const TransformLaneShape transforms = transform_lane_shape(arrays, true, true, gradient);
        expect_room(arrays, work_of(arrays.view(), transforms),
                    map_transforms(arrays, transforms, 10'000, device, MappingChoice::kLevels), device);
      }
    }
  }
}

/// One warp a processor: streams beside it are worth more than they cost.
TEST(Mapping, TakesLevelsWhereLanesLeaveAProcessorIdle) {
  const PrcArrays arrays = two_demes(5);
  const Mapping chosen = map_transforms(arrays, transform_lane_shape(arrays, true, false, true), kManyLanes, {});
  EXPECT_TRUE(chosen.by_levels);
  EXPECT_THAT(chosen.to_string(), ::testing::HasSubstr("streams, shared factors"));
  const Mapping threads =
      map_transforms(arrays, transform_lane_shape(arrays, true, false, true), kManyLanes, {}, MappingChoice::kThreads);
  EXPECT_FALSE(threads.by_levels);
  EXPECT_EQ(threads.lanes_per_block, 32);
  EXPECT_LT(chosen.microseconds, threads.microseconds);
}

TEST(Mapping, PredictsForOtherLanesByTheSameAssumptions) {
  const PrcArrays arrays = two_demes(3);
  const TransformLaneShape shape = transform_lane_shape(arrays, true, false, true);
  for (const MappingChoice choice : {MappingChoice::kThreads, MappingChoice::kLevels}) {
    const Mapping mapping = map_transforms(arrays, shape, kManyLanes, {}, choice);
    const LaneWork work = work_of(arrays.view(), shape);
    EXPECT_DOUBLE_EQ(predict_microseconds(arrays, work, mapping, kManyLanes, {}), mapping.microseconds);
    EXPECT_NEAR(predict_microseconds(arrays, work, mapping, kManyLanes / 16, {}), mapping.microseconds / 16,
                0.05 * mapping.microseconds);
    EXPECT_GT(predict_microseconds(arrays, work, mapping, 1, {}), 0);
  }
}

TEST(Mapping, KeepsThreadsForSmallPrograms) {
  const PrcArrays arrays = two_demes(2);
  const Mapping mapping = map_moments(arrays, moment_lane_shape(arrays, 1, false), kManyLanes, {});
  EXPECT_FALSE(mapping.by_levels);
  EXPECT_EQ(mapping.placement, SlotPlacement::kShared);
}

TEST(Mapping, FrontsAndHighOrdersGoByThreads) {
  const PrcArrays fronts = by_level(eliminate(testing::dense_chain(40)).arrays());
  EXPECT_FALSE(map_moments(fronts, moment_lane_shape(fronts, 1, false), 1000, {}, MappingChoice::kLevels).by_levels);
  const PrcArrays arrays = two_demes(2);
  EXPECT_FALSE(map_moments(arrays, moment_lane_shape(arrays, 3, false), 1000, {}, MappingChoice::kLevels).by_levels);
}

/// Two operands a multiply-add of the factors, one and a half of the solve, where the mapping says that they lie.
TEST(Mapping, TrafficFollowsThePlacement) {
  const PrcArrays arrays = two_demes(3);
  const MomentLaneShape shape = moment_lane_shape(arrays, 1, false);
  const LaneWork work = work_of(arrays.view(), shape);
  const double factor = 2 * 8.0 * static_cast<double>(arrays.cost.factor_multiply_adds);
  const double solve = 1.5 * 8.0 * static_cast<double>(arrays.cost.solve_multiply_adds);
  Mapping mapping = map_moments(arrays, shape, kManyLanes, {}, MappingChoice::kThreads);
  const auto at = [&](SlotPlacement placement, std::int64_t global_slots) {
    mapping.placement = placement;
    mapping.global_slots = global_slots;
    return traffic_of(arrays, work, mapping, 10'000, {});
  };
  const MomentTraffic shared = at(SlotPlacement::kShared, 0);
  EXPECT_DOUBLE_EQ(shared.shared_bytes, factor + solve);
  EXPECT_EQ(shared.cache_bytes + shared.memory_bytes, 0);
  EXPECT_EQ(shared.mapping, mapping.to_string().replace(mapping.to_string().rfind(',') + 2, 99, "shared"));
  const MomentTraffic factors = at(SlotPlacement::kSharedFactors, 100);
  EXPECT_DOUBLE_EQ(factors.shared_bytes, factor);
  EXPECT_DOUBLE_EQ(factors.cache_bytes, solve);
  // 10,000 lanes of 1,000 numbers are 80 MB, more than 50 MiB hold.
  const MomentTraffic global = at(SlotPlacement::kGlobal, 1000);
  EXPECT_EQ(global.shared_bytes + global.cache_bytes, 0);
  EXPECT_DOUBLE_EQ(global.memory_bytes, factor + solve);
}

/// Numbers of a lane, counted when they are asked for.
template <class Number>
struct CountedNumbers {
  std::vector<Number>& values;
  std::int64_t& count;
  Number& operator[](std::int64_t i) const {
    ++count;
    return values[static_cast<std::size_t>(i)];
  }
};

/// How often the body of a factorization by fronts asks for an entry.
template <class Number>
double asked_by_fronts(const PrcArrays& arrays) {
  double asked = 0;
  const PrcView view = arrays.view();
  for (const PrcComponent& component : arrays.components) {
    if (component.front_end == component.front_begin) continue;
    std::vector<Number> entries(static_cast<std::size_t>(component.entry_end - component.entry_begin), Number(0.01)),
        exits(static_cast<std::size_t>(component.row_end - component.row_begin), Number(0.5)), inverse(exits);
    std::int64_t count = 0, beside = 0;
    factor_fronts<Number>(
        view, component, [](std::int32_t) { return Number(0.5); }, CountedNumbers<Number>{entries, count},
        CountedNumbers<Number>{exits, beside}, CountedNumbers<Number>{inverse, beside}, IgnorePivots{});
    asked += static_cast<double>(count);
    // A number that is added to is asked for once, and read and written.
    for (std::int64_t f = component.front_begin; f < component.front_end; ++f)
      asked += static_cast<double>(arrays.fronts[f].num_lower) * arrays.fronts[f].num_upper;
  }
  return asked;
}

/// The numbers that a thread reads and writes by fronts are those that its body asks for, by one and in tiles.
TEST(Mapping, CountsWhatFrontsRead) {
  for (const std::int32_t size : {40, 97}) {
    const Prc prc = eliminate(testing::dense_chain(size));
    const PrcArrays& arrays = prc.arrays();
    ASSERT_TRUE(arrays.component_bounds().has_fronts);
    const FrontCount single = count_fronts(arrays, 1, 1);
    double lower = 0;
    for (const PrcComponent& component : arrays.components) {
      if (component.front_end == component.front_begin) continue;
      for (std::int32_t v = component.row_begin; v < component.row_end; ++v)
        lower += static_cast<double>(arrays.rows[v].entry_middle - arrays.rows[v].entry_begin);
    }
    // The sums of exits are no part of the fronts.
    EXPECT_EQ(single.multiply_adds + lower, static_cast<double>(arrays.cost.factor_multiply_adds));
    const auto expect_near = [&](const FrontCount& counted, double asked) {
      EXPECT_EQ(counted.multiply_adds, single.multiply_adds);
      // Pivots, scaling and exits ask once more for each entry.
      EXPECT_GT(counted.numbers, 0.8 * asked);
      EXPECT_LT(counted.numbers, asked);
    };
    expect_near(single, asked_by_fronts<double>(arrays));
    expect_near(count_fronts(arrays, FrontTile<LaneComplex>::kRows, FrontTile<LaneComplex>::kColumns),
                asked_by_fronts<LaneComplex>(arrays));
  }
}

TEST(Mapping, PredictsFronts) {
  const PrcArrays arrays = by_level(eliminate(testing::dense_chain(97)).arrays());
  const TransformLaneShape shape = transform_lane_shape(arrays, true, false, false);
  const Mapping mapping = map_transforms(arrays, shape, kManyLanes, {});
  EXPECT_EQ(mapping.blocks_per_processor, 3);
  EXPECT_GT(mapping.microseconds, 0);
  const LaneWork work = work_of(arrays.view(), shape);
  // Bound by what moves where lanes are many, by one thread's way where they are few.
  EXPECT_NEAR(predict_microseconds(arrays, work, mapping, kManyLanes / 2, {}), mapping.microseconds / 2,
              0.01 * mapping.microseconds);
  EXPECT_DOUBLE_EQ(predict_microseconds(arrays, work, mapping, 1000, {}),
                   predict_microseconds(arrays, work, mapping, 1, {}));
}

}  // namespace
}  // namespace sojourn
