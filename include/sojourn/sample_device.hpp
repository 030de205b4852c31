#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace sojourn {

class JumpTable;

/// A machine that draws many paths of a chain at once.
class SampleDevice {
 public:
  virtual ~SampleDevice() = default;
  /// "cuda:0 NVIDIA H200, 139 GiB".
  [[nodiscard]] virtual std::string name() const = 0;
  /// Draws 0, 1, ... of `seed` into `draws` [num_draws, rewards], in host memory. A draw's bits depend on (seed, its
  /// number) alone. @throws DeviceError; where memory is short only after halving the batch down to one block.
  virtual void draw(const JumpTable& table, std::uint64_t seed, std::int64_t num_draws, std::span<double> draws) = 0;
};

}  // namespace sojourn
