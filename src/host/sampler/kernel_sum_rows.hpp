#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/svgd_tile.hpp"
#include "sampler/kernel_sum.hpp"

namespace sojourn {

/// Particles and scores as `ParticleBlock` has them, in the numbers that pairs are computed in.
template <class Number>
struct PairBlock {
  std::int32_t dim;
  std::int64_t count, stride;
  const Number* u;
  const Number* s;
  Number inverse_h2;
};

/// Sums of one lane block of rows; `kDim` > 0 fixes the dimension so that the sums stay in registers.
template <class PairKernel, int kDim, class Number>
void sum_lane_block(const PairBlock<Number>& pairs, std::int64_t first, Number* row_u, double* sum) {
  constexpr int kLanes = ParticleBlock::kLanes;
  const int dim = kDim > 0 ? kDim : pairs.dim;
  for (int c = 0; c < dim; ++c)
    for (int l = 0; l < kLanes; ++l) {
      row_u[c * kLanes + l] = pairs.u[c * pairs.stride + first + l];
      sum[c * kLanes + l] = 0;
    }
  accumulate_tile<PairKernel, kLanes, kDim>(dim, row_u, pairs.u, pairs.s, pairs.stride, static_cast<int>(pairs.count),
                                            pairs.inverse_h2, sum);
}

template <class PairKernel, class Number>
void sum_rows(const PairBlock<Number>& pairs, std::int64_t row_begin, std::int64_t row_end, int num_threads,
              ParticleBlock& phi) {
  constexpr int kLanes = ParticleBlock::kLanes;
  const std::int64_t num_blocks = (row_end - row_begin + kLanes - 1) / kLanes;
  const auto scale = 1.0 / static_cast<double>(pairs.count);
  // Below some tens of microseconds of work a team of threads costs more than it saves.
  [[maybe_unused]] const bool worth_threads = (row_end - row_begin) * pairs.count * (pairs.dim + 2) > 400000;
#pragma omp parallel num_threads(resolve_threads(num_threads)) if (worth_threads)
  {
    std::vector<Number> row_u(static_cast<std::size_t>(pairs.dim) * kLanes);
    std::vector<double> sum(row_u.size());
#pragma omp for schedule(static)
    for (std::int64_t b = 0; b < num_blocks; ++b) {
      const std::int64_t first = row_begin + b * kLanes;
      switch (pairs.dim) {
        case 1: {
          Number fixed_u[kLanes];
          double fixed_sum[kLanes];
          sum_lane_block<PairKernel, 1>(pairs, first, fixed_u, fixed_sum);
          std::copy_n(fixed_sum, kLanes, sum.data());
          break;
        }
        case 2:
          sum_lane_block<PairKernel, 2>(pairs, first, row_u.data(), sum.data());
          break;
        case 3:
          sum_lane_block<PairKernel, 3>(pairs, first, row_u.data(), sum.data());
          break;
        default:
          sum_lane_block<PairKernel, 0>(pairs, first, row_u.data(), sum.data());
          break;
      }
      const std::int64_t last = std::min(first + kLanes, row_end);
      for (std::int32_t c = 0; c < pairs.dim; ++c)
        for (std::int64_t i = first; i < last; ++i)
          phi.at(i, c) = sum[static_cast<std::size_t>(c * kLanes + (i - first))] * scale;
    }
  }
}

}  // namespace sojourn
