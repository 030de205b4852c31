// The device's thread body, run by a host loop: blocks in shuffled order, slots as a block's shared memory or as the
// global memory of resident lanes, filled with NaN so that nothing is read before it is written.
#include "common/moment_lane.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "elimination/prc_arrays.hpp"
#include "evaluation/moment_lane_shape.hpp"
#include "evaluation/moment_replay.hpp"
#include "host/evaluation/dense_chain.hpp"
#include "host/evaluation/shuffled_lanes.hpp"
#include "sojourn/families.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Answer {
  std::vector<double> values, gradient;  ///< [K, order], [K, order, num_rates]
  std::vector<unsigned char> in_doubt;
};

template <int kOrder, bool kFronts>
Answer run_lanes(const Prc& prc, MatrixView<const double> phi, std::span<const double> reward_of_state, bool gradient,
                 Place place, unsigned seed) {
  const PrcArrays& arrays = prc.arrays();
  const PrcView view = arrays.view();
  const MomentLaneShape shape = moment_lane_shape(arrays, kOrder, gradient);
  const MomentLaneSlots slots = shape.slots(view);
  const std::vector<double> reward = arrays.by_row(reward_of_state);
  const auto num_lanes = static_cast<std::int64_t>(phi.num_rows());
  const std::size_t num_rates = phi.num_cols();
  std::vector<double> lane_phi(phi.size()), values(kOrder * phi.num_rows(), kNan),
      by_rate(gradient ? kOrder * phi.size() : 0, kNan);
  std::vector<unsigned char> in_doubt(gradient ? phi.num_rows() : 0, 2);
  for (std::size_t l = 0; l < phi.num_rows(); ++l)
    for (std::size_t r = 0; r < num_rates; ++r) lane_phi[r * phi.num_rows() + l] = phi(l, r);
  const MomentLaneOutput output{values.data(), by_rate.data(), in_doubt.data()};

  for_each_lane_shuffled(num_lanes, slots.total(), slots.rate + slots.factor, place, kNan, seed,
                         [&](std::int64_t lane, auto local, auto solution) {
                           moment_lane<kOrder, kFronts>(view, shape, reward.data(), lane_phi.data(), num_lanes, lane,
                                                        local, solution, output);
                         });
  Answer answer;
  for (std::size_t l = 0; l < phi.num_rows(); ++l) {
    for (int j = 0; j < kOrder; ++j) answer.values.push_back(values[j * phi.num_rows() + l]);
    for (std::size_t i = 0; gradient && i < kOrder * num_rates; ++i)
      answer.gradient.push_back(by_rate[i * phi.num_rows() + l]);
  }
  answer.in_doubt = in_doubt;
  return answer;
}

/// As the kernels are made: those with shared memory know no fronts.
template <int kOrder>
Answer run(const Prc& prc, MatrixView<const double> phi, std::span<const double> reward, bool gradient, Place place,
           unsigned seed) {
  const bool fronts = moment_lane_shape(prc.arrays(), kOrder, gradient).has_fronts;
  return fronts || place == Place::kGlobal ? run_lanes<kOrder, true>(prc, phi, reward, gradient, place, seed)
                                           : run_lanes<kOrder, false>(prc, phi, reward, gradient, place, seed);
}

void expect_close(std::span<const double> got, std::span<const double> wanted, double relative, const char* what) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], wanted[i], relative * std::abs(wanted[i])) << what << " " << i;
}

/// Every placement gives the same bits, in any order of blocks; and the host's numbers.
template <int kOrder>
void compare(const StateGraph& graph, MatrixView<const double> phi, std::span<const double> reward) {
  const Prc prc = eliminate(graph);
  std::vector<double> values(phi.num_rows() * kOrder), gradient(values.size() * phi.num_cols());
  replay_moments(graph, prc, phi, reward, kOrder, values, gradient, 1, GradientRoute::kProducts);
  const Answer first = run<kOrder>(prc, phi, reward, true, Place::kShared, 1);
  // Both add the same positive terms; the compiler may fuse products in one and not in the other.
  expect_close(first.values, values, 1e-12, "value");
  std::size_t num_in_doubt = 0;
  const std::size_t width = kOrder * phi.num_cols();
  for (std::size_t l = 0; l < phi.num_rows(); ++l) {
    ASSERT_LE(first.in_doubt[l], 1);
    num_in_doubt += first.in_doubt[l];
    for (std::size_t i = l * width; first.in_doubt[l] == 0 && i < (l + 1) * width; ++i)
      EXPECT_NEAR(first.gradient[i], gradient[i], 1e-9 * std::abs(gradient[i]));
  }
  EXPECT_LT(num_in_doubt, phi.num_rows() / 2);
  const Answer value = run<kOrder>(prc, phi, reward, false, Place::kShared, 2);
  expect_close(value.values, values, 1e-12, "value alone");
  for (const Place place : {Place::kSharedFactors, Place::kGlobal}) {
    const Answer again = run<kOrder>(prc, phi, reward, true, place, 3);
    EXPECT_EQ(again.values, first.values);
    EXPECT_EQ(again.gradient, first.gradient);
    EXPECT_EQ(again.in_doubt, first.in_doubt);
    EXPECT_EQ(run<kOrder>(prc, phi, reward, false, place, 4).values, value.values);
  }
}

TEST(MomentLane, AgreesWithTheHostOnFamilies) {
  const std::int32_t two_demes[] = {3, 2};
  const Model models[] = {coalescent_blocks(8), structured_coalescent_blocks(two_demes), coxian(5),
                          birth_death(12, 1, false)};
  for (const Model& model : models) {
    std::vector<double> centre(model.rates.num_rates(), 0.7);
    const Matrix<double> phi = scattered(centre, 61, 0.3, 5);
    std::vector<double> reward = model.graph.unit_reward();
    compare<1>(model.graph, phi.view(), reward);
    for (std::size_t s = 0; s < reward.size(); s += 3) reward[s] = 0;
    compare<2>(model.graph, phi.view(), reward);
    compare<4>(model.graph, phi.view(), reward);
  }
}

TEST(MomentLane, AgreesWithTheHostOnFronts) {
  const StateGraph graph = testing::dense_chain(40);
  ASSERT_FALSE(eliminate(graph).arrays().fronts.empty());
  const Matrix<double> phi = scattered(std::vector<double>(3, 0.7), 61, 0.3, 5);
  compare<1>(graph, phi.view(), graph.unit_reward());
  compare<3>(graph, phi.view(), graph.unit_reward());
}

/// Two rates in a row: E[Y] = 1 / a + 1 / b, E[Y^2] = 2 / a^2 + 2 / (a b) + 2 / b^2, and their derivatives.
TEST(MomentLane, KnowsAHypoexponential) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(3);
  const RateTerm a_term{0, 1.0}, b_term{1, 1.0};
  builder.add_edge(0, 1, 0, {&a_term, 1});
  builder.add_edge(1, 2, 0, {&b_term, 1});
  builder.add_initial(0, 1);
  const StateGraph graph = std::move(builder).build();
  const double a = 1.7, b = 0.3;
  Matrix<double> phi(1, 2);
  phi(0, 0) = a;
  phi(0, 1) = b;
  const Answer got = run<2>(eliminate(graph), phi.view(), graph.unit_reward(), true, Place::kShared, 1);
  expect_close(got.values, std::vector<double>{1 / a + 1 / b, 2 / (a * a) + 2 / (a * b) + 2 / (b * b)}, 1e-15, "value");
  expect_close(got.gradient,
               std::vector<double>{-1 / (a * a), -1 / (b * b), -4 / (a * a * a) - 2 / (a * a * b),
                                   -4 / (b * b * b) - 2 / (a * b * b)},
               1e-14, "gradient");
  EXPECT_EQ(got.in_doubt[0], 0);
}

/// On a stiff chain products lose their digits; the lane must say so.
TEST(MomentLane, SaysWhereProductsLoseTheirDigits) {
  const std::int32_t two_demes[] = {3, 2};
  const Model model = structured_coalescent_blocks(two_demes);
  Matrix<double> phi = scattered(std::vector<double>(model.rates.num_rates(), 1.0), 4, 0.3, 5);
  for (std::size_t r = 2; r < phi.num_cols(); ++r) phi(1, r) *= 1e9;
  const Answer got =
      run<1>(eliminate(model.graph), phi.view(), model.graph.unit_reward(), true, Place::kSharedFactors, 1);
  EXPECT_EQ(got.in_doubt, (std::vector<unsigned char>{0, 1, 0, 0}));
}

}  // namespace
}  // namespace sojourn
