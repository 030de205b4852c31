#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "posterior_cases.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using namespace cases;
using testing::HasSubstr;

Evaluation evaluate_likelihood(const DataLikelihood& likelihood, std::size_t num_thetas, std::size_t num_parameters,
                               const std::vector<double>& values) {
  Matrix<double> theta(num_thetas, num_parameters);
  theta.values() = values;
  Evaluation out{std::vector<double>(num_thetas), Matrix<double>(num_thetas, num_parameters), {}};
  likelihood.evaluate(theta.view(), out.value, out.gradient.view(), out.status);
  return out;
}

TEST(DataLikelihood, MatchesTheClosedFormWithoutPriors) {
  const Observations data = times("time,event,lower,upper,entry\n1.2,1,,,\n2,0,,,\n,,1,3,\n2.5,1,,,1\n");
  const Model model = erlang(3);
  const DataLikelihood likelihood(model, data, model.graph.unit_reward());
  // Rates far apart, the last one a thousand times the first: no prior says where to look.
  const std::vector<double> rates{0.05, 1.7, 50};
  const Evaluation got = evaluate_likelihood(likelihood, 3, 1, rates);
  for (std::size_t k = 0; k < rates.size(); ++k) {
    const ValueAndSlope truth =
        complex_step([&](Complex rate) { return erlang_log_likelihood(3, rate, data); }, rates[k]);
    EXPECT_EQ(got.status[k], "");
    // The certified relative accuracy of 1e-9 of each of four terms, and rounding of the sum.
    EXPECT_NEAR(got.value[k], truth.value, 1e-8 * (1 + std::abs(truth.value)));
    EXPECT_NEAR(got.gradient(k, 0), truth.slope, 1e-7 * (1 + std::abs(truth.slope)));
  }
  EXPECT_GT(likelihood.route_counts().contour + likelihood.route_counts().saddlepoint +
                likelihood.route_counts().uniformization + likelihood.route_counts().closed,
            0);
}

TEST(DataLikelihood, OfAModelWithoutParameters) {
  const Model model = make_model(TimeKind::kContinuous, 2, {{0, 1.0}}, {{0, 1, 2, {}}}, {}, RateMap::identity(0));
  const DataLikelihood likelihood(model, times("time\n0.5\n1.5\n"), model.graph.unit_reward());
  std::vector<double> value(1);
  std::vector<std::string> status;
  likelihood.evaluate(Matrix<double>(1, 0).view(), value, {}, status);
  EXPECT_EQ(status, (std::vector<std::string>{""}));
  EXPECT_NEAR(value[0], 2 * std::log(2.0) - 4, 1e-8);
}

TEST(DataLikelihood, JudgesEachThetaAlone) {
  // The weight 2 - x: negative at x = 3, and 1.5 at x = 0.5.
  const Model model =
      make_model(TimeKind::kContinuous, 2, {{0, 1.0}}, {{0, 1, 2, {{0, -1.0}}}}, {{"x"}}, RateMap::identity(1));
  const DataLikelihood likelihood(model, times("time\n2\n"), model.graph.unit_reward());
  const Evaluation got = evaluate_likelihood(likelihood, 2, 1, {3, 0.5});
  EXPECT_TRUE(std::isnan(got.value[0]));
  EXPECT_THAT(got.status[0], HasSubstr("edge 0 -> 1: weight -1"));
  EXPECT_EQ(got.status[1], "");
  EXPECT_NEAR(got.value[1], std::log(1.5) - 3, 1e-8);
}

TEST(DataLikelihood, RefusesDataAndShapesThatDoNotFit) {
  const Model model = erlang(2);
  const std::vector<double> reward = model.graph.unit_reward();
  EXPECT_THROW(DataLikelihood(model, counts("count\n2\n"), reward), ModelError);
  EXPECT_THROW(DataLikelihood(model, times("time\n0\n"), reward), ModelError);
  EXPECT_THROW(DataLikelihood(model, times("time\n1\n"), std::vector<double>{1}), ShapeError);
  const DataLikelihood likelihood(model, times("time\n1\n"), reward);
  EXPECT_THROW((void)evaluate_likelihood(likelihood, 1, 2, {1, 2}), ShapeError);
}

}  // namespace
}  // namespace sojourn
