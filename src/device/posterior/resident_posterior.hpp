#pragma once

#include <memory>
#include <string>
#include <utility>

#include "device/posterior/posterior_batch.hpp"
#include "device/support/on_stream.hpp"
#include "sojourn/device_posterior.hpp"

namespace sojourn {

/// A posterior for callers that have their particles on the machine, which is as `on_stream.hpp` has it.
template <class Machine>
class ResidentPosterior final : public DevicePosterior {
 public:
  /// `posterior` is reserved for as many particles.
  ResidentPosterior(Machine& machine, std::unique_ptr<PosteriorBatch<Machine>> posterior, std::int64_t most_particles)
      : machine_(machine),
        posterior_(std::move(posterior)),
        most_particles_(most_particles),
        errors_(static_cast<std::size_t>(2 * most_particles)) {}

  [[nodiscard]] std::int32_t dimension() const override { return posterior_->dimension(); }
  [[nodiscard]] std::int64_t most_particles() const override { return most_particles_; }

  void evaluate(const DeviceTensor& z, const DeviceTensor& log_density, const DeviceTensor& score,
                const DeviceTensor& outcome, void* stream) override {
    const std::int64_t n = z.shape[0], d = dimension();
    const std::int32_t device = machine_.index();
    expect_tensor("z", z, n, d, DeviceTensor::Type::kDouble, device);
    expect_tensor("log_density", log_density, n, 0, DeviceTensor::Type::kDouble, device);
    expect_tensor("score", score, n, d, DeviceTensor::Type::kDouble, device);
    expect_tensor("outcome", outcome, n, 0, DeviceTensor::Type::kInt32, device);
    if (outcome.stride[0] != 1 || log_density.stride[0] != 1)
      throw ShapeError("log_density and outcome have strides " + std::to_string(log_density.stride[0]) + " and " +
                       std::to_string(outcome.stride[0]) + "; they must be 1");
    expect_room("z", n, most_particles_);
    const OnStream there(machine_, stream);
    posterior_->launch(
        {static_cast<const double*>(z.data), z.stride[0], z.stride[1]}, n,
        {static_cast<double*>(log_density.data), static_cast<double*>(score.data), score.stride[0], score.stride[1],
         static_cast<std::int32_t*>(outcome.data), errors_.data(), errors_.data() + most_particles_});
  }

 private:
  Machine& machine_;
  std::unique_ptr<PosteriorBatch<Machine>> posterior_;
  std::int64_t most_particles_;
  typename Machine::template Buffer<double> errors_;
};

}  // namespace sojourn
