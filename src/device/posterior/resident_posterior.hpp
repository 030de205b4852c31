#pragma once

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "device/posterior/posterior_batch.hpp"
#include "sojourn/device_posterior.hpp"

namespace sojourn {

/// A posterior for callers that have their particles on the machine. `Machine` has, beside what batches ask of it,
///   index()          the number of its device, -1: host memory
///   on_stream(s)     steps go there from now on, behind what was enqueued before on whatever stream; null: its own
///   default_stream() what stands for a caller's null
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
    check("z", z, n, d, DeviceTensor::Type::kDouble);
    check("log_density", log_density, n, 0, DeviceTensor::Type::kDouble);
    check("score", score, n, d, DeviceTensor::Type::kDouble);
    check("outcome", outcome, n, 0, DeviceTensor::Type::kInt32);
    if (outcome.stride[0] != 1 || log_density.stride[0] != 1)
      throw ShapeError("log_density and outcome have strides " + std::to_string(log_density.stride[0]) + " and " +
                       std::to_string(outcome.stride[0]) + "; they must be 1");
    if (n > most_particles_)
      throw ShapeError("z has " + std::to_string(n) + " particles; there is room for " +
                       std::to_string(most_particles_) + ", ask for more when the posterior is put on the device");
    const OnStream there(machine_, stream != nullptr ? stream : machine_.default_stream());
    posterior_->launch(
        {static_cast<const double*>(z.data), z.stride[0], z.stride[1]}, n,
        {static_cast<double*>(log_density.data), static_cast<double*>(score.data), score.stride[0], score.stride[1],
         static_cast<std::int32_t*>(outcome.data), errors_.data(), errors_.data() + most_particles_});
  }

 private:
  /// Work goes to a caller's stream while this lives, to the machine's own again after it, whatever is thrown.
  struct OnStream {
    OnStream(Machine& machine, void* stream) : machine(machine) { machine.on_stream(stream); }
    ~OnStream() {
      try {
        machine.on_stream(nullptr);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "sojourn: a device's own stream does not follow the caller's: %s\n", error.what());
      }
    }
    OnStream(const OnStream&) = delete;
    OnStream& operator=(const OnStream&) = delete;
    Machine& machine;
  };

  /// `d` 0: a vector.
  void check(const std::string& name, const DeviceTensor& tensor, std::int64_t n, std::int64_t d,
             DeviceTensor::Type type) const {
    if (tensor.device != machine_.index())
      throw DeviceError(name + " is on device " + std::to_string(tensor.device) + ", the posterior on " +
                        std::to_string(machine_.index()) + " (-1: host memory); they must agree");
    const bool fits = d > 0 ? tensor.num_dims == 2 && tensor.shape[1] == d : tensor.num_dims == 1;
    if (!fits || tensor.shape[0] != n || tensor.type != type)
      throw ShapeError(name + " has " + std::to_string(tensor.num_dims) + " dimensions, [" +
                       std::to_string(tensor.shape[0]) + ", " +
                       std::to_string(tensor.num_dims > 1 ? tensor.shape[1] : 1) + "] " +
                       (tensor.type == DeviceTensor::Type::kDouble ? "doubles" : "32-bit whole numbers") +
                       "; it must be [" + std::to_string(n) + (d > 0 ? ", " + std::to_string(d) : "") + "] " +
                       (type == DeviceTensor::Type::kDouble ? "doubles" : "32-bit whole numbers"));
  }

  Machine& machine_;
  std::unique_ptr<PosteriorBatch<Machine>> posterior_;
  std::int64_t most_particles_;
  typename Machine::template Buffer<double> errors_;
};

}  // namespace sojourn
