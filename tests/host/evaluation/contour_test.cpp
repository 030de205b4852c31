#include "evaluation/contour.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <functional>

namespace sojourn {
namespace {

using Complex = std::complex<double>;
using Transform = std::function<Complex(Complex)>;

struct Inverted {
  std::vector<double> value, error;
};

Inverted invert(const SharedContour& contour, const Transform& transform) {
  std::vector<Complex> nodes, checks;
  for (const Complex s : contour.nodes()) nodes.push_back(transform(s));
  for (const Complex s : contour.check_nodes()) checks.push_back(transform(s));
  Inverted result{std::vector<double>(contour.num_times()), std::vector<double>(contour.num_times())};
  std::vector<double> scratch(contour.scratch_size());
  const std::vector<double> tilts(contour.num_windows(), 0.0);
  contour.invert(nodes, checks, tilts, 0.0, result.value, result.error, scratch);
  return result;
}

double erlang_density(int order, double rate, double t) {
  return std::exp(order * std::log(rate) + (order - 1) * std::log(t) - rate * t - std::lgamma(order));
}
Transform erlang(int order, double rate) {
  return [=](Complex s) { return std::pow(rate / (rate + s), order); };
}

std::vector<double> grid(double first, double last, int count) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) times.push_back(first * std::pow(last / first, i / (count - 1.0)));
  return times;
}

TEST(ContourShape, FollowsTheEstimatesOfTheDesign) {
  // 32 nodes about 1e-9 and 48 nodes about 1e-13 of the largest value over a 50-fold window.
  EXPECT_LT(best_contour_shape(50, 32).error, 1e-9);
  EXPECT_LT(best_contour_shape(50, 48).error, 1e-13);
  // One time alone: about 10 per node (Weideman, Trefethen 2007, table 2), until rounding.
  EXPECT_LT(best_contour_shape(1, 8).error, 5e-7);
  EXPECT_LT(best_contour_shape(1, 16).error, 2e-14);
}

TEST(SharedContour, ExponentialOverAWindow) {
  const std::vector<double> times = grid(0.1, 5, 20);
  const SharedContour contour(times, 1e-9);
  EXPECT_LE(contour.num_windows(), 2U);
  const Inverted law = invert(contour, erlang(1, 1.7));
  for (std::size_t n = 0; n < times.size(); ++n) {
    // 1e-12 of the largest value 1.7: what the plan aims at for rtol 1e-9, with room for rounding.
    EXPECT_NEAR(law.value[n], erlang_density(1, 1.7, times[n]), 2e-12);
    EXPECT_LE(std::abs(law.value[n] - erlang_density(1, 1.7, times[n])), law.error[n]);
  }
}

TEST(SharedContour, BoundStaysAboveTheErrorForClustersOfPoles) {
  int certified = 0;
  for (const int order : {1, 2, 3, 5, 8, 12, 20, 30, 50}) {
    for (double last = 0.05 * order; last < 40 * order; last *= 1.9) {
      for (const double ratio : {1.0, 4.0, 30.0, 200.0}) {
        const std::vector<double> times = ratio == 1 ? std::vector<double>{last} : grid(last / ratio, last, 7);
        const Inverted law = invert(SharedContour(times, 1e-9), erlang(order, 2));
        for (std::size_t n = 0; n < times.size(); ++n) {
          const double truth = erlang_density(order, 2, times[n]);
          if (!(law.error[n] <= 1e-9 * law.value[n])) continue;
          ++certified;
          // Certified values must be right: the closed form itself is good to about 1e-13 relative.
          EXPECT_LE(std::abs(law.value[n] - truth), law.error[n] + 2e-13 * truth)
              << "order " << order << " t " << times[n] << " ratio " << ratio;
        }
      }
    }
  }
  EXPECT_GT(certified, 400);  // the check lets the easy ones through
}

TEST(SharedContour, ErlangFiftyIsFlagged) {
  const std::vector<double> times = grid(10, 50, 9);
  const Inverted law = invert(SharedContour(times, 1e-9), erlang(50, 2));
  for (std::size_t n = 0; n < times.size(); ++n) EXPECT_FALSE(law.error[n] <= 1e-9 * law.value[n]);
}

TEST(SharedContour, TailsAreFlagged) {
  const std::vector<double> times{0.5, 40.0};
  const Inverted law = invert(SharedContour(times, 1e-9), erlang(1, 1));
  EXPECT_LE(law.error[0], 1e-9 * law.value[0]);
  EXPECT_FALSE(law.error[1] <= 1e-9 * law.value[1]);
}

TEST(SharedContour, UnderflowingTransformIsFlagged) {
  const Inverted law = invert(SharedContour(std::vector<double>{1e-10}, 1e-9), erlang(40, 1));
  EXPECT_FALSE(law.error[0] <= 1e-9 * law.value[0]);
}

TEST(SharedContour, OrderAndRepetitionOfTimesDoNotMatter) {
  const std::vector<double> times{3, 0.2, 1, 0.2, 60};
  const Inverted law = invert(SharedContour(times, 1e-9), erlang(2, 0.3));
  EXPECT_EQ(law.value[1], law.value[3]);
  for (std::size_t n = 0; n < times.size(); ++n) {
    EXPECT_NEAR(law.value[n], erlang_density(2, 0.3, times[n]), law.error[n]);
  }
}

TEST(SharedContour, AdjointEqualsTheSumOfRows) {
  const std::vector<double> times = grid(0.01, 10, 11);
  const SharedContour contour(times, 1e-9);
  // Derivatives of (a / (a + s))^2 by a and of b / (b + s) by b.
  std::vector<Complex> slopes;
  for (const Complex s : contour.nodes()) {
    slopes.push_back(2.0 * (1.5 / (1.5 + s)) * s / ((1.5 + s) * (1.5 + s)));
    slopes.push_back(s / ((0.4 + s) * (0.4 + s)));
  }
  std::vector<double> by_value, together(2, 0.0), rows(2, 0.0), scratch(contour.scratch_size());
  for (std::size_t n = 0; n < times.size(); ++n) by_value.push_back(std::cos(static_cast<double>(n)));
  contour.add_gradient(by_value, slopes, together, scratch);
  for (std::size_t n = 0; n < times.size(); ++n) contour.add_gradient(n, by_value[n], slopes, rows);
  double truth_a = 0, truth_b = 0;
  for (std::size_t n = 0; n < times.size(); ++n) {
    const double t = times[n];
    truth_a += by_value[n] * (2 * 1.5 * t - 1.5 * 1.5 * t * t) * std::exp(-1.5 * t);
    truth_b += by_value[n] * (1 - 0.4 * t) * std::exp(-0.4 * t);
  }
  // Sums of eleven numbers of order one, each good to 1e-12 or better.
  EXPECT_NEAR(together[0], rows[0], 1e-13);
  EXPECT_NEAR(together[1], rows[1], 1e-13);
  EXPECT_NEAR(together[0], truth_a, 1e-11);
  EXPECT_NEAR(together[1], truth_b, 1e-11);
}

}  // namespace
}  // namespace sojourn
