#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "sojourn/svgd_device.hpp"

namespace sojourn {

/// One direction as a machine is asked for it; all arrays and 1/h^2 in its memory. Rows are [row_begin, row_end).
struct DirectionLaunch {
  bool imq = true;     ///< else RBF
  bool mixed = false;  ///< pairs in single precision
  std::int32_t dimension = 0;
  std::int64_t num_particles = 0, stride = 0;
  const double* inverse_h2 = nullptr;
  const double* u = nullptr;
  const double* s = nullptr;
  std::int64_t row_begin = 0, row_end = 0;
  double* phi = nullptr;
};

/// The way of a direction from host memory through a machine and back. `Machine` is as `LikelihoodBatch` has it, and
///   run_direction(launch)   sums it, in the order of `svgd_block.hpp`.
template <class Machine>
class DirectionBatch {
 public:
  explicit DirectionBatch(Machine& machine) : machine_(machine) {}

  void sum(bool imq, const DirectionWork& work) {
    if (work.row_begin >= work.row_end) return;
    const auto size = static_cast<std::size_t>(work.dimension) * static_cast<std::size_t>(work.stride);
    if (3 * size + 1 > values_.size()) {
      values_ = {};
      values_ = typename Machine::template Buffer<double>(3 * size + 1);
    }
    double *const u = values_.data(), *const s = u + size, *const phi = s + size, *const inverse_h2 = phi + size;
    machine_.upload(u, std::span(work.u, size));
    machine_.upload(s, std::span(work.s, size));
    machine_.upload(inverse_h2, std::span(&work.inverse_h2, 1));
    machine_.run_direction({imq, work.mixed, work.dimension, work.num_particles, work.stride, inverse_h2, u, s,
                            work.row_begin, work.row_end, phi});
    const auto rows = static_cast<std::size_t>(work.row_end - work.row_begin);
    for (std::int32_t c = 0; c < work.dimension; ++c) {
      const std::int64_t begin = c * work.stride + work.row_begin;
      machine_.download(static_cast<const double*>(phi + begin), std::span(work.phi + begin, rows));
    }
  }

 private:
  Machine& machine_;
  typename Machine::template Buffer<double> values_;
};

}  // namespace sojourn
