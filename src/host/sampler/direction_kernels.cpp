#include "sampler/kernel_sum_rows.hpp"

namespace sojourn {

template <>
void kernel_direction_on<kThisSet>(Kernel kernel, const ParticleBlock& u, const ParticleBlock& s, double inverse_h2,
                                   std::int64_t row_begin, std::int64_t row_end, int num_threads, ParticleBlock& phi) {
  if (kernel == Kernel::kImq)
    sum_rows<ImqKernel>(u, s, inverse_h2, row_begin, row_end, num_threads, phi);
  else
    sum_rows<RbfKernel>(u, s, inverse_h2, row_begin, row_end, num_threads, phi);
}

}  // namespace sojourn
