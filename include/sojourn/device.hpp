#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sojourn/likelihood_device.hpp"
#include "sojourn/moment_device.hpp"
#include "sojourn/sample_device.hpp"
#include "sojourn/svgd_device.hpp"

namespace sojourn {

/// What a device reaches in loops of nothing else, per second: multiply-adds of dot products whose operands lie in
/// shared memory, which is the most a replay can reach; multiply-adds on registers; bytes read and written by copies
/// inside the second cache and by copies through memory.
struct DeviceLimits {
  double shared_dot = 0, multiply_adds = 0, cache_bytes = 0, memory_bytes = 0;
};

/// What a program does on one device; all null: on the CPU.
struct Device {
  std::shared_ptr<LikelihoodDevice> likelihood;
  std::shared_ptr<SvgdDevice> svgd;
  std::shared_ptr<MomentDevice> moments;
  std::shared_ptr<SampleDevice> sampling;
  std::function<DeviceLimits()> limits;  ///< measures them; takes about a second
  double free_bytes = 0;                 ///< of its memory, when it was opened

  explicit operator bool() const { return likelihood != nullptr; }
  [[nodiscard]] std::string name() const { return likelihood->name(); }
};

}  // namespace sojourn
