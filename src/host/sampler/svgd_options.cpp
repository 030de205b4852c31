#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "expects.hpp"
#include "sojourn/memory.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

void check_given(const SvgdOptions& options, std::int32_t dimension) {
  const Matrix<double>& given = options.given;
  SOJOURN_EXPECTS(given.num_rows() == static_cast<std::size_t>(options.num_particles) &&
                      given.num_cols() == static_cast<std::size_t>(dimension),
                  UsageError, "svgd: given particles are [{}, {}], must be [{}, {}] (particles, dimension)",
                  given.num_rows(), given.num_cols(), options.num_particles, dimension);
  for (std::size_t i = 0; i < given.num_rows(); ++i)
    for (std::size_t c = 0; c < given.num_cols(); ++c)
      SOJOURN_EXPECTS(std::isfinite(given(i, c)), UsageError,
                      "svgd: given particle {}, coordinate {} is {}, must be finite", i, c, given(i, c));
  for (std::size_t c = 0; c < given.num_cols(); ++c) {
    bool all_equal = true;
    for (std::size_t i = 1; i < given.num_rows(); ++i) all_equal = all_equal && given(i, c) == given(0, c);
    SOJOURN_EXPECTS(!all_equal, UsageError,
                    "svgd: given particles all have coordinate {} equal to {}; particles at one place never part, "
                    "spread them",
                    c, given(0, c));
  }
}

}  // namespace

void check_options(const SvgdOptions& options, std::int32_t dimension) {
  SOJOURN_EXPECTS(dimension >= 1, UsageError, "svgd: the target has dimension {}, must be >= 1", dimension);
  SOJOURN_EXPECTS(options.num_particles >= 2, UsageError, "svgd: particles {} must be >= 2", options.num_particles);
  // Particles, scores, directions, two moments, whitened copies and the trial position: about 16 doubles a coordinate.
  const double bytes = 128.0 * static_cast<double>(options.num_particles) * (dimension + 1);
  const double physical = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  SOJOURN_EXPECTS(bytes < physical, UsageError,
                  "svgd: particles {} of dimension {} need about {}, this machine has {}; ask for fewer",
                  options.num_particles, dimension, format_bytes(bytes), format_bytes(physical));
  SOJOURN_EXPECTS(options.num_iterations >= 1, UsageError, "svgd: iterations {} must be >= 1", options.num_iterations);
  SOJOURN_EXPECTS(std::isfinite(options.learning_rate) && options.learning_rate > 0, UsageError,
                  "svgd: learning_rate {} must be finite and > 0", options.learning_rate);
  SOJOURN_EXPECTS(
      options.bandwidth_rule == BandwidthRule::kMedian || (std::isfinite(options.bandwidth) && options.bandwidth > 0),
      UsageError, "svgd: bandwidth {} must be finite and > 0, or use the median rule", options.bandwidth);
  SOJOURN_EXPECTS(std::isfinite(options.bandwidth_scale) && options.bandwidth_scale > 0, UsageError,
                  "svgd: bandwidth_scale {} must be finite and > 0", options.bandwidth_scale);
  SOJOURN_EXPECTS(std::isfinite(options.linear_weight) && options.linear_weight >= 0, UsageError,
                  "svgd: linear_weight {} must be finite and >= 0", options.linear_weight);
  SOJOURN_EXPECTS(options.beta1 >= 0 && options.beta1 < 1, UsageError, "svgd: beta1 {} must be in [0, 1)",
                  options.beta1);
  SOJOURN_EXPECTS(options.beta2 >= 0 && options.beta2 < 1, UsageError, "svgd: beta2 {} must be in [0, 1)",
                  options.beta2);
  SOJOURN_EXPECTS(options.schedule != ScheduleKind::kExponential || (options.decay > 0 && options.decay <= 1),
                  UsageError, "svgd: decay {} must be in (0, 1]", options.decay);
  SOJOURN_EXPECTS(options.schedule != ScheduleKind::kWarmup || options.warmup_iterations >= 1, UsageError,
                  "svgd: warmup_iterations {} must be >= 1", options.warmup_iterations);
  SOJOURN_EXPECTS(std::isfinite(options.laplace_inflation) && options.laplace_inflation > 0, UsageError,
                  "svgd: laplace_inflation {} must be finite and > 0", options.laplace_inflation);
  SOJOURN_EXPECTS(options.history_every >= 0, UsageError, "svgd: history_every {} must be >= 0 (0 keeps none)",
                  options.history_every);
  SOJOURN_EXPECTS(options.num_threads >= 0, UsageError, "svgd: num_threads {} must be >= 0 (0: all)",
                  options.num_threads);
  if (options.start == StartKind::kGiven) check_given(options, dimension);
}

}  // namespace sojourn
