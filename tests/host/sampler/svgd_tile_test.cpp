#include "common/svgd_tile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "common/svgd_block.hpp"
#include "host/sampler/drawn_particles.hpp"
#include "host/sampler/host_loop_svgd.hpp"
#include "sampler/kernel_sum.hpp"

namespace sojourn {
namespace {

TEST(SvgdTile, ExponentialMatchesLongDouble) {
  for (double a = 0; a < 707; a += 0.0137) {
    const long double exact = std::exp(-static_cast<long double>(a));
    EXPECT_NEAR(static_cast<double>(exp_negative(a) / exact), 1.0, 4.5e-16) << a;  // two units in the last place
  }
  EXPECT_EQ(exp_negative(0.0), 1.0);
  EXPECT_GT(exp_negative(1e300), 0);
  EXPECT_LT(exp_negative(1e300), 1e-307);
}

TEST(SvgdTile, InverseSquareRootMatchesLongDouble) {
  for (double x = 1; x < 1e300; x *= 1.37)
    EXPECT_NEAR(static_cast<double>(inverse_square_root(x) * std::sqrt(static_cast<long double>(x))), 1.0, 4.5e-16)
        << x;
}

TEST(SvgdTile, SinglePrecisionIsGoodToItsRounding) {
  for (float a = 0; a < 86.5F; a += 0.00137F) {
    const double exact = std::exp(-static_cast<double>(a));
    ASSERT_NEAR(static_cast<double>(exp_negative(a)) / exact, 1.0, 2.5e-7) << a;  // four units in the last place
  }
  EXPECT_EQ(exp_negative(0.0F), 1.0F);
  EXPECT_GT(exp_negative(1e30F), 0);
  EXPECT_LT(exp_negative(1e30F), 1e-37F);
  for (float x = 1; x < 1e30F; x *= 1.0037F)
    ASSERT_NEAR(static_cast<double>(inverse_square_root(x)) * std::sqrt(static_cast<double>(x)), 1.0, 2.5e-7) << x;
}

/// Rows of mixed precision, of blocks in any order and of the CPU, beside those in double. What is summed is of size 3.
TEST(SvgdTile, MixedDirectionsAreNearThoseInDouble) {
  for (const std::int64_t count : {2, 33, 500})
    for (const std::int32_t dim : {1, 2, 3, 7})
      for (const Kernel kernel : {Kernel::kImq, Kernel::kRbf}) {
        ParticleBlock u(count, dim), s(count, dim), exact(count, dim), mixed(count, dim), blocks(count, dim);
        PhiloxStream stream(3, 9, static_cast<std::uint64_t>(count * 16 + dim));
        testing::draw_particles(stream, u, s);
        kernel_direction(kernel, u, s, 0.4, 1, exact);
        kernel_direction(kernel, u, s, 0.4, 0, count, 1, mixed, DirectionPrecision::kMixed);
        std::vector<std::int64_t> order(static_cast<std::size_t>(svgd_block::num_row_blocks(count)));
        std::iota(order.rbegin(), order.rend(), 0);
        constexpr double kInverseH2 = 0.4;
        testing::sum_direction_blocks<float>(order, {kernel == Kernel::kImq, true, dim, count, u.stride, &kInverseH2,
                                                     u.values.data(), s.values.data(), 0, count, blocks.values.data()});
        double worst = 0;
        for (std::int64_t i = 0; i < count; ++i)
          for (std::int32_t c = 0; c < dim; ++c) {
            worst = std::max(worst, std::abs(mixed.at(i, c) - exact.at(i, c)));
            EXPECT_NEAR(mixed.at(i, c), exact.at(i, c), 2e-6) << count << " " << dim << " " << i;
            EXPECT_NEAR(blocks.at(i, c), exact.at(i, c), 2e-6) << count << " " << dim << " " << i;
            // The same arithmetic of pairs, which the compiler may fuse in one place and not in the other.
            EXPECT_NEAR(blocks.at(i, c), mixed.at(i, c), 2e-6);
          }
        if (count > 2) {
          EXPECT_GT(worst, 1e-10) << "pairs are in single precision";
        }
      }
}

TEST(SvgdTile, SlopeIsTheGradientOfTheKernel) {
  // grad_{u_j} k = slope (u_i - u_j); central difference of k by u_j in one dimension, error h^2 ~ 1e-10.
  const double inverse_h2 = 0.7, step = 1e-5;
  const auto check = [&](auto pair) {
    for (const double e : {-2.0, -0.3, 0.4, 3.0}) {
      const double plus = pair((e - step) * (e - step), inverse_h2).value;
      const double minus = pair((e + step) * (e + step), inverse_h2).value;
      EXPECT_NEAR(pair(e * e, inverse_h2).slope * e, (plus - minus) / (2 * step), 1e-9);
    }
  };
  check(ImqKernel::pair<double>);
  check(RbfKernel::pair<double>);
}

TEST(SvgdTile, DeviceBlocksInAnyOrderMatchTheHostSum) {
  for (const std::int64_t count : {1, 2, 31, 33, 257, 500})
    for (const std::int32_t dim : {1, 2, 3, 7}) {
      ParticleBlock u(count, dim), s(count, dim), host(count, dim), blocks(count, dim), reversed(count, dim);
      PhiloxStream stream(3, 9, static_cast<std::uint64_t>(count * 16 + dim));
      testing::draw_particles(stream, u, s);
      std::vector<std::int64_t> order(static_cast<std::size_t>(svgd_block::num_row_blocks(count)));
      std::iota(order.begin(), order.end(), 0);
      for (std::size_t k = order.size(); k-- > 1;)  // Fisher-Yates with a fixed seed
        std::swap(order[k], order[static_cast<std::size_t>(stream.next_uniform() * static_cast<double>(k + 1))]);
      const auto compare = [&](auto kernel_tag, Kernel kernel) {
        using PairKernel = decltype(kernel_tag);
        kernel_direction(kernel, u, s, 0.4, 1, host);
        constexpr double kInverseH2 = 0.4;
        const auto run = [&](ParticleBlock& phi) {
          testing::sum_direction_blocks<double, PairKernel>(
              order, {true, false, dim, count, u.stride, &kInverseH2, u.values.data(), s.values.data(), 0, count,
                      phi.values.data()});
        };
        run(blocks);
        std::ranges::reverse(order);
        run(reversed);
        EXPECT_EQ(blocks.values, reversed.values);
        for (std::int64_t i = 0; i < count; ++i)
          for (std::int32_t c = 0; c < dim; ++c)
            // Same terms, other order of summation: n roundings of terms of size about 3.
            EXPECT_NEAR(blocks.at(i, c), host.at(i, c), 1e-14) << count << " " << dim << " " << i;
      };
      compare(ImqKernel{}, Kernel::kImq);
      compare(RbfKernel{}, Kernel::kRbf);
    }
}

TEST(SvgdTile, RowRangesDoNotChangeBits) {
  ParticleBlock u(75, 3), s(75, 3), whole(75, 3), parts(75, 3);
  PhiloxStream stream(5, 9, 0);
  for (std::int64_t i = 0; i < 75; ++i)
    for (std::int32_t c = 0; c < 3; ++c) {
      u.at(i, c) = stream.next_normal();
      s.at(i, c) = stream.next_normal();
    }
  u.pad();
  kernel_direction(Kernel::kImq, u, s, 0.9, 0, 75, 1, whole);
  kernel_direction(Kernel::kImq, u, s, 0.9, 32, 75, 2, parts);
  kernel_direction(Kernel::kImq, u, s, 0.9, 0, 32, 1, parts);
  EXPECT_EQ(whole.values, parts.values);
}

}  // namespace
}  // namespace sojourn
