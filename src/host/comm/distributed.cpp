#include "sojourn/distributed.hpp"

#include <fmt/format.h>

#include "comm/coordinator.hpp"
#include "comm/launcher.hpp"
#include "expects.hpp"
#include "model/suggest.hpp"

namespace sojourn {
namespace {

constexpr const char* kHint = "start the program without a launcher";
constexpr const char* kAddressVariable = "SOJOURN_COORDINATOR_ADDRESS";

/// Of the variable that told the rank.
std::string launcher_name(const std::string& variable) {
  if (variable.empty()) return "none";
  if (variable == "OMPI_COMM_WORLD_RANK") return "Open MPI";
  return variable == "PMI_RANK" ? "PMI" : "srun";
}

/// "cpu" or "gpu".
std::string platform_of(const std::string& asked, std::int64_t num_gpus) {
  if (asked == "auto") return num_gpus > 0 ? "gpu" : "cpu";
  const std::vector<std::string> platforms{"auto", "cpu", "gpu"};
  SOJOURN_EXPECTS(asked == "cpu" || asked == "gpu", UsageError, "platform '{}' is none of {}{}", asked,
                  fmt::join(platforms, ", "), suggestion(asked, platforms));
  SOJOURN_EXPECTS(asked == "cpu" || num_gpus > 0, DeviceError,
                  "platform gpu: no GPU is seen on this node; use platform cpu, or check nvidia-smi and "
                  "CUDA_VISIBLE_DEVICES");
  return asked;
}

}  // namespace

StrategyChoice choose_strategy(Strategy requested, const DeviceCounts& counts, std::int64_t n_devices) {
  SOJOURN_EXPECTS(n_devices >= 0 && n_devices <= counts.devices, UsageError,
                  "n_devices: {} must be from 1 to the {} there {}, or 0 for all", n_devices, counts.devices,
                  counts.devices == 1 ? "is" : "are");
  StrategyChoice choice;
  choice.num_devices = n_devices > 0 ? n_devices : counts.devices;
  const Strategy alone = counts.cores > 1 ? Strategy::kBatch : Strategy::kSequential;
  const bool many = choice.num_devices > 1 || counts.ranks > 1;
  choice.strategy = requested == Strategy::kAuto ? (many ? Strategy::kDevices : alone) : requested;
  if (requested == Strategy::kDevices && !many) {
    choice.strategy = alone;
    choice.warning = fmt::format(
        "strategy devices was asked for, but there is one device and one rank; {} is used instead; start more ranks, "
        "or "
        "ask for more devices",
        to_string(alone));
  }
  if (choice.strategy != Strategy::kDevices) choice.num_devices = 1;
  return choice;
}

DistributedConfig configure_distributed(const DistributedRequest& request, std::int64_t num_cores,
                                        std::int64_t num_gpus, const Environment& environment,
                                        const NodeLister& list_nodes) {
  SOJOURN_EXPECTS(num_cores >= 1 && num_gpus >= 0, UsageError, "{} cores and {} GPUs cannot be", num_cores, num_gpus);
  SOJOURN_EXPECTS(request.coordinator_port >= 0 && request.coordinator_port <= 65535, UsageError,
                  "coordinator_port: {} must be from 1 to 65535, or 0 for SOJOURN_COORDINATOR_PORT",
                  request.coordinator_port);
  const SlurmEnvironment slurm = detect_slurm_environment(environment);
  const LauncherRank rank = launcher_rank(environment, kHint);
  DistributedConfig config;
  config.job_id = slurm.job_id;
  config.process_id = rank.rank;
  config.num_processes = rank.size;
  config.is_coordinator = rank.rank == 0;
  config.launcher = launcher_name(rank.source);
  config.num_nodes = count_rank_nodes(environment);
  if (rank.source.empty() && slurm.num_processes > 1)
    config.warnings.push_back(
        fmt::format("SLURM granted {} tasks, but this is a single process: it works alone; start it by srun --mpi=pmix",
                    slurm.num_processes));
  std::string fault;
  const bool is_alone = rank.size == 1;
  CoordinatorAddress coordinator = find_coordinator(environment, is_alone ? NodeLister() : list_nodes, fault);
  const bool is_named = coordinator.source == kAddressVariable;
  if (is_alone && !is_named) {
    coordinator.host = "localhost";  // nobody has to find it
    fault.clear();
  }
  if (request.coordinator_port > 0) coordinator.port = request.coordinator_port;
  // MPI connects ranks without; what nobody has named is not made up.
  const bool is_known = fault.empty() || coordinator.source != "default";
  config.coordinator_address = is_known ? coordinator.text() : "";
  if (is_known && !fault.empty()) config.warnings.push_back(fault);
  if (!is_alone && !coordinator.warning.empty()) config.warnings.push_back(coordinator.warning);
  config.platform = platform_of(request.platform, num_gpus);
  const bool on_gpus = config.platform == "gpu";
  const std::int64_t available = on_gpus ? num_gpus : num_cores;
  SOJOURN_EXPECTS(request.n_devices >= 0 && request.n_devices <= available, UsageError,
                  "n_devices: {} must be from 1 to the {} {} of this process, or 0 for all{}", request.n_devices,
                  available, on_gpus ? (available == 1 ? "GPU" : "GPUs") : (available == 1 ? "core" : "cores"),
                  on_gpus ? "; start a rank for each GPU" : "");
  const std::int64_t cores = on_gpus || request.n_devices == 0 ? num_cores : request.n_devices;
  config.strategy =
      choose_strategy(request.strategy, {on_gpus ? num_gpus : 1, rank.size, cores}, on_gpus ? request.n_devices : 0);
  config.local_device_count = request.n_devices > 0 ? request.n_devices : available;
  config.global_device_count = config.local_device_count * config.num_processes;
  if (!config.strategy.warning.empty()) config.warnings.push_back(config.strategy.warning);
  return config;
}

void expect_ranks(const DistributedConfig& config, std::int64_t rank, std::int64_t size) {
  SOJOURN_EXPECTS(rank == config.process_id && size == config.num_processes, CommError,
                  "launcher/MPI mismatch: the launcher says rank {} of {}, MPI says {} of {}; start with the mpirun of "
                  "the MPI that the program is linked with, or try srun --mpi=pmix",
                  config.process_id, config.num_processes, rank, size);
}

std::string to_text(const DistributedConfig& config) {
  return fmt::format(
      "Job ID: {}\nProcess rank: {} of {}\nIs coordinator: {}\nCoordinator address: {}\nLocal devices: {}\nGlobal "
      "devices: {}\nPlatform: {}\nStrategy: {}\nLauncher: {}\nNodes: {}\n",
      config.job_id.empty() ? "Local execution" : config.job_id, config.process_id, config.num_processes,
      config.is_coordinator ? "True" : "False", config.coordinator_address, config.local_device_count,
      config.global_device_count, config.platform, to_string(config.strategy.strategy), config.launcher,
      config.num_nodes);
}

}  // namespace sojourn
