#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/random.hpp"
#include "sojourn/error.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

Matrix<double> random_matrix(std::size_t rows, std::size_t cols, std::uint64_t index) {
  PhiloxStream stream(11, 5, index);
  Matrix<double> matrix(rows, cols);
  for (double& value : matrix.values()) value = stream.next_normal();
  return matrix;
}

Matrix<double> random_factor(std::size_t dim) {
  Matrix<double> factor = random_matrix(dim, dim, 99);
  for (std::size_t r = 0; r < dim; ++r) {
    factor(r, r) = 0.5 + std::abs(factor(r, r));
    for (std::size_t c = r + 1; c < dim; ++c) factor(r, c) = 0;
  }
  return factor;
}

/// The formula as printed, in long double: k depends on (x - y)^T P (x - y), its gradient by x_j carries P.
Matrix<double> direct_sum(Kernel kernel, double bandwidth, const Matrix<double>& factor, const Matrix<double>& x,
                          const Matrix<double>& s) {
  const std::size_t n = x.num_rows(), dim = x.num_cols();
  std::vector<long double> precision(dim * dim, 0);
  for (std::size_t a = 0; a < dim; ++a)
    for (std::size_t b = 0; b < dim; ++b) {
      if (factor.empty()) {
        precision[a * dim + b] = a == b ? 1 : 0;
        continue;
      }
      for (std::size_t c = 0; c < dim; ++c)
        precision[a * dim + b] += static_cast<long double>(factor(a, c)) * factor(b, c);
    }
  Matrix<double> phi(n, dim);
  const long double h2 = static_cast<long double>(bandwidth) * bandwidth;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t c = 0; c < dim; ++c) {
      long double sum = 0;
      for (std::size_t j = 0; j < n; ++j) {
        long double squared = 0, metric_difference = 0;
        for (std::size_t a = 0; a < dim; ++a)
          for (std::size_t b = 0; b < dim; ++b) {
            const long double term = precision[a * dim + b] * (static_cast<long double>(x(i, b)) - x(j, b));
            squared += (static_cast<long double>(x(i, a)) - x(j, a)) * term;
            if (a == c) metric_difference += term;
          }
        if (kernel == Kernel::kImq) {
          const long double k = 1 / std::sqrt(1 + squared / h2);
          sum += k * s(j, c) + k * k * k / h2 * metric_difference;
        } else {
          const long double k = std::exp(-squared / (2 * h2));
          sum += k * s(j, c) + k / h2 * metric_difference;
        }
      }
      phi(i, c) = static_cast<double>(sum / static_cast<long double>(n));
    }
  return phi;
}

TEST(SvgdDirection, MatchesTheFormulaSummedInLongDouble) {
  for (const std::size_t count : {1u, 2u, 17u, 61u})
    for (const std::size_t dim : {1u, 2u, 3u, 4u, 6u})
      for (const Kernel kernel : {Kernel::kImq, Kernel::kRbf})
        for (const bool whitened : {false, true}) {
          const Matrix<double> x = random_matrix(count, dim, 1), s = random_matrix(count, dim, 2);
          const Matrix<double> factor = whitened ? random_factor(dim) : Matrix<double>();
          Matrix<double> phi(count, dim);
          svgd_direction(kernel, 0.8, factor.view(), x.view(), s.view(), phi.view());
          const Matrix<double> exact = direct_sum(kernel, 0.8, factor, x, s);
          for (std::size_t k = 0; k < phi.size(); ++k)
            // Rounding of about n terms and of the triangular solves with condition up to about 100.
            EXPECT_NEAR(phi.values()[k], exact.values()[k], 2e-13) << count << " " << dim << " " << whitened;
        }
}

TEST(SvgdDirection, TwoParticlesRepelByTheHandValue) {
  // x = (0, 1), zero scores, h = 1. RBF: phi_0 = 1/2 * e^{-1/2} (0 - 1); IMQ: phi_0 = 1/2 * 2^{-3/2} (0 - 1).
  const std::vector<double> x{0, 1}, zero{0, 0};
  std::vector<double> phi(2);
  svgd_direction(Kernel::kRbf, 1, {}, {x.data(), 2, 1}, {zero.data(), 2, 1}, {phi.data(), 2, 1});
  EXPECT_NEAR(phi[0], -0.5 * std::exp(-0.5), 1e-16);
  EXPECT_NEAR(phi[1], 0.5 * std::exp(-0.5), 1e-16);
  svgd_direction(Kernel::kImq, 1, {}, {x.data(), 2, 1}, {zero.data(), 2, 1}, {phi.data(), 2, 1});
  EXPECT_NEAR(phi[0], -0.5 * std::pow(2, -1.5), 1e-16);
  EXPECT_NEAR(phi[1], 0.5 * std::pow(2, -1.5), 1e-16);
}

TEST(SvgdDirection, AttractionFollowsTheScores) {
  // Far apart under a narrow RBF each particle keeps half of its own score: k(x_i, x_i)/n.
  const std::vector<double> x{0, 100}, s{2, -4};
  std::vector<double> phi(2);
  svgd_direction(Kernel::kRbf, 1, {}, {x.data(), 2, 1}, {s.data(), 2, 1}, {phi.data(), 2, 1});
  EXPECT_NEAR(phi[0], 1, 1e-16);
  EXPECT_NEAR(phi[1], -2, 1e-16);
}

TEST(SvgdDirection, KernelIsSymmetric) {
  // With unit score on j alone, phi_i - (the same with no score) is k(x_j, x_i) / n.
  const Matrix<double> x = random_matrix(5, 3, 4);
  const Matrix<double> factor = random_factor(3);
  const auto kernel_value = [&](Kernel kernel, std::size_t i, std::size_t j) {
    Matrix<double> s(5, 3), with(5, 3), without(5, 3);
    svgd_direction(kernel, 0.9, factor.view(), x.view(), s.view(), without.view());
    s(j, 1) = 1;
    svgd_direction(kernel, 0.9, factor.view(), x.view(), s.view(), with.view());
    return 5 * (with(i, 1) - without(i, 1));
  };
  for (const Kernel kernel : {Kernel::kImq, Kernel::kRbf})
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_NEAR(kernel_value(kernel, i, i), 1, 1e-13);
      for (std::size_t j = 0; j < i; ++j)
        EXPECT_NEAR(kernel_value(kernel, i, j), kernel_value(kernel, j, i), 1e-13);  // differences of sums of order 1
    }
}

TEST(SvgdDirection, ThreadsDoNotChangeBits) {
  const Matrix<double> x = random_matrix(401, 2, 1), s = random_matrix(401, 2, 2);
  const Matrix<double> factor = random_factor(2);
  Matrix<double> one(401, 2);
  svgd_direction(Kernel::kImq, 0.7, factor.view(), x.view(), s.view(), one.view(), 1);
  for (const int threads : {2, 3, 7}) {
    Matrix<double> many(401, 2);
    svgd_direction(Kernel::kImq, 0.7, factor.view(), x.view(), s.view(), many.view(), threads);
    EXPECT_EQ(one.values(), many.values());
  }
}

TEST(SvgdDirection, RejectsWrongShapesAndBandwidths) {
  const Matrix<double> x = random_matrix(4, 2, 1);
  Matrix<double> phi(4, 2), narrow(4, 1);
  const Matrix<double> factor = random_factor(3);
  EXPECT_THROW(svgd_direction(Kernel::kImq, 1, {}, x.view(), narrow.view(), phi.view()), ShapeError);
  EXPECT_THROW(svgd_direction(Kernel::kImq, 1, {}, x.view(), x.view(), narrow.view()), ShapeError);
  EXPECT_THROW(svgd_direction(Kernel::kImq, 1, factor.view(), x.view(), x.view(), phi.view()), ShapeError);
  for (const double h : {0.0, -1.0, std::nan(""), HUGE_VAL})
    EXPECT_THROW(svgd_direction(Kernel::kImq, h, {}, x.view(), x.view(), phi.view()), UsageError);
}

TEST(MedianBandwidth, MatchesBruteForce) {
  for (const std::size_t count : {2u, 3u, 10u, 51u})
    for (const bool whitened : {false, true}) {
      const Matrix<double> x = random_matrix(count, 3, 7);
      const Matrix<double> factor = whitened ? random_factor(3) : Matrix<double>();
      std::vector<double> squared;
      for (std::size_t i = 0; i < count; ++i)
        for (std::size_t j = 0; j < i; ++j) {
          double sum = 0;
          for (std::size_t c = 0; c < 3; ++c) {
            double u = 0;
            for (std::size_t r = 0; r < 3; ++r)
              u += (whitened ? factor(r, c) : (r == c ? 1.0 : 0.0)) * (x(i, r) - x(j, r));
            sum += u * u;
          }
          squared.push_back(sum);
        }
      std::ranges::sort(squared);
      const std::size_t half = squared.size() / 2;
      const double median = squared.size() % 2 == 1 ? squared[half] : 0.5 * (squared[half - 1] + squared[half]);
      EXPECT_NEAR(median_bandwidth(factor.view(), x.view()),
                  std::sqrt(median / (2 * std::log(static_cast<double>(count) + 1))), 1e-13);
    }
}

}  // namespace
}  // namespace sojourn
