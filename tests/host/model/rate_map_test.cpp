#include "sojourn/rate_map.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "model/expression_program.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> kNames{"a", "b", "c"};

std::string fault_of(const std::vector<std::string>& rates, const std::vector<std::string>& expressions) {
  try {
    (void)RateMap::derived(kNames, rates, expressions);
    return "none";
  } catch (const ModelError& error) {
    return error.what();
  }
}

TEST(RateMap, IdentityPassesThrough) {
  const RateMap map = RateMap::identity(2);
  EXPECT_TRUE(map.is_identity());
  const std::vector<double> theta{1.5, -2};
  std::vector<double> phi(2), gradient(2);
  map.evaluate(theta, phi);
  EXPECT_EQ(phi, theta);
  Matrix<double> jacobian(2, 2, 7.0);
  map.jacobian(theta, jacobian.view());
  EXPECT_EQ(jacobian.values(), (std::vector<double>{1, 0, 0, 1}));
  map.pull_back(theta, std::vector<double>{3, 4}, gradient);
  EXPECT_EQ(gradient, (std::vector<double>{3, 4}));
  EXPECT_TRUE(map.depends(1, 1));
  EXPECT_FALSE(map.depends(1, 0));
}

TEST(RateMap, TheContractsExampleMatchesItsClosedForm) {
  const RateMap map = RateMap::derived({"a", "b"}, {"coal", "mig"}, {"1 / (2*a)", "b / a"});
  const double a = 1.7, b = 0.3;
  const std::vector<double> theta{a, b};
  std::vector<double> phi(2);
  map.evaluate(theta, phi);
  EXPECT_DOUBLE_EQ(phi[0], 1 / (2 * a));
  EXPECT_DOUBLE_EQ(phi[1], b / a);
  Matrix<double> jacobian(2, 2);
  map.jacobian(theta, jacobian.view());
  EXPECT_DOUBLE_EQ(jacobian(0, 0), -1 / (2 * a * a));
  EXPECT_EQ(jacobian(0, 1), 0);
  EXPECT_DOUBLE_EQ(jacobian(1, 0), -b / (a * a));
  EXPECT_DOUBLE_EQ(jacobian(1, 1), 1 / a);
  EXPECT_FALSE(map.depends(0, 1));
  EXPECT_TRUE(map.depends(1, 0));
}

/// d output / d theta_p by a complex step (Squire, Trapp 1998): no difference is taken, so it is exact to rounding.
double complex_step(const std::string& text, std::vector<double> theta, std::size_t p) {
  ExpressionTape tape;
  for (const std::string& name : kNames) tape.add_input(name);
  const std::vector<std::int32_t> outputs{tape.parse(text)};
  const ExpressionProgram program(tape, outputs);
  std::vector<std::complex<double>> scratch(program.num_slots());
  program.load_constants<std::complex<double>>(scratch);
  for (std::size_t i = 0; i < theta.size(); ++i) scratch[i] = theta[i];
  constexpr double kStep = 1e-100;
  scratch[p] += std::complex<double>(0, kStep);
  program.run<std::complex<double>>(scratch);
  return scratch[program.output_slot(0)].imag() / kStep;
}

TEST(RateMap, DerivativesMatchTheComplexStep) {
  const std::vector<std::string> expressions{
      "a*b - c/b + 2",        "exp(-a) * log(b + c^2)", "sqrt(a*b) / (1 + c)", "a^b + b^2.5 + 2^c",
      "sin(a*c) + cos(b)",    "tanh(a - b) * expm1(c)", "log1p(a*c)^3",        "-(a - b)*(a - b)*(a - b) / pow(c, a)",
      "exp(a)*exp(a) - b*b*b"};
  std::vector<std::string> names;
  for (std::size_t r = 0; r < expressions.size(); ++r) names.push_back("rate_" + std::to_string(r));
  const RateMap map = RateMap::derived(kNames, names, expressions);
  // Powers keep to positive bases here: the complex logarithm of a negative base leaves an imaginary part of its own.
  for (const std::vector<double>& theta : {std::vector<double>{0.7, 1.3, 2.1}, {2.2, 0.4, 0.9}, {1e-3, 5.0, 0.2}}) {
    Matrix<double> jacobian(expressions.size(), 3);
    map.jacobian(theta, jacobian.view());
    for (std::size_t r = 0; r < expressions.size(); ++r)
      for (std::size_t p = 0; p < 3; ++p) {
        const double expected = complex_step(expressions[r], theta, p);
        // A dozen operations of half an ulp each, with conditioning up to about 30 in log1p and pow.
        EXPECT_NEAR(jacobian(r, p), expected, 1e-14 * std::max(1.0, std::abs(expected))) << expressions[r] << " " << p;
      }
    // The reverse sweep is the transposed product.
    std::vector<double> weights(expressions.size()), pulled(3);
    for (std::size_t r = 0; r < weights.size(); ++r) weights[r] = 0.5 + static_cast<double>(r * r % 7);
    map.pull_back(theta, weights, pulled);
    for (std::size_t p = 0; p < 3; ++p) {
      double expected = 0, size = 0;
      for (std::size_t r = 0; r < weights.size(); ++r) {
        expected += weights[r] * jacobian(r, p);
        size += std::abs(weights[r] * jacobian(r, p));
      }
      EXPECT_NEAR(pulled[p], expected, 1e-14 * size);
    }
  }
}

TEST(RateMap, PowersOfNegativeAndZeroBasesHaveDerivatives) {
  const RateMap map = RateMap::derived({"a", "b"}, {"square", "zeroth", "first"}, {"a^2", "a^0", "a^1 + 0*b"});
  Matrix<double> jacobian(3, 2);
  map.jacobian(std::vector<double>{-3, 1}, jacobian.view());
  EXPECT_EQ(jacobian(0, 0), -6);
  map.jacobian(std::vector<double>{0, 1}, jacobian.view());
  EXPECT_EQ(jacobian.values(), (std::vector<double>{0, 0, 0, 0, 1, 0}));
}

TEST(RateMap, LaterRatesMayUseEarlierOnes) {
  const RateMap map = RateMap::derived(kNames, {"x", "y", "b"}, {"a^2", "x * c", "b"});
  std::vector<double> phi(3);
  map.evaluate(std::vector<double>{3, 5, 7}, phi);
  EXPECT_EQ(phi, (std::vector<double>{9, 63, 5}));
  std::vector<double> gradient(3);
  map.pull_back(std::vector<double>{3, 5, 7}, std::vector<double>{0, 1, 0}, gradient);
  EXPECT_EQ(gradient, (std::vector<double>{42, 0, 9}));
  EXPECT_THAT(fault_of({"x", "y"}, {"y + 1", "a"}), HasSubstr("derived rate 'x': column 1 of 'y + 1': unknown name"));
}

TEST(RateMap, OneRateMayBeGivenTwiceUnderTwoNames) {
  const RateMap map = RateMap::derived({"a"}, {"x", "y"}, {"2*a", "2*a"});
  std::vector<double> gradient(1);
  map.pull_back(std::vector<double>{1}, std::vector<double>{10, 1}, gradient);
  EXPECT_EQ(gradient[0], 22);
}

TEST(RateMap, KeepsTheNamesAndExpressionsItWasGiven) {
  const RateMap map = RateMap::derived({"N", "m"}, {"coal", "move"}, {"1 / (2*N)", "m^2"});
  EXPECT_EQ(map.names(), (std::vector<std::string>{"coal", "move"}));
  EXPECT_EQ(map.expressions(), (std::vector<std::string>{"1 / (2*N)", "m^2"}));
  EXPECT_TRUE(RateMap::identity(2).names().empty());
  EXPECT_TRUE(RateMap::identity(2).expressions().empty());
}

TEST(RateMap, RefusesWhatHasNoDerivative) {
  for (const char* text :
       {"abs(a)", "min(a, b)", "max(a, 1)", "floor(a)", "ceil(b)", "mod(a, 2)", "(a > 1) * b", "a && b", "!a"})
    EXPECT_THAT(fault_of({"x"}, {text}), HasSubstr("is not smooth")) << text;
  EXPECT_EQ(fault_of({"x"}, {"max(2, 3) * a"}), "none");
}

TEST(RateMap, RefusesBadNames) {
  EXPECT_THAT(fault_of({"x", "x"}, {"a", "b"}), HasSubstr("derived rate 'x'"));
  EXPECT_THAT(fault_of({"a"}, {"2*a"}), HasSubstr("has the name of a parameter but another value"));
  EXPECT_THAT(fault_of({"exp"}, {"a"}), HasSubstr("cannot be used in expressions"));
  EXPECT_THAT(fault_of({"x"}, {"1 / (2*aa)"}), HasSubstr("derived rate 'x': column 8 of '1 / (2*aa)'"));
  EXPECT_THROW((void)RateMap::derived(kNames, {"x"}, {}), ShapeError);
}

TEST(RateMap, DomainErrorsAreNotANumber) {
  const RateMap map = RateMap::derived({"a"}, {"x"}, {"log(a)"});
  std::vector<double> phi(1);
  map.evaluate(std::vector<double>{-1}, phi);
  EXPECT_TRUE(std::isnan(phi[0]));
}

TEST(RateMap, ChecksExtents) {
  const RateMap map = RateMap::derived({"a", "b"}, {"x"}, {"a*b"});
  std::vector<double> one(1), two(2), three(3);
  EXPECT_THROW(map.evaluate(one, one), ShapeError);
  EXPECT_THROW(map.evaluate(two, two), ShapeError);
  EXPECT_THROW(map.pull_back(two, one, three), ShapeError);
  Matrix<double> wrong(2, 1);
  EXPECT_THROW(map.jacobian(two, wrong.view()), ShapeError);
}

TEST(RateMap, FingerprintTellsMapsApart) {
  const auto print = [](const char* text) { return RateMap::derived({"a", "b"}, {"x"}, {text}).fingerprint(); };
  EXPECT_EQ(print("a / b"), print("( a ) / b"));
  EXPECT_NE(print("a / b"), print("b / a"));
  EXPECT_NE(print("2 * a"), print("3 * a"));
  EXPECT_NE(RateMap::identity(1).fingerprint(), RateMap::identity(2).fingerprint());
}

}  // namespace
}  // namespace sojourn
