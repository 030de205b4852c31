#pragma once

#include "sampler/particle_block.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {

/// Sums a run's directions on its device where there is one that takes them, else on the CPU.
class DirectionSums {
 public:
  /// `device`: null for the CPU.
  DirectionSums(SvgdDevice* device, const SvgdOptions& options, std::int32_t dimension);

  /// Rows [row_begin, row_end) of phi, as `kernel_direction`. The first rows that a device gives are compared with the
  /// CPU's. @throws DeviceError where they differ.
  void sum(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, std::int64_t row_begin,
           std::int64_t row_end, ParticleBlock& phi);
  /// To what is known of whole iterations.
  void add_to(DeviceIterations& report) const;

 private:
  void check(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, std::int64_t row_begin,
             std::int64_t row_end, const ParticleBlock& phi) const;

  SvgdDevice* device_;
  Kernel kernel_;
  int num_threads_;
  DeviceIterations report_;
};

}  // namespace sojourn
