#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "expects.hpp"
#include "model/suggest.hpp"
#include "posterior/distributions.hpp"
#include "posterior/prior_on_line.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kSmallest = std::numeric_limits<double>::min();
constexpr double kLogSqrtTwoPi = 0.91893853320467274178;

/// A family's name in run files and those of its values; an empty second name means one value.
struct FamilyNames {
  PriorFamily family;
  const char* name;
  const char* first;
  const char* second;
};
constexpr std::array<FamilyNames, 7> kFamilies = {{
    {PriorFamily::kNormal, "normal", "mean", "sd"},
    {PriorFamily::kLognormal, "lognormal", "mean", "sd"},
    {PriorFamily::kGamma, "gamma", "shape", "rate"},
    {PriorFamily::kHalfCauchy, "half_cauchy", "scale", ""},
    {PriorFamily::kBeta, "beta", "a", "b"},
    {PriorFamily::kUniform, "uniform", "lower", "upper"},
    {PriorFamily::kExponential, "exponential", "rate", ""},
}};

const FamilyNames& names_of(PriorFamily family) {
  return *std::find_if(kFamilies.begin(), kFamilies.end(), [&](const auto& names) { return names.family == family; });
}

double log_beta_function(double a, double b) { return log_gamma(a) + log_gamma(b) - log_gamma(a + b); }

double logit_of(double x) { return std::log(x) - std::log1p(-x); }

/// A value rounded into the open interval (lower, upper), away from subnormal numbers.
double inside(double value, double lower, double upper) {
  if (value >= upper) return std::nextafter(upper, lower);
  if (lower == 0) return std::max(value, kSmallest);
  return value <= lower ? std::nextafter(lower, upper) : value;
}

}  // namespace

const char* to_string(PriorFamily family) { return names_of(family).name; }

Prior::Prior(PriorFamily family, double a, double b) : family_(family), a_(a), b_(b) {
  const FamilyNames& names = names_of(family);
  if (names.second[0] == '\0') b_ = 0;
  SOJOURN_EXPECTS(std::isfinite(a_) && std::isfinite(b_), ModelError, "prior {}: values must be finite", describe());
  const auto positive = [&](const char* name, double value) {
    SOJOURN_EXPECTS(value > 0, ModelError, "prior {}: {} {} must be > 0", describe(), name, value);
  };
  switch (family_) {
    case PriorFamily::kNormal:
    case PriorFamily::kLognormal:
      positive("sd", b_);
      break;
    case PriorFamily::kGamma:
    case PriorFamily::kBeta:
      positive(names.first, a_);
      positive(names.second, b_);
      break;
    case PriorFamily::kHalfCauchy:
    case PriorFamily::kExponential:
      positive(names.first, a_);
      break;
    case PriorFamily::kUniform:
      SOJOURN_EXPECTS(a_ < b_, ModelError, "prior {}: lower {} must be < upper {}", describe(), a_, b_);
      SOJOURN_EXPECTS(std::isfinite(b_ - a_), ModelError, "prior {}: upper - lower must be finite", describe());
      break;
  }
}

Prior Prior::from_names(const std::string& family, const std::map<std::string, double>& values) {
  std::vector<std::string> families;
  for (const FamilyNames& names : kFamilies) families.emplace_back(names.name);
  const auto found =
      std::find_if(kFamilies.begin(), kFamilies.end(), [&](const auto& names) { return family == names.name; });
  SOJOURN_EXPECTS(found != kFamilies.end(), ModelError, "unknown prior family '{}'{}; families are {}", family,
                  suggestion(family, families), list_names(families));
  std::vector<std::string> wanted = {found->first};
  if (found->second[0] != '\0') wanted.emplace_back(found->second);
  for (const auto& [name, value] : values) {
    SOJOURN_EXPECTS(std::find(wanted.begin(), wanted.end(), name) != wanted.end(), ModelError,
                    "prior {}: unknown value '{}'{}; it takes {}", family, name, suggestion(name, wanted),
                    list_names(wanted));
  }
  for (const std::string& name : wanted) {
    SOJOURN_EXPECTS(values.contains(name), ModelError, "prior {}: value '{}' is missing; it takes {}", family, name,
                    list_names(wanted));
  }
  return Prior(found->family, values.at(wanted[0]), wanted.size() > 1 ? values.at(wanted[1]) : 0);
}

double Prior::lower() const {
  if (family_ == PriorFamily::kNormal) return -kInfinity;
  return family_ == PriorFamily::kUniform ? a_ : 0;
}

double Prior::upper() const {
  if (family_ == PriorFamily::kUniform) return b_;
  return family_ == PriorFamily::kBeta ? 1 : kInfinity;
}

double Prior::log_density(double theta) const {
  if (std::isnan(theta)) return theta;
  if (theta < lower() || theta > upper() || std::isinf(theta)) return -kInfinity;
  return prior_density::varying_part(lane_family(family_), a_, b_, theta) + log_density_constant(*this);
}

double Prior::score(double theta) const {
  if (!(theta >= lower() && theta <= upper())) return std::numeric_limits<double>::quiet_NaN();
  return prior_density::score(lane_family(family_), a_, b_, theta);
}

double log_density_constant(const Prior& prior) {
  const double a = prior.a(), b = prior.b();
  switch (prior.family()) {
    case PriorFamily::kNormal:
    case PriorFamily::kLognormal:
      return -std::log(b) - kLogSqrtTwoPi;
    case PriorFamily::kGamma:
      return a * std::log(b) - log_gamma(a);
    case PriorFamily::kHalfCauchy:
      return std::log(2 * std::numbers::inv_pi / a);
    case PriorFamily::kBeta:
      return -log_beta_function(a, b);
    case PriorFamily::kUniform:
      return -std::log(b - a);
    case PriorFamily::kExponential:
      return std::log(a);
  }
  return 0;
}

prior_density::Family lane_family(PriorFamily family) {
  static_assert(static_cast<int>(PriorFamily::kExponential) == static_cast<int>(prior_density::Family::kExponential));
  return static_cast<prior_density::Family>(family);
}

double Prior::cdf(double theta) const {
  if (theta <= lower()) return 0;
  if (theta >= upper()) return 1;
  switch (family_) {
    case PriorFamily::kNormal:
      return normal_cdf((theta - a_) / b_);
    case PriorFamily::kLognormal:
      return normal_cdf((std::log(theta) - a_) / b_);
    case PriorFamily::kGamma:
      return gamma_cdf(a_, b_ * theta);
    case PriorFamily::kHalfCauchy:
      return 2 * std::numbers::inv_pi * std::atan(theta / a_);
    case PriorFamily::kBeta:
      return beta_cdf_at_logit(a_, b_, logit_of(theta));
    case PriorFamily::kUniform:
      return (theta - a_) / (b_ - a_);
    case PriorFamily::kExponential:
      return -std::expm1(-a_ * theta);
  }
  return 0;
}

double Prior::survival(double theta) const {
  if (theta <= lower()) return 1;
  if (theta >= upper()) return 0;
  switch (family_) {
    case PriorFamily::kNormal:
      return normal_cdf(-(theta - a_) / b_);
    case PriorFamily::kLognormal:
      return normal_cdf(-(std::log(theta) - a_) / b_);
    case PriorFamily::kGamma:
      return gamma_survival(a_, b_ * theta);
    case PriorFamily::kHalfCauchy:
      return 2 * std::numbers::inv_pi * std::atan(a_ / theta);
    case PriorFamily::kBeta:
      return beta_cdf_at_logit(b_, a_, -logit_of(theta));
    case PriorFamily::kUniform:
      return (b_ - theta) / (b_ - a_);
    case PriorFamily::kExponential:
      return std::exp(-a_ * theta);
  }
  return 0;
}

double Prior::quantile(double p) const {
  SOJOURN_EXPECTS(p > 0 && p < 1, UsageError, "probability {} must be inside (0, 1)", p);
  double theta = 0;
  switch (family_) {
    case PriorFamily::kNormal:
      return a_ + b_ * normal_quantile(p);
    case PriorFamily::kLognormal:
      theta = std::exp(a_ + b_ * normal_quantile(p));
      break;
    case PriorFamily::kGamma:
      theta = std::exp(gamma_log_quantile(a_, p, false) - std::log(b_));
      break;
    case PriorFamily::kHalfCauchy:
      // tan loses the upper half to the rounding of pi / 2.
      theta = p <= 0.5 ? a_ * std::tan(std::numbers::pi / 2 * p) : a_ / std::tan(std::numbers::pi / 2 * (1 - p));
      break;
    case PriorFamily::kBeta:
      theta = 1 / (1 + std::exp(-beta_logit_quantile(a_, b_, p, false)));
      break;
    case PriorFamily::kUniform:
      theta = p <= 0.5 ? a_ + p * (b_ - a_) : b_ - (1 - p) * (b_ - a_);
      break;
    case PriorFamily::kExponential:
      theta = -std::log1p(-p) / a_;
      break;
  }
  return inside(theta, lower(), upper());
}

double Prior::upper_quantile(double q) const {
  SOJOURN_EXPECTS(q > 0 && q < 1, UsageError, "probability {} must be inside (0, 1)", q);
  double theta = 0;
  switch (family_) {
    case PriorFamily::kNormal:
      return a_ - b_ * normal_quantile(q);
    case PriorFamily::kLognormal:
      theta = std::exp(a_ - b_ * normal_quantile(q));
      break;
    case PriorFamily::kGamma:
      theta = std::exp(gamma_log_quantile(a_, q, true) - std::log(b_));
      break;
    case PriorFamily::kHalfCauchy:
      theta = q <= 0.5 ? a_ / std::tan(std::numbers::pi / 2 * q) : a_ * std::tan(std::numbers::pi / 2 * (1 - q));
      break;
    case PriorFamily::kBeta:
      theta = 1 / (1 + std::exp(-beta_logit_quantile(a_, b_, q, true)));
      break;
    case PriorFamily::kUniform:
      theta = q <= 0.5 ? b_ - q * (b_ - a_) : a_ + (1 - q) * (b_ - a_);
      break;
    case PriorFamily::kExponential:
      theta = -std::log(q) / a_;
      break;
  }
  return inside(theta, lower(), upper());
}

std::string Prior::describe() const {
  const FamilyNames& names = names_of(family_);
  if (names.second[0] == '\0') return fmt::format("{}({}={})", names.name, names.first, a_);
  return fmt::format("{}({}={}, {}={})", names.name, names.first, a_, names.second, b_);
}

}  // namespace sojourn
