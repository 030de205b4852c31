#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "sojourn/communicator.hpp"

namespace sojourn {

/// One call as a user of the communicator made it.
struct CommCall {
  std::int64_t sequence = 0;  ///< from 1, counted on this communicator; equal on all ranks for collective calls
  std::string text;           ///< "all_reduce of 4 elements, sum"
  std::int64_t bytes = 0;     ///< that this rank gives or gets, whichever is more
};

/// Passes every call on, around which a wrapper does something of its own.
class WrappedCommunicator : public Communicator {
 public:
  explicit WrappedCommunicator(std::unique_ptr<Communicator> inner) : inner_(std::move(inner)) {}
  [[nodiscard]] int rank() const override { return inner_->rank(); }
  [[nodiscard]] int size() const override { return inner_->size(); }
  [[nodiscard]] std::string name() const override { return inner_->name(); }
  [[nodiscard]] bool takes_device_memory() const override { return inner_->takes_device_memory(); }
  void barrier() override;

 protected:
  /// Does `work` once, with whatever the wrapper adds.
  virtual void around(const CommCall& call, const std::function<void()>& work) = 0;
  [[nodiscard]] std::unique_ptr<Communicator> duplicate_inner();

  void all_gather_bytes(Bytes own, MutableBytes all) override;
  void all_to_all_bytes(Bytes blocks, MutableBytes received) override;
  void broadcast_bytes(MutableBytes values, int root) override;
  void gather_bytes(Bytes own, MutableBytes all, int root) override;
  void scatter_bytes(Bytes blocks, MutableBytes own, int root) override;
  void reduce_elements(Scope scope, const void* own, void* result, std::size_t num_elements, ElementType type,
                       Reduction reduction, int root) override;
  void send_bytes(Bytes values, int to, int tag) override;
  void receive_bytes(MutableBytes values, int from, int tag) override;
  void send_receive_bytes(Bytes values, int to, MutableBytes received, int from, int tag) override;

 private:
  void pass(std::string text, std::size_t num_bytes, const std::function<void()>& work);

  std::unique_ptr<Communicator> inner_;
  std::int64_t sequence_ = 0;
};

/// Writes a line before and after every call: "rank 2 | call 17 | all_reduce of 4 elements, sum" and the same with
/// "| done in 0.000123 s" or "| failed: ...".
std::unique_ptr<Communicator> make_logged_communicator(std::unique_ptr<Communicator> inner,
                                                       std::function<void(const std::string&)> write);

/// Calls `on_stall` with the rank, call and sequence number of a call that lasts longer than the deadline, once, from a
/// thread of its own; by default the caller ends all ranks there, since nothing can wake a rank that waits. Time in
/// which this process itself was stopped (a job that is suspended) does not count, so a rank that was stopped while the
/// others waited for it never takes them for silent.
std::unique_ptr<Communicator> make_watched_communicator(std::unique_ptr<Communicator> inner,
                                                        std::chrono::duration<double> deadline,
                                                        std::function<void(const std::string&)> on_stall);

/// Adds every call to `cost`, which outlives the communicator and its duplicates.
std::unique_ptr<Communicator> make_measured_communicator(std::unique_ptr<Communicator> inner, CommCost& cost);

/// For tests: before call number `sequence`, from 1 and counted with those of duplicates, does `fault`, which may
/// throw, wait or end the process. 0: never.
std::unique_ptr<Communicator> make_faulty_communicator(std::unique_ptr<Communicator> inner, std::int64_t sequence,
                                                       std::function<void()> fault);

}  // namespace sojourn
