#include "cli/verb.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <utility>

#include "cli/numbers.hpp"
#include "cli/streams.hpp"
#include "expects.hpp"
#include "sojourn/info.hpp"
#include "sojourn/memory.hpp"

namespace sojourn::cli {
namespace {

constexpr std::int64_t kMaxThreadsAsked = 4096;

}  // namespace

ModelLimits CommonOptions::limits() const {
  ModelLimits limits;
  if (!max_states.empty()) limits.max_states = parse_whole("--max-states", max_states, 1, 2'000'000'000);
  if (!max_model_bytes.empty()) limits.max_bytes = parse_whole("--max-model-bytes", max_model_bytes, 1);
  if (!max_memory.empty()) {
    const std::int64_t bytes = parse_memory_size(max_memory.c_str());
    SOJOURN_EXPECTS(bytes > 0, UsageError, "--max-memory '{}' is not a size; give bytes or a size such as 24GiB",
                    max_memory);
    set_memory_limit(bytes);
  }
  return limits;
}

int CommonOptions::num_threads() const {
  const int requested = threads.empty() ? 0 : static_cast<int>(parse_whole("--threads", threads, 1, kMaxThreadsAsked));
  const int used = resolve_num_threads(requested);
  const std::string warning = oversubscription_warning(used);
  if (!warning.empty() && !std::exchange(has_warned_, true)) warn(warning);
  return used;
}

void add_limit_options(CLI::App& app, CommonOptions& options) {
  app.add_option("--max-states", options.max_states, "Refuse a model with more states than this [10000000]")
      ->type_name("N")
      ->group("Limits");
  app.add_option("--max-model-bytes", options.max_model_bytes, "Refuse a model file larger than this [67108864]")
      ->type_name("BYTES")
      ->group("Limits");
  app.add_option("--max-memory", options.max_memory,
                 "Refuse what would make this process hold more, before it starts; 24GiB, 512M, ... "
                 "[SOJOURN_MAX_MEMORY, else what is free]")
      ->type_name("SIZE")
      ->group("Limits");
}

void add_thread_option(CLI::App& app, CommonOptions& options) {
  app.add_option("--threads", options.threads,
                 "CPU threads; the results do not depend on it [SOJOURN_NUM_THREADS, SLURM_CPUS_PER_TASK, "
                 "OMP_NUM_THREADS, else all cores]")
      ->type_name("N")
      ->group("Machine");
}

void add_device_option(CLI::App& app, CommonOptions& options) {
  app.add_option("--device", options.device, "auto, cpu, cuda or cuda:I [SOJOURN_DEVICE, else auto]")
      ->type_name("NAME")
      ->group("Machine");
}

CLI::Option* add_repeatable(CLI::App& app, const char* flag, std::vector<std::string>& values, const char* type,
                            const char* help) {
  return app.add_option(flag, values, help)
      ->type_name(type)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void print_warnings(const Model& model) {
  for (const std::string& warning : model.warnings) warn(warning);
}

}  // namespace sojourn::cli
