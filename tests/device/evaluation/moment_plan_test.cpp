#include "device/evaluation/moment_plan.hpp"

#include <gtest/gtest.h>

#include "device/evaluation/plan_cases.hpp"
#include "device/support/batches.hpp"

namespace sojourn {
namespace {

using testing::kHopper;
using testing::program;

MomentLaneShape shape(std::int32_t num_value_slots, std::int64_t most_entries, bool gradient = false) {
  return testing::lane_shape<MomentLaneShape>(num_value_slots, most_entries, gradient);
}

TEST(MomentPlan, KeepsSmallModelsInSharedMemory) {
  // 8 slots of rates, 2 of factors, 210 of solutions: 220 slots of 128 lanes are 225,280 bytes.
  const MomentPlan plan = plan_moments(program(210), shape(210, 0), kHopper);
  EXPECT_EQ(plan.placement, SlotPlacement::kShared);
  EXPECT_EQ(plan.lanes_per_block, 128);
  EXPECT_EQ(plan.shared_bytes, 220u * 128 * 8);
  EXPECT_EQ(plan.global_slots, 0);
  EXPECT_EQ(plan_moments(program(300), shape(300, 0), kHopper).lanes_per_block, 64);
}

TEST(MomentPlan, SinglePrecisionTakesHalfTheRoom) {
  MomentLaneShape single = shape(430, 0);
  single.single = true;
  const MomentPlan plan = plan_moments(program(430), single, kHopper);
  EXPECT_EQ(plan.placement, SlotPlacement::kShared);
  EXPECT_EQ(plan.lanes_per_block, 128);
  EXPECT_EQ(plan.shared_bytes, 440u * 128 * 4);
  // Parameters and results are doubles.
  EXPECT_EQ(moment_lane_bytes(program(430), single), 32);
  const std::size_t tight = 256 * 500 * 4 + 5000 * 32;
  EXPECT_GT(batch_lanes({128, 500, 32, 4}, 10'000, 256, tight), batch_lanes({128, 500, 32, 8}, 10'000, 256, tight));
}

TEST(MomentPlan, MovesSolutionsOutFirst) {
  const MomentPlan plan = plan_moments(program(500), shape(500, 100), kHopper);
  EXPECT_EQ(plan.placement, SlotPlacement::kSharedFactors);
  EXPECT_EQ(plan.global_slots, 500);
  EXPECT_EQ(plan.lanes_per_block, 128);
  const MomentPlan large = plan_moments(program(5000), shape(5000, 100'000), kHopper);
  EXPECT_EQ(large.placement, SlotPlacement::kGlobal);
  EXPECT_EQ(large.shared_bytes, 0u);
  EXPECT_EQ(large.global_slots, 8 + 100'008 + 5000);
  // A gradient keeps two solutions of every row and the sums of both signs.
  EXPECT_EQ(plan_moments(program(500), shape(20, 100, true), kHopper).global_slots, 2 * 500 + 2 * 4);
}

TEST(MomentPlan, FrontsStayInGlobalMemory) {
  MomentLaneShape small = shape(50, 100);
  EXPECT_EQ(plan_moments(program(50), small, kHopper).placement, SlotPlacement::kShared);
  small.has_fronts = true;
  EXPECT_EQ(plan_moments(program(50), small, kHopper).placement, SlotPlacement::kGlobal);
}

TEST(MomentPlan, NeverAsksForMoreSharedMemoryThanThereIs) { testing::expect_within_shared_memory(shape, plan_moments); }

TEST(MomentPlan, FitsBatchesIntoMemory) {
  // A lane of a batch takes 3 parameters and one value; a resident one 500 slots besides.
  EXPECT_EQ(moment_lane_bytes(program(500), shape(500, 100)), 32);
  EXPECT_EQ(moment_lane_bytes(program(500), shape(500, 100, true)), 8 * (3 + 1 + 3) + 1);
  const BatchSizes sizes{128, 500, 32};
  const std::int64_t resident = 256;
  EXPECT_EQ(batch_lanes(sizes, 10'000, resident, std::size_t{1} << 30), 10'000);
  const std::size_t tight = resident * 500 * 8 + 5000 * 32;
  const std::int64_t fitting = batch_lanes(sizes, 10'000, resident, tight);
  EXPECT_GT(fitting, 0);
  EXPECT_EQ(fitting % sizes.lanes_per_block, 0);
  EXPECT_LE(fitting * 32 + resident * 500 * 8, static_cast<std::int64_t>(tight));
  EXPECT_EQ(batch_lanes(sizes, 10'000, resident, 1000), 0);
}

struct Asked {
  std::vector<std::pair<std::int64_t, std::int64_t>> batches;
  std::vector<std::string> lines;

  void run(std::int64_t total, std::int64_t batch, std::int64_t smallest, std::int64_t room) {
    for_each_batch(
        total, batch, smallest, [this](const std::string& line) { lines.push_back(line); },
        [&](std::int64_t first, std::int64_t count) {
          if (count > room) throw OutOfDeviceMemory("out of memory");
          batches.emplace_back(first, count);
        });
  }
};

TEST(DeviceBatches, CoverEverythingInOrder) {
  Asked asked;
  asked.run(100, 40, 8, 1000);
  EXPECT_EQ(asked.batches, (std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 40}, {40, 40}, {80, 20}}));
  EXPECT_TRUE(asked.lines.empty());
}

TEST(DeviceBatches, HalveWhereMemoryIsShortAndSaySo) {
  Asked asked;
  asked.run(100, 100, 8, 30);
  EXPECT_EQ(asked.batches, (std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 25}, {25, 25}, {50, 25}, {75, 25}}));
  ASSERT_EQ(asked.lines.size(), 2u);
  EXPECT_EQ(asked.lines[0], "out of memory: the batch is halved to 50");
  EXPECT_THROW(Asked().run(100, 100, 8, 4), OutOfDeviceMemory);
}

}  // namespace
}  // namespace sojourn
