#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/svgd_tile.hpp"
#include "sampler/kernel_sum.hpp"

namespace sojourn {

/// Sums of one lane block of rows; `kDim` > 0 fixes the dimension so that the sums stay in registers.
template <class PairKernel, int kDim>
void sum_lane_block(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, std::int64_t first,
                    double* row_u, double* sum) {
  constexpr int kLanes = ParticleBlock::kLanes;
  const int dim = kDim > 0 ? kDim : u.dim;
  for (int c = 0; c < dim; ++c)
    for (int l = 0; l < kLanes; ++l) {
      row_u[c * kLanes + l] = u.values[static_cast<std::size_t>(c * u.stride + first + l)];
      sum[c * kLanes + l] = 0;
    }
  accumulate_tile<PairKernel, kLanes, kDim>(dim, row_u, u.values.data(), s.values.data(), u.stride,
                                            static_cast<int>(u.count), inverse_h2, sum);
}

template <class PairKernel>
void sum_rows(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, std::int64_t row_begin,
              std::int64_t row_end, int num_threads, ParticleBlock& phi) {
  constexpr int kLanes = ParticleBlock::kLanes;
  const std::int64_t num_blocks = (row_end - row_begin + kLanes - 1) / kLanes;
  const auto scale = 1.0 / static_cast<double>(u.count);
  // Below some tens of microseconds of work a team of threads costs more than it saves.
  [[maybe_unused]] const bool worth_threads = (row_end - row_begin) * u.count * (u.dim + 2) > 400000;
#pragma omp parallel num_threads(resolve_threads(num_threads)) if (worth_threads)
  {
    std::vector<double> row_u(static_cast<std::size_t>(u.dim) * kLanes);
    std::vector<double> sum(row_u.size());
#pragma omp for schedule(static)
    for (std::int64_t b = 0; b < num_blocks; ++b) {
      const std::int64_t first = row_begin + b * kLanes;
      switch (u.dim) {
        case 1: {
          double fixed_u[kLanes], fixed_sum[kLanes];
          sum_lane_block<PairKernel, 1>(u, s, inverse_h2, first, fixed_u, fixed_sum);
          std::copy_n(fixed_sum, kLanes, sum.data());
          break;
        }
        case 2:
          sum_lane_block<PairKernel, 2>(u, s, inverse_h2, first, row_u.data(), sum.data());
          break;
        case 3:
          sum_lane_block<PairKernel, 3>(u, s, inverse_h2, first, row_u.data(), sum.data());
          break;
        default:
          sum_lane_block<PairKernel, 0>(u, s, inverse_h2, first, row_u.data(), sum.data());
          break;
      }
      const std::int64_t last = std::min(first + kLanes, row_end);
      for (std::int32_t c = 0; c < u.dim; ++c)
        for (std::int64_t i = first; i < last; ++i)
          phi.at(i, c) = sum[static_cast<std::size_t>(c * kLanes + (i - first))] * scale;
    }
  }
}

}  // namespace sojourn
