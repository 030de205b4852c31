#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/json_writer.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn::cli {

/// The device that a plan is for. No device is asked: plans are made on machines without one.
struct PlannedDevice {
  std::string name;
  double memory_bytes = 0;  ///< that a run would find free
  bool assumed = true;      ///< not one that was opened here
};

/// What a run would take on each device, predicted. Bytes come from the code that sizes batches; times from counts of
/// multiply-adds and assumed constants (decision 0025), none of which is measured.
struct DevicePlan {
  PlannedDevice device;
  std::int64_t num_particles = 0;  ///< of one device
  std::int64_t batch = 0;          ///< particles evaluated at once; 0: not even the smallest batch fits
  double bytes = 0;                ///< held at once
  std::vector<std::pair<std::string, double>> parts;
  bool resident = false;  ///< whole iterations stay on the device
  std::string why_not_resident;
  double seconds_iteration = 0;  ///< 0: not predicted
  std::vector<std::pair<std::string, double>> seconds;
  std::string fault;               ///< why it does not fit; empty: it does
  std::vector<std::string> notes;  ///< halved batches and what is not predicted
};

/// What a program that is linked with device code gives: the plan of a run of `options` whose particles `num_ranks`
/// ranks share out, a device each. The posterior is evaluated by no device any more afterwards.
/// @throws DeviceError where nothing of this likelihood is evaluated on a device.
using DevicePlanner = DevicePlan (*)(Posterior& posterior, const SvgdOptions& options, std::int64_t num_ranks,
                                     const PlannedDevice& device);
void set_device_planner(DevicePlanner planner);

/// @throws DeviceError where the program is linked without device code; as the planner.
DevicePlan plan_device(Posterior& posterior, const SvgdOptions& options, std::int64_t num_ranks,
                       const PlannedDevice& device);

/// The device that `--assume-device` names, "h200" or the size of its memory such as 80GiB, all else as an H200's;
/// empty: an H200. @throws UsageError for anything else.
PlannedDevice assumed_device(const std::string& text);

std::string device_plan_text(const DevicePlan& plan, std::int64_t num_iterations);
void write_device_plan(const DevicePlan& plan, JsonWriter& json);

}  // namespace sojourn::cli
