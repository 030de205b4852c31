#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sojourn/communicator.hpp"

namespace sojourn {

/// One device and one of its streams, as far as communication needs it. Every function may throw DeviceError.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  /// After all that stands on the stream; returns once the bytes are there.
  virtual void to_host(void* host, const void* device, std::size_t num_bytes) = 0;
  virtual void to_device(void* device, const void* host, std::size_t num_bytes) = 0;
  virtual void copy(void* to, const void* from, std::size_t num_bytes) = 0;
  /// Whether all that was put on the stream is done.
  [[nodiscard]] virtual bool is_idle() = 0;
  /// Waits for that.
  virtual void synchronize() = 0;
  /// Marks a point of the stream. Marks come in pairs, around what is to be timed.
  virtual void mark() = 0;
  /// Seconds that the stream took between the marks of all pairs since the last call; the stream is idle.
  virtual double take_seconds() = 0;
  /// cudaStream_t.
  [[nodiscard]] virtual void* stream() const = 0;
  /// The device's own name on this machine, "0000:17:00.0".
  [[nodiscard]] virtual std::string bus_id() const = 0;
};

/// What ranks say to each other from the memory of a device each. All ranks make the same calls in the same order.
///
/// Calls follow what stands on the stream. They may return before they are done: `wait` says that they are, and what
/// went wrong with them, in the same words on all ranks. In between the memory is theirs.
class DeviceCommunicator {
 public:
  DeviceCommunicator() = default;
  DeviceCommunicator(const DeviceCommunicator&) = delete;
  DeviceCommunicator& operator=(const DeviceCommunicator&) = delete;
  virtual ~DeviceCommunicator() = default;

  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  /// "nccl"; "mpi" where host messages take pointers of the device, "host" where they do not.
  [[nodiscard]] virtual std::string name() const = 0;

  /// `own` [num_bytes] of every rank to `all` [size * num_bytes], in the order of ranks; `own` may be its place there.
  virtual void all_gather(const void* own, void* all, std::size_t num_bytes) = 0;
  /// `values` of `root` to those of all others.
  virtual void broadcast(void* values, std::size_t num_bytes, int root) = 0;
  /// Element by element over all ranks; `result` may be `own`. The same bits on every rank. Where at most one rank's
  /// element is not zero, sums are exact in any order, and thereby the same for every number of ranks; -0 turns into 0.
  virtual void all_reduce(const double* own, double* result, std::size_t num_elements, Reduction reduction) = 0;
  /// Completes `values` [num_rows, width] of which every rank has the rows that `rows_of_rank(num_rows, unit)` gives
  /// it: numbers travel as they are, and rows are not padded.
  virtual void gather_rows(double* values, std::int64_t num_rows, std::int64_t unit, std::size_t width);
  /// Until all calls are done. `failure`: what keeps this rank from going on, or nothing.
  /// @throws CommError naming rank and failure, or rank, call and its number, on every rank.
  virtual void wait(const std::string& failure) = 0;
  void wait() { wait({}); }
  /// Whether calls only go on the stream, and nobody waits before `wait`.
  [[nodiscard]] virtual bool is_on_stream() const { return false; }
};

}  // namespace sojourn
