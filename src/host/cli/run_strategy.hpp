#pragma once

#include <string>

#include "cli/infer_options.hpp"
#include "sojourn/communicator.hpp"
#include "sojourn/distributed.hpp"

namespace sojourn::cli {

/// How this process takes part in a run, from the environment, the run file and what it has: `num_threads` cores, of
/// which fewer are used where `n_devices` or strategy sequential say so, and one GPU or none.
///
/// No other program is asked: MPI connects the ranks, and the coordinator's address is only written down.
/// @throws as `configure_distributed`; UsageError for several threads asked for by --threads beside sequential.
DistributedConfig configure_run(const InferOptions& options, const RunFile& run, const Communicator& ranks,
                                bool on_device, int& num_threads);

/// One line at a run's start: strategy, ranks, nodes, launcher, threads, device and seed.
std::string start_text(const DistributedConfig& config, int num_threads, const std::string& device, std::uint64_t seed);

}  // namespace sojourn::cli
