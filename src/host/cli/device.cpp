#include <atomic>
#include <charconv>
#include <utility>

#include "cli/doctor_facts.hpp"
#include "cli/streams.hpp"
#include "cli/text_table.hpp"
#include "cli/verb.hpp"
#include "comm/launcher.hpp"
#include "expects.hpp"
#include "sojourn/info.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn::cli {
namespace {

std::atomic<DeviceOpener> device_opener{nullptr};

/// What was asked for and where; -1: the CPU, -2: any CUDA device.
struct DeviceRequest {
  std::string source, name;
  int index = -1;
};
constexpr int kCpu = -1, kAnyCuda = -2;

DeviceRequest read_request(const std::string& requested, const Environment& environment) {
  DeviceRequest request{"--device", requested, kCpu};
  if (request.name.empty()) {
    const std::string variable = variable_text(environment, "SOJOURN_DEVICE");
    if (!variable.empty()) request = {"SOJOURN_DEVICE", variable, kCpu};
  }
  const std::string& name = request.name;
  if (name.empty() || name == "auto" || name == "cpu") return request;
  const bool indexed = name.rfind("cuda:", 0) == 0 && name.size() > 5 && name.size() < 10 &&
                       name.find_first_not_of("0123456789", 5) == std::string::npos;
  SOJOURN_EXPECTS(name == "cuda" || indexed, UsageError,
                  "{}: unknown device '{}'; allowed: auto, cpu, cuda, cuda:0, ...", request.source, name);
  request.index = kAnyCuda;
  if (indexed) std::from_chars(name.data() + 5, name.data() + name.size(), request.index);
  return request;
}

/// @throws DeviceError where what is asked for is not there.
DeviceRequest expect_there(DeviceRequest request) {
  if (request.index == kCpu) return request;
  const std::string& name = request.name;
  const BuildInfo info = build_info();
  SOJOURN_EXPECTS(info.cuda, DeviceError,
                  "{} {}: this build has no CUDA; use --device cpu, or build where a CUDA toolkit is found",
                  request.source, name);
  if (info.devices.empty()) {
    const std::string old_driver = old_driver_text(driver_here(), info.cuda_version);
    throw DeviceError(
        old_driver.empty()
            ? fmt::format("{} {}: no CUDA device is visible; use --device cpu, or check nvidia-smi and "
                          "CUDA_VISIBLE_DEVICES",
                          request.source, name)
            : fmt::format("{} {}: no CUDA device is visible, as {}; use --device cpu, update the driver, or build with "
                          "an older toolkit",
                          request.source, name, old_driver));
  }
  SOJOURN_EXPECTS(request.index == kAnyCuda || std::cmp_less(request.index, info.devices.size()), DeviceError,
                  "{} {}: there is no such device; visible are {}; use one of these, or --device cpu", request.source,
                  name, fmt::join(info.devices, "; "));
  return request;
}

}  // namespace

void set_device_opener(DeviceOpener opener) { device_opener = opener; }

Device open_device(const std::string& requested, const Environment& environment,
                   const LikelihoodDevice::Report& report) {
  const DeviceRequest request = expect_there(read_request(requested, environment));
  if (request.index == kCpu) {
    if (const std::string text = auto_device_text(requested, environment); !text.empty()) warn(text);
    return {};
  }
  const DeviceOpener opener = device_opener;
  SOJOURN_EXPECTS(opener != nullptr, DeviceError, "{} {}: this program is linked without device code; use --device cpu",
                  request.source, request.name);
  const auto num_devices = static_cast<std::int64_t>(build_info().devices.size());
  int index = request.index;
  if (index == kAnyCuda) {
    const LauncherRank here = rank_on_node(environment, "or name the device, as --device cuda:0");
    index = static_cast<int>(here.rank % num_devices);
  }
  return opener(
      index, report ? report : [](const std::string& text) { warn(text); });
}

std::string auto_device_text(const std::string& requested, const Environment& environment) {
  const DeviceRequest request = read_request(requested, environment);
  if (request.name != "auto") return {};
  const BuildInfo info = build_info();
  const std::string said = fmt::format("{} auto: the CPU is used", request.source);
  if (!info.cuda) return said + ", as this build has no CUDA";
  if (info.devices.empty()) return said + ", as no CUDA device is visible";
  return fmt::format("{}; --device cuda takes {}", said, info.devices.front());
}

bool asks_for_cuda(const std::string& requested, const Environment& environment) {
  return read_request(requested, environment).index != kCpu;
}

void expect_cpu(const std::string& requested, const std::string& what, const Environment& environment) {
  const DeviceRequest request = expect_there(read_request(requested, environment));
  SOJOURN_EXPECTS(request.index == kCpu, DeviceError,
                  "{} {}: {} not computed on CUDA devices yet; moments and log likelihoods are; use --device cpu",
                  request.source, request.name, what);
}

std::string device_text(const DeviceReport& report) {
  if (report.name.empty()) return {};
  std::string text = fmt::format("{} likelihoods on {}", format_count(report.num_served), report.name);
  if (report.num_by_steps > 0) text += fmt::format(" ({} by steps)", format_count(report.num_by_steps));
  if (report.num_on_cpu() == 0) return text;
  text += fmt::format(", {} on the CPU instead:", format_count(report.num_on_cpu()));
  const char* separator = " ";
  const auto add = [&](std::int64_t count, const char* words) {
    if (count == 0) return;
    text += fmt::format("{}{} {}", separator, format_count(count), words);
    separator = ", ";
  };
  add(report.num_uncertified, "with values that are not certified there");
  add(report.num_in_doubt, "with a gradient in doubt");
  add(report.num_not_real, "with poles that are not proved real");
  add(report.num_many_steps, "with too many steps");
  add(report.num_bad_rates, "with rates that are negative or not finite");
  add(report.num_narrow, "with an interval too narrow");
  add(report.num_coarse, "beyond the finest level of data compression there");
  return text;
}

std::string device_text(const MomentReport& report) {
  if (report.name.empty()) return {};
  std::string text = fmt::format("moments at {} parameter vectors on {}", format_count(report.num_served), report.name);
  if (report.num_single > 0) text += fmt::format(", at {} of them in fp32", format_count(report.num_single));
  if (report.num_in_doubt > 0)
    text += fmt::format(", at {} with a gradient in doubt on the CPU instead", format_count(report.num_in_doubt));
  if (report.num_not_finite > 0)
    text += fmt::format(", at {} with numbers beyond double precision on the CPU instead",
                        format_count(report.num_not_finite));
  return text;
}

std::string device_text(const DeviceIterations& report) {
  if (report.name.empty()) return {};
  if (report.num_resident > 0) {
    std::string text =
        fmt::format("{} iterations on {}, particles staying there", format_count(report.num_resident), report.name);
    if (report.num_halts > 0)
      text += fmt::format("; in {} of them some came to the CPU to be evaluated", format_count(report.num_halts));
    if (!report.messages.empty()) text += fmt::format("; between the devices of ranks by {}", report.messages);
    return text;
  }
  std::string text =
      report.why_no_directions.empty()
          ? fmt::format("{} directions of SVGD on {}", format_count(report.num_directions), report.name)
          : fmt::format("directions of SVGD on the CPU, not on {}: {}", report.name, report.why_no_directions);
  if (!report.why_not_resident.empty())
    text += fmt::format("; particles come to the host in each iteration: {}", report.why_not_resident);
  return text;
}

}  // namespace sojourn::cli
