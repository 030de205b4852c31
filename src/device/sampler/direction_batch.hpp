#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/host_device.hpp"
#include "device/support/on_stream.hpp"
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

struct StoreStep {
  double value;
  double* into;
  SOJOURN_HD void operator()(std::int64_t) const { *into = value; }
};

/// The way of a direction from host memory through a machine and back. `Machine` is as `LikelihoodBatch` has it, and
///   run_direction(launch)   sums it, in the order of `svgd_block.hpp`.
template <class Machine>
class DirectionBatch {
 public:
  explicit DirectionBatch(Machine& machine) : machine_(machine), inverse_h2_(1) {}

  void sum(bool imq, const DirectionWork& work) {
    if (work.row_begin >= work.row_end) return;
    const auto size = static_cast<std::size_t>(work.dimension) * static_cast<std::size_t>(work.stride);
    if (3 * size > values_.size()) {
      values_ = {};
      values_ = typename Machine::template Buffer<double>(3 * size);
    }
    double *const u = values_.data(), *const s = u + size, *const phi = s + size;
    machine_.upload(u, std::span(work.u, size));
    machine_.upload(s, std::span(work.s, size));
    machine_.run(1, StoreStep{work.inverse_h2, inverse_h2_.data()});
    machine_.run_direction({imq, work.mixed, work.dimension, work.num_particles, work.stride, inverse_h2_.data(), u, s,
                            work.row_begin, work.row_end, phi});
    const auto rows = static_cast<std::size_t>(work.row_end - work.row_begin);
    for (std::int32_t c = 0; c < work.dimension; ++c) {
      const std::int64_t begin = c * work.stride + work.row_begin;
      machine_.download(static_cast<const double*>(phi + begin), std::span(work.phi + begin, rows));
    }
  }

  /// As `SvgdDevice::direction` of tensors, for a machine as `on_stream.hpp` has it.
  void sum_there(bool imq, std::int32_t most_dimensions, const DeviceTensor& u, const DeviceTensor& s,
                 double inverse_h2, const DeviceTensor& phi, void* stream) {
    const std::int64_t n = u.shape[0], d = u.shape[1];
    if (!(inverse_h2 > 0))
      throw UsageError("direction: 1 / bandwidth^2 is " + std::to_string(inverse_h2) + "; must be > 0");
    if (u.num_dims != 2 || d < 1 || d > most_dimensions)
      throw ShapeError("u has " + std::to_string(u.num_dims) + " dimensions and " + std::to_string(d) +
                       " coordinates; it must be [n, d] with d in 1.." + std::to_string(most_dimensions));
    const std::pair<const char*, const DeviceTensor&> tensors[] = {{"u", u}, {"s", s}, {"phi", phi}};
    for (const auto& [name, tensor] : tensors) {
      expect_tensor(name, tensor, n, d, DeviceTensor::Type::kDouble, machine_.index());
      if (tensor.stride[0] != 1 || tensor.stride[1] != u.stride[1] || tensor.stride[1] < n)
        throw ShapeError(std::string(name) + " has strides " + std::to_string(tensor.stride[0]) + " and " +
                         std::to_string(tensor.stride[1]) + "; they must be 1 and u's, which is at least " +
                         std::to_string(n) + ": particles side by side, coordinates apart");
    }
    const OnStream there(machine_, stream);
    machine_.run(1, StoreStep{inverse_h2, inverse_h2_.data()});
    machine_.run_direction({imq, false, static_cast<std::int32_t>(d), n, u.stride[1], inverse_h2_.data(),
                            static_cast<const double*>(u.data), static_cast<const double*>(s.data), 0, n,
                            static_cast<double*>(phi.data)});
  }

 private:
  Machine& machine_;
  typename Machine::template Buffer<double> inverse_h2_;
  typename Machine::template Buffer<double> values_;
};

}  // namespace sojourn
