#include "cli/device_plan.hpp"

#include <atomic>

#include "cli/text_table.hpp"
#include "expects.hpp"
#include "sojourn/memory.hpp"

namespace sojourn::cli {
namespace {

std::atomic<DevicePlanner> device_planner{nullptr};

/// An H200 says that it has 139.8 GiB, of which the driver's own context takes some 500 MiB.
constexpr double kGib = 1024.0 * 1024 * 1024, kH200Bytes = 139 * kGib;

std::string milliseconds(double seconds) { return fmt::format("{:.2g} ms", 1e3 * seconds); }

}  // namespace

void set_device_planner(DevicePlanner planner) { device_planner = planner; }

DevicePlan plan_device(Posterior& posterior, const SvgdOptions& options, std::int64_t num_ranks,
                       const PlannedDevice& device) {
  const DevicePlanner planner = device_planner;
  SOJOURN_EXPECTS(planner != nullptr, DeviceError,
                  "--plan for {}: this build has no CUDA, whose batches are what is planned; leave --device out, or "
                  "build where a CUDA toolkit is found (no GPU is needed)",
                  device.name);
  return planner(posterior, options, num_ranks, device);
}

PlannedDevice assumed_device(const std::string& text) {
  if (text.empty() || text == "h200") return {"NVIDIA H200", kH200Bytes};
  const std::int64_t bytes = parse_memory_size(text.c_str());
  SOJOURN_EXPECTS(bytes > 0, UsageError,
                  "--assume-device '{}' is neither a device that is known (h200) nor the size of one's memory, such as "
                  "80GiB",
                  text);
  return {fmt::format("a device of {} that is else as an NVIDIA H200", format_bytes(static_cast<double>(bytes))),
          static_cast<double>(bytes)};
}

std::string device_plan_text(const DevicePlan& plan, std::int64_t num_iterations) {
  std::string parts, times;
  for (const auto& [name, bytes] : plan.parts)
    parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", name, format_bytes(bytes));
  for (const auto& [name, seconds] : plan.seconds)
    times += fmt::format("{}{} {}", times.empty() ? "" : ", ", name, milliseconds(seconds));
  std::string text =
      fmt::format("device              {}{}\n", plan.device.assumed ? "assumed: " : "", plan.device.name);
  text += fmt::format("device memory       {} of {}: {}\n", format_bytes(plan.bytes),
                      format_bytes(plan.device.memory_bytes), parts);
  if (!plan.fault.empty()) {
    text += fmt::format("does not fit        {}\n", plan.fault);
  } else {
    text +=
        fmt::format("batch               {} of a device's {} particles at once{}\n",
                    // Those of one free parameter are read from a line.
                    plan.batch > 0 ? format_count(plan.batch) : std::string("none"), format_count(plan.num_particles),
                    plan.resident ? ", which stay there" : "; to the host in each iteration: " + plan.why_not_resident);
    text +=
        plan.seconds_iteration > 0
            ? fmt::format(
                  "an iteration there  about {} (predicted from constants that are not measured: {}), all about {}\n",
                  milliseconds(plan.seconds_iteration), times,
                  format_duration(static_cast<double>(num_iterations) * plan.seconds_iteration))
            : std::string("an iteration there  not predicted\n");
  }
  for (const std::string& note : plan.notes) text += "note: " + note + "\n";
  return text;
}

void write_device_plan(const DevicePlan& plan, JsonWriter& json) {
  json.begin_object().member("device", plan.device.name).member("assumed", plan.device.assumed);
  json.member("memory_bytes", plan.device.memory_bytes).member("predicted_bytes", plan.bytes);
  json.key("parts").begin_object();
  for (const auto& [name, bytes] : plan.parts) json.member(name, bytes);
  json.end_object();
  json.member("fits", plan.fault.empty()).member("fault", plan.fault);
  json.member("particles", plan.num_particles).member("batch", plan.batch);
  json.member("resident", plan.resident).member("why_not_resident", plan.why_not_resident);
  json.member("predicted_seconds_iteration", plan.seconds_iteration).key("predicted_seconds").begin_object();
  for (const auto& [name, seconds] : plan.seconds) json.member(name, seconds);
  json.end_object().member("constants_measured", false).key("notes").values(plan.notes).end_object();
}

}  // namespace sojourn::cli
