#include "evaluation/uniformization_stepper.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "evaluation/uniformization_wide.hpp"

namespace sojourn {

namespace {

constexpr int kTop = 800;             ///< log2 of the scaled vector's sum after rescaling (double)
constexpr double kDrop = 0x1p-960;    ///< scaled entries below are dropped (double)
constexpr double kRescale = 0x1p600;  ///< a sum below is rescaled

/// Writes value * 2^exponent and the derivatives gradient(k) * 2^exponent on the value's own exponent.
template <class Gradient>
void put(double value, std::int64_t exponent, const Gradient& gradient, std::int32_t num_rates, StepScalar& out) {
  double reference = value;
  if (value == 0) {
    for (std::int32_t k = 0; k < num_rates; ++k) reference = std::max(reference, std::fabs(gradient(k)));
  }
  int power = 0;
  std::frexp(reference, &power);
  out.mantissa = std::ldexp(value, -power);
  out.exponent = reference == 0 ? StepScalar::kNothing : exponent + power;
  for (std::int32_t k = 0; k < num_rates; ++k) out.gradient[k] = std::ldexp(gradient(k), -power);
}

}  // namespace

StepMatrix::StepMatrix(const NumericChain& chain, bool gradient)
    : num_states(chain.num_states),
      num_rates(gradient ? chain.num_rates : 0),
      alpha(chain.alpha),
      alpha_gradient(chain.alpha_gradient) {
  const std::int32_t num_k = num_rates;
  const bool discrete = chain.time_kind == TimeKind::kDiscrete;
  std::vector<double> leave(chain.exit);
  for (std::int32_t i = 0; i < num_states; ++i) {
    for (std::int64_t e = chain.row_begin[i]; e < chain.row_begin[i + 1]; ++e) leave[i] += chain.weight[e];
  }
  if (!discrete) rate = leave.empty() ? 0 : *std::max_element(leave.begin(), leave.end());
  const double scale = rate > 0 ? 1 / rate : 0;
  const auto note = [&](double p) {
    if (p > 0) smallest_probability = std::min(smallest_probability, p);
  };
  stay.resize(num_states);
  stay_low.assign(num_states, 0);
  exit.resize(num_states);
  stay_gradient.assign(static_cast<std::size_t>(num_states) * num_k, 0);
  exit_gradient.assign(stay_gradient.size(), 0);
  in_begin.assign(num_states + 1, 0);
  for (const std::int32_t to : chain.column) ++in_begin[to + 1];
  for (std::int32_t i = 0; i < num_states; ++i) {
    largest_in_degree = std::max(largest_in_degree, static_cast<std::int32_t>(in_begin[i + 1]));
    in_begin[i + 1] += in_begin[i];
  }
  const std::size_t num = chain.column.size();
  from.resize(num);
  probability.resize(num);
  std::vector<std::int64_t> source(num), place(in_begin.begin(), in_begin.end() - 1);
  for (std::int32_t i = 0; i < num_states; ++i) {
    if (discrete) {
      stay[i] = chain.stay[i];
    } else {
      // 1 - x in two parts: the sum of both is right to about 2^-106, and stay = 0 exactly where x = 1.
      const double x = leave[i] == rate ? (rate > 0 ? 1.0 : 0.0) : leave[i] / rate;
      const double remainder = rate > 0 && x < 1 ? std::fma(-x, rate, leave[i]) / rate : 0;
      stay[i] = 1 - x;
      stay_low[i] = ((1 - stay[i]) - x) - remainder;
    }
    note(stay[i]);
    exit[i] = chain.exit[i] * scale;
    if (discrete) exit[i] = chain.exit[i];
    note(exit[i]);
    for (std::int32_t k = 0; k < num_k; ++k) {
      const std::int64_t at = static_cast<std::int64_t>(i) * num_k + k;
      exit_gradient[at] = chain.exit_gradient[at] * scale;
      stay_gradient[at] = discrete ? chain.stay_gradient[at] : -exit_gradient[at];
    }
    for (std::int64_t e = chain.row_begin[i]; e < chain.row_begin[i + 1]; ++e) {
      const std::int64_t slot = place[chain.column[e]]++;
      from[slot] = i;
      probability[slot] = chain.weight[e] * scale;
      note(probability[slot]);
      source[slot] = e;
      if (discrete) continue;
      for (std::int32_t k = 0; k < num_k; ++k) {
        stay_gradient[static_cast<std::int64_t>(i) * num_k + k] -= chain.weight_gradient[e * num_k + k] * scale;
      }
    }
  }
  term_begin.push_back(0);
  for (std::size_t slot = 0; slot < num; ++slot) {
    for (std::int32_t k = 0; k < num_k; ++k) {
      const double value = chain.weight_gradient[source[slot] * num_k + k] * scale;
      if (value == 0) continue;
      term_rate.push_back(k);
      term_value.push_back(value);
    }
    term_begin.push_back(static_cast<std::int64_t>(term_rate.size()));
  }
}

template <class Real>
Stepper<Real>::Stepper(const StepMatrix& matrix)
    : matrix_(matrix),
      length_(1 + matrix.num_rates),
      now_(static_cast<std::size_t>(matrix.num_states) * length_),
      next_(now_.size()),
      probability_(matrix.probability.begin(), matrix.probability.end()),
      stay_(matrix.stay.begin(), matrix.stay.end()),
      stay_low_(matrix.stay_low.begin(), matrix.stay_low.end()),
      exit_(matrix.exit.begin(), matrix.exit.end()),
      stay_gradient_(matrix.stay_gradient.begin(), matrix.stay_gradient.end()),
      exit_gradient_(matrix.exit_gradient.begin(), matrix.exit_gradient.end()),
      term_value_(matrix.term_value.begin(), matrix.term_value.end()),
      sums_(2 * static_cast<std::size_t>(length_)),
      log2_lost_(-std::numeric_limits<double>::infinity()) {
  double total = 0;
  for (std::int32_t i = 0; i < matrix.num_states; ++i) {
    Real* entry = now_.data() + static_cast<std::int64_t>(i) * length_;
    entry[0] = Real(matrix.alpha[i]);
    total += matrix.alpha[i];
    for (std::int32_t k = 1; k < length_; ++k) {
      entry[k] = Real(matrix.alpha_gradient[static_cast<std::int64_t>(i) * matrix.num_rates + k - 1]);
    }
  }
  zero_ = total == 0;
  if constexpr (std::is_same_v<Real, double>) rescale(total);
}

template <class Real>
void Stepper<Real>::lose(double mass) {
  const double log2_mass = std::log2(mass) + static_cast<double>(exponent_);
  const double high = std::max(log2_lost_, log2_mass), low = std::min(log2_lost_, log2_mass);
  log2_lost_ = std::isinf(low) ? high : high + std::log2(1 + std::exp2(low - high));
}

template <class Real>
void Stepper<Real>::rescale(double total) {
  if constexpr (std::is_same_v<Real, double>) {
    if (total == 0 || (total >= kRescale && total <= 0x1p900)) return;
    int power = 0;
    std::frexp(total, &power);
    // Derivatives may outlive the value where a rate is 0; they set the limit then.
    double largest = 0;
    for (const double x : now_) largest = std::max(largest, std::fabs(x));
    int limit = 0;
    std::frexp(largest, &limit);
    const int shift = std::min(kTop - power, 1000 - limit);
    if (shift <= 0) return;
    // Two factors: the shift may exceed the exponent range of one.
    const double half = std::ldexp(1.0, shift / 2), other = std::ldexp(1.0, shift - shift / 2);
    for (double& x : now_) x = x * half * other;
    exponent_ -= shift;
  }
}

template <class Real>
void Stepper<Real>::advance() {
  if (zero_) return;
  const StepMatrix& matrix = matrix_;
  const std::int32_t length = length_;
  [[maybe_unused]] double total = 0;
  [[maybe_unused]] double dropped = 0;
  for (std::int32_t i = 0; i < matrix.num_states; ++i) {
    Real* out = next_.data() + static_cast<std::int64_t>(i) * length;
    const Real* self = now_.data() + static_cast<std::int64_t>(i) * length;
    Real sum = stay_low_[i] * self[0];
    if (length == 1) {
      for (std::int64_t e = matrix.in_begin[i]; e < matrix.in_begin[i + 1]; ++e) {
        sum += probability_[e] * now_[matrix.from[e]];
      }
    } else {
      for (std::int32_t k = 1; k < length; ++k) {
        out[k] = stay_[i] * self[k];
        out[k] += stay_gradient_[static_cast<std::int64_t>(i) * matrix.num_rates + k - 1] * self[0];
      }
      for (std::int64_t e = matrix.in_begin[i]; e < matrix.in_begin[i + 1]; ++e) {
        const Real* source = now_.data() + static_cast<std::int64_t>(matrix.from[e]) * length;
        const Real p = probability_[e];
        sum += p * source[0];
        for (std::int32_t k = 1; k < length; ++k) out[k] += p * source[k];
        for (std::int64_t t = matrix.term_begin[e]; t < matrix.term_begin[e + 1]; ++t) {
          out[1 + matrix.term_rate[t]] += term_value_[t] * source[0];
        }
      }
    }
    if constexpr (std::is_same_v<Real, double>) {
      // The large part comes last, so one rounding of the new value is all that a state which mostly stays suffers.
      sum = std::fma(stay_[i], self[0], sum);
      if (sum < kDrop) {
        dropped += sum > 0 ? 1 : 0;
        for (std::int32_t k = 1; k < length; ++k) out[k] = sum > 0 ? 0 : out[k];
        sum = 0;
      }
      total += sum;
    } else {
      sum += stay_[i] * self[0];
    }
    out[0] = sum;
  }
  now_.swap(next_);
  if constexpr (std::is_same_v<Real, double>) {
    if (dropped > 0) lose(dropped * kDrop);
    // Products below the range of double vanish unseen where a probability is this small.
    if (matrix.smallest_probability < 0x1p-100) lose(static_cast<double>(matrix.num_edges() + 1) * 0x1p-1060);
    zero_ = total == 0 && std::all_of(now_.begin(), now_.end(), [](double x) { return x == 0; });
    rescale(total);
  }
}

template <class Real>
void Stepper<Real>::read(StepScalar& survival, StepScalar& absorption) {
  std::fill(sums_.begin(), sums_.end(), Real(0.0));
  Real* alive = sums_.data();
  Real* absorbed = sums_.data() + length_;
  for (std::int32_t i = 0; i < matrix_.num_states; ++i) {
    const Real* entry = now_.data() + static_cast<std::int64_t>(i) * length_;
    const Real leave = exit_[i];
    for (std::int32_t k = 0; k < length_; ++k) alive[k] += entry[k];
    if (matrix_.exit[i] != 0) {
      for (std::int32_t k = 0; k < length_; ++k) absorbed[k] += leave * entry[k];
    }
    for (std::int32_t k = 1; k < length_; ++k) {
      const std::int64_t at = static_cast<std::int64_t>(i) * matrix_.num_rates + k - 1;
      if (matrix_.exit_gradient[at] != 0) absorbed[k] += exit_gradient_[at] * entry[0];
    }
  }
  const auto write = [&](const Real* sum, StepScalar& out) {
    if constexpr (std::is_same_v<Real, double>) {
      if (sum == absorbed && sum[0] > 0 && sum[0] < kDrop) lose(kDrop);
      put(
          sum[0], exponent_, [&](std::int32_t k) { return sum[1 + k]; }, matrix_.num_rates, out);
    } else {
      std::int64_t unit = sum[0].exponent;
      if (sum[0].is_zero()) {
        for (std::int32_t k = 1; k < length_; ++k) unit = std::max(unit, sum[k].exponent);
      }
      const auto gradient = [&](std::int32_t k) {
        const std::int64_t lead = sum[1 + k].is_zero() ? 0 : sum[1 + k].exponent - unit;
        return std::ldexp(sum[1 + k].mantissa, static_cast<int>(512 * std::clamp<std::int64_t>(lead, -8, 8)));
      };
      put(sum[0].mantissa, 512 * unit, gradient, matrix_.num_rates, out);
    }
  };
  write(alive, survival);
  write(absorbed, absorption);
  if constexpr (!std::is_same_v<Real, double>) {
    zero_ = alive[0].is_zero() && std::all_of(now_.begin(), now_.end(), [](const Wide& x) { return x.is_zero(); });
  }
}

template <class Real>
void Stepper<Real>::log2_gradient_size(std::span<double> size) const {
  for (std::int32_t k = 1; k < length_; ++k) {
    Real sum(0.0);
    for (std::int32_t i = 0; i < matrix_.num_states; ++i) {
      Real entry = now_[static_cast<std::int64_t>(i) * length_ + k];
      if constexpr (std::is_same_v<Real, double>) {
        sum += std::fabs(entry);
      } else {
        entry.mantissa = std::fabs(entry.mantissa);
        sum += entry;
      }
    }
    if constexpr (std::is_same_v<Real, double>) {
      size[k - 1] = std::log2(sum) + static_cast<double>(exponent_);
    } else {
      size[k - 1] = std::log2(sum.mantissa) + (sum.is_zero() ? 0.0 : 512.0 * static_cast<double>(sum.exponent));
    }
  }
}

template class Stepper<double>;
template class Stepper<Wide>;

}  // namespace sojourn
