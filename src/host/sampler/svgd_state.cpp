#include <algorithm>
#include <cmath>

#include "expects.hpp"
#include "sampler/svgd_fields.hpp"

namespace sojourn {
namespace {

bool has_shape(const Matrix<double>& matrix, std::size_t rows, std::size_t cols) {
  return matrix.num_rows() == rows && matrix.num_cols() == cols;
}

bool all_finite(std::span<const double> values) {
  return std::ranges::all_of(values, [](double value) { return std::isfinite(value); });
}

/// Collects the first fault found.
class Faults {
 public:
  void expect(bool good, const char* what) {
    if (!good && text_.empty()) text_ = what;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void check_history(const SvgdState& state, const SvgdOptions& options, std::size_t n, std::size_t d, Faults& faults) {
  const auto frames =
      options.history_every > 0 ? static_cast<std::size_t>(state.iteration / options.history_every) + 1 : 0;
  faults.expect(state.history.size() == frames, "its history has another number of frames");
  if (state.history.size() != frames) return;
  for (std::size_t k = 0; k < frames; ++k)
    faults.expect(state.history[k].iteration == static_cast<std::int64_t>(k) * options.history_every &&
                      has_shape(state.history[k].particles, n, d) && all_finite(state.history[k].particles.values()),
                  "a frame of its history is not what it should be");
}

}  // namespace

std::string fault_of(const SvgdState& state, const SvgdOptions& options, std::int32_t dimension) {
  const auto n = static_cast<std::size_t>(options.num_particles), d = static_cast<std::size_t>(dimension);
  Faults faults;
  if (state.particles.empty()) {
    faults.expect(state.iteration == 0, "it has no particles");
    return faults.text();
  }
  if (state.iteration > options.num_iterations)
    return fmt::format("it has done {} iterations, more than the {} asked for", state.iteration,
                       options.num_iterations);
  if (!has_shape(state.particles, n, d))
    return fmt::format("its particles are [{}, {}], not [{}, {}]", state.particles.num_rows(),
                       state.particles.num_cols(), n, d);
  const bool adam = options.optimizer == Optimizer::kAdam;
  faults.expect(state.iteration >= 0, "its number of iterations is negative");
  faults.expect(state.log_density.size() == n && all_finite(state.log_density), "its log densities are not usable");
  faults.expect(has_shape(state.score, n, d) && all_finite(state.score.values()), "its scores are not usable");
  faults.expect(has_shape(state.metric_factor, d, d) && all_finite(state.metric_factor.values()) &&
                    state.metric_centre.size() == d && all_finite(state.metric_centre),
                "its metric is not usable");
  for (std::size_t c = 0; c < d && faults.text().empty(); ++c)
    faults.expect(state.metric_factor(c, c) > 0, "its metric is not usable");
  faults.expect(state.sd.size() == (state.iteration > 0 ? d : 0) && all_finite(state.sd), "its sds are not usable");
  faults.expect(std::isfinite(state.inverse_h2) && state.inverse_h2 > 0, "its bandwidth is not usable");
  faults.expect(state.held.size() == n, "its counts of held particles are not one per particle");
  faults.expect(has_shape(state.first_moment, adam ? d : 0, adam ? n : 0) &&
                    has_shape(state.second_moment, adam ? d : 0, adam ? n : 0) &&
                    all_finite(state.first_moment.values()) && all_finite(state.second_moment.values()),
                "the optimizer's moments are not usable");
  faults.expect(state.trace_step.size() == static_cast<std::size_t>(state.iteration) &&
                    state.trace_mean_log_density.size() == state.trace_step.size(),
                "its traces do not have a value for each iteration");
  faults.expect((state.map.empty() || state.map.size() == d) &&
                    (state.laplace_covariance.empty() || has_shape(state.laplace_covariance, d, d)) &&
                    all_finite(state.map) && all_finite(state.laplace_covariance.values()),
                "the mode of its start is not usable");
  faults.expect(all_finite(state.particles.values()), "its particles are not finite");
  check_history(state, options, n, d, faults);
  return faults.text();
}

}  // namespace sojourn
