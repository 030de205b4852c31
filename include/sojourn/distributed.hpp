#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sojourn/environment.hpp"

namespace sojourn {

/// What SLURM's variables say of a job and of this process in it.
struct SlurmEnvironment {
  bool is_slurm = false;           ///< SLURM_JOB_ID is there
  std::string job_id;              ///< SLURM_JOB_ID
  std::int64_t process_id = 0;     ///< SLURM_PROCID
  std::int64_t num_processes = 1;  ///< SLURM_STEP_NUM_TASKS, else SLURM_NTASKS
  std::int64_t cpus_per_task = 1;  ///< SLURM_CPUS_PER_TASK
  std::int64_t node_count = 1;     ///< SLURM_JOB_NUM_NODES, else SLURM_NNODES
  std::string nodelist;            ///< SLURM_JOB_NODELIST, else SLURM_NODELIST, in its short form
  std::string step_nodelist;       ///< SLURM_STEP_NODELIST: of this step, which may be smaller than the job
  std::int64_t gpus_on_node = 0;   ///< SLURM_GPUS_ON_NODE
  std::string step_gpus;           ///< SLURM_STEP_GPUS: numbers of the step's GPUs on this node, "0,1"
  std::string gpus;                ///< SLURM_GPUS: how many the job asked for, "8" or "a100:8"
  std::int64_t restart_count = 0;  ///< SLURM_RESTART_COUNT: how often the job was put back into the queue
  bool in_step = false;            ///< started by srun rather than in a batch script or a shell of salloc
};

/// @throws CommError naming the variables and values where one cannot be or two disagree: a rank that is not below the
/// number of ranks, SLURM_NTASKS beside another SLURM_NPROCS, a node list of another length than the node count.
SlurmEnvironment detect_slurm_environment(const Environment& environment = process_environment());

/// "Running under SLURM: True" and what there is to know, a line each.
std::string to_text(const SlurmEnvironment& slurm);

/// Where the first rank can be reached by the others.
struct CoordinatorAddress {
  std::string host;
  int port = 12345;
  std::string source;   ///< the variable or command that told, "default" for localhost
  std::string warning;  ///< empty unless something was made up for
  /// "host:port", an IPv6 address in brackets.
  [[nodiscard]] std::string text() const;
};

/// Asks another than this library for the hosts of a node list; empty where it does not answer.
using NodeLister = std::function<std::vector<std::string>(const std::string& nodelist)>;

/// `scontrol show hostnames`, started without a shell and killed after a deadline of five seconds.
NodeLister scontrol_hostnames();

/// SOJOURN_COORDINATOR_ADDRESS (a host, or host:port) and SOJOURN_COORDINATOR_PORT (12345), else the first host of the
/// job's node list, else localhost.
///
/// Never localhost where there is more than one node, whoever says so. Where `list_nodes` does not answer, or not what
/// the node list says, this library's own reading counts and `warning` says so; an empty `list_nodes` is not asked.
/// @throws UsageError for a port or a host that is none, CommError for a node list that cannot be read, or more than
/// one node and no host.
CoordinatorAddress get_coordinator_address(const Environment& environment = process_environment(),
                                           const NodeLister& list_nodes = scontrol_hostnames());

/// Listens on the coordinator's port on all interfaces of this machine as long as it lives. Who connects is neither
/// answered nor heard.
class CoordinatorListener {
 public:
  /// @throws CommError with host:port and the way out where the port cannot be taken.
  explicit CoordinatorListener(const CoordinatorAddress& coordinator);
  CoordinatorListener(const CoordinatorListener&) = delete;
  CoordinatorListener& operator=(const CoordinatorListener&) = delete;
  ~CoordinatorListener();

 private:
  int sockets_[2] = {-1, -1};  ///< of both versions of IP
};

/// Connects to the coordinator and hangs up, trying again until `seconds` have passed.
/// @throws CommError with host:port, what the network said, and a hint on interfaces and firewalls.
void expect_coordinator_answers(const CoordinatorAddress& coordinator, double seconds);

/// How particles are shared out: over devices or ranks; as one batch over the cores of a device; one after another, for
/// readable errors.
enum class Strategy : std::uint8_t { kAuto, kDevices, kBatch, kSequential };
/// "auto", "devices", "batch", "sequential".
const char* to_string(Strategy strategy);
/// @throws UsageError for another text, with a suggestion.
Strategy strategy_from(std::string_view text);

/// What work can be shared out over.
struct DeviceCounts {
  std::int64_t devices = 1;  ///< of this rank: GPUs, or 1 for its cores together
  std::int64_t ranks = 1;
  std::int64_t cores = 1;  ///< of this rank
};

struct StrategyChoice {
  Strategy strategy = Strategy::kBatch;  ///< never kAuto
  std::int64_t num_devices = 1;          ///< of this rank that take part
  std::string warning;                   ///< empty unless another strategy was asked for than there is
};

/// With `kAuto`: devices where there is more than one device or rank, batch on several cores, else sequential. A
/// strategy asked for is taken, but for `kDevices` with one device and one rank, which falls back with a warning. Ranks
/// share out the particles under any; `kBatch` and `kSequential` then say how each does its share.
/// @param n_devices  how many devices of this rank to use; 0 for all.
/// @throws UsageError where `n_devices` is negative or more than there are.
StrategyChoice choose_strategy(Strategy requested, const DeviceCounts& counts, std::int64_t n_devices = 0);

/// Which part of a run this process is.
struct DistributedConfig {
  std::string job_id;  ///< of SLURM; empty elsewhere
  std::int64_t process_id = 0, num_processes = 1;
  bool is_coordinator = true;       ///< process 0, which alone speaks and writes
  std::string coordinator_address;  ///< host:port; empty where nothing names it and the ranks are on several nodes
  std::string launcher = "none";    ///< "Open MPI", "PMI" (MPICH, Intel MPI), "srun"
  std::int64_t num_nodes = 1;       ///< that the processes are on
  std::int64_t local_device_count = 1, global_device_count = 1;
  std::string platform = "cpu";  ///< "cpu" or "gpu"
  StrategyChoice strategy;
  std::vector<std::string> warnings;
};

struct DistributedRequest {
  std::string platform = "auto";  ///< "auto", "cpu", "gpu"
  int coordinator_port = 0;       ///< 0: SOJOURN_COORDINATOR_PORT, else 12345
  Strategy strategy = Strategy::kAuto;
  std::int64_t n_devices = 0;  ///< 0 for all
};

/// The configuration that the environment describes, from the launcher's variables for ranks, SLURM's for the job, and
/// `counts` for this machine (its `ranks` is not read). On a CPU every core counts as a device, as the guides have it.
/// All ranks are taken to have as many devices as this one. A process that is one of a SLURM allocation of several
/// tasks and was not started by srun works alone, and a warning says so. MPI connects the ranks: a coordinator that
/// only its own node can reach is a warning too, and nothing but the address is made of it.
/// @throws CommError as `detect_slurm_environment` does; UsageError for a port, a host or a platform that is none, and
/// for `n_devices` beyond what there is; DeviceError where "gpu" is asked for and there is none.
DistributedConfig configure_distributed(const DistributedRequest& request, std::int64_t num_cores,
                                        std::int64_t num_gpus, const Environment& environment = process_environment(),
                                        const NodeLister& list_nodes = scontrol_hostnames());

/// @throws CommError where what the launcher says is not what the communicator's library found: "launcher/MPI
/// mismatch".
void expect_ranks(const DistributedConfig& config, std::int64_t rank, std::int64_t size);

/// One line for each field.
std::string to_text(const DistributedConfig& config);

}  // namespace sojourn
