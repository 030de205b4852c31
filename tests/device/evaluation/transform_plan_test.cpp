#include "device/evaluation/transform_plan.hpp"

#include <gtest/gtest.h>

#include "device/evaluation/plan_cases.hpp"

namespace sojourn {
namespace {

using testing::kHopper;
using testing::program;

TransformLaneShape shape(std::int32_t num_value_slots, std::int64_t most_entries, bool gradient = false) {
  auto shape = testing::lane_shape<TransformLaneShape>(num_value_slots, most_entries, gradient);
  shape.density = true;
  return shape;
}

TEST(TransformPlan, CountsComplexSlots) {
  // 2 slots of factors and 100 of solutions: 102 slots of 128 lanes are 208,896 bytes.
  const TransformPlan small = plan_transforms(program(100), shape(100, 0), kHopper);
  EXPECT_EQ(small.placement, SlotPlacement::kShared);
  EXPECT_EQ(small.lanes_per_block, 128);
  EXPECT_EQ(small.shared_bytes, 102u * 128 * 16);
  EXPECT_EQ(small.global_slots, 0);
  // With gradient a solution and visits for every row, and sums and sizes for the constant and three rates.
  EXPECT_EQ(plan_transforms(program(1000), shape(20, 100, true), kHopper).global_slots, 2 * 1000 + 2 * 4);
}

TEST(TransformPlan, MovesSolutionsOutFirst) {
  const TransformPlan plan = plan_transforms(program(500), shape(500, 100), kHopper);
  EXPECT_EQ(plan.placement, SlotPlacement::kSharedFactors);
  EXPECT_EQ(plan.shared_bytes, 108u * 128 * 16);
  EXPECT_EQ(plan.global_slots, 500);
  // Two demes of five samples each: room for one warp.
  const TransformPlan one_warp = plan_transforms(program(479), shape(174, 234), kHopper);
  EXPECT_EQ(one_warp.placement, SlotPlacement::kShared);
  EXPECT_EQ(one_warp.lanes_per_block, 32);
  const TransformPlan large = plan_transforms(program(500), shape(500, 500), kHopper);
  EXPECT_EQ(large.placement, SlotPlacement::kGlobal);
  EXPECT_EQ(large.shared_bytes, 0u);
  EXPECT_EQ(large.global_slots, 508 + 500);
}

TEST(TransformPlan, FrontsStayInGlobalMemory) {
  TransformLaneShape small = shape(50, 30);
  EXPECT_EQ(plan_transforms(program(50), small, kHopper).placement, SlotPlacement::kShared);
  small.has_fronts = true;
  EXPECT_EQ(plan_transforms(program(50), small, kHopper).placement, SlotPlacement::kGlobal);
}

TEST(TransformPlan, NeverAsksForMoreSharedMemoryThanThereIs) {
  testing::expect_within_shared_memory(shape, plan_transforms);
}

}  // namespace
}  // namespace sojourn
