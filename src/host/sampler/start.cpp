#include "sampler/start.hpp"

#include <algorithm>
#include <cmath>

#include "common/random.hpp"
#include "expects.hpp"
#include "sampler/mode_search.hpp"

namespace sojourn {
namespace {

constexpr int kMaxRepairs = 30;

/// Particles per mode in proportion to the Laplace evidence exp(log density) sqrt(det covariance);
/// cumulative shares are rounded, so that they add up. Halves, which modes that mirror each other give, and what lies
/// within rounding of them are rounded down, on every processor.
std::vector<std::int64_t> share_particles(const std::vector<Mode>& modes, std::int64_t num_particles) {
  std::vector<double> weight;
  const double best = modes.front().log_density - modes.front().whitening->log_determinant_factor();
  double total = 0;
  for (const Mode& mode : modes) {
    weight.push_back(std::exp(mode.log_density - mode.whitening->log_determinant_factor() - best));
    total += weight.back();
  }
  std::vector<std::int64_t> share;
  double cumulative = 0;
  std::int64_t given = 0;
  for (const double w : weight) {
    cumulative += w / total * static_cast<double>(num_particles);
    const auto upto = std::min(num_particles, static_cast<std::int64_t>(std::ceil(cumulative - 0.5 - 1e-6)));
    share.push_back(upto - given);
    given = upto;
  }
  return share;
}

void draw_from_modes(const std::vector<Mode>& modes, const SvgdOptions& options, Matrix<double>& particles,
                     std::vector<std::size_t>& mode_of) {
  const std::vector<std::int64_t> share = share_particles(modes, options.num_particles);
  std::size_t particle = 0;
  std::vector<double> standard(particles.num_cols());
  for (std::size_t m = 0; m < modes.size(); ++m)
    for (std::int64_t k = 0; k < share[m]; ++k, ++particle) {
      PhiloxStream stream(options.seed, kStreamInitial, particle);
      for (double& value : standard) value = options.laplace_inflation * stream.next_normal();
      auto row = particles.row(particle);
      modes[m].whitening->step_back(standard, row);
      for (std::size_t c = 0; c < row.size(); ++c) row[c] += modes[m].position[c];
      mode_of.push_back(m);
    }
}

/// Seed of the a-th repeated set of prior draws.
std::uint64_t repeated_seed(std::uint64_t seed, int attempt) {
  return seed + static_cast<std::uint64_t>(attempt) * 0x9E3779B97F4A7C15ULL;
}

}  // namespace

std::string format_position(std::span<const double> position) {
  std::string text = "[";
  for (std::size_t c = 0; c < position.size(); ++c) text += fmt::format("{}{:.17g}", c == 0 ? "" : ", ", position[c]);
  return text + "]";
}

bool finite_row(double log_density, std::span<const double> score) {
  return std::isfinite(log_density) && std::ranges::all_of(score, [](double value) { return std::isfinite(value); });
}

void make_start(const Target& target, const SvgdOptions& options, Start& start) {
  const auto count = static_cast<std::size_t>(options.num_particles);
  const auto dim = static_cast<std::size_t>(target.dimension());
  start.log_density.assign(count, 0.0);
  start.score = Matrix<double>(count, dim);
  std::vector<Mode> modes;
  std::vector<std::size_t> mode_of;
  if (options.start == StartKind::kLaplace) {
    ModeSearch search = find_modes(target, options.seed);
    modes = std::move(search.modes);
    start.failure = search.failure;
    start.num_modes = modes.size();
  }
  start.particles = options.start == StartKind::kGiven ? options.given : Matrix<double>(count, dim);
  if (!modes.empty()) {
    start.map = modes.front().position;
    start.laplace_covariance = modes.front().covariance;
    draw_from_modes(modes, options, start.particles, mode_of);
  } else if (options.start != StartKind::kGiven) {
    target.sample_prior(options.seed, start.particles.view());
  }

  std::vector<std::string> status(count);
  target.evaluate(start.particles.view(), start.log_density, start.score.view(), status);
  for (int attempt = 1;; ++attempt) {
    std::vector<std::size_t> bad;
    for (std::size_t i = 0; i < count; ++i)
      if (!finite_row(start.log_density[i], start.score.row(i))) bad.push_back(i);
    if (bad.empty()) return;
    const std::size_t first = bad.front();
    const std::string reason = status[first].empty() ? "not finite" : status[first];
    SOJOURN_EXPECTS(options.start != StartKind::kGiven, UsageError,
                    "svgd: given particle {} at z = {} has log density {} ({}); move it into the support", first,
                    format_position(start.particles.row(first)), start.log_density[first], reason);
    if (attempt > kMaxRepairs) {
      throw ParticleError(
          fmt::format("svgd: start particle {} at z = {}, iteration 0: the log density is {} ({}) after {} repeated "
                      "draws; tighten the prior or give start particles",
                      first, format_position(start.particles.row(first)), start.log_density[first], reason,
                      kMaxRepairs),
          static_cast<std::int64_t>(first), 0, start.particles.row(first), {}, reason);
    }
    if (attempt == 1) start.num_repairs = static_cast<std::int64_t>(bad.size());
    Matrix<double> again(count, modes.empty() ? dim : 0);
    if (modes.empty()) target.sample_prior(repeated_seed(options.seed, attempt), again.view());
    Matrix<double> batch(bad.size(), dim);
    for (std::size_t k = 0; k < bad.size(); ++k) {
      auto row = start.particles.row(bad[k]);
      for (std::size_t c = 0; c < dim; ++c)
        row[c] = modes.empty() ? again(bad[k], c) : 0.5 * (row[c] + modes[mode_of[bad[k]]].position[c]);
      std::ranges::copy(row, batch.row(k).begin());
    }
    std::vector<double> log_density(bad.size());
    Matrix<double> score(bad.size(), dim);
    std::vector<std::string> batch_status(bad.size());
    target.evaluate(batch.view(), log_density, score.view(), batch_status);
    for (std::size_t k = 0; k < bad.size(); ++k) {
      start.log_density[bad[k]] = log_density[k];
      std::ranges::copy(score.row(k), start.score.row(bad[k]).begin());
      status[bad[k]] = batch_status[k];
    }
  }
}

}  // namespace sojourn
