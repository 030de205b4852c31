// Draws by the body that device threads run, in a host loop over shuffled lanes in memory full of NaN, beside the
// CPU's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "device/graph/sample_batch.hpp"
#include "host/unwritten_memory.hpp"
#include "sojourn/error.hpp"
#include "sojourn/families.hpp"
#include "sojourn/sample.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;

/// A machine of `SampleBatch`.
class ShuffledLanes : public testing::UnwrittenMemory {
 public:
  template <class Step>
  void run(std::int64_t num_lanes, const Step& step) {
    batches.push_back(num_lanes);
    std::vector<std::int64_t> lanes(static_cast<std::size_t>(num_lanes));
    std::iota(lanes.begin(), lanes.end(), std::int64_t{0});
    std::shuffle(lanes.begin(), lanes.end(), random);
    for (const std::int64_t lane : lanes) step(lane);
  }
  [[nodiscard]] double free_bytes() const { return bytes; }
  double bytes = 1e12;
  std::mt19937 random{3};
  std::vector<std::int64_t> batches;
};

class LoopSampler final : public SampleDevice {
 public:
  [[nodiscard]] std::string name() const override { return "host loop"; }
  void draw(const JumpTable& table, std::uint64_t seed, std::int64_t num_draws, std::span<double> draws) override {
    SampleBatch<ShuffledLanes>(machine, table).draw(seed, num_draws, draws, [](const std::string&) {});
    for (double& value : draws) value *= factor;
  }
  std::unique_ptr<TensorDraws> on_tensors(const JumpTable&) override {
    throw DeviceError("this host loop takes no tensors");
  }
  ShuffledLanes machine;
  double factor = 1;
};

/// Here both run the same body and the same logarithm: the same bits.
void expect_same_draws(const Model& model, const std::vector<double>& theta,
                       const std::vector<std::span<const double>>& rewards) {
  constexpr std::int64_t kDraws = 700;
  const Matrix<double> wanted = sample(model, theta, rewards, kDraws, 42, 1);
  for (const unsigned order : {3U, 4U})
    for (const double bytes : {1e12, 8.0 * 250, 8.0}) {
      LoopSampler device;
      device.machine.random.seed(order);
      device.machine.bytes = bytes;
      EXPECT_EQ(sample(model, theta, rewards, kDraws, 42, device).values(), wanted.values()) << model.name << bytes;
      EXPECT_EQ(device.machine.batches.size() > 1, bytes < 1e6);
      EXPECT_EQ(std::accumulate(device.machine.batches.begin(), device.machine.batches.end(), std::int64_t{0}), kDraws);
    }
}

TEST(SampleOnDevice, GivesTheDrawsOfTheCpuInAnyOrderAndBatch) {
  const std::int32_t samples[] = {3, 3};
  const Model demes = structured_coalescent(samples);
  expect_same_draws(demes, {1.0, 0.5, 0.2, 0.9}, {demes.graph.unit_reward(), demes.graph.reward("length_1")});
  const Model blocks = coalescent_blocks(8);
  expect_same_draws(blocks, {2.0}, {blocks.graph.reward("singletons"), blocks.graph.unit_reward()});
  // Starts in several states, with a defect.
  const double probabilities[] = {0.2, 0.3, 0.25};
  const Model mixture = hyperexponential(probabilities);
  expect_same_draws(mixture, {10.0, 1.0, 0.1}, {mixture.graph.unit_reward()});
}

TEST(SampleOnDevice, CountsStepsInDiscreteTime) {
  StateGraphBuilder builder(TimeKind::kDiscrete, 1);
  builder.ensure_states(3);
  const RateTerm term{0, 1.0};
  builder.add_edge(0, 1, 0, {&term, 1});
  builder.add_edge(1, 2, 1.0, {});
  builder.add_initial(0, 1.0);
  Model model = erlang(1);
  model.graph = std::move(builder).build();
  expect_same_draws(model, {0.3}, {model.graph.unit_reward()});
}

TEST(SampleOnDevice, TakesNothingWhereNothingIsAsked) {
  LoopSampler device;
  const Model model = erlang(2);
  EXPECT_TRUE(sample(model, std::vector{1.0}, {model.graph.unit_reward()}, 0, 1, device).empty());
  EXPECT_TRUE(sample(model, std::vector{1.0}, {}, 5, 1, device).empty());
  EXPECT_THROW((void)sample(model, std::vector{-1.0}, {model.graph.unit_reward()}, 5, 1, device), NumericalError);
}

TEST(SampleOnDevice, AWrongDeviceEndsTheCall) {
  LoopSampler device;
  device.factor = 1 + 1e-9;
  const Model model = erlang(2);
  try {
    (void)sample(model, std::vector{1.0}, {model.graph.unit_reward()}, 5, 1, device);
    FAIL() << "no error";
  } catch (const DeviceError& error) {
    EXPECT_THAT(error.what(), HasSubstr("host loop: draw 0 is"));
  }
}

}  // namespace
}  // namespace sojourn
