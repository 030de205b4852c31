#pragma once

#include "sampler/particle_block.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {

/// Notes one check of a direction in mixed precision. @throws NumericalError where `error` is above `kMixedTolerance`,
/// or not a number.
void note_check(double error, DirectionCheck& report);
/// Joins what two parts of a run found.
void add_check(const DirectionCheck& part, DirectionCheck& whole);

/// Sums a run's directions on its device where there is one that takes them, else on the CPU.
class DirectionSums {
 public:
  /// `device`: null for the CPU.
  DirectionSums(SvgdDevice* device, const SvgdOptions& options, std::int32_t dimension);

  /// Rows [row_begin, row_end) of phi, as `kernel_direction`. The first rows that a device gives are compared with the
  /// CPU's; with mixed precision some rows of every tenth direction with those in double. `row_begin` is a multiple of
  /// `ParticleBlock::kLanes`. @throws DeviceError where the former differ, NumericalError where the latter do.
  void sum(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, std::int64_t row_begin,
           std::int64_t row_end, ParticleBlock& phi);
  /// To what is known of whole iterations.
  void add_to(DeviceIterations& report) const;
  void add_to(DirectionCheck& report) const { add_check(check_, report); }

 private:
  void check(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, std::int64_t row_begin,
             std::int64_t row_end, const ParticleBlock& phi) const;
  void check_mixed(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, std::int64_t row_begin,
                   std::int64_t row_end, const ParticleBlock& phi);

  SvgdDevice* device_;
  Kernel kernel_;
  DirectionPrecision precision_;
  int num_threads_;
  std::int64_t num_calls_ = 0;
  DeviceIterations report_;
  DirectionCheck check_;
};

}  // namespace sojourn
