#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "elimination/prc_arrays.hpp"
#include "sojourn/elimination.hpp"
#include "sojourn/evaluator.hpp"

namespace sojourn {
namespace {

constexpr std::int32_t kSide = 48;

/// A walk on a square, with a step in each of four directions at one rate; the border absorbs at another.
Evaluator square_walk(Precision precision = Precision::kDouble) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(kSide * kSide + 1);
  const RateTerm step{0, 1.0};
  for (std::int32_t i = 0; i < kSide; ++i) {
    for (std::int32_t j = 0; j < kSide; ++j) {
      int num_borders = 0;
      const auto go = [&](std::int32_t to_i, std::int32_t to_j) {
        if (std::min(to_i, to_j) < 0 || std::max(to_i, to_j) >= kSide) {
          ++num_borders;
        } else {
          builder.add_edge(i * kSide + j, to_i * kSide + to_j, 0, {&step, 1});
        }
      };
      go(i - 1, j);
      go(i + 1, j);
      go(i, j - 1);
      go(i, j + 1);
      const RateTerm leave{1, static_cast<double>(num_borders)};
      if (num_borders > 0) builder.add_edge(i * kSide + j, kSide * kSide, 0, {&leave, 1});
    }
  }
  builder.add_initial(kSide / 2 * kSide + kSide / 3, 1);
  Model model;
  model.parameters = {{.name = "step"}, {.name = "leave"}};
  model.rates = RateMap::identity(2);
  model.graph = std::move(builder).build();
  EvaluatorOptions options;
  options.num_threads = 2;
  options.precision = precision;
  return Evaluator(std::move(model), options);
}

/// Sum over the eigenvectors sin(p pi i / (n + 1)) sin(q pi j / (n + 1)) of the walk with equal rates: f(eigenvalue)
/// times the mass of the start and the sum of the vector.
template <class Function>
double spectral_sum(double rate, Function&& f) {
  const int n = kSide;
  const long double unit = std::numbers::pi_v<long double> / (n + 1);
  std::vector<long double> sum(n + 1, 0);
  for (int p = 1; p <= n; ++p) {
    for (int i = 1; i <= n; ++i) sum[p] += std::sin(unit * p * i);
  }
  long double total = 0;
  for (int p = 1; p <= n; ++p) {
    for (int q = 1; q <= n; ++q) {
      const long double eigenvalue =
          4 * rate * (std::pow(std::sin(unit * p / 2), 2) + std::pow(std::sin(unit * q / 2), 2));
      total +=
          f(eigenvalue) * sum[p] * sum[q] * std::sin(unit * p * (kSide / 2 + 1)) * std::sin(unit * q * (kSide / 3 + 1));
    }
  }
  return static_cast<double>(total * 4 / ((n + 1.0L) * (n + 1.0L)));
}

class FrontReplay : public testing::Test {
 protected:
  void SetUp() override {
    EliminationSettings off;
    off.cache = CacheMode::kOff;
    configure_elimination(off);
  }
};

TEST_F(FrontReplay, MomentsAreThoseOfTheSpectrum) {
  const Evaluator evaluator = square_walk();
  ASSERT_TRUE(evaluator.prc().arrays().goes_by_fronts());
  const std::vector<double>& reward = evaluator.model().graph.unit_reward();
  Matrix<double> theta(1, 2);
  theta(0, 0) = theta(0, 1) = 0.8;
  const Quantity moments = evaluator.moments(theta.view(), reward, 2, true);
  const double mean = spectral_sum(0.8, [](long double l) { return 1 / l; });
  const double second = spectral_sum(0.8, [](long double l) { return 2 / (l * l); });
  // Roundings of a few thousand rows that average out.
  EXPECT_NEAR(moments.values(0, 0), mean, 1e-13 * mean);
  EXPECT_NEAR(moments.values(0, 1), second, 1e-13 * second);
  // Y(a theta) = Y(theta) / a: the gradient along theta is minus the order times the moment.
  const auto along = [&](int order) {
    return 0.8 * (moments.gradient[2 * (order - 1)] + moments.gradient[2 * (order - 1) + 1]);
  };
  EXPECT_NEAR(along(1), -mean, 1e-11 * mean);
  EXPECT_NEAR(along(2), -2 * second, 1e-11 * second);
}

TEST_F(FrontReplay, TransformsAreThoseOfTheSpectrum) {
  const Evaluator evaluator = square_walk();
  const std::vector<double>& reward = evaluator.model().graph.unit_reward();
  Matrix<double> theta(1, 2);
  theta(0, 0) = theta(0, 1) = 1.0;
  const double s[] = {0.001, 0.3};
  const Quantity laplace = evaluator.laplace(theta.view(), reward, s, false);
  for (int i = 0; i < 2; ++i) {
    // F(s) = 1 - s * (transform of the survival function)
    const double value = 1 - s[i] * spectral_sum(1.0, [&](long double l) { return 1 / (l + s[i]); });
    EXPECT_NEAR(laplace.values(0, i), value, 1e-13 + 1e-12 * value);
  }
  const double times[] = {50.0, 400.0};
  const Quantity density = evaluator.law(theta.view(), reward, LawKind::kPdf, times, false);
  ASSERT_EQ(density.status[0], "ok");
  for (int i = 0; i < 2; ++i) {
    const double value = spectral_sum(1.0, [&](long double l) { return l * std::exp(-l * times[i]); });
    EXPECT_NEAR(density.values(0, i), value, 1e-9 * value);
  }
}

/// Blocks of any width and number give a lane the same bits, though their tiles differ.
TEST_F(FrontReplay, BitsDoNotDependOnTheBatch) {
  constexpr std::size_t kMany = 37;
  Matrix<double> theta(kMany, 2);
  for (std::size_t k = 0; k < kMany; ++k) {
    theta(k, 0) = 0.3 + 0.05 * static_cast<double>(k);
    theta(k, 1) = 2.0 / (1.0 + static_cast<double>(k));
  }
  for (const Precision precision : {Precision::kDouble, Precision::kSingle}) {
    const Evaluator evaluator = square_walk(precision);
    const std::vector<double>& reward = evaluator.model().graph.unit_reward();
    const Quantity all = evaluator.moments(theta.view(), reward, 1, false);
    const Quantity all_gradient = evaluator.moments(theta.view(), reward, 1, true);
    for (std::size_t k = 0; k < kMany; k += 9) {
      const MatrixView<const double> one{theta.row(k).data(), 1, 2};
      EXPECT_EQ(evaluator.moments(one, reward, 1, false).values(0, 0), all.values(k, 0));
      const Quantity gradient = evaluator.moments(one, reward, 1, true);
      for (int p = 0; p < 2; ++p) EXPECT_EQ(gradient.gradient[p], all_gradient.gradient[2 * k + p]);
    }
  }
  const Evaluator evaluator = square_walk();
  const std::vector<double>& reward = evaluator.model().graph.unit_reward();
  const double s[] = {0.01};
  const Quantity all = evaluator.laplace(theta.view(), reward, s, false);
  for (std::size_t k = 0; k < kMany; k += 9)
    EXPECT_EQ(evaluator.laplace({theta.row(k).data(), 1, 2}, reward, s, false).values(0, 0), all.values(k, 0));
}

TEST_F(FrontReplay, SinglePrecisionStaysInItsBound) {
  const Evaluator exact = square_walk(), single = square_walk(Precision::kSingle);
  const std::vector<double>& reward = exact.model().graph.unit_reward();
  Matrix<double> theta(20, 2);
  for (std::size_t k = 0; k < 20; ++k) {
    theta(k, 0) = 0.5 + 0.1 * static_cast<double>(k);
    theta(k, 1) = 1.5 - 0.05 * static_cast<double>(k);
  }
  const Quantity reference = exact.moments(theta.view(), reward, 1, false);
  const Quantity quick = single.moments(theta.view(), reward, 1, false);
  for (std::size_t k = 0; k < 20; ++k) {
    EXPECT_LE(std::abs(quick.values(k, 0) - reference.values(k, 0)),
              quick.error_bound(k, 0) * std::abs(reference.values(k, 0)));
  }
}

}  // namespace
}  // namespace sojourn
