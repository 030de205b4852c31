// Moments by the bodies that device kernels run, through the evaluator, against the CPU's own way and closed forms.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "host/evaluation/host_loop_moments.hpp"
#include "sojourn/error.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;
using testing::HostLoopMoments;

Matrix<double> scattered(std::size_t count, std::size_t num_parameters) {
  Matrix<double> theta(count, num_parameters);
  std::mt19937 random(5);
  std::lognormal_distribution<double> factor(0, 0.3);
  for (double& value : theta.values()) value = 0.8 * factor(random);
  return theta;
}

TEST(MomentsOnDevice, AgreeWithTheCpu) {
  const std::int32_t two_demes[] = {3, 2};
  for (const Model& model : {structured_coalescent_blocks(two_demes), coalescent_blocks(9), coxian(4)}) {
    const Evaluator cpu(model);
    Evaluator device(model);
    device.use_device(testing::suite_moments());
    const Matrix<double> theta = scattered(41, model.parameters.size());
    for (const int order : {1, 2, 4})
      for (const bool gradient : {false, true}) {
        const Quantity wanted = cpu.moments(theta.view(), model.graph.unit_reward(), order, gradient);
        const Quantity got = device.moments(theta.view(), model.graph.unit_reward(), order, gradient);
        EXPECT_EQ(got.status, wanted.status);
        ASSERT_EQ(got.gradient.size(), wanted.gradient.size());
        for (std::size_t i = 0; i < wanted.values.size(); ++i)
          EXPECT_NEAR(got.values.values()[i], wanted.values.values()[i], 1e-12 * wanted.values.values()[i]);
        // Products against differences: what cancels in a derivative is some ten times the moment over its parameter,
        // so that small ones have no more digits than that has.
        const std::size_t width = model.parameters.size();
        for (std::size_t i = 0; i < wanted.gradient.size(); ++i) {
          const double parameter = theta(i / width / static_cast<std::size_t>(order), i % width);
          const double cancels = 10 * order * wanted.values.values()[i / width] / parameter;
          EXPECT_NEAR(got.gradient[i], wanted.gradient[i], 1e-12 * (std::abs(wanted.gradient[i]) + cancels));
        }
      }
    const MomentReport report = device.moment_report();
    EXPECT_EQ(report.name, testing::suite_name());
    EXPECT_EQ(report.num_served + report.num_in_doubt, 6 * 41);
    EXPECT_LT(report.num_in_doubt, 41);
    EXPECT_EQ(report.num_not_finite, 0);
  }
}

/// Mean k / rate, E[Y^2] = k (k + 1) / rate^2.
TEST(MomentsOnDevice, KnowAnErlang) {
  const Model model = erlang(3);
  Evaluator device(model);
  device.use_device(testing::suite_moments());
  Matrix<double> theta(2, 1);
  theta.values() = {0.5, 4};
  const Quantity got = device.moments(theta.view(), model.graph.unit_reward(), 2, true);
  for (std::size_t k = 0; k < 2; ++k) {
    const double rate = theta(k, 0);
    EXPECT_NEAR(got.values(k, 0), 3 / rate, 1e-14 / rate);
    EXPECT_NEAR(got.values(k, 1), 12 / rate / rate, 1e-13 / rate / rate);
    EXPECT_NEAR(got.gradient[2 * k], -3 / rate / rate, 1e-12 / rate / rate);
    EXPECT_NEAR(got.gradient[2 * k + 1], -24 / std::pow(rate, 3), 1e-12 / std::pow(rate, 3));
  }
}

/// Stiff rates leave products too few digits, and powers of tiny rates leave the range of doubles: the CPU's bits.
TEST(MomentsOnDevice, LeaveToTheCpuWhatTheyCannotAnswer) {
  const std::int32_t two_demes[] = {3, 2};
  const Model model = structured_coalescent_blocks(two_demes);
  const Evaluator cpu(model);
  Evaluator device(model);
  device.use_device(testing::suite_moments());
  Matrix<double> theta = scattered(4, model.parameters.size());
  for (std::size_t p = 2; p < theta.num_cols(); ++p) theta(1, p) *= 1e9;
  for (std::size_t p = 0; p < theta.num_cols(); ++p) theta(2, p) = 1e-160;
  const Quantity wanted = cpu.moments(theta.view(), model.graph.unit_reward(), 2, true);
  const Quantity got = device.moments(theta.view(), model.graph.unit_reward(), 2, true);
  EXPECT_EQ(got.status, wanted.status);
  const std::size_t width = 2 * theta.num_cols();
  EXPECT_EQ(got.values(1, 1), wanted.values(1, 1));
  for (std::size_t i = width; i < 2 * width; ++i) EXPECT_EQ(got.gradient[i], wanted.gradient[i]) << i;
  EXPECT_EQ(got.values(2, 0), wanted.values(2, 0));
  const MomentReport report = device.moment_report();
  EXPECT_EQ(report.num_served, 2);
  EXPECT_EQ(report.num_in_doubt, 1);
  EXPECT_EQ(report.num_not_finite, 1);
}

TEST(MomentsOnDevice, SayWhatTheyDoNotTake) {
  const auto reason = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const DeviceError& error) {
      return error.what();
    }
    return "";
  };
  const auto device = std::make_shared<HostLoopMoments>();
  Evaluator multi(erlang(2), {.precision = Precision::kMulti});
  EXPECT_THAT(reason([&] { multi.use_device(device); }), HasSubstr("double and single precision alone"));
  Evaluator evaluator(erlang(2));
  evaluator.use_device(device);
  const Matrix<double> theta(1, 1, 1.0);
  Evaluator single(erlang(2), {.precision = Precision::kSingle});
  single.use_device(device);
  EXPECT_THAT(reason([&] { (void)single.moments(theta.view(), single.model().graph.unit_reward(), 3, false); }),
              HasSubstr("orders up to 2"));
  EXPECT_THAT(reason([&] { (void)single.moments(theta.view(), single.model().graph.unit_reward(), 1, true); }),
              HasSubstr("gradients of moments are not"));
  EXPECT_THAT(reason([&] { (void)evaluator.moments(theta.view(), evaluator.model().graph.unit_reward(), 5, false); }),
              HasSubstr("orders up to 4"));
  StateGraphBuilder builder(TimeKind::kDiscrete, 1);
  builder.ensure_states(2);
  const RateTerm stop{0, 1.0};
  builder.add_edge(0, 1, 0, {&stop, 1});
  builder.add_initial(0, 1);
  Model geometric = erlang(1);
  geometric.graph = std::move(builder).build();
  Evaluator discrete(std::move(geometric));
  EXPECT_THAT(reason([&] { discrete.use_device(device); }), HasSubstr("discrete time"));
}

TEST(MomentsOnDevice, AWrongDeviceEndsTheCallAtOnce) {
  const auto device = std::make_shared<HostLoopMoments>();
  device->factor = 1 + 1e-8;
  Evaluator evaluator(erlang(2));
  evaluator.use_device(device);
  const Matrix<double> theta(1, 1, 1.0);
  EXPECT_THROW((void)evaluator.moments(theta.view(), evaluator.model().graph.unit_reward(), 1, false), DeviceError);
  // In single precision its bounds are what is allowed: 1e-8 is nothing, 1e-4 is.
  Evaluator single(erlang(2), {.precision = Precision::kSingle});
  single.use_device(device);
  EXPECT_NO_THROW((void)single.moments(theta.view(), single.model().graph.unit_reward(), 1, false));
  device->factor = 1 + 1e-4;
  Evaluator spoilt(erlang(2), {.precision = Precision::kSingle});
  spoilt.use_device(device);
  EXPECT_THROW((void)spoilt.moments(theta.view(), spoilt.model().graph.unit_reward(), 1, false), DeviceError);
}

/// What the CPU computes in double is the truth here, and a bound of 1e-3 would hide a wrong term: chains of few
/// roundings are held to their bounds of 1e-5.
TEST(MomentsOnDevice, SinglePrecisionKeepsItsBounds) {
  const std::int32_t two_demes[] = {3, 2};
  for (const Model& model : {structured_coalescent_blocks(two_demes), coalescent_blocks(9), coxian(4), erlang(3)}) {
    const Evaluator cpu(model);
    Evaluator device(model, {.precision = Precision::kSingle});
    device.use_device(testing::suite_moments());
    const Matrix<double> theta = scattered(41, model.parameters.size());
    for (const int order : {1, 2}) {
      const Quantity wanted = cpu.moments(theta.view(), model.graph.unit_reward(), order, false);
      const Quantity got = device.moments(theta.view(), model.graph.unit_reward(), order, false);
      EXPECT_EQ(got.precision, std::vector<Precision>(41, Precision::kSingle));
      EXPECT_EQ(got.status, wanted.status);
      ASSERT_EQ(got.error_bound.size(), wanted.values.size());
      double worst = 0;
      for (std::size_t i = 0; i < wanted.values.size(); ++i) {
        const double exact = wanted.values.values()[i], bound = got.error_bound.values()[i];
        EXPECT_LE(bound, 2e-4);
        EXPECT_NEAR(got.values.values()[i], exact, bound * exact);
        worst = std::max(worst, std::abs(got.values.values()[i] / exact - 1));
      }
      EXPECT_LT(worst, 2e-6) << model.name;
      EXPECT_GT(worst, 1e-9) << "answered in single precision";
    }
    EXPECT_EQ(device.moment_report().num_served, 2 * 41);
    EXPECT_EQ(device.moment_report().num_single, 2 * 41);
  }
}

/// Rates and means beyond its range, and squares of means that are: answered in double on the device, with its bits.
TEST(MomentsOnDevice, WhatLeavesTheRangeOfSinglePrecisionIsAnsweredInDouble) {
  const Model model = erlang(3);
  const std::vector<double> scales{1, 1e39, 1e-39, 1e-30, 1e30, 1e-200};
  const MatrixView<const double> theta(scales.data(), scales.size(), 1);
  for (const int order : {1, 2}) {
    Evaluator double_there(model), single(model, {.precision = Precision::kSingle});
    double_there.use_device(testing::suite_moments());
    single.use_device(testing::suite_moments());
    const Quantity wanted = double_there.moments(theta, model.graph.unit_reward(), order, false);
    const Quantity got = single.moments(theta, model.graph.unit_reward(), order, false);
    for (std::size_t k = 0; k < scales.size(); ++k) {
      const bool stays = k == 0 || (order == 1 && (k == 3 || k == 4));
      EXPECT_EQ(got.precision[k], stays ? Precision::kSingle : Precision::kDouble) << scales[k] << " " << order;
      for (int j = 0; j < order; ++j) {
        if (stays) {
          EXPECT_NEAR(got.values(k, j), wanted.values(k, j), got.error_bound(k, j) * wanted.values(k, j));
        } else {
          EXPECT_EQ(got.values(k, j), wanted.values(k, j)) << scales[k];
          EXPECT_LT(got.error_bound(k, j), 1e-13);
        }
      }
    }
    EXPECT_EQ(single.moment_report().num_single, order == 1 ? 3 : 1);
    EXPECT_EQ(single.moment_report().num_served + single.moment_report().num_not_finite, 6);
  }
}

}  // namespace
}  // namespace sojourn
