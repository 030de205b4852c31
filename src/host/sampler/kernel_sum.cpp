#include "sampler/kernel_sum.hpp"

#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace sojourn {

int resolve_threads(int requested) {
#ifdef _OPENMP
  return requested > 0 ? requested : omp_get_max_threads();
#else
  return requested > 0 ? requested : 1;
#endif
}

void kernel_direction(Kernel kernel, const ParticleBlock& u, const ParticleBlock& s, double inverse_h2,
                      std::int64_t row_begin, std::int64_t row_end, int num_threads, ParticleBlock& phi,
                      DirectionPrecision precision) {
  on_instruction_set([&](auto set) {
    kernel_direction_on<set>(kernel, u, s, inverse_h2, row_begin, row_end, num_threads, phi, precision);
  });
}

void kernel_direction(Kernel kernel, const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, int num_threads,
                      ParticleBlock& phi) {
  kernel_direction(kernel, u, s, inverse_h2, 0, u.count, num_threads, phi);
}

void add_linear_direction(const ParticleBlock& u, const ParticleBlock& s, double weight, ParticleBlock& phi) {
  const std::int32_t dim = u.dim;
  const auto count = static_cast<double>(u.count);
  std::vector<double> centre(static_cast<std::size_t>(dim)), mean_score(centre.size());
  Matrix<double> moment(centre.size(), centre.size());
  for (std::int32_t c = 0; c < dim; ++c) {
    double sum_u = 0, sum_s = 0;
    for (std::int64_t i = 0; i < u.count; ++i) {
      sum_u += u.at(i, c);
      sum_s += s.at(i, c);
    }
    centre[c] = sum_u / count;
    mean_score[c] = sum_s / count;
  }
  for (std::int32_t a = 0; a < dim; ++a)
    for (std::int32_t b = 0; b < dim; ++b) {
      double sum = 0;
      for (std::int64_t i = 0; i < u.count; ++i) sum += s.at(i, a) * (u.at(i, b) - centre[b]);
      moment(a, b) = sum / count + (a == b ? 1.0 : 0.0);
    }
  for (std::int32_t a = 0; a < dim; ++a)
    for (std::int64_t i = 0; i < u.count; ++i) {
      double sum = mean_score[a];
      for (std::int32_t b = 0; b < dim; ++b) sum += moment(a, b) * (u.at(i, b) - centre[b]);
      phi.at(i, a) += weight * sum;
    }
}

}  // namespace sojourn
