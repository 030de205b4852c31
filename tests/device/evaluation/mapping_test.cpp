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

}  // namespace
}  // namespace sojourn
