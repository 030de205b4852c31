#include <gtest/gtest.h>

#include "host/result/calibration_cases.hpp"
#include "host/sampler/analytic_targets.hpp"
#include "sojourn/result.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

using namespace calibration;

/// Points per axis: at 7 sds in 29 intervals the trapezoid rule is exact to 1e-9 for normals, better than 1e-4 here.
int points_for(std::size_t dimension) { return dimension == 1 ? 201 : dimension == 2 ? 45 : 33; }

Quadrature true_posterior(const Case& it) {
  return integrate(it.log_density, it.lower, it.upper, points_for(it.lower.size()));
}

/// Coordinates of z.
std::vector<Scalar> on_the_line(std::size_t dimension) {
  std::vector<Scalar> scalars;
  for (std::size_t c = 0; c < dimension; ++c) scalars.emplace_back([c](std::span<const double> z) { return z[c]; });
  return scalars;
}

/// Free parameters on the natural scale.
std::vector<Scalar> natural(const Posterior& posterior) {
  std::vector<Scalar> scalars;
  for (std::size_t c = 0; c < posterior.free().size(); ++c) {
    const Transform transform = posterior.free()[c].transform;
    scalars.emplace_back([c, transform](std::span<const double> z) { return transform.to_natural(z[c]); });
  }
  return scalars;
}

struct Errors {
  double mean = 0, sd = 0;  ///< worst error of a mean in true sds, of an sd as |ratio - 1|
  /// The bar on the unconstrained scale: means within 0.05 sd, sds within 5 %.
  [[nodiscard]] bool passes() const { return mean < 0.05 && sd < 0.05; }
  /// The bar of the summary. The sd of exp(z) hangs on the upper tail, which 200 particles thin out where the posterior
  /// bends: measured 8.0 % for the Coxian law (800 particles: 4.6 %), 0.2 % for one parameter.
  [[nodiscard]] bool passes_natural() const { return mean < 0.05 && sd < 0.1; }
};

Errors errors_of(const Moments& truth, const Moments& got) {
  Errors errors;
  for (std::size_t c = 0; c < truth.mean.size(); ++c) {
    const double mean = std::abs(got.mean[c] - truth.mean[c]) / truth.sd[c];
    const double sd = std::abs(got.sd[c] / truth.sd[c] - 1);
    // Written so that a NaN counts as the worst.
    if (!(mean <= errors.mean)) errors.mean = std::isnan(mean) ? HUGE_VAL : mean;
    if (!(sd <= errors.sd)) errors.sd = std::isnan(sd) ? HUGE_VAL : sd;
  }
  return errors;
}

Moments moments_of(MatrixView<const double> particles) {
  Moments out;
  const auto n = static_cast<double>(particles.num_rows());
  for (std::size_t c = 0; c < particles.num_cols(); ++c) {
    double mean = 0, square = 0;
    for (std::size_t i = 0; i < particles.num_rows(); ++i) mean += particles(i, c) / n;
    for (std::size_t i = 0; i < particles.num_rows(); ++i)
      square += (particles(i, c) - mean) * (particles(i, c) - mean);
    out.mean.push_back(mean);
    out.sd.push_back(std::sqrt(square / (n - 1)));
  }
  return out;
}

Moments moments_of(const std::vector<ParameterSummary>& summary) {
  Moments out;
  for (const ParameterSummary& parameter : summary) {
    out.mean.push_back(parameter.mean);
    out.sd.push_back(parameter.sd);
  }
  return out;
}

std::string describe(const Errors& errors) {
  return fmt::format("mean off by {:.4f} sd, sd by {:.2f} %", errors.mean, 100 * errors.sd);
}

/// The defaults of the library.
SvgdResult run(const Target& target) { return svgd(target, SvgdOptions{}); }

void expect_calibrated(const Case& it) {
  const Quadrature truth = true_posterior(it);
  const SvgdResult result = run(it.posterior);
  const Errors line = errors_of(truth.moments(on_the_line(it.lower.size())), moments_of(result.particles.view()));
  EXPECT_TRUE(line.passes()) << it.name << " on the unconstrained scale: " << describe(line);
  const Errors summary = errors_of(truth.moments(natural(it.posterior)), moments_of(summarize(it.posterior, result)));
  EXPECT_TRUE(summary.passes_natural()) << it.name << " in the summary: " << describe(summary);
  ::testing::Test::RecordProperty("unconstrained", describe(line));
  ::testing::Test::RecordProperty("summary", describe(summary));
}

TEST(CalibrationTruth, QuadratureMatchesTheConjugatePosterior) {
  Conjugate exact{};
  const Case it = discrete_case(&exact);
  const Quadrature truth = true_posterior(it);
  const Moments line = truth.moments(on_the_line(1));
  // The density at the ends, 7 sds away, bounds the error. logit of beta(a, b): mean psi(a) - psi(b), variance psi'(a)
  // + psi'(b).
  EXPECT_NEAR(line.mean[0], testing::digamma(exact.a) - testing::digamma(exact.b), 1e-9);
  EXPECT_NEAR(line.sd[0], std::sqrt(testing::trigamma(exact.a) + testing::trigamma(exact.b)), 1e-9);
  const double total = exact.a + exact.b;
  const Moments share = truth.moments(natural(it.posterior));
  EXPECT_NEAR(share.mean[0], exact.a / total, 1e-9);
  EXPECT_NEAR(share.sd[0], std::sqrt(exact.a * exact.b / (total + 1)) / total, 1e-9);
}

TEST(CalibrationTruth, MorePointsDoNotMoveIt) {
  for (const Case& it : {coxian_case(), two_deme_case(), hyperexponential_case()}) {
    const std::size_t dim = it.lower.size();
    const Moments one = true_posterior(it).moments(on_the_line(dim));
    const Moments more = integrate(it.log_density, it.lower, it.upper, points_for(dim) + 12).moments(on_the_line(dim));
    const Errors shift = errors_of(more, one);
    EXPECT_LT(shift.mean, 1e-3) << it.name;
    EXPECT_LT(shift.sd, 1e-3) << it.name;
  }
}

TEST(Calibration, Coalescent) { expect_calibrated(coalescent_case()); }
TEST(Calibration, CensoredErlang) { expect_calibrated(censored_erlang_case()); }
TEST(Calibration, CoxianOfThreeParameters) { expect_calibrated(coxian_case()); }
TEST(Calibration, Hyperexponential) { expect_calibrated(hyperexponential_case()); }
TEST(Calibration, TwoDemesWithOneParameterFixed) { expect_calibrated(two_deme_case()); }
TEST(Calibration, DiscreteCounts) { expect_calibrated(discrete_case()); }
TEST(Calibration, DerivedRate) { expect_calibrated(derived_case()); }

/// A posterior with its Jacobian and its prior counted another number of times than once, in density and score.
class Miscounted final : public Target {
 public:
  Miscounted(const Posterior& posterior, double num_jacobians, double num_priors)
      : posterior_(posterior), extra_jacobians_(num_jacobians - 1), extra_priors_(num_priors - 1) {}
  [[nodiscard]] std::int32_t dimension() const override { return posterior_.dimension(); }
  void evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                std::vector<std::string>& status) const override {
    posterior_.evaluate(z, log_density, score, status);
    for (std::size_t i = 0; i < z.num_rows(); ++i) {
      log_density[i] += extra(z.row(i));
      if (score.empty()) continue;
      for (std::size_t c = 0; c < z.num_cols(); ++c) {
        const Posterior::Free& free = posterior_.free()[c];
        const double theta = free.transform.to_natural(z(i, c));
        score(i, c) += extra_jacobians_ * free.transform.log_jacobian_derivative(z(i, c)) +
                       extra_priors_ * free.prior.score(theta) * free.transform.derivative(z(i, c));
      }
    }
  }
  void sample_prior(std::uint64_t seed, MatrixView<double> z) const override { posterior_.sample_prior(seed, z); }
  /// What the miscount adds to the log density.
  [[nodiscard]] double extra(std::span<const double> z) const {
    double sum = 0;
    for (std::size_t c = 0; c < z.size(); ++c) {
      const Posterior::Free& free = posterior_.free()[c];
      sum += extra_jacobians_ * free.transform.log_jacobian(z[c]) +
             extra_priors_ * free.prior.log_density(free.transform.to_natural(z[c]));
    }
    return sum;
  }

 private:
  const Posterior& posterior_;
  double extra_jacobians_, extra_priors_;
};

/// The miscounted target is sampled well, yet fails against the true posterior: what fails is the slip, not the run.
void expect_caught(const Case& it, double num_jacobians, double num_priors) {
  const Miscounted wrong(it.posterior, num_jacobians, num_priors);
  const SvgdResult result = run(wrong);
  const std::vector<Scalar> line = on_the_line(it.lower.size());
  const Moments got = moments_of(result.particles.view());
  const Errors against_truth = errors_of(true_posterior(it).moments(line), got);
  EXPECT_FALSE(against_truth.passes()) << it.name << ": " << describe(against_truth);
  const Quadrature own = integrate([&](std::span<const double> z) { return it.log_density(z) + wrong.extra(z); },
                                   it.lower, it.upper, points_for(it.lower.size()));
  const Errors against_itself = errors_of(own.moments(line), got);
  EXPECT_TRUE(against_itself.passes()) << it.name << ": " << describe(against_itself);
  ::testing::Test::RecordProperty(it.name, describe(against_truth));
}

TEST(CalibrationMutation, JacobianDropped) {
  for (const Case& it : {coalescent_case(), discrete_case()}) expect_caught(it, 0, 1);
}
TEST(CalibrationMutation, JacobianTwice) { expect_caught(coalescent_case(), 2, 1); }
TEST(CalibrationMutation, PriorForgotten) { expect_caught(derived_case(), 1, 0); }
TEST(CalibrationMutation, PriorTwice) { expect_caught(derived_case(), 1, 2); }

TEST(CalibrationMutation, CensoringForgotten) {
  const Case truth = censored_erlang_case();
  const Case wrong = censored_erlang_case(/*censoring_forgotten=*/true);
  const Moments got = moments_of(run(wrong.posterior).particles.view());
  EXPECT_FALSE(errors_of(true_posterior(truth).moments(on_the_line(1)), got).passes());
}

}  // namespace
}  // namespace sojourn
