#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "common/svgd_tile.hpp"
#include "host/sampler/calibration.hpp"
#include "sampler/kernel_sum.hpp"
#include "sampler/svgd_run.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using testing::Calibrated;

TEST(SvgdCalibration, QuadratureOfTheTestsMatchesClosedForms) {
  const auto gammas = testing::sheared_log_gammas();
  std::vector<double> mean, sd;
  testing::integrate_marginals(gammas, {-14, -10, -6}, {4, 5, 6}, 110, mean, sd);
  EXPECT_NEAR(mean[0], testing::digamma(2) - std::log(2), 1e-6);
  EXPECT_NEAR(sd[0], std::sqrt(testing::trigamma(2)), 1e-6);
  EXPECT_NEAR(sd[1], std::sqrt(testing::trigamma(5) + 0.25 * testing::trigamma(2)), 1e-6);
}

TEST(SvgdCalibration, DefaultsMeetTheBarOnEveryPosterior) {
  for (const Calibrated& truth : testing::calibration_cases()) {
    const SvgdResult result = svgd(truth.target, SvgdOptions{});
    const auto error = testing::calibration_error(truth, result.particles.view());
    EXPECT_TRUE(error.passes()) << truth.name << ": mean off by " << error.mean << " sd, sd by " << error.sd;
    for (const Diagnostic& diagnostic : result.diagnostics)
      EXPECT_EQ(diagnostic.verdict, "PASS") << truth.name << " " << diagnostic.name << " " << diagnostic.value;
  }
}

TEST(SvgdCalibration, OtherKernelsAndStartsMeetTheBar) {
  for (const Calibrated& truth : {testing::log_gamma_case(3, 2), testing::gaussian_case(3)}) {
    SvgdOptions rbf;
    rbf.kernel = Kernel::kRbf;
    EXPECT_TRUE(testing::calibration_error(truth, svgd(truth.target, rbf).particles.view()).passes()) << truth.name;
    SvgdOptions prior;
    prior.start = StartKind::kPrior;
    EXPECT_TRUE(testing::calibration_error(truth, svgd(truth.target, prior).particles.view()).passes()) << truth.name;
  }
}

TEST(SvgdCalibration, SpreadHoldsInTenDimensions) {
  const Calibrated truth = testing::gaussian_case(10);
  const auto error = testing::calibration_error(truth, svgd(truth.target, SvgdOptions{}).particles.view());
  EXPECT_LT(error.sd, 0.02);
  EXPECT_LT(error.mean, 0.02);
}

TEST(SvgdCalibration, WidePriorStartReachesANarrowPosterior) {
  // Prior sd 2, posterior sd 0.18, scores up to 1e4 at the start.
  const Calibrated truth = testing::log_gamma_case(30, 2);
  SvgdOptions options;
  options.start = StartKind::kPrior;
  EXPECT_TRUE(testing::calibration_error(truth, svgd(truth.target, options).particles.view()).passes());
}

TEST(SvgdCalibration, CovarianceOfACorrelatedGaussian) {
  const auto target = testing::sheared_gaussian(2, 2.0, {1.0, 0.1});  // covariance [[1, .2], [.2, .05]]
  const SvgdResult result = svgd(target, SvgdOptions{});
  const Matrix<double> covariance =
      particle_covariance(result.particles.view(), particle_mean(result.particles.view()));
  EXPECT_NEAR(covariance(0, 0), 1, 0.05);
  EXPECT_NEAR(covariance(0, 1), 0.2, 0.01);
  EXPECT_NEAR(covariance(1, 1), 0.05, 0.0025);
  EXPECT_NEAR(result.map[0], 0, 1e-6);
  EXPECT_NEAR(result.laplace_covariance(0, 1), 0.2, 1e-8);
}

/// Type 7 quantile.
double quantile(std::vector<double> values, double p) {
  std::ranges::sort(values);
  const double position = p * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const double part = position - static_cast<double>(below);
  return values[below] + part * (values[std::min(below + 1, values.size() - 1)] - values[below]);
}

TEST(SvgdCalibration, NinetyPercentIntervalsCoverTheTruth) {
  // theta ~ gamma(3, 2), 10 exponential waiting times, posterior gamma(13, 2 + sum) seen on the log scale. Exact
  // intervals cover a binomial(200, 0.9) number of truths: mean 180, sd 4.2; 168..190 holds with probability 0.994.
  int covered = 0;
  for (std::uint64_t set = 0; set < 200; ++set) {
    PhiloxStream stream(2024, 3, set);
    double theta = 0, sum = 0;
    for (int k = 0; k < 3; ++k) theta += stream.next_exponential() / 2;
    for (int k = 0; k < 10; ++k) sum += stream.next_exponential() / theta;
    SvgdOptions options;
    options.seed = set;
    options.num_threads = 1;
    const SvgdResult result = svgd(testing::log_gamma(13, 2 + sum), options);
    const double lower = quantile(result.particles.values(), 0.05), upper = quantile(result.particles.values(), 0.95);
    covered += lower <= std::log(theta) && std::log(theta) <= upper ? 1 : 0;
  }
  RecordProperty("covered", covered);
  EXPECT_GE(covered, 168);
  EXPECT_LE(covered, 190);
}

/// Mutants of the pair arithmetic: each is a plausible slip.
struct AttractingKernel {
  static PairTerms<double> pair(double squared, double inverse_h2) {
    const PairTerms right = ImqKernel::pair(squared, inverse_h2);
    return {right.value, -right.slope};
  }
};
struct NoRepulsionKernel {
  static PairTerms<double> pair(double squared, double inverse_h2) {
    return {ImqKernel::pair(squared, inverse_h2).value, 0};
  }
};
/// 1/n left out of the attraction.
struct SummedAttractionKernel {
  static PairTerms<double> pair(double squared, double inverse_h2) {
    const PairTerms right = ImqKernel::pair(squared, inverse_h2);
    return {200 * right.value, right.slope};
  }
};
/// The factor 1/h^2 left out of the gradient.
struct WrongSlopeKernel {
  static PairTerms<double> pair(double squared, double inverse_h2) {
    const PairTerms right = ImqKernel::pair(squared, inverse_h2);
    return {right.value, right.slope / inverse_h2};
  }
};

template <class PairKernel>
void direction_of(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, ParticleBlock& phi) {
  std::vector<double> row(static_cast<std::size_t>(u.dim)), sum(row.size());
  for (std::int64_t i = 0; i < u.count; ++i) {
    for (std::int32_t c = 0; c < u.dim; ++c) {
      row[c] = u.at(i, c);
      sum[c] = 0;
    }
    accumulate_tile<PairKernel, 1>(u.dim, row.data(), u.values.data(), s.values.data(), u.stride,
                                   static_cast<int>(u.count), inverse_h2, sum.data());
    for (std::int32_t c = 0; c < u.dim; ++c) phi.at(i, c) = sum[c] / static_cast<double>(u.count);
  }
}

/// The suite's calibration check for one direction, on a skewed and on a correlated posterior.
bool passes_calibration(const DirectionFunction& direction) {
  // Without the linear kernel, whose exact moments would hide some of the slips.
  SvgdOptions options;
  options.linear_weight = 0;
  for (const Calibrated& truth : {testing::log_gamma_case(3, 2), testing::gaussian_case(2)}) {
    try {
      const SvgdResult result = run_svgd(truth.target, options, {}, direction);
      if (!testing::calibration_error(truth, result.particles.view()).passes()) return false;
    } catch (const NumericalError&) {
      return false;
    }
  }
  return true;
}

TEST(SvgdMutation, CalibrationPassesTheRightDirectionAndFailsEachMutant) {
  EXPECT_TRUE(passes_calibration(direction_of<ImqKernel>));
  EXPECT_FALSE(passes_calibration(direction_of<AttractingKernel>)) << "repulsion of the wrong sign";
  EXPECT_FALSE(passes_calibration(direction_of<NoRepulsionKernel>)) << "no repulsion";
  EXPECT_FALSE(passes_calibration(direction_of<SummedAttractionKernel>)) << "attraction without 1/n";
  EXPECT_FALSE(passes_calibration(direction_of<WrongSlopeKernel>)) << "gradient without 1/h^2";
  EXPECT_FALSE(passes_calibration([](const ParticleBlock& u, const ParticleBlock& s, double inverse_h2,
                                     ParticleBlock& phi) {
    ParticleBlock descending = s;
    for (double& value : descending.values) value = -value;
    direction_of<ImqKernel>(u, descending, inverse_h2, phi);
  })) << "scores of the wrong sign";
}

/// A target with the score of another coordinate system: what forgetting the Jacobian or the whitening does.
TEST(SvgdMutation, WrongTransformsFail) {
  const Calibrated truth = testing::log_gamma_case(3, 2);
  const testing::AnalyticTarget no_jacobian(1, [](std::span<const double> z, std::span<double> score) {
    score[0] = 2 - 2 * std::exp(z[0]);
    return 2 * z[0] - 2 * std::exp(z[0]);
  });
  EXPECT_FALSE(testing::calibration_error(truth, svgd(no_jacobian, SvgdOptions{}).particles.view()).passes());
  // Scores left in x while particles are in u: scaled by 1/sd of this posterior.
  const auto unwhitened = [&](const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, ParticleBlock& phi) {
    ParticleBlock wrong = s;
    for (double& value : wrong.values) value /= truth.sd[0];
    direction_of<ImqKernel>(u, wrong, inverse_h2, phi);
  };
  SvgdOptions options;
  options.linear_weight = 0;
  EXPECT_FALSE(
      testing::calibration_error(truth, run_svgd(truth.target, options, {}, unwhitened).particles.view()).passes());
}

}  // namespace
}  // namespace sojourn
