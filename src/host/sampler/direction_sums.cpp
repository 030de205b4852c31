#include "sampler/direction_sums.hpp"

#include <algorithm>
#include <cmath>

#include "expects.hpp"
#include "sampler/kernel_sum.hpp"

namespace sojourn {

DirectionSums::DirectionSums(SvgdDevice* device, const SvgdOptions& options, std::int32_t dimension)
    : device_(device), kernel_(options.kernel), num_threads_(options.num_threads) {
  if (device_ == nullptr) return;
  report_.name = device_->name();
  if (dimension <= device_->most_dimensions()) return;
  report_.why_no_directions = fmt::format("{} free parameters are more than the {} that its kernels hold in registers",
                                          dimension, device_->most_dimensions());
  device_ = nullptr;
}

void DirectionSums::sum(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, std::int64_t row_begin,
                        std::int64_t row_end, ParticleBlock& phi) {
  if (device_ == nullptr) {
    kernel_direction(kernel_, u, s, inverse_h2, row_begin, row_end, num_threads_, phi);
    return;
  }
  device_->direction(kernel_, {u.dim, u.count, u.stride, u.values.data(), s.values.data(), inverse_h2, row_begin,
                               row_end, phi.values.data()});
  if (report_.num_directions++ == 0) check(u, s, inverse_h2, row_begin, row_end, phi);
}

void DirectionSums::add_to(DeviceIterations& report) const {
  report.name = report_.name;
  report.num_directions += report_.num_directions;
  if (report.num_resident == 0) report.why_no_directions = report_.why_no_directions;
}

void DirectionSums::check(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, std::int64_t row_begin,
                          std::int64_t row_end, const ParticleBlock& phi) const {
  // Another order of summation leaves a few roundings of the sum of sizes, which is at most the largest score and the
  // largest distance; a driver or a compiler at fault leaves more.
  constexpr double kAllowance = 1e-9;
  const std::int64_t last = std::min<std::int64_t>(row_end, row_begin + ParticleBlock::kLanes);
  ParticleBlock wanted(u.count, u.dim);
  kernel_direction(kernel_, u, s, inverse_h2, row_begin, last, num_threads_, wanted);
  double size = 1;
  for (const double value : s.values) size = std::max(size, std::abs(value));
  for (std::int32_t c = 0; c < u.dim; ++c)
    for (std::int64_t i = row_begin; i < last; ++i)
      SOJOURN_EXPECTS(
          std::abs(phi.at(i, c) - wanted.at(i, c)) <= kAllowance * size, DeviceError,
          "{}: coordinate {} of the direction of particle {} is {} there and {} on the CPU; use --device cpu "
          "and report this",
          device_->name(), c, i, phi.at(i, c), wanted.at(i, c));
}

}  // namespace sojourn
