// Single steps of a resident iteration against what is known of them.
#include "common/svgd_lanes.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <algorithm>
#include <numeric>
#include <random>

#include "sampler/bandwidth.hpp"
#include "sampler/whitening.hpp"

namespace sojourn {
namespace {

double searched_median(const ParticleBlock& u, unsigned seed) {
  using namespace median_select;
  Search search{};
  const std::int64_t pairs = num_pairs(u.count);
  begin_search(pairs, search);
  std::vector<std::int64_t> lanes(static_cast<std::size_t>((pairs + kPairsPerLane - 1) / kPairsPerLane));
  std::iota(lanes.begin(), lanes.end(), std::int64_t{0});
  std::shuffle(lanes.begin(), lanes.end(), std::mt19937(seed));
  for (int digit = 0; digit < kNumDigits; ++digit) {
    for (const std::int64_t lane : lanes) count_lane(u.dim, u.values.data(), u.stride, u.count, digit, lane, search);
    choose_digit(1, search);
    choose_digit(0, search);
  }
  return median_of(search);
}

TEST(MedianSelect, IsTheMedianOfTheSortedDistances) {
  std::mt19937 random(4);
  std::normal_distribution<double> normal;
  for (const std::int64_t count : {2, 3, 4, 5, 33, 64, 700, 1000, 1001, 2500})
    for (const bool coarse : {false, true}) {
      ParticleBlock u(count, 2);
      for (std::int64_t i = 0; i < count; ++i)
        for (std::int32_t c = 0; c < 2; ++c) {
          const double x = normal(random);
          u.at(i, c) = coarse ? std::round(x) : x;  // rounded: most distances are shared by many pairs
        }
      std::vector<double> squared;
      const std::int64_t used = std::min<std::int64_t>(count, 1000);
      for (std::int64_t a = 0; a < used; ++a)
        for (std::int64_t b = 0; b < a; ++b) {
          const std::int64_t i = a * count / used, j = b * count / used;
          const double x = u.at(i, 0) - u.at(j, 0), y = u.at(i, 1) - u.at(j, 1);
          squared.push_back(x * x + y * y);
        }
      std::sort(squared.begin(), squared.end());
      const std::size_t half = squared.size() / 2;
      const double wanted = squared.size() % 2 == 1 ? squared[half] : 0.5 * (squared[half - 1] + squared[half]);
      // The compiler may fuse a product and a sum in one place and not in the other.
      EXPECT_NEAR(searched_median(u, 1), wanted, 4e-16 * wanted) << count;
      EXPECT_EQ(searched_median(u, 1), searched_median(u, 2));
      EXPECT_NEAR(median_select::bandwidth_of(searched_median(u, 1), count), median_bandwidth_of(u),
                  1e-15 * median_bandwidth_of(u));
    }
}

TEST(SvgdMetric, IsTheFactorOfTheInverse) {
  std::mt19937 random(6);
  std::normal_distribution<double> normal;
  for (const int dim : {1, 2, 3, 7, 16}) {
    using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    RowMatrix root(dim, dim);
    for (int a = 0; a < dim; ++a)
      for (int b = 0; b < dim; ++b) root(a, b) = (normal(random) + (a == b ? 3 : 0)) * std::pow(10.0, 3 * (a % 3));
    const RowMatrix covariance = root * root.transpose();
    RowMatrix factor(dim, dim), scratch(dim, dim);
    ASSERT_TRUE(svgd_metric::factor_of_covariance(dim, covariance.data(), factor.data(), scratch.data()));
    // L L^T C = 1, in units of the sds.
    const Eigen::VectorXd sd = covariance.diagonal().array().sqrt();
    const RowMatrix one =
        sd.asDiagonal() * RowMatrix(factor * factor.transpose()) * covariance * sd.cwiseInverse().asDiagonal();
    EXPECT_LT((one - RowMatrix::Identity(dim, dim)).cwiseAbs().maxCoeff(), 1e-11) << dim;
    for (int r = 0; r < dim; ++r) {
      EXPECT_GT(factor(r, r), 0);
      for (int c = r + 1; c < dim; ++c) EXPECT_EQ(factor(r, c), 0);
    }
  }
}

TEST(SvgdMetric, RefusesWhatIsNotDefinite) {
  const double singular[] = {1, 1, 1, 1}, negative[] = {1, 2, 2, 1}, zero[] = {1, 0, 0, 0},
               none[] = {1, std::nan(""), std::nan(""), 1};
  double factor[4], scratch[4];
  for (const double* covariance : {singular, negative, zero, none})
    EXPECT_FALSE(svgd_metric::factor_of_covariance(2, covariance, factor, scratch));
}

}  // namespace
}  // namespace sojourn
