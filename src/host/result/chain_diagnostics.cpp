#include "sojourn/chain_diagnostics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "expects.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {
namespace {

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Sum of squares around the mean over one less than their number.
double variance_of(std::span<const double> values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum / static_cast<double>(values.size() - 1);
}

/// Halves of the chains, without the middle draw where their number is odd. [2 chains, draws / 2]
Matrix<double> split(MatrixView<const double> draws) {
  const std::size_t half = draws.num_cols() / 2;
  Matrix<double> halves(2 * draws.num_rows(), half);
  for (std::size_t c = 0; c < draws.num_rows(); ++c) {
    const std::span<const double> chain = draws.row(c);
    std::ranges::copy(chain.first(half), halves.row(2 * c).begin());
    std::ranges::copy(chain.last(half), halves.row(2 * c + 1).begin());
  }
  return halves;
}

/// Each draw as the normal quantile of its rank among all; equal draws share the mean of their ranks.
Matrix<double> rank_normalised(const Matrix<double>& draws) {
  const Prior normal(PriorFamily::kNormal, 0, 1);
  const std::vector<double>& values = draws.values();
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  Matrix<double> scores(draws.num_rows(), draws.num_cols());
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    const double rank = 0.5 * static_cast<double>(first + 1 + last);
    const double score = normal.quantile((rank - 0.375) / (static_cast<double>(order.size()) + 0.25));
    for (std::size_t k = first; k < last; ++k) scores.values()[order[k]] = score;
  }
  return scores;
}

/// Quantile between neighbours by linear interpolation.
double quantile_of(std::vector<double> values, double probability) {
  std::ranges::sort(values);
  const double place = probability * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  if (below + 1 == values.size()) return values.back();
  return std::lerp(values[below], values[below + 1], place - static_cast<double>(below));
}

double r_hat_of(const Matrix<double>& chains) {
  std::vector<double> means;
  double within = 0;
  for (std::size_t c = 0; c < chains.num_rows(); ++c) {
    means.push_back(mean_of(chains.row(c)));
    within += variance_of(chains.row(c)) / static_cast<double>(chains.num_rows());
  }
  const auto length = static_cast<double>(chains.num_cols());
  return std::sqrt(variance_of(means) / within + (length - 1) / length);
}

double ess_of(const Matrix<double>& chains) {
  const auto length = static_cast<double>(chains.num_cols()), total = static_cast<double>(chains.size());
  if (std::ranges::all_of(chains.values(), [&](double value) { return value == chains.values().front(); }))
    return total;
  std::vector<double> means;
  for (std::size_t c = 0; c < chains.num_rows(); ++c) means.push_back(mean_of(chains.row(c)));
  /// Autocovariance at a lag, over the length whatever the lag, mean of the chains.
  const auto covariance = [&](std::size_t lag) {
    double sum = 0;
    for (std::size_t c = 0; c < chains.num_rows(); ++c) {
      const std::span<const double> chain = chains.row(c);
      for (std::size_t i = 0; i + lag < chain.size(); ++i) sum += (chain[i] - means[c]) * (chain[i + lag] - means[c]);
    }
    return sum / total;
  };
  const double within = covariance(0) * length / (length - 1);
  const double variance = covariance(0) + variance_of(means);
  const auto correlation = [&](std::size_t lag) { return 1 - (within - covariance(lag)) / variance; };

  // Sums of pairs are positive and fall for a reversible chain; from the first that is not, all is noise. Of the pair
  // after the last one that counts the even lag counts once.
  double sum = 0, least_pair = std::numeric_limits<double>::infinity(), even = 1;
  for (std::size_t lag = 0;; lag += 2) {
    const double pair = even + correlation(lag + 1);
    if (pair < 0 || lag + 4 > chains.num_cols()) break;
    least_pair = std::min(least_pair, pair);
    sum += least_pair;
    even = correlation(lag + 2);
  }
  const double time = std::max(2 * sum - 1 + std::max(even, 0.0), 1 / std::log10(total));
  return total / time;
}

}  // namespace

ChainDiagnostics diagnose_chains(MatrixView<const double> draws) {
  SOJOURN_EXPECTS(draws.num_rows() > 0 && draws.num_cols() >= 4, UsageError,
                  "diagnose_chains: {} chains of {} draws; must be at least one of 4 draws", draws.num_rows(),
                  draws.num_cols());
  for (std::size_t c = 0; c < draws.num_rows(); ++c)
    for (std::size_t i = 0; i < draws.num_cols(); ++i)
      SOJOURN_EXPECTS(std::isfinite(draws(c, i)), UsageError,
                      "diagnose_chains: draw {} of chain {} is {}; must be finite", i, c, draws(c, i));
  const Matrix<double> halves = split(draws);
  const std::vector<double>& values = halves.values();
  const auto indicator = [&](double limit) {
    Matrix<double> below(halves.num_rows(), halves.num_cols());
    std::ranges::transform(values, below.values().begin(),
                           [limit](double value) { return value <= limit ? 1.0 : 0.0; });
    return below;
  };
  Matrix<double> folded = halves;
  const double median = quantile_of(values, 0.5);
  for (double& value : folded.values()) value = std::abs(value - median);
  const Matrix<double> scores = rank_normalised(halves);
  const std::vector<double> all(draws.data(), draws.data() + draws.size());

  ChainDiagnostics result;
  result.r_hat = std::max(r_hat_of(scores), r_hat_of(rank_normalised(folded)));
  result.ess_bulk = ess_of(scores);
  result.ess_tail = std::min(ess_of(indicator(quantile_of(all, 0.05))), ess_of(indicator(quantile_of(all, 0.95))));
  result.ess_mean = ess_of(halves);
  result.mcse_mean = std::sqrt(variance_of(all) / result.ess_mean);
  return result;
}

}  // namespace sojourn
