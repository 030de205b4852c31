#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sojourn/device.hpp"
#include "sojourn/environment.hpp"
#include "sojourn/error.hpp"
#include "sojourn/model.hpp"

namespace sojourn {
struct DeviceIterations;
}

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace sojourn::cli {

/// What a verb does once its options are read; returns the exit status.
using Action = std::function<ExitCode()>;

/// Each gives `app` the options, help and example of its verb and returns what the verb does.
Action add_infer(CLI::App& app);
Action add_evaluate(CLI::App& app);
Action add_sample(CLI::App& app);
Action add_simulate(CLI::App& app);
Action add_inspect(CLI::App& app);
Action add_check(CLI::App& app);
Action add_bench(CLI::App& app);
Action add_info(CLI::App& app);
Action add_precompute(CLI::App& app);
Action add_cache(CLI::App& app);
Action add_slurm(CLI::App& app);
Action add_doctor(CLI::App& app);

/// What several verbs ask in the same words.
struct CommonOptions {
  std::string max_states, max_model_bytes, max_memory, threads, device;
  /// Limits of a model; puts that of memory in force. @throws UsageError for a limit that is no positive number.
  [[nodiscard]] ModelLimits limits() const;
  /// Threads to use; warns when they are many more than the cores. @throws UsageError.
  [[nodiscard]] int num_threads() const;

 private:
  mutable bool has_warned_ = false;
};
void add_limit_options(CLI::App& app, CommonOptions& options);
void add_thread_option(CLI::App& app, CommonOptions& options);
void add_device_option(CLI::App& app, CommonOptions& options);
/// An option that may be given several times, one value each.
CLI::Option* add_repeatable(CLI::App& app, const char* flag, std::vector<std::string>& values, const char* type,
                            const char* help);

/// What a program that is linked with device code gives: how to open CUDA device `index`.
using DeviceOpener = Device (*)(int index, LikelihoodDevice::Report report);
void set_device_opener(DeviceOpener opener);

/// The device to work on, from `--device` or SOJOURN_DEVICE; none for the CPU. "cuda" without a
/// number is the first device, or the next ones for further ranks on this node. Warns with `auto_device_text`. What the
/// device has to say, of batches that it halves, goes to `report`; null: printed as a warning.
/// @throws UsageError for a name that is none, DeviceError where the device asked for cannot be used.
Device open_device(const std::string& requested, const Environment& environment = process_environment(),
                   const LikelihoodDevice::Report& report = {});
/// What there is to say where `auto` is asked for by name: it takes no GPU, and why. Empty otherwise.
std::string auto_device_text(const std::string& requested, const Environment& environment = process_environment());
/// Whether that is a CUDA device, be it there or not. @throws UsageError for a name that is none.
bool asks_for_cuda(const std::string& requested, const Environment& environment = process_environment());
/// For a verb, or a quantity, that devices do not compute. @throws as above, and DeviceError for every device but the
/// CPU, with `what` they do not compute.
void expect_cpu(const std::string& requested, const std::string& what,
                const Environment& environment = process_environment());

/// "3,000 likelihoods on cuda:0 ..., 12 on the CPU (9 gradients in doubt, ...)"; empty without a device.
std::string device_text(const DeviceReport& report);
/// "10,000 vectors' moments on cuda:0 ..., 3 on the CPU instead: ..."; empty without a device.
std::string device_text(const MomentReport& report);
/// "500 directions of SVGD on cuda:0 ..."; empty without a device.
std::string device_text(const DeviceIterations& report);

/// Prints a model's warnings on standard error.
void print_warnings(const Model& model);

}  // namespace sojourn::cli
