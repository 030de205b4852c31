#include <algorithm>
#include <cmath>
#include <vector>

#include "common/median_select.hpp"
#include "expects.hpp"
#include "sampler/bandwidth.hpp"
#include "sampler/kernel_sum.hpp"
#include "sampler/whitening.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

Whitening metric_of(MatrixView<const double> whitener, MatrixView<const double> particles) {
  const auto dim = particles.num_cols();
  if (whitener.empty()) return Whitening(static_cast<std::int32_t>(dim));
  SOJOURN_EXPECTS(whitener.num_rows() == dim && whitener.num_cols() == dim, ShapeError,
                  "svgd: whitener is [{}, {}], must be [{}, {}] like the particles' coordinates", whitener.num_rows(),
                  whitener.num_cols(), dim, dim);
  for (std::size_t c = 0; c < dim; ++c)
    SOJOURN_EXPECTS(whitener(c, c) > 0, UsageError,
                    "svgd: whitener diagonal {} is {}, must be > 0: pass the lower Cholesky factor of the precision", c,
                    whitener(c, c));
  return Whitening(whitener, particle_mean(particles));
}

}  // namespace

double median_bandwidth_of(const ParticleBlock& u) {
  const std::int64_t count = median_select::num_particles(u.count);
  std::vector<double> squared;
  squared.reserve(static_cast<std::size_t>(median_select::num_pairs(u.count)));
  for (std::int64_t a = 0; a < count; ++a) {
    const std::int64_t i = median_select::particle_at(a, u.count);
    for (std::int64_t b = 0; b < a; ++b)
      squared.push_back(
          median_select::squared_distance(u.dim, u.values.data(), u.stride, i, median_select::particle_at(b, u.count)));
  }
  const auto middle = squared.begin() + static_cast<std::ptrdiff_t>(squared.size() / 2);
  std::nth_element(squared.begin(), middle, squared.end());
  double median = *middle;
  if (squared.size() % 2 == 0) median = 0.5 * (median + *std::max_element(squared.begin(), middle));
  return median_select::bandwidth_of(median, u.count);
}

double median_bandwidth(MatrixView<const double> whitener, MatrixView<const double> particles) {
  SOJOURN_EXPECTS(particles.num_rows() >= 2, UsageError, "median bandwidth: {} particles, at least 2 are needed",
                  particles.num_rows());
  ParticleBlock u(static_cast<std::int64_t>(particles.num_rows()), static_cast<std::int32_t>(particles.num_cols()));
  metric_of(whitener, particles).points(particles, u);
  return median_bandwidth_of(u);
}

void svgd_direction(Kernel kernel, double bandwidth, MatrixView<const double> whitener,
                    MatrixView<const double> particles, MatrixView<const double> scores, MatrixView<double> direction,
                    int num_threads) {
  SOJOURN_EXPECTS(std::isfinite(bandwidth) && bandwidth > 0, UsageError, "svgd: bandwidth {} must be finite and > 0",
                  bandwidth);
  SOJOURN_EXPECTS(scores.num_rows() == particles.num_rows() && scores.num_cols() == particles.num_cols(), ShapeError,
                  "svgd: scores are [{}, {}], particles [{}, {}]; they must agree", scores.num_rows(),
                  scores.num_cols(), particles.num_rows(), particles.num_cols());
  SOJOURN_EXPECTS(direction.num_rows() == particles.num_rows() && direction.num_cols() == particles.num_cols(),
                  ShapeError, "svgd: direction is [{}, {}], particles [{}, {}]; they must agree", direction.num_rows(),
                  direction.num_cols(), particles.num_rows(), particles.num_cols());
  if (particles.empty()) return;
  const Whitening metric = metric_of(whitener, particles);
  const auto count = static_cast<std::int64_t>(particles.num_rows());
  ParticleBlock u(count, metric.dimension()), s(count, metric.dimension()), phi(count, metric.dimension());
  metric.points(particles, u);
  metric.scores(scores, s);
  kernel_direction(kernel, u, s, 1 / (bandwidth * bandwidth), num_threads, phi);
  metric.gradients_back(phi, direction);
}

}  // namespace sojourn
