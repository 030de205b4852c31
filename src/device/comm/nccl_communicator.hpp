#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "device/comm/device_communicator.hpp"
#include "device/comm/nccl_table.hpp"

namespace sojourn {

struct NcclOptions {
  /// How long what is on the stream may take, and NCCL's start. SOJOURN_COMM_TIMEOUT.
  std::chrono::duration<double> deadline{3600};
  /// How long a rank on which NCCL failed waits for the others to come to the vote.
  std::chrono::duration<double> grace{30};
  /// Ends all ranks, with the text of what happened, where others wait inside NCCL and cannot be told. Called at most
  /// once, from any thread.
  std::function<void(const std::string&)> end_all;
  /// Adds calls that are done, their bytes, and the seconds that they took on the stream, waiting for other ranks
  /// included; null: nobody asks.
  CommCost* cost = nullptr;
  /// A line for each call and each wait, as of the logged communicator of the host.
  std::function<void(const std::string&)> log;
};

/// Ranks of `host`, one device each, over NCCL, whose unique id travels by `host`. Both outlive the communicator, and
/// `host` is one of its own (a duplicate), as every `wait` speaks there.
///
/// No rank throws alone: `wait` votes before it waits, as a call that one rank could not start would keep the others
/// waiting, and after. Where NCCL fails in its own threads the rank gives up its communicator, which ends the calls of
/// most others; those that are still inside NCCL after `grace` are ended by `end_all`.
/// @throws CommError on every rank: two ranks on one device, other versions of NCCL, or what NCCL says.
std::unique_ptr<DeviceCommunicator> make_nccl_communicator(nccl::Table table, Communicator& host, DeviceMemory& memory,
                                                           NcclOptions options);

}  // namespace sojourn
