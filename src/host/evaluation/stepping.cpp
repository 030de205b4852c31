#include "evaluation/stepping.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "evaluation/uniformization_stepper.hpp"
#include "evaluation/uniformization_sums.hpp"
#include "evaluation/uniformization_wide.hpp"
#include "expects.hpp"

namespace sojourn {

namespace {

/// Fills the entries of one point from the step's scalars.
class PointWriter {
 public:
  PointWriter(const NumericChain& chain, std::span<const LawPoint> points, std::size_t num_rates, LawValues& values)
      : chain_(chain), points_(points), num_rates_(num_rates), values_(values) {}

  void density(std::size_t point, const StepScalar& mass) {
    if (points_[point].density) {
      put(point, mass.mantissa, mass.exponent, mass.gradient, values_.log_density, values_.density_gradient);
    }
  }
  void survival_and_cdf(std::size_t point, const StepScalar& survival, const ScaledSum& absorbed) {
    ScaledSum below = absorbed;
    const std::vector<double> none(num_rates_, 0.0);
    below.add(chain_.atom, 0, num_rates_ > 0 ? std::span<const double>(chain_.atom_gradient) : none);
    const double log2_survival = survival.mantissa > 0
                                     ? std::log2(survival.mantissa) + static_cast<double>(survival.exponent)
                                     : -std::numeric_limits<double>::infinity();
    // Of two numbers that sum to 1 the larger's logarithm is best taken from the smaller.
    if (points_[point].survival) {
      if (below.log2() < -1 && survival.mantissa > 0) {
        put_complement(point, below.mantissa, below.exponent, below.gradient.data(), values_.log_survival,
                       values_.survival_gradient);
      } else {
        put(point, survival.mantissa, survival.exponent, survival.gradient, values_.log_survival,
            values_.survival_gradient);
      }
    }
    if (points_[point].cdf) {
      if (log2_survival < -1 && below.mantissa > 0) {
        put_complement(point, survival.mantissa, survival.exponent, survival.gradient, values_.log_cdf,
                       values_.cdf_gradient);
      } else {
        put(point, below.mantissa, below.exponent, below.gradient.data(), values_.log_cdf, values_.cdf_gradient);
      }
    }
  }

 private:
  void put(std::size_t point, double mantissa, std::int64_t exponent, const double* gradient,
           std::vector<double>& log_values, std::vector<double>& gradients) {
    log_values[point] = log_scaled(mantissa, exponent);
    for (std::size_t k = 0; k < num_rates_; ++k) {
      gradients[point * num_rates_ + k] = mantissa > 0 ? gradient[k] / mantissa : 0;
    }
  }
  void put_complement(std::size_t point, double mantissa, std::int64_t exponent, const double* gradient,
                      std::vector<double>& log_values, std::vector<double>& gradients) {
    const double small = std::ldexp(mantissa, static_cast<int>(std::max<std::int64_t>(exponent, -2000)));
    log_values[point] = std::log1p(-small);
    for (std::size_t k = 0; k < num_rates_; ++k) {
      gradients[point * num_rates_ + k] = mantissa > 0 ? -gradient[k] / mantissa * (small / (1 - small)) : 0;
    }
  }

  const NumericChain& chain_;
  std::span<const LawPoint> points_;
  std::size_t num_rates_;
  LawValues& values_;
};

/// Steps through the counts in `order` (ascending). @return those whose values dropped mass might touch.
template <class Real>
std::vector<std::size_t> pass(const NumericChain& chain, const StepMatrix& matrix, std::span<const LawPoint> points,
                              const std::vector<std::size_t>& order, LawValues& values) {
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  const auto num_rates = static_cast<std::size_t>(matrix.num_rates);
  Stepper<Real> stepper(matrix);
  PointWriter writer(chain, points, num_rates, values);
  ScaledSum absorbed;
  absorbed.gradient.assign(num_rates, 0);
  std::vector<double> survival_gradient(num_rates), absorption_gradient(num_rates), mass_gradient(num_rates);
  StepScalar survival{0, 0, survival_gradient.data()};
  StepScalar absorption{0, 0, absorption_gradient.data()};
  // Mass absorbed in the step that led to the present count; at 0 it is the atom.
  StepScalar mass{0, 0, mass_gradient.data()};
  int power = 0;
  mass.mantissa = std::frexp(chain.atom, &power);
  mass.exponent = power;
  for (std::size_t k = 0; k < num_rates; ++k) mass_gradient[k] = std::ldexp(chain.atom_gradient[k], -power);
  std::vector<std::size_t> again;
  std::int64_t count = 0;
  stepper.read(survival, absorption);
  for (const std::size_t point : order) {
    const auto target = static_cast<std::int64_t>(points[point].value);
    while (count < target) {
      if (stepper.is_zero() && absorption.mantissa == 0) {  // nothing moves any more
        count = target;
        mass.mantissa = 0;
        break;
      }
      absorbed.add(absorption.mantissa, absorption.exponent, absorption_gradient);
      mass.mantissa = absorption.mantissa;
      mass.exponent = absorption.exponent;
      mass_gradient = absorption_gradient;
      mass.gradient = mass_gradient.data();
      stepper.advance();
      stepper.read(survival, absorption);
      ++count;
    }
    writer.density(point, mass);
    writer.survival_and_cdf(point, survival, absorbed);
    double missing = 0, largest_log = 0;
    const LawPoint& asked = points[point];
    const auto consider = [&](bool wanted, double log_value) {
      if (!wanted) return;
      if (std::isfinite(log_value)) largest_log = std::max(largest_log, std::fabs(log_value));
      if (stepper.log2_lost() == kNone) return;
      const double log2_scale = num_rates > 0 ? std::log2(static_cast<double>(count + 1)) : 0;
      const double bits = stepper.log2_lost() + log2_scale - log_value * 1.4426950408889634;
      missing = std::max(missing, std::exp2(std::min(1000.0, bits)));
    };
    consider(asked.density, values.log_density[point]);
    consider(asked.survival, values.log_survival[point]);
    consider(asked.cdf, values.log_cdf[point]);
    if (std::is_same_v<Real, double> && missing > 1e-15) {
      again.push_back(point);
      continue;
    }
    const double per_step = 2 + std::sqrt(static_cast<double>(matrix.largest_in_degree));
    values.error_bound[point] = missing + 0x1p-53 * (per_step * static_cast<double>(count) + 4 * largest_log + 16);
  }
  return again;
}

}  // namespace

template <>
void stepping_on<kThisSet>(const NumericChain& chain, std::span<const LawPoint> points, std::int64_t max_terms,
                           bool gradient, LawValues& values) {
  SOJOURN_EXPECTS(chain.time_kind == TimeKind::kDiscrete, UsageError,
                  "stepping: the chain is in continuous time; take --method uniformization");
  double latest = 0;
  for (const LawPoint& point : points) {
    SOJOURN_EXPECTS(std::isfinite(point.value) && point.value >= 0 && point.value == std::floor(point.value) &&
                        point.value <= 0x1p53,
                    UsageError, "count {}: a discrete law is asked at whole numbers from 0 to 2^53", point.value);
    latest = std::max(latest, point.value);
  }
  const double per_step = static_cast<double>(chain.column.size()) + 2.0 * chain.num_states;
  SOJOURN_EXPECTS(latest * per_step <= static_cast<double>(max_terms), NumericalError,
                  "stepping: {:.0f} steps of {:g} multiply-adds each are {:.3g}, more than the {} allowed; raise "
                  "max_terms (--max-terms of evaluate) or take another --method",
                  latest, per_step, latest * per_step, max_terms);
  const std::size_t num = points.size();
  values.reset(num, gradient ? chain.num_rates : 0);
  const StepMatrix matrix(chain, gradient);
  std::vector<std::size_t> order(num);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return points[a].value < points[b].value; });
  order = pass<double>(chain, matrix, points, order, values);
  if (!order.empty()) order = pass<Wide>(chain, matrix, points, order, values);
  SOJOURN_ASSERT(order.empty());
}

}  // namespace sojourn
