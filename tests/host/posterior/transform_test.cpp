#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <limits>

#include "sojourn/error.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
using Complex = std::complex<long double>;

struct Case {
  double lower, upper;
  Transform::Kind kind;
};
const Case kCases[] = {{-kInfinity, kInfinity, Transform::Kind::kIdentity},
                       {0, kInfinity, Transform::Kind::kLog},
                       {-3.5, kInfinity, Transform::Kind::kLog},
                       {-kInfinity, 2, Transform::Kind::kLogBelow},
                       {0, 1, Transform::Kind::kLogit},
                       {-2, 5, Transform::Kind::kLogit},
                       {0, 1e-8, Transform::Kind::kLogit}};

/// The map written down again for complex z.
Complex natural(const Case& c, Complex z) {
  const long double lower = c.lower, upper = c.upper;
  switch (c.kind) {
    case Transform::Kind::kIdentity:
      return z;
    case Transform::Kind::kLog:
      return lower + std::exp(z);
    case Transform::Kind::kLogBelow:
      return upper - std::exp(-z);
    case Transform::Kind::kLogit:
      return lower + (upper - lower) / (1.0L + std::exp(-z));
  }
  return z;
}

TEST(Transform, KindFollowsTheSupport) {
  for (const Case& c : kCases) EXPECT_EQ(Transform::for_support(c.lower, c.upper).kind(), c.kind);
  EXPECT_THROW(Transform::for_support(1, 1), ModelError);
  EXPECT_THROW(Transform::for_support(2, 1), ModelError);
  EXPECT_THROW(Transform::for_support(0, NAN), ModelError);
  EXPECT_EQ(Transform::for_support(0, kInfinity).describe(), "log(theta)");
  EXPECT_EQ(Transform::for_support(0, 1).describe(), "logit(theta)");
  EXPECT_EQ(Transform::for_support(-2, 5).describe(), "logit((theta + 2) / 7)");
}

TEST(Transform, DerivativesMatchTheComplexStep) {
  for (const Case& c : kCases) {
    const Transform transform = Transform::for_support(c.lower, c.upper);
    for (const double z : {-30.0, -4.0, -0.3, 0.0, 1.1, 6.0, 25.0}) {
      SCOPED_TRACE(transform.describe() + " at " + std::to_string(z));
      // The complex step has no subtraction: the derivative is right to the rounding of long double.
      const long double h = 1e-30L;
      const auto derivative = static_cast<double>(natural(c, Complex(z, h)).imag() / h);
      EXPECT_NEAR(transform.derivative(z) / derivative, 1, 1e-14);
      EXPECT_NEAR(transform.log_jacobian(z), std::log(derivative), 1e-14 * (1 + std::abs(std::log(derivative))));
      // d/dz log theta' by a long double central difference of the exact first derivative: step 1e-5, error 1e-10.
      const long double step = 1e-5L;
      const long double above = natural(c, Complex(z + step, h)).imag() / h;
      const long double below = natural(c, Complex(z - step, h)).imag() / h;
      const auto second = static_cast<double>((std::log(above) - std::log(below)) / (2 * step));
      EXPECT_NEAR(transform.log_jacobian_derivative(z), second, 1e-9);
    }
  }
}

TEST(Transform, RoundTrips) {
  for (const Case& c : kCases) {
    const Transform transform = Transform::for_support(c.lower, c.upper);
    for (const double z : {-12.0, -1.0, 0.0, 0.5, 3.0, 12.0}) {
      const double theta = transform.to_natural(z);
      EXPECT_GT(theta, c.lower);
      EXPECT_LT(theta, c.upper);
      // theta rounds to 1e-16 of its own size, which is exp(12) times its distance to the end at worst.
      EXPECT_NEAR(transform.to_unconstrained(theta), z, 1e-9) << transform.describe();
    }
    EXPECT_THROW((void)transform.to_unconstrained(NAN), UsageError);
  }
  EXPECT_THROW((void)Transform::for_support(0, kInfinity).to_unconstrained(0), UsageError);
  EXPECT_THROW((void)Transform::for_support(0, 1).to_unconstrained(1), UsageError);
}

TEST(Transform, StaysInsideAndFiniteAtSevenHundred) {
  for (const Case& c : kCases) {
    const Transform transform = Transform::for_support(c.lower, c.upper);
    for (const double z : {-700.0, 700.0}) {
      SCOPED_TRACE(transform.describe() + " at " + std::to_string(z));
      EXPECT_GT(transform.to_natural(z), c.lower);
      EXPECT_LT(transform.to_natural(z), c.upper);
      EXPECT_TRUE(std::isfinite(transform.to_natural(z)));
      EXPECT_TRUE(std::isfinite(transform.log_jacobian(z)));
      EXPECT_TRUE(std::isfinite(transform.log_jacobian_derivative(z)));
      EXPECT_TRUE(std::isfinite(transform.derivative(z)));
      EXPECT_GT(transform.derivative(z), 0);
    }
  }
}

}  // namespace
}  // namespace sojourn
