#include "sampler/kernel_sum_rows.hpp"

namespace sojourn {
namespace {

template <class Number>
void sum(Kernel kernel, const PairBlock<Number>& pairs, std::int64_t row_begin, std::int64_t row_end, int num_threads,
         ParticleBlock& phi) {
  if (kernel == Kernel::kImq)
    sum_rows<ImqKernel>(pairs, row_begin, row_end, num_threads, phi);
  else
    sum_rows<RbfKernel>(pairs, row_begin, row_end, num_threads, phi);
}

}  // namespace

template <>
void kernel_direction_on<kThisSet>(Kernel kernel, const ParticleBlock& u, const ParticleBlock& s, double inverse_h2,
                                   std::int64_t row_begin, std::int64_t row_end, int num_threads, ParticleBlock& phi,
                                   DirectionPrecision precision) {
  if (precision == DirectionPrecision::kDouble) {
    sum<double>(kernel, {u.dim, u.count, u.stride, u.values.data(), s.values.data(), inverse_h2}, row_begin, row_end,
                num_threads, phi);
    return;
  }
  const std::vector<float> single_u(u.values.begin(), u.values.end()), single_s(s.values.begin(), s.values.end());
  sum<float>(kernel, {u.dim, u.count, u.stride, single_u.data(), single_s.data(), static_cast<float>(inverse_h2)},
             row_begin, row_end, num_threads, phi);
}

}  // namespace sojourn
