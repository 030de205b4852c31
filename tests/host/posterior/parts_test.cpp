// Large data sets that are not compressed are evaluated in parts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "posterior_cases.hpp"
#include "sojourn/error.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;

/// Distinct observations of all kinds, in no order: two parts.
Observations many_observations() {
  constexpr std::size_t kCount = 20'000;
  Observations data;
  for (std::size_t i = 0; i < kCount; ++i) {
    const double u = (static_cast<double>(i) + 0.5) / kCount;
    const double time = -std::log1p(-u) * 0.8 + 1e-3;
    Observation item{time, time};
    if (i % 5 == 1) item.upper = cases::kInfinity;
    if (i % 7 == 2) item.upper = time + 0.5;
    if (i % 11 == 3) item.entry = time / 2;
    if (i % 13 == 4) item.weight = 2.5;
    data.items.push_back(item);
  }
  std::shuffle(data.items.begin(), data.items.end(), std::mt19937(7));
  data.num_rows = static_cast<std::int64_t>(kCount);
  data.origin = "many.csv";
  return data;
}

Posterior make(const Observations& data, DataCompression mode = DataCompression::kOff) {
  EvaluatorOptions options;
  options.num_threads = 1;
  Model model = cases::erlang(2);
  const std::vector<double> reward = model.graph.unit_reward();
  return {std::move(model), data, {{"rate", Prior(PriorFamily::kGamma, 2, 1)}}, {}, reward, options, mode};
}

TEST(Parts, DependOnTheDataAlone) {
  const Observations data = many_observations();
  EXPECT_EQ(make(data).num_parts(), 2);
  Observations few = data;
  few.items.resize(16'384);
  EXPECT_EQ(make(few).num_parts(), 1);
  EXPECT_EQ(make(data, DataCompression::kAuto).num_parts(), 1) << "one parameter is interpolated on its line";
}

/// Against the definition of each kind of observation, derivatives by the complex step.
TEST(Parts, SumToTheLikelihood) {
  const Observations data = many_observations();
  const Posterior posterior = make(data);
  for (const double rate : {0.7, 2.2}) {
    const cases::ValueAndSlope truth =
        cases::complex_step([&](cases::Complex x) { return cases::erlang_log_likelihood(2, x, data); }, rate);
    double scale = 0;
    for (const Observation& item : data.items)
      scale += static_cast<double>(std::abs(cases::erlang_term(2, rate, item)));
    const cases::Evaluation found = cases::log_likelihood(posterior, {{rate}});
    EXPECT_EQ(found.status[0], "");
    // The law is asked for 1e-9 relative at each observation.
    EXPECT_NEAR(found.value[0], truth.value, 1e-9 * scale);
    EXPECT_NEAR(found.gradient(0, 0), truth.slope, 1e-9 * scale);
    // The same with prior and Jacobian, from terms that were made apart.
    const Posterior::Free& free = posterior.free()[0];
    const double z = free.transform.to_unconstrained(rate), slope = free.transform.derivative(z);
    const cases::Evaluation at = cases::evaluate(posterior, {{z}});
    EXPECT_NEAR(at.value[0], truth.value + free.prior.log_density(rate) + free.transform.log_jacobian(z), 1e-9 * scale);
    EXPECT_NEAR(at.gradient(0, 0),
                (truth.slope + free.prior.score(rate)) * slope + free.transform.log_jacobian_derivative(z),
                1e-9 * scale);
  }
  EXPECT_EQ(posterior.compression().num_exact, 2 + 2) << "a parameter vector counts once, however many parts it has";
}

TEST(Parts, EvaluateAloneOrTogetherWithTheSameBits) {
  const Posterior posterior = make(many_observations());
  const std::size_t rows = 3, parts = 2;
  Matrix<double> z(rows, 1), terms(rows * parts, 2), score(rows, 1), values(rows * parts, 1);
  for (std::size_t i = 0; i < rows; ++i) z(i, 0) = -0.4 + 0.5 * static_cast<double>(i);
  std::vector<double> joined(rows);
  std::vector<std::string> all_status(rows * parts), status(rows), part_status;
  for (std::int64_t part = 0; part < 2; ++part) {
    Matrix<double> own(rows, 2);
    posterior.evaluate_parts(z.view(), part, part + 1, own.view(), part_status);
    for (std::size_t i = 0; i < rows; ++i)
      std::ranges::copy(own.row(i), terms.row(i * parts + static_cast<std::size_t>(part)).begin());
  }
  posterior.join_parts(z.view(), terms.view(), all_status, joined, score.view(), status);
  const cases::Evaluation whole = cases::evaluate(posterior, {{z(0, 0)}, {z(1, 0)}, {z(2, 0)}});
  EXPECT_EQ(joined, whole.value);
  EXPECT_EQ(score.values(), whole.gradient.values());
  // Values alone come by another order of the same sums.
  posterior.evaluate_parts(z.view(), 0, 2, values.view(), part_status);
  for (std::size_t k = 0; k < values.num_rows(); ++k)
    EXPECT_NEAR(values(k, 0), terms(k, 0), 1e-12 * std::abs(terms(k, 0)));
  Matrix<double> wrong(rows, 3);
  EXPECT_THROW(posterior.evaluate_parts(z.view(), 0, 1, wrong.view(), part_status), ShapeError);
  EXPECT_THROW(posterior.evaluate_parts(z.view(), 1, 3, terms.view(), part_status), UsageError);
}

/// Observations keep their names, whichever part they are in, and however parts sort them.
TEST(Parts, NameTheRowThatIsImpossible) {
  Observations data = many_observations();
  for (std::size_t i = 0; i < data.items.size(); ++i) data.first_row.push_back(static_cast<std::int64_t>(i) + 2);
  // Two bounds so close that nothing of the interval is left.
  data.items[12'345] = {2.0, std::nextafter(2.0, 3.0)};
  const cases::Evaluation found = cases::evaluate(make(data), {{0.0}});
  EXPECT_TRUE(std::isnan(found.value[0]));
  EXPECT_TRUE(std::isnan(found.gradient(0, 0)));
  EXPECT_THAT(found.status[0], HasSubstr("many.csv: row 12347"));
  EXPECT_THAT(found.status[0], HasSubstr("is too narrow"));
}

}  // namespace
}  // namespace sojourn
