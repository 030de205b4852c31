#include <cmath>
#include <limits>

#include "expects.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {
namespace {

/// 1 / (1 + exp(-z)), relative accuracy at both ends.
double sigmoid(double z) {
  if (z >= 0) return 1 / (1 + std::exp(-z));
  const double e = std::exp(z);
  return e / (1 + e);
}

/// log(1 + exp(z)) without overflow.
double softplus(double z) { return z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z)); }

/// Rounding may put a value on the end of an open interval.
double keep_inside(double theta, double lower, double upper) {
  if (theta <= lower) return lower == 0 ? std::numeric_limits<double>::denorm_min() : std::nextafter(lower, upper);
  return theta >= upper ? std::nextafter(upper, lower) : theta;
}

}  // namespace

Transform Transform::for_support(double lower, double upper) {
  SOJOURN_EXPECTS(lower < upper, ModelError, "support ({}, {}) is empty", lower, upper);
  Transform transform;
  transform.lower_ = lower;
  transform.upper_ = upper;
  if (std::isinf(lower)) {
    transform.kind_ = std::isinf(upper) ? Kind::kIdentity : Kind::kLogBelow;
  } else {
    transform.kind_ = std::isinf(upper) ? Kind::kLog : Kind::kLogit;
  }
  SOJOURN_EXPECTS(transform.kind_ != Kind::kLogit || std::isfinite(upper - lower), ModelError,
                  "support ({}, {}) is wider than double precision holds", lower, upper);
  return transform;
}

double Transform::to_natural(double z) const {
  switch (kind_) {
    case Kind::kIdentity:
      return z;
    case Kind::kLog:
      return keep_inside(lower_ + std::exp(z), lower_, upper_);
    case Kind::kLogBelow:
      return keep_inside(upper_ - std::exp(-z), lower_, upper_);
    case Kind::kLogit:
      // From the nearer end, so that small distances keep their digits.
      return keep_inside(z <= 0 ? lower_ + (upper_ - lower_) * sigmoid(z) : upper_ - (upper_ - lower_) * sigmoid(-z),
                         lower_, upper_);
  }
  return z;
}

double Transform::to_unconstrained(double theta) const {
  SOJOURN_EXPECTS(theta > lower_ && theta < upper_, UsageError, "value {} must be inside ({}, {})", theta, lower_,
                  upper_);
  switch (kind_) {
    case Kind::kIdentity:
      return theta;
    case Kind::kLog:
      return std::log(theta - lower_);
    case Kind::kLogBelow:
      return -std::log(upper_ - theta);
    case Kind::kLogit:
      return std::log(theta - lower_) - std::log(upper_ - theta);
  }
  return theta;
}

double Transform::log_jacobian(double z) const {
  switch (kind_) {
    case Kind::kIdentity:
      return 0;
    case Kind::kLog:
      return z;
    case Kind::kLogBelow:
      return -z;
    case Kind::kLogit:
      return std::log(upper_ - lower_) - softplus(z) - softplus(-z);
  }
  return 0;
}

double Transform::log_jacobian_derivative(double z) const {
  switch (kind_) {
    case Kind::kIdentity:
      return 0;
    case Kind::kLog:
      return 1;
    case Kind::kLogBelow:
      return -1;
    case Kind::kLogit:
      return -std::tanh(z / 2);
  }
  return 0;
}

double Transform::derivative(double z) const {
  switch (kind_) {
    case Kind::kIdentity:
      return 1;
    case Kind::kLog:
      return std::exp(z);
    case Kind::kLogBelow:
      return std::exp(-z);
    case Kind::kLogit:
      return (upper_ - lower_) * sigmoid(z) * sigmoid(-z);
  }
  return 1;
}

std::string Transform::describe() const {
  const auto minus = [](double value) { return value < 0 ? fmt::format("+ {}", -value) : fmt::format("- {}", value); };
  switch (kind_) {
    case Kind::kIdentity:
      return "identity";
    case Kind::kLog:
      return lower_ == 0 ? "log(theta)" : fmt::format("log(theta {})", minus(lower_));
    case Kind::kLogBelow:
      return fmt::format("-log({} - theta)", upper_);
    case Kind::kLogit:
      if (lower_ == 0 && upper_ == 1) return "logit(theta)";
      return lower_ == 0 ? fmt::format("logit(theta / {})", upper_)
                         : fmt::format("logit((theta {}) / {})", minus(lower_), upper_ - lower_);
  }
  return "";
}

}  // namespace sojourn
