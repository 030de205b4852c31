#include "device/evaluation/moment_kernel.hpp"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "device/device_count.hpp"
#include "elimination/level_schedule.hpp"
#include "elimination/prc_arrays.hpp"
#include "evaluation/moment_lane_shape.hpp"
#include "evaluation/moment_replay.hpp"
#include "evaluation/single_bounds.hpp"
#include "host/evaluation/dense_chain.hpp"
#include "sojourn/error.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

struct Answer {
  std::vector<double> values, gradient;
  std::vector<unsigned char> in_doubt;
};

Answer on_device(const DeviceProgram& program, const Prc& prc, const StateGraph& graph, MatrixView<const double> phi,
                 int order, bool gradient, MappingChoice choice = MappingChoice::kThreads, bool single = false) {
  const MomentLaneShape shape = moment_lane_shape(prc.arrays(), order, gradient, single);
  std::vector<double> reward;
  const std::vector<double> by_state = graph.unit_reward();
  for (const std::int32_t state : prc.arrays().state_of_row) reward.push_back(by_state[state]);
  Answer answer;
  answer.values.resize(phi.num_rows() * order);
  if (gradient) {
    answer.gradient.resize(answer.values.size() * phi.num_cols());
    answer.in_doubt.resize(phi.num_rows());
  }
  moments_on_device(
      program, shape, phi, reward, answer.values, answer.gradient, answer.in_doubt,
      [](const std::string& line) { ADD_FAILURE() << line; }, choice);
  return answer;
}

TEST(MomentKernel, AgreesWithTheHost) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device on this machine";
  const std::int32_t two_demes[] = {5, 5}, small[] = {2, 2};
  const StateGraph graphs[] = {coalescent_blocks(12).graph,
                               structured_coalescent_blocks(small).graph,
                               structured_coalescent_blocks(two_demes).graph,
                               coxian(5).graph,
                               birth_death(200, 1, false).graph,
                               testing::dense_chain(40)};
  for (const StateGraph& graph : graphs) {
    const Prc prc = eliminate(graph);
    const DeviceProgram program(by_level(prc.arrays()));
    Matrix<double> phi(301, graph.num_rates());
    std::mt19937 random(5);
    std::lognormal_distribution<double> factor(0, 0.2);
    for (std::size_t l = 0; l < phi.num_rows(); ++l)
      for (std::size_t r = 0; r < phi.num_cols(); ++r) phi(l, r) = factor(random);
    for (int order = 1; order <= kMostLaneOrder; ++order) {
      std::vector<double> values(phi.num_rows() * order), gradient(values.size() * phi.num_cols());
      replay_moments(graph, prc, phi.view(), graph.unit_reward(), order, values, gradient, 1, GradientRoute::kProducts);
      const Answer got = on_device(program, prc, graph, phi.view(), order, true);
      const Answer value_alone = on_device(program, prc, graph, phi.view(), order, false);
      for (std::size_t i = 0; i < values.size(); ++i) {
        // Sums of positive terms in the same order; products are fused in other places.
        EXPECT_NEAR(got.values[i], values[i], 1e-12 * std::abs(values[i])) << i;
        EXPECT_NEAR(value_alone.values[i], values[i], 1e-12 * std::abs(values[i])) << i;
      }
      const std::size_t width = order * phi.num_cols();
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        if (got.in_doubt[i / width] == 0) {
          // What cancels in a derivative is some ten times the moment over its rate.
          const double cancels = 10 * order * values[i / phi.num_cols()] / phi(i / width, i % phi.num_cols());
          EXPECT_NEAR(got.gradient[i], gradient[i], 1e-12 * (std::abs(gradient[i]) + cancels)) << i;
        }
      }
      if (order <= kMostSingleOrder) {
        const Answer single =
            on_device(program, prc, graph, phi.view(), order, false, MappingChoice::kThreads, /*single=*/true);
        const double bound = single_bounds(graph, prc, order).of_order.back();
        for (std::size_t i = 0; i < values.size(); ++i)
          EXPECT_NEAR(single.values[i], values[i], bound * std::abs(values[i])) << i;
        const Answer levels =
            on_device(program, prc, graph, phi.view(), order, false, MappingChoice::kLevels, /*single=*/true);
        EXPECT_EQ(levels.values, single.values) << "the same bits by levels";
      }
      const Answer again = on_device(program, prc, graph, phi.view(), order, true);
      EXPECT_EQ(again.values, got.values) << "the same bits from run to run";
      EXPECT_EQ(again.gradient, got.gradient);
      for (const MappingChoice choice : {MappingChoice::kLevels, MappingChoice::kAuto}) {
        const Answer other = on_device(program, prc, graph, phi.view(), order, true, choice);
        EXPECT_EQ(other.values, got.values) << "the same bits by levels";
        EXPECT_EQ(other.gradient, got.gradient);
        EXPECT_EQ(other.in_doubt, got.in_doubt);
        EXPECT_EQ(on_device(program, prc, graph, phi.view(), order, false, choice).values, value_alone.values);
      }
    }
  }
}

TEST(MomentKernel, ALaneDoesNotDependOnItsBatch) {
  if (!has_device()) GTEST_SKIP() << "no CUDA device on this machine";
  const std::int32_t two_demes[] = {3, 3};
  const Model model = structured_coalescent_blocks(two_demes);
  const Prc prc = eliminate(model.graph);
  const DeviceProgram program(by_level(prc.arrays()));
  Matrix<double> phi(500, model.rates.num_rates());
  for (std::size_t l = 0; l < phi.num_rows(); ++l)
    for (std::size_t r = 0; r < phi.num_cols(); ++r) phi(l, r) = 0.5 + 0.001 * static_cast<double>(l + r);
  const Answer all = on_device(program, prc, model.graph, phi.view(), 1, true);
  const Answer part = on_device(program, prc, model.graph, {phi.row(123).data(), 77, phi.num_cols()}, 1, true);
  for (std::size_t l = 0; l < 77; ++l) EXPECT_EQ(part.values[l], all.values[123 + l]);
  for (std::size_t i = 0; i < part.gradient.size(); ++i)
    EXPECT_EQ(part.gradient[i], all.gradient[123 * phi.num_cols() + i]);
}

TEST(MomentKernel, FailureWithoutADeviceIsADeviceError) {
  if (has_device()) GTEST_SKIP() << "a CUDA device is present";
  const Prc prc = eliminate(coxian(3).graph);
  EXPECT_THROW(DeviceProgram program(by_level(prc.arrays())), DeviceError);
}

}  // namespace
}  // namespace sojourn
