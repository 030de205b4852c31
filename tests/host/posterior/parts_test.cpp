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

/// What rank `rank` of several holds of a posterior's observations, in the order of parts.
Observations held_of(const Posterior& whole, const HeldParts& held) {
  Observations own;
  own.num_rows = whole.observations().num_rows;
  own.origin = whole.observations().origin;
  for (std::int64_t part = held.first; part < held.last; ++part) {
    for (const std::int64_t item : whole.items_of_part(part)) {
      own.items.push_back(whole.observations().items[static_cast<std::size_t>(item)]);
      own.first_row.push_back(whole.observations().first_row[static_cast<std::size_t>(item)]);
    }
  }
  return own;
}

Posterior make_held(Observations data, const HeldParts& held) {
  EvaluatorOptions options;
  options.num_threads = 1;
  Model model = cases::erlang(2);
  const std::vector<double> reward = model.graph.unit_reward();
  return {std::move(model),      std::move(data), {{"rate", Prior(PriorFamily::kGamma, 2, 1)}}, {}, reward, options,
          DataCompression::kOff, {{}, true, held}};
}

/// A rank with the observations of its own parts alone has the bits of one with all, and the closed form's sum.
TEST(HeldParts, AreEvaluatedFromTheirOwnObservationsAlone) {
  Observations data = many_observations();
  for (std::size_t i = 0; i < data.items.size(); ++i) data.first_row.push_back(static_cast<std::int64_t>(i) + 2);
  const Posterior whole = make(data);
  EXPECT_FALSE(whole.held());
  EXPECT_EQ(whole.part_shares(), 0);
  Matrix<double> z(2, 1);
  z(0, 0) = -0.4;
  z(1, 0) = 0.7;
  std::size_t num_held = 0;
  for (std::int64_t part = 0; part < 2; ++part) {
    SCOPED_TRACE(part);
    const HeldParts held{2, 2, part, part + 1, 20'000, whole.compression().num_points};
    const Observations own = held_of(whole, held);
    num_held += own.items.size();
    const Posterior rank = make_held(own, held);
    EXPECT_EQ(rank.observations().items.size(), 10'000u);
    EXPECT_EQ(rank.held()->num_held(), 10'000);
    EXPECT_EQ(rank.num_parts(), 2);
    EXPECT_EQ(rank.part_shares(), 2);
    EXPECT_EQ(rank.compression().num_points, whole.compression().num_points);
    Matrix<double> terms(2, 2), expected(2, 2);
    std::vector<std::string> status;
    rank.evaluate_parts(z.view(), part, part + 1, terms.view(), status);
    EXPECT_EQ(status, (std::vector<std::string>{"", ""}));
    whole.evaluate_parts(z.view(), part, part + 1, expected.view(), status);
    EXPECT_EQ(terms.values(), expected.values());
    const Posterior::Free& free = whole.free()[0];
    for (std::size_t i = 0; i < 2; ++i) {
      const double rate = free.transform.to_natural(z(i, 0));
      const cases::ValueAndSlope truth =
          cases::complex_step([&](cases::Complex x) { return cases::erlang_log_likelihood(2, x, own); }, rate);
      double scale = 0;
      for (const Observation& item : own.items)
        scale += static_cast<double>(std::abs(cases::erlang_term(2, rate, item)));
      EXPECT_NEAR(terms(i, 0), truth.value, 1e-9 * scale);
      EXPECT_NEAR(terms(i, 1), truth.slope * free.transform.derivative(z(i, 0)), 1e-9 * scale);
    }
    // What the rank has not is an error, never a sum of what it has.
    EXPECT_THROW(rank.evaluate_parts(z.view(), 1 - part, 2 - part, terms.view(), status), UsageError);
    std::vector<double> value(2);
    EXPECT_THROW(rank.evaluate(z.view(), value, {}, status), UsageError);
    EXPECT_THROW(rank.log_likelihood(z.view(), value, {}, status), UsageError);
  }
  EXPECT_EQ(num_held, data.items.size());
}

/// The row's number comes along with an observation, wherever it is held.
TEST(HeldParts, NameTheirRows) {
  Observations data = many_observations();
  for (std::size_t i = 0; i < data.items.size(); ++i) data.first_row.push_back(static_cast<std::int64_t>(i) + 2);
  data.items[12'345] = {2.0, std::nextafter(2.0, 3.0)};
  const Posterior whole = make(data);
  const HeldParts held{2, 2, 1, 2, 20'000, 0};
  const Posterior rank = make_held(held_of(whole, held), held);
  Matrix<double> z(1, 1), terms(1, 2);
  std::vector<std::string> status, expected;
  rank.evaluate_parts(z.view(), 1, 2, terms.view(), status);
  whole.evaluate_parts(z.view(), 1, 2, terms.view(), expected);
  EXPECT_THAT(status[0], HasSubstr("many.csv: row 12347"));
  EXPECT_EQ(status, expected);
}

/// The rank that hands out keeps all observations, and can go back to evaluating all of them.
TEST(HeldParts, OfARankThatKeepsAll) {
  Posterior rank = make(many_observations());
  const cases::Evaluation before = cases::evaluate(rank, {{0.3}});
  rank.hold_parts(HeldParts{2, 2, 0, 1, 20'000, 0});
  EXPECT_EQ(rank.part_shares(), 2);
  EXPECT_EQ(rank.observations().items.size(), 20'000u);
  EXPECT_EQ(cases::evaluate(rank, {{0.3}}).value, before.value);
  rank.hold_parts({});
  EXPECT_EQ(rank.part_shares(), 0);
  EXPECT_EQ(cases::evaluate(rank, {{0.3}}).gradient.values(), before.gradient.values());
}

TEST(HeldParts, ThatAreNotOfTheDataAreRefused) {
  Posterior whole = make(many_observations());
  EXPECT_THROW(whole.hold_parts(HeldParts{2, 3, 0, 1, 20'000, 0}), UsageError);
  EXPECT_THROW(whole.hold_parts(HeldParts{2, 2, 0, 1, 19'999, 0}), UsageError);
  EXPECT_THROW((void)whole.items_of_part(2), UsageError);
  Observations few = many_observations();
  few.items.resize(9'999);
  EXPECT_THROW(make_held(few, HeldParts{2, 2, 0, 1, 20'000, 0}), UsageError);
  few.items.resize(100);
  Posterior small = make(few);
  EXPECT_THROW(small.hold_parts(HeldParts{2, 1, 0, 1, 100, 0}), UsageError);
}

}  // namespace
}  // namespace sojourn
