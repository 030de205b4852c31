#include "sampler/direction_sums.hpp"

#include <algorithm>
#include <cmath>

#include "expects.hpp"
#include "sampler/kernel_sum.hpp"

namespace sojourn {
namespace {

/// Rows of mixed precision are looked at in every so many directions.
constexpr std::int64_t kCheckEvery = 10;

}  // namespace

void note_check(double error, DirectionCheck& report) {
  ++report.num_checks;
  report.worst_error = std::max(report.worst_error, error);
  SOJOURN_EXPECTS(
      error <= kMixedTolerance, NumericalError,
      "svgd: a direction in mixed precision is {:.2g} of the size of its sums away from that in fp64, where "
      "{:.0e} is allowed; use precision: fp64",
      error, kMixedTolerance);
}

void add_check(const DirectionCheck& part, DirectionCheck& whole) {
  whole.num_checks += part.num_checks;
  whole.worst_error = std::max(whole.worst_error, part.worst_error);
}

DirectionSums::DirectionSums(SvgdDevice* device, const SvgdOptions& options, std::int32_t dimension)
    : device_(device), kernel_(options.kernel), precision_(options.precision), num_threads_(options.num_threads) {
  if (device_ == nullptr) return;
  report_.name = device_->name();
  if (dimension <= device_->most_dimensions()) return;
  report_.why_no_directions = fmt::format("{} free parameters are more than the {} that its kernels hold in registers",
                                          dimension, device_->most_dimensions());
  device_ = nullptr;
}

void DirectionSums::sum(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, std::int64_t row_begin,
                        std::int64_t row_end, ParticleBlock& phi) {
  const bool mixed = precision_ == DirectionPrecision::kMixed;
  if (device_ == nullptr) {
    kernel_direction(kernel_, u, s, inverse_h2, row_begin, row_end, num_threads_, phi, precision_);
  } else {
    device_->direction(kernel_, {u.dim, u.count, u.stride, u.values.data(), s.values.data(), inverse_h2, mixed,
                                 row_begin, row_end, phi.values.data()});
    if (report_.num_directions++ == 0 && !mixed) check(u, s, inverse_h2, row_begin, row_end, phi);
  }
  if (mixed && num_calls_ % kCheckEvery == 0) check_mixed(u, s, inverse_h2, row_begin, row_end, phi);
  ++num_calls_;
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

void DirectionSums::check_mixed(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2,
                                std::int64_t row_begin, std::int64_t row_end, const ParticleBlock& phi) {
  constexpr std::int64_t kRows = ParticleBlock::kLanes;
  const std::int64_t num_blocks = (row_end - row_begin + kRows - 1) / kRows;
  const std::int64_t first = row_begin + num_calls_ / kCheckEvery % num_blocks * kRows;
  const std::int64_t last = std::min(row_end, first + kRows);
  ParticleBlock wanted(u.count, u.dim);
  kernel_direction(kernel_, u, s, inverse_h2, first, last, num_threads_, wanted);
  double size = 0, off = 0;
  for (std::int64_t i = 0; i < s.count; ++i) {
    double largest = 0;
    for (std::int32_t c = 0; c < s.dim; ++c) largest = std::max(largest, std::abs(s.at(i, c)));
    size += largest;
  }
  size = size / static_cast<double>(s.count) + std::sqrt(inverse_h2);
  for (std::int32_t c = 0; c < u.dim; ++c)
    for (std::int64_t i = first; i < last; ++i) {
      const double difference = std::abs(phi.at(i, c) - wanted.at(i, c));
      // Written so that what is not a number is taken, and stays.
      if (!std::isnan(off) && !(difference <= off)) off = difference;
    }
  note_check(off / size, check_);
}

}  // namespace sojourn
