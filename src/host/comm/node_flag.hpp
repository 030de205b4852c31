#pragma once

#include <atomic>
#include <string>

#include "sojourn/communicator.hpp"

namespace sojourn {

/// A flag that the ranks of one node share in memory: where a call between ranks hangs, none can be made to agree on
/// who speaks, but one of them can still be the first to set this.
class NodeFlag {
 public:
  /// All ranks call it. Two small collectives and a page of memory, of which nothing stays behind, not even where a
  /// rank is killed. Where the page cannot be had, the flag is this process's own and `fault` says why.
  explicit NodeFlag(Communicator& ranks);
  ~NodeFlag();
  NodeFlag(const NodeFlag&) = delete;
  NodeFlag& operator=(const NodeFlag&) = delete;

  /// True for the first process of the node that asks, false for all others and ever after, also when that one has
  /// ended. Any thread may ask.
  bool claim() { return std::atomic_ref(*set_).exchange(1) == 0; }
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  int own_ = 0;
  int* set_ = &own_;  ///< in the page, where there is one
  std::string fault_;
};

}  // namespace sojourn
