#pragma once

#include <Random123/philox.h>

#include <cmath>
#include <cstdint>

#include "common/host_device.hpp"

namespace sojourn {

/// Counter-based random numbers: a draw depends on (seed, stream, index) alone, never on thread or device.
/// Philox4x32-10 (Salmon et al. 2011). Each `next_*` advances a block counter inside the (stream, index) cell.
class PhiloxStream {
 public:
  SOJOURN_HD PhiloxStream(std::uint64_t seed, std::uint32_t stream, std::uint64_t index)
      : key_{{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}},
        counter_{{0, stream, static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32)}} {}

  /// Uniform in (0, 1), 53 bits, never 0 or 1.
  SOJOURN_HD double next_uniform() {
    if (used_ == 4) {
      block_ = r123::Philox4x32()(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    // Two words at a time, by names that a register can have.
    const std::uint64_t high = used_ == 0 ? block_[0] : block_[2], low = used_ == 0 ? block_[1] : block_[3];
    used_ += 2;
    const std::uint64_t bits = (high << 21) ^ (low >> 11);
    return (static_cast<double>(bits & ((1ULL << 53) - 1)) + 0.5) * 0x1p-53;
  }
  SOJOURN_HD double next_exponential() { return -std::log(next_uniform()); }
  /// Standard normal by Box and Muller (1958), cosine branch.
  SOJOURN_HD double next_normal() {
    const double radius = std::sqrt(-2 * std::log(next_uniform()));
    return radius * std::cos(6.283185307179586476925 * next_uniform());
  }

 private:
  r123::Philox4x32::key_type key_;
  r123::Philox4x32::ctr_type counter_;
  r123::Philox4x32::ctr_type block_{};
  int used_ = 4;
};

/// Streams, so that no two uses share numbers.
enum RandomStream : std::uint32_t {
  kStreamSample = 1,      ///< draws of a model's law; index = draw
  kStreamInitial = 2,     ///< start particles; index = particle
  kStreamPredictive = 3,  ///< posterior predictive draws
  kStreamDiagnostics = 4,
};

}  // namespace sojourn
