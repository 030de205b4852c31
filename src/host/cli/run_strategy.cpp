#include "cli/run_strategy.hpp"

#include <fmt/format.h>

#include "expects.hpp"

namespace sojourn::cli {

DistributedConfig configure_run(const InferOptions& options, const RunFile& run, const Communicator& ranks,
                                bool on_device, int& num_threads) {
  const bool one_by_one = run.strategy == Strategy::kSequential;
  SOJOURN_EXPECTS(
      !one_by_one || options.common.threads.empty() || num_threads == 1, UsageError,
      "--threads {} and strategy sequential, which is one particle after another, exclude each other; leave "
      "--threads out, or take strategy batch",
      options.common.threads);
  if (one_by_one) num_threads = 1;
  const DistributedRequest request{
      .platform = on_device ? "gpu" : "cpu", .strategy = run.strategy, .n_devices = run.n_devices};
  // A process drives one GPU; a node with several has as many ranks.
  DistributedConfig config =
      configure_distributed(request, num_threads, on_device ? 1 : 0, process_environment(), NodeLister());
  expect_ranks(config, ranks.rank(), ranks.size());
  if (!on_device) num_threads = static_cast<int>(config.local_device_count);
  return config;
}

std::string start_text(const DistributedConfig& config, int num_threads, const std::string& device,
                       std::uint64_t seed) {
  std::string text = fmt::format("strategy {}: {} rank{}", to_string(config.strategy.strategy), config.num_processes,
                                 config.num_processes == 1 ? "" : "s");
  if (config.launcher != "none")
    text += fmt::format(" by {} on {} node{}", config.launcher, config.num_nodes, config.num_nodes == 1 ? "" : "s");
  text += fmt::format(" of {} thread{}, device {}, seed {}", num_threads, num_threads == 1 ? "" : "s", device, seed);
  if (!config.job_id.empty()) text += fmt::format(", SLURM job {}", config.job_id);
  return text;
}

}  // namespace sojourn::cli
