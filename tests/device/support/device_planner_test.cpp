#include "device/device_planner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "host/posterior/host_loop_device.hpp"
#include "sojourn/error.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kH200Bytes = 139.0 * (1LL << 30);

Posterior posterior_of(Model model, std::int64_t num_times = 40) {
  std::vector<double> times;
  for (std::int64_t i = 0; i < num_times; ++i) times.push_back(1 + 0.1 * static_cast<double>(i));
  std::map<std::string, Prior> priors;
  for (const Parameter& parameter : model.parameters)
    priors.emplace(parameter.name, Prior(PriorFamily::kLognormal, 0, 0.5));
  const std::vector<double> reward = model.graph.unit_reward();
  Observations data = exact_observations(times, TimeKind::kContinuous, "times");
  return {std::move(model), std::move(data), priors, {}, reward, {}, DataCompression::kOff};
}

Model two_demes(std::int32_t each) {
  const std::int32_t samples[] = {each, each};
  return structured_coalescent_blocks(samples);
}

SvgdOptions options_for(std::int64_t num_particles) {
  SvgdOptions options;
  options.num_particles = num_particles;
  return options;
}

double part(const cli::DevicePlan& plan, const std::string& name) {
  const auto found = std::ranges::find(plan.parts, name, [](const auto& one) { return one.first; });
  return found == plan.parts.end() ? 0 : found->second;
}

double seconds(const cli::DevicePlan& plan, const std::string& name) {
  const auto found = std::ranges::find(plan.seconds, name, [](const auto& one) { return one.first; });
  return found == plan.seconds.end() ? 0 : found->second;
}

TEST(DevicePlanner, CountsWhatBatchesAllocate) {
  Posterior posterior = posterior_of(two_demes(2));
  const SvgdOptions options = options_for(1000);
  const cli::DevicePlan plan = plan_on_device(posterior, options, 1, {"H200", kH200Bytes});
  EXPECT_TRUE(plan.resident) << plan.why_not_resident;
  EXPECT_EQ(plan.batch, 1000);
  EXPECT_EQ(plan.fault, "");
  // The same posterior on a host loop, whose memory is asked for piece by piece.
  posterior.use_device(std::make_shared<testing::HostLoopDevice>());
  std::atomic<std::size_t>& allocated = testing::UnwrittenMemory::allocated_bytes;
  allocated = 0;
  ASSERT_NE(posterior.on_device(1000), nullptr);
  // For callers it has two bounds of each particle beside the batch.
  EXPECT_EQ(part(plan, "batch"), static_cast<double>(allocated) - 16 * 1000);
  // A cloud has its parameters' tables beside its particles, and a batch once it is loaded.
  std::string why_not;
  allocated = 0;
  ASSERT_NE(posterior.cloud_on_device(options, why_not), nullptr);
  EXPECT_GE(static_cast<double>(allocated), part(plan, "particles"));
  EXPECT_LE(static_cast<double>(allocated), part(plan, "particles") + 10'000);
  EXPECT_GT(part(plan, "program"), 0);
  EXPECT_GT(part(plan, "data"), 0);
  double sum = 0;
  for (const auto& [name, bytes] : plan.parts) sum += bytes;
  EXPECT_DOUBLE_EQ(sum, plan.bytes);
  sum = 0;
  for (const auto& [name, each] : plan.seconds) sum += each;
  EXPECT_DOUBLE_EQ(sum, plan.seconds_iteration);
}

TEST(DevicePlanner, PredictsTheTimesOfDecision25) {
  Posterior posterior = posterior_of(two_demes(5));
  const cli::DevicePlan plan = plan_on_device(posterior, options_for(10'000), 1, {"H200", kH200Bytes});
  // Times of one window, so that there are the 48 nodes of the decision's table, which has 46 ms.
  EXPECT_NEAR(seconds(plan, "transforms"), 46e-3, 2e-3);
  EXPECT_NEAR(seconds(plan, "directions"), 1e8 * (9 + 4 * 4) / 1.35e13, 1e-9);
  // Two factorizations and three solves of 60 cycles a multiply-add: 3,936 pairs, 1,122 direct weights, 1,298 sums and
  // 479 rows that take four more; 3,650 terms and entries, 684 groups, and both halves of the rows.
  EXPECT_NEAR(seconds(plan, "preparation"),
              (2 * (3936 + 1122 + 1298 + 4 * 479) + 3 * (3650 + 684 + 2 * 4 * 479)) * 60 / 1.8e9, 0.2e-3);
  EXPECT_GT(part(plan, "work of blocks"), 0);
}

TEST(DevicePlanner, BatchesFollowTheMemory) {
  Posterior posterior = posterior_of(two_demes(2));
  const SvgdOptions options = options_for(50'000);
  const cli::DevicePlan whole = plan_on_device(posterior, options, 1, {"H200", kH200Bytes});
  EXPECT_EQ(whole.batch, 50'000);
  const double beside = whole.bytes - part(whole, "batch");
  const cli::DevicePlan tight = plan_on_device(posterior, options, 1, {"small", beside + 0.5 * part(whole, "batch")});
  EXPECT_EQ(tight.fault, "");
  EXPECT_LT(tight.batch, 25'000);
  EXPECT_GT(tight.batch, 15'000);
  EXPECT_LE(tight.bytes, tight.device.memory_bytes);
  const cli::DevicePlan none = plan_on_device(posterior, options, 1, {"tiny", 1e6});
  EXPECT_THAT(none.fault, HasSubstr("out of memory: asked for"));
  EXPECT_EQ(none.batch, 0);
  // Batches fit, all particles do not.
  const cli::DevicePlan many = plan_on_device(posterior, options_for(10'000'000), 1, {"small", 3e9});
  EXPECT_THAT(many.fault, HasSubstr("10000000 particles stay on the device; about "));
}

/// A walk on side^2 places that ends beyond the border, the same rate both ways: one component, poles real.
Model grid_walk(std::int32_t side) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(side * side + 1);
  const RateTerm step{0, 1}, leave{1, 1};
  for (std::int32_t place = 0; place < side * side; ++place) {
    const std::int32_t row = place / side, column = place % side;
    if (row > 0) builder.add_edge(place, place - side, 0, {&step, 1});
    if (column > 0) builder.add_edge(place, place - 1, 0, {&step, 1});
    if (column + 1 < side) builder.add_edge(place, place + 1, 0, {&step, 1});
    if (row + 1 < side) builder.add_edge(place, place + side, 0, {&step, 1});
    if (row == 0) builder.add_edge(place, side * side, 0, {&leave, 1});
  }
  builder.add_initial(side / 2 * side + side / 2, 1);
  Model model;
  model.parameters = {{.name = "step"}, {.name = "leave"}};
  model.rates = RateMap::identity(2);
  model.graph = std::move(builder).build();
  return model;
}

/// Slots of all blocks that a device holds would be several times its memory.
TEST(DevicePlanner, LargeGraphsGoByFewerBlocks) {
  Posterior posterior = posterior_of(grid_walk(40));
  const cli::DevicePlan roomy = plan_on_device(posterior, options_for(1000), 1, {"H200", kH200Bytes});
  ASSERT_EQ(roomy.fault, "");
  const double all = part(roomy, "work of blocks");
  EXPECT_THAT(roomy.notes, Not(Contains(HasSubstr("blocks of lanes are in work at once"))));
  const double beside = roomy.bytes - part(roomy, "batch") - all;
  const double memory = beside + all / 8;
  const cli::DevicePlan tight = plan_on_device(posterior, options_for(1000), 1, {"small", memory});
  ASSERT_EQ(tight.fault, "");
  EXPECT_TRUE(tight.resident);
  EXPECT_GT(tight.batch, 0);
  EXPECT_LE(tight.bytes, memory);
  // Half of what is usable beside the program, in whole blocks.
  EXPECT_LE(part(tight, "work of blocks"), 0.45 * (memory - beside) * 1.001);
  EXPECT_GT(part(tight, "work of blocks"), 0.40 * (memory - beside));
  EXPECT_THAT(tight.notes, Contains(HasSubstr("blocks of lanes are in work at once")));
  // Nothing else would help where one block does not fit.
  const double block = all / (3 * 132);
  const cli::DevicePlan none = plan_on_device(posterior, options_for(1000), 1, {"tiny", beside + 0.9 * block});
  EXPECT_THAT(none.fault, HasSubstr("that is for one block of lanes, whatever the batch"));
  EXPECT_THAT(none.notes, Not(Contains(HasSubstr("halved"))));
}

TEST(DevicePlanner, FewerBlocksTakeLonger) {
  Posterior posterior = posterior_of(two_demes(5));
  const cli::DevicePlan roomy = plan_on_device(posterior, options_for(1000), 1, {"H200", kH200Bytes});
  const double work = part(roomy, "work of blocks");
  ASSERT_GT(work, 0);
  const double beside = roomy.bytes - part(roomy, "batch") - work;
  const cli::DevicePlan tight = plan_on_device(posterior, options_for(1000), 1, {"small", beside + work / 4});
  ASSERT_EQ(tight.fault, "");
  // A ninth of the blocks, each with a processor of its own.
  EXPECT_GT(seconds(tight, "transforms"), 2 * seconds(roomy, "transforms"));
  EXPECT_GT(tight.seconds_iteration, roomy.seconds_iteration);
}

TEST(DevicePlanner, RanksHaveTheirBlocksAndAllParticles) {
  Posterior posterior = posterior_of(two_demes(2));
  const cli::DevicePlan plan = plan_on_device(posterior, options_for(1001), 4, {"H200", kH200Bytes});
  EXPECT_TRUE(plan.resident) << plan.why_not_resident;
  EXPECT_EQ(plan.num_particles, 251);
  EXPECT_EQ(plan.batch, 251);
  // Every device has all particles, and room for rows that travel; one rank's has no such room.
  const cli::DevicePlan alone = plan_on_device(posterior, options_for(1001), 1, {"H200", kH200Bytes});
  EXPECT_GT(part(plan, "particles"), part(alone, "particles") + 8.0 * 1001 * 4);
  EXPECT_NEAR(part(plan, "batch"), part(alone, "batch") * 251 / 1001, 0.01 * part(alone, "batch"));
  EXPECT_NEAR(seconds(plan, "directions"), seconds(alone, "directions") * 251 / 1001, 1e-12);
  EXPECT_GT(plan.seconds_iteration, 0);
}

TEST(DevicePlanner, UniformizationIsPlannedByDrawsOfThePrior) {
  Posterior posterior = posterior_of(parse_model(
      "schema: sojourn/model/1\nname: ring\nparameters: [a, b]\nstates: 5\ninitial: [[0, 1]]\n"
      "edges: [[0, 1, 0, [1, 0]], [1, 2, 0, [1, 0]], [2, 3, 0, [1, 0]], [3, 0, 0, [1, 0]], [3, 4, 0, [0, 1]]]\n",
      "ring.yaml"));
  const cli::DevicePlan plan = plan_on_device(posterior, options_for(500), 1, {"H200", kH200Bytes});
  EXPECT_FALSE(plan.resident);
  EXPECT_THAT(plan.why_not_resident, HasSubstr("uniformization"));
  EXPECT_EQ(plan.batch, 500);
  // Positions, scores and directions in rows of whole warps, and a number.
  EXPECT_EQ(part(plan, "directions"), 8.0 * (3 * 2 * 512 + 1));
  EXPECT_EQ(plan.seconds_iteration, 0);
  EXPECT_GT(part(plan, "batch"), 0);
  ASSERT_EQ(plan.notes.size(), 1u);
  EXPECT_THAT(plan.notes.front(), HasSubstr("time is not predicted"));
}

/// Trials until the second success; a step in the second state counts where `second` says so.
Posterior posterior_of_counts(double second) {
  Model model = parse_model(
      "schema: sojourn/model/1\nname: pair\ntime: discrete\nparameters: [{name: p, lower: 0, upper: 1}]\nstates: 3\n"
      "initial: [[0, 1]]\nedges: [[0, 1, 0, [1]], [1, 2, 0, [1]]]\n",
      "pair.yaml");
  Observations data = exact_observations(std::vector<double>{2, 5}, TimeKind::kDiscrete, "counts");
  const std::vector<double> reward = {1, second, 0};
  return {std::move(model), std::move(data), {{"p", Prior(PriorFamily::kBeta, 2, 2)}}, {}, reward};
}

TEST(DevicePlanner, CountsGoStepByStep) {
  Posterior posterior = posterior_of_counts(1);
  const cli::DevicePlan plan = plan_on_device(posterior, options_for(10), 1, {"H200", kH200Bytes});
  EXPECT_EQ(plan.batch, 10);
  EXPECT_FALSE(plan.resident);
  EXPECT_THAT(plan.why_not_resident, HasSubstr("step by step"));
  EXPECT_THAT(plan.notes, ::testing::Contains(HasSubstr("step by step to the largest count")));
}

TEST(DevicePlanner, SaysWhatIsNotOnADevice) {
  Posterior posterior = posterior_of_counts(0);
  EXPECT_THROW((void)plan_on_device(posterior, options_for(10), 1, {"H200", kH200Bytes}), DeviceError);
}

}  // namespace
}  // namespace sojourn
