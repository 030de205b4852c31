#include "sampler/diagnostics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/svgd_tile.hpp"
#include "sampler/kernel_sum.hpp"

namespace sojourn {
namespace {

std::string verdict_of(double value, double warn_above, double fail_above) {
  if (!(value <= fail_above)) return "FAIL";
  return value <= warn_above ? "PASS" : "WARN";
}

Diagnostic stein_moment(const ParticleBlock& u, const ParticleBlock& s) {
  double worst = 0;
  for (std::int32_t a = 0; a < u.dim; ++a)
    for (std::int32_t b = 0; b < u.dim; ++b) {
      double sum = 0;
      for (std::int64_t i = 0; i < u.count; ++i) sum += s.at(i, a) * u.at(i, b);
      worst = std::max(worst, std::abs(-sum / static_cast<double>(u.count) - (a == b ? 1.0 : 0.0)));
    }
  return {"stein_moment", worst, verdict_of(worst, 0.05, 0.25),
          "Largest deviation of -mean(score (x - mean)^T) from the identity in whitened coordinates, 0 for the exact "
          "posterior: when it is large the spread is wrong, so run more iterations or more particles."};
}

Diagnostic mean_score(const ParticleBlock& s) {
  double worst = 0;
  for (std::int32_t c = 0; c < s.dim; ++c) {
    double sum = 0;
    for (std::int64_t i = 0; i < s.count; ++i) sum += s.at(i, c);
    worst = std::max(worst, std::abs(sum / static_cast<double>(s.count)));
  }
  return {"mean_score", worst, verdict_of(worst, 0.05, 0.25),
          "Largest component of the mean score in whitened coordinates, 0 for the exact posterior and about the error "
          "of the mean in sds: when it is large, run more iterations."};
}

Diagnostic stein_discrepancy(const ParticleBlock& u, const ParticleBlock& s, int num_threads) {
  const SteinDiscrepancy ksd = kernel_stein_discrepancy(u, s, 1.0 / u.dim, num_threads);
  const double ratio = ksd.squared / std::max(ksd.squared_of_independent_draws, 1e-300);
  const std::string verdict = verdict_of(ratio, 1.5, 5);
  return {
      "kernel_stein_discrepancy", std::sqrt(std::max(ksd.squared, 0.0)), verdict,
      fmt::format("Distance between particles and posterior over a kernel's test functions; its square is {:.3g} of "
                  "what as many independent posterior draws would have, so above 1 the particles fit worse than "
                  "plain draws: run more iterations or check for several modes.",
                  ratio)};
}

Diagnostic distinct_particles(const ParticleBlock& u) {
  // Particles closer than a millionth of an sd in every coordinate count as one.
  std::vector<std::int64_t> order(static_cast<std::size_t>(u.count));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](std::int64_t a, std::int64_t b) {
    return u.at(a, 0) != u.at(b, 0) ? u.at(a, 0) < u.at(b, 0) : a < b;
  });
  std::int64_t distinct = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    bool repeated = false;
    for (std::size_t earlier = k; earlier-- > 0 && !repeated;) {
      if (u.at(order[k], 0) - u.at(order[earlier], 0) > 1e-6) break;
      repeated = true;
      for (std::int32_t c = 1; c < u.dim; ++c)
        repeated = repeated && std::abs(u.at(order[k], c) - u.at(order[earlier], c)) <= 1e-6;
    }
    distinct += repeated ? 0 : 1;
  }
  const double share = static_cast<double>(distinct) / static_cast<double>(u.count);
  return {
      "distinct_particles", static_cast<double>(distinct), verdict_of(1 - share, 0.01, 0.2),
      "Particles at different places (a millionth of an sd apart); fewer than all means that some coincide and carry "
      "no information of their own: start from distinct particles or change the bandwidth."};
}

}  // namespace

SteinDiscrepancy kernel_stein_discrepancy(const ParticleBlock& u, const ParticleBlock& s, double inverse_h2,
                                          int num_threads) {
  // With q = 1 + r^2/h^2, k = q^(-1/2), e = u_i - u_j:
  //   grad_j k = e q^(-3/2)/h^2 = -grad_i k,   tr grad_i grad_j k = d q^(-3/2)/h^2 - 3 r^2 q^(-5/2)/h^4.
  const std::int64_t n = u.count;
  std::vector<double> row_sum(static_cast<std::size_t>(n));
  std::vector<double> diagonal(row_sum.size());
#pragma omp parallel for schedule(static) num_threads(resolve_threads(num_threads))
  for (std::int64_t i = 0; i < n; ++i) {
    double sum = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      double squared = 0, score_product = 0, along = 0;
      for (std::int32_t c = 0; c < u.dim; ++c) {
        const double e = u.at(i, c) - u.at(j, c);
        squared += e * e;
        score_product += s.at(i, c) * s.at(j, c);
        along += (s.at(i, c) - s.at(j, c)) * e;
      }
      const double k = inverse_square_root(1 + squared * inverse_h2);
      const double slope = k * k * k * inverse_h2;
      const double value = score_product * k + along * slope + u.dim * slope - 3 * squared * slope * k * k * inverse_h2;
      sum += value;
      if (i == j) diagonal[i] = value;
    }
    row_sum[i] = sum;
  }
  SteinDiscrepancy result;
  double total = 0, diagonal_total = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    total += row_sum[i];
    diagonal_total += diagonal[i];
  }
  const auto count = static_cast<double>(n);
  result.squared = total / (count * count);
  result.squared_of_independent_draws = diagonal_total / (count * count);
  return result;
}

std::vector<Diagnostic> diagnose(MatrixView<const double> particles, MatrixView<const double> scores,
                                 const SvgdFacts& facts, int num_threads) {
  const auto count = static_cast<std::int64_t>(particles.num_rows());
  const auto dim = static_cast<std::int32_t>(particles.num_cols());
  std::vector<double> mean = particle_mean(particles);
  Matrix<double> covariance = particle_covariance(particles, mean);
  auto metric = Whitening::from_covariance(covariance.view(), mean);
  if (!metric) {
    // Fewer particles than dimensions: scale by the sds alone.
    for (std::int32_t a = 0; a < dim; ++a)
      for (std::int32_t b = 0; b < dim; ++b) covariance(a, b) = a != b ? 0 : std::max(covariance(a, a), 1e-300);
    metric = Whitening::from_covariance(covariance.view(), mean);
  }
  const Whitening whitening = metric ? *metric : Whitening(dim);
  ParticleBlock u(count, dim), s(count, dim);
  whitening.points(particles, u);
  whitening.scores(scores, s);

  std::vector<Diagnostic> all{stein_moment(u, s), mean_score(s), stein_discrepancy(u, s, num_threads)};
  all.push_back({"largest_last_step", facts.largest_last_step, verdict_of(facts.largest_last_step, 0.02, 0.2),
                 "Largest move of a particle in the last iteration, in posterior sds: when it is large the particles "
                 "still move, so run more iterations or let the learning rate decay."});
  all.push_back(distinct_particles(u));
  const double rejected =
      static_cast<double>(facts.num_rejected_steps) / static_cast<double>(std::max<std::int64_t>(facts.num_steps, 1));
  all.push_back(
      {"rejected_steps", rejected, verdict_of(rejected, 0.001, 0.05),
       "Share of particle steps shortened because the log density was not finite at their end: when it is "
       "not 0, particles meet a region that cannot be evaluated; use a smaller learning rate or a tighter prior."});
  if (facts.num_start_repairs > 0)
    all.push_back({"start_repairs", static_cast<double>(facts.num_start_repairs), "WARN",
                   "Start particles moved because the log density was not finite there: the start covers a region that "
                   "cannot be evaluated; a tighter prior helps."});
  if (!facts.start_failure.empty())
    all.push_back({"laplace_start", 0, "WARN",
                   "The start fell back to prior draws: " + facts.start_failure +
                       "; compare with more iterations, and check that every parameter is identified."});
  if (facts.num_modes > 1)
    all.push_back({"modes", static_cast<double>(facts.num_modes), "WARN",
                   "The start found several separate modes and shared the particles out by their Laplace weights; the "
                   "weights stay approximate, because particles do not cross between far modes."});
  return all;
}

}  // namespace sojourn
