#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/rank_mesh.hpp"
#include "device/comm/device_communicator.hpp"
#include "device/comm/nccl_table.hpp"
#include "sojourn/svgd_device.hpp"

namespace sojourn {

/// What ranks with a device each say to each other in a run's iterations. All ranks make the same calls in the same
/// order; an exception on one is a CommError with the same text on all.
class RankExchange {
 public:
  RankExchange() = default;
  RankExchange(const RankExchange&) = delete;
  RankExchange& operator=(const RankExchange&) = delete;
  virtual ~RankExchange() = default;

  /// What rows travel by, in words: "NCCL 2.28.9".
  [[nodiscard]] virtual std::string name() const = 0;
  /// This rank's part of `count` rows in blocks of `unit`.
  [[nodiscard]] virtual RankRows rows(std::int64_t count, std::int64_t unit) const = 0;
  /// Completes `values` [num_rows, width] in the device's memory, of which every rank has its `rows(num_rows, unit)`,
  /// behind what was enqueued before. Numbers travel as they are. Inside an `enqueue` alone.
  virtual void gather(double* values, std::int64_t num_rows, std::int64_t unit, std::size_t width) = 0;
  /// Begins `enqueue`, which enqueues steps and gathers rows between them, and returns while the device is at work
  /// where rows travel on its stream; elsewhere `end` does it all. What fails waits for `end`, so that every rank comes
  /// there.
  virtual void begin(const std::function<void()>& enqueue) = 0;
  /// Waits until the device has done it all.
  virtual void end() = 0;
  /// Does `work`, which says nothing to other ranks.
  virtual void together(const std::function<void()>& work) = 0;
  /// What every rank tells, in the order of ranks.
  virtual std::vector<double> tell(double own) = 0;
};

/// By NCCL where all ranks can `load` it, unless MPI is asked for; else by the host's route, and `name` says why.
/// `ranks` outlives the exchange, which speaks by a duplicate of it.
/// @throws CommError, UsageError on every rank; see `make_nccl_communicator` and `make_host_route`.
std::unique_ptr<RankExchange> open_rank_exchange(Communicator& ranks, const DeviceMessages& messages,
                                                 const std::function<std::unique_ptr<DeviceMemory>()>& open_memory,
                                                 const std::function<nccl::Table()>& load);

}  // namespace sojourn
