#include <cmath>
#include <limits>

#include "common/line_transform.hpp"
#include "expects.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {
namespace {

line_transform::Support support_of(const Transform& transform) {
  static_assert(static_cast<int>(Transform::Kind::kLogit) == static_cast<int>(line_transform::Kind::kLogit));
  return {static_cast<line_transform::Kind>(transform.kind()), transform.lower(), transform.upper()};
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

double Transform::to_natural(double z) const { return line_transform::to_natural(support_of(*this), z); }

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

double Transform::log_jacobian(double z) const { return line_transform::log_jacobian(support_of(*this), z); }

double Transform::log_jacobian_derivative(double z) const {
  return line_transform::log_jacobian_derivative(support_of(*this), z);
}

double Transform::derivative(double z) const { return line_transform::derivative(support_of(*this), z); }

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
