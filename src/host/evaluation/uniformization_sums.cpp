#include "evaluation/uniformization_sums.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "evaluation/uniformization_wide.hpp"

namespace sojourn {

namespace {

/// 2^power for power <= 0; 0 below the normal range.
double power_of_two(std::int64_t power) {
  return power < -1022 ? 0 : std::bit_cast<double>(static_cast<std::uint64_t>(power + 1023) << 52);
}

}  // namespace

void ScaledSum::add(double other_mantissa, std::int64_t other_exponent, std::span<const double> other_gradient) {
  if (other_exponent == StepScalar::kNothing) return;
  int power = 0;
  double value = std::frexp(other_mantissa, &power);
  double follow = std::ldexp(1.0, -power);
  const std::int64_t lead = other_exponent + power - exponent;
  if (lead > 0) {
    const double shrink = power_of_two(-lead);
    mantissa *= shrink;
    for (double& g : gradient) g *= shrink;
    exponent += lead;
  } else if (lead < 0) {
    const double shrink = power_of_two(lead);
    value *= shrink;
    follow *= shrink;
  }
  mantissa += value;
  for (std::size_t k = 0; k < other_gradient.size(); ++k) gradient[k] += other_gradient[k] * follow;
  if (mantissa >= 0x1p64) {
    mantissa *= 0x1p-64;
    for (double& g : gradient) g *= 0x1p-64;
    exponent += 64;
  }
}

double ScaledSum::log2() const {
  return mantissa == 0 ? -std::numeric_limits<double>::infinity() : std::log2(mantissa) + static_cast<double>(exponent);
}

ScalarBlock::ScalarBlock(std::int32_t num_rates)
    : num_rates_(num_rates), log2_gradient_(num_rates), block_gradient_(num_rates) {
  absorbed_.gradient.assign(num_rates, 0);
  for (std::int32_t kind = 0; kind < 3; ++kind) {
    mantissa_[kind].resize(kSteps);
    exponent_[kind].resize(kSteps);
    gradient_[kind].resize(static_cast<std::size_t>(kSteps) * num_rates);
  }
}

template <class Real>
void ScalarBlock::fill(Stepper<Real>& stepper, std::int32_t count) {
  count_ = count;
  for (std::int32_t i = 0; i < count; ++i) {
    const std::int64_t offset = static_cast<std::int64_t>(i) * num_rates_;
    StepScalar survival{0, 0, gradient_[kSurvival].data() + offset};
    StepScalar absorption{0, 0, gradient_[kAbsorption].data() + offset};
    stepper.read(survival, absorption);
    mantissa_[kSurvival][i] = survival.mantissa;
    exponent_[kSurvival][i] = survival.exponent;
    mantissa_[kAbsorption][i] = absorption.mantissa;
    exponent_[kAbsorption][i] = absorption.exponent;
    mantissa_[kAbsorbed][i] = absorbed_.mantissa;
    exponent_[kAbsorbed][i] = absorbed_.exponent;
    std::copy(absorbed_.gradient.begin(), absorbed_.gradient.end(), gradient_[kAbsorbed].begin() + offset);
    absorbed_.add(absorption.mantissa, absorption.exponent,
                  {absorption.gradient, static_cast<std::size_t>(num_rates_)});
    log2_survival_ = survival.mantissa == 0 ? -std::numeric_limits<double>::infinity()
                                            : std::log2(survival.mantissa) + static_cast<double>(survival.exponent);
    stepper.advance();
  }
  stepper.log2_gradient_size(log2_gradient_);
}

void ScalarBlock::accumulate(Kind kind, std::span<const double> weight, std::span<const std::int64_t> weight_exponent,
                             ScaledSum& sum) {
  const std::vector<double>& mantissa = mantissa_[kind];
  const std::vector<std::int64_t>& exponent = exponent_[kind];
  std::int64_t top = std::numeric_limits<std::int64_t>::min();
  for (std::int32_t i = 0; i < count_; ++i) {
    if (exponent[i] != StepScalar::kNothing) top = std::max(top, weight_exponent[i] + exponent[i]);
  }
  if (top == std::numeric_limits<std::int64_t>::min()) return;
  double value = 0;
  std::fill(block_gradient_.begin(), block_gradient_.end(), 0.0);
  for (std::int32_t i = 0; i < count_; ++i) {
    if (exponent[i] == StepScalar::kNothing) continue;
    const double factor = weight[i] * power_of_two(weight_exponent[i] + exponent[i] - top);
    value += factor * mantissa[i];
    const double* gradient = gradient_[kind].data() + static_cast<std::int64_t>(i) * num_rates_;
    for (std::int32_t k = 0; k < num_rates_; ++k) block_gradient_[k] += factor * gradient[k];
  }
  sum.add(value, top, block_gradient_);
}

template void ScalarBlock::fill(Stepper<double>&, std::int32_t);
template void ScalarBlock::fill(Stepper<Wide>&, std::int32_t);

}  // namespace sojourn
