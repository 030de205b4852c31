#include <algorithm>
#include <cmath>

#include "common/random.hpp"
#include "expects.hpp"
#include "sampler/start.hpp"
#include "sampler/whitening.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

constexpr int kMaxPulls = 30;
/// Draws of later stages lie above all particles of a start on the same stream.
constexpr int kStageShift = 40;

/// The metric of the particles' covariance; of its diagonal where that is singular, as for fewer particles than
/// dimensions.
Whitening metric_of_particles(MatrixView<const double> particles) {
  std::vector<double> mean = particle_mean(particles);
  Matrix<double> covariance = particle_covariance(particles, mean);
  if (auto metric = Whitening::from_covariance(covariance.view(), mean)) return *metric;
  for (std::size_t a = 0; a < mean.size(); ++a)
    for (std::size_t b = 0; b < mean.size(); ++b) covariance(a, b) = a != b ? 0 : std::max(covariance(a, a), 1e-300);
  auto metric = Whitening::from_covariance(covariance.view(), mean);
  SOJOURN_EXPECTS(metric.has_value(), UsageError, "svgd: the particles to go on from have no finite spread");
  return *metric;
}

}  // namespace

Matrix<double> restart_particles(const Target& target, MatrixView<const double> particles, std::int64_t num_particles,
                                 std::uint64_t seed, int stage) {
  const std::size_t n = particles.num_rows(), d = particles.num_cols();
  SOJOURN_EXPECTS(n >= 2 && num_particles >= 2, UsageError, "svgd: {} particles to go on from {}, both must be >= 2",
                  num_particles, n);
  const auto m = static_cast<std::size_t>(num_particles);
  Matrix<double> start(m, d);
  if (m <= n) {
    for (std::size_t i = 0; i < m; ++i) std::ranges::copy(particles.row(i * n / m), start.row(i).begin());
    return start;
  }
  const Whitening metric = metric_of_particles(particles);
  std::vector<double> standard(d);
  for (std::size_t i = 0; i < m; ++i) {
    PhiloxStream stream(seed, kStreamInitial, (static_cast<std::uint64_t>(stage) << kStageShift) + i);
    for (double& value : standard) value = stream.next_normal();
    metric.step_back(standard, start.row(i));
    for (std::size_t c = 0; c < d; ++c) start(i, c) += metric.centre()[c];
  }
  std::vector<double> log_density(m);
  Matrix<double> score(m, d);
  std::vector<std::string> status(m);
  target.evaluate(start.view(), log_density, score.view(), status);
  for (std::size_t i = 0; i < m; ++i) {
    for (int pull = 0; !finite_row(log_density[i], score.row(i)); ++pull) {
      if (pull == kMaxPulls)
        throw ParticleError(fmt::format("svgd: particle {} at z = {}, start of stage {}: the log density is {} ({})", i,
                                        format_position(start.row(i)), stage + 1, log_density[i], status[i]),
                            static_cast<std::int64_t>(i), 0, start.row(i), {}, status[i]);
      const auto row = start.row(i);
      for (std::size_t c = 0; c < d; ++c) row[c] = 0.5 * (row[c] + particles(i % n, c));
      std::vector<std::string> one_status(1);
      target.evaluate({row.data(), 1, d}, std::span(&log_density[i], 1), {score.row(i).data(), 1, d}, one_status);
      status[i] = one_status[0];
    }
  }
  return start;
}

}  // namespace sojourn
