#pragma once

#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>

#include "sojourn/device_tensor.hpp"
#include "sojourn/error.hpp"

/// Calls on tensors of a caller's. `Machine` has, beside what batches ask of it,
///   index()          the number of its device, -1: host memory
///   on_stream(s)     steps go there from now on, behind what was enqueued before on whatever stream; null: its own
///   default_stream() what stands for a caller's null
namespace sojourn {

/// Work goes to a caller's stream while this lives, to the machine's own again after it, whatever is thrown.
template <class Machine>
class OnStream {
 public:
  OnStream(Machine& machine, void* stream) : machine_(machine) {
    machine_.on_stream(stream != nullptr ? stream : machine_.default_stream());
  }
  ~OnStream() {
    try {
      machine_.on_stream(nullptr);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "sojourn: a device's own stream does not follow the caller's: %s\n", error.what());
    }
  }
  OnStream(const OnStream&) = delete;
  OnStream& operator=(const OnStream&) = delete;

 private:
  Machine& machine_;
};

/// What a tensor of a caller's has to be: [n, d], or [n] where `d` is 0, on device number `device`.
/// @throws DeviceError, ShapeError naming `name`.
inline void expect_tensor(const std::string& name, const DeviceTensor& tensor, std::int64_t n, std::int64_t d,
                          DeviceTensor::Type type, std::int32_t device) {
  if (tensor.device != device)
    throw DeviceError(name + " is on device " + std::to_string(tensor.device) + ", what evaluates it on " +
                      std::to_string(device) + " (-1: host memory); they must agree");
  const auto type_name = [](DeviceTensor::Type of) {
    return of == DeviceTensor::Type::kDouble ? "doubles" : "32-bit whole numbers";
  };
  const bool fits = d > 0 ? tensor.num_dims == 2 && tensor.shape[1] == d : tensor.num_dims == 1;
  if (!fits || tensor.shape[0] != n || tensor.type != type)
    throw ShapeError(
        name + " has " + std::to_string(tensor.num_dims) + " dimensions, [" + std::to_string(tensor.shape[0]) + ", " +
        std::to_string(tensor.num_dims > 1 ? tensor.shape[1] : 1) + "] " + type_name(tensor.type) + "; it must be [" +
        std::to_string(n) + (d > 0 ? ", " + std::to_string(d) : "") + "] " + type_name(type));
}

/// @throws ShapeError for more rows than there is room for.
inline void expect_room(const std::string& name, std::int64_t n, std::int64_t most) {
  if (n > most)
    throw ShapeError(name + " has " + std::to_string(n) + " rows; there is room for " + std::to_string(most) +
                     ", ask for more when it is made");
}

}  // namespace sojourn
