#include "sampler/mode_search.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "expects.hpp"

namespace sojourn {
namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::size_t kNumDraws = 64;
constexpr std::size_t kNumStarts = 5;
constexpr int kMaxRounds = 200;
/// Relative difference of log densities below which two ends count as equally high; ascents end within 1e-10.
constexpr double kTiedDensities = 1e-9;

/// A batch of the target with finiteness per row.
struct Batch {
  explicit Batch(std::size_t num_rows, std::size_t dim)
      : z(num_rows, dim), log_density(num_rows), score(num_rows, dim) {}
  void evaluate(const Target& target) {
    std::vector<std::string> status(z.num_rows());
    if (z.num_rows() > 0) target.evaluate(z.view(), log_density, score.view(), status);
  }
  [[nodiscard]] bool finite(std::size_t row) const {
    return std::isfinite(log_density[row]) &&
           std::ranges::all_of(score.row(row), [](double value) { return std::isfinite(value); });
  }
  Matrix<double> z;
  std::vector<double> log_density;
  Matrix<double> score;
};

/// One start of the search.
struct Ascent {
  Eigen::VectorXd x, score, step, trial;
  double log_density = 0;
  Eigen::MatrixXd curvature;  ///< minus the Hessian
  double radius = 2;
  double predicted = 0;
  bool active = true, converged = false, needs_curvature = true;
};

Eigen::VectorXd difference_steps(const Ascent& ascent) {
  Eigen::VectorXd step = Eigen::VectorXd::Constant(ascent.x.size(), 1e-4);
  if (ascent.curvature.size() > 0)
    for (Eigen::Index c = 0; c < step.size(); ++c)
      step[c] = std::clamp(5e-3 / std::sqrt(std::max(std::abs(ascent.curvature(c, c)), 1e-12)), 1e-7, 1e-2);
  return step;
}

/// Fills the curvature of every ascent that asks for it; one that cannot be had ends its ascent.
void update_curvatures(const Target& target, std::vector<Ascent>& ascents) {
  const auto dim = static_cast<std::size_t>(target.dimension());
  std::vector<Ascent*> wanted;
  for (Ascent& ascent : ascents)
    if (ascent.active && ascent.needs_curvature) wanted.push_back(&ascent);
  Batch batch(wanted.size() * 2 * dim, dim);
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const Eigen::VectorXd step = difference_steps(*wanted[k]);
    for (std::size_t p = 0; p < 2 * dim; ++p) {
      auto row = batch.z.row(2 * dim * k + p);
      std::copy(wanted[k]->x.begin(), wanted[k]->x.end(), row.begin());
      row[p / 2] += (p % 2 == 0 ? 1 : -1) * step[static_cast<Eigen::Index>(p / 2)];
    }
  }
  batch.evaluate(target);
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    Ascent& ascent = *wanted[k];
    ascent.needs_curvature = false;
    Eigen::MatrixXd curvature(dim, dim);
    for (std::size_t c = 0; c < dim; ++c) {
      const std::size_t plus = 2 * dim * k + 2 * c;
      if (!batch.finite(plus) || !batch.finite(plus + 1)) ascent.active = false;
      const double span = batch.z(plus, c) - batch.z(plus + 1, c);
      for (std::size_t r = 0; r < dim; ++r) curvature(r, c) = -(batch.score(plus, r) - batch.score(plus + 1, r)) / span;
    }
    ascent.curvature = 0.5 * (curvature + curvature.transpose());
  }
}

/// The next trial point: Newton with |eigenvalues|, cut to the trust radius.
void propose(Ascent& ascent) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(ascent.curvature);
  const double largest = eigen.eigenvalues().cwiseAbs().maxCoeff();
  const Eigen::VectorXd scale = eigen.eigenvalues().cwiseAbs().cwiseMax(1e-10 * largest + 1e-300).cwiseInverse();
  ascent.step = eigen.eigenvectors() * scale.asDiagonal() * eigen.eigenvectors().transpose() * ascent.score;
  // Half the squared length of the score in the Newton metric is the gain still to be had, in units of log density.
  const double decrement = ascent.score.dot(ascent.step);
  if (decrement < 1e-10 && eigen.eigenvalues().minCoeff() > 0) {
    ascent.converged = true;
    ascent.active = false;
    return;
  }
  const double length = ascent.step.norm();
  if (length > ascent.radius) ascent.step *= ascent.radius / length;
  ascent.predicted = ascent.score.dot(ascent.step) - 0.5 * ascent.step.dot(ascent.curvature * ascent.step);
  ascent.trial = ascent.x + ascent.step;
}

void judge(Ascent& ascent, const Batch& batch, std::size_t row) {
  const double gain = batch.log_density[row] - ascent.log_density;
  const bool finite = batch.finite(row);
  // Rounding of a log density of this size can hide the last gains; there a shrinking score decides.
  const double noise = 1e-12 * (1 + std::abs(ascent.log_density));
  const Eigen::Map<const Eigen::VectorXd> score(batch.score.row(row).data(), ascent.x.size());
  const bool better = finite && (gain > 0 || (gain > -noise && score.norm() < ascent.score.norm()));
  if (!better) {
    ascent.radius = 0.25 * ascent.step.norm();
    if (ascent.radius < 1e-11 * (1 + ascent.x.norm())) {
      ascent.active = false;
      ascent.converged = ascent.score.dot(ascent.step) < 1e-3 * ascent.step.norm();
    }
    return;
  }
  if (gain > 0.75 * ascent.predicted) ascent.radius = std::max(ascent.radius, 2 * ascent.step.norm());
  if (gain < 0.25 * ascent.predicted && gain > noise) ascent.radius = 0.5 * ascent.step.norm();
  ascent.x = ascent.trial;
  ascent.log_density = batch.log_density[row];
  ascent.score = score;
  ascent.needs_curvature = true;
}

std::vector<Ascent> make_starts(const Target& target, std::uint64_t seed) {
  const auto dim = static_cast<std::size_t>(target.dimension());
  Matrix<double> draws(kNumDraws, dim);
  target.sample_prior(seed, draws.view());
  Batch batch(kNumDraws + 1, dim);
  std::copy(draws.values().begin(), draws.values().end(), batch.z.values().begin());
  for (std::size_t c = 0; c < dim; ++c) {
    std::vector<double> column(kNumDraws);
    for (std::size_t i = 0; i < kNumDraws; ++i) column[i] = draws(i, c);
    std::nth_element(column.begin(), column.begin() + kNumDraws / 2, column.end());
    batch.z(kNumDraws, c) = column[kNumDraws / 2];
  }
  batch.evaluate(target);
  std::vector<std::size_t> order(kNumDraws);
  std::iota(order.begin(), order.end(), 0);
  std::erase_if(order, [&](std::size_t i) { return !batch.finite(i); });
  std::ranges::stable_sort(order,
                           [&](std::size_t a, std::size_t b) { return batch.log_density[a] > batch.log_density[b]; });
  order.resize(std::min(order.size(), kNumStarts - 1));
  if (batch.finite(kNumDraws)) order.push_back(kNumDraws);
  std::vector<Ascent> starts;
  for (const std::size_t i : order) {
    Ascent ascent;
    ascent.x = Eigen::Map<const Eigen::VectorXd>(batch.z.row(i).data(), static_cast<Eigen::Index>(dim));
    ascent.score = Eigen::Map<const Eigen::VectorXd>(batch.score.row(i).data(), static_cast<Eigen::Index>(dim));
    ascent.log_density = batch.log_density[i];
    starts.push_back(std::move(ascent));
  }
  return starts;
}

Mode finish(const Target& target, const Ascent& ascent) {
  Mode mode;
  mode.position.assign(ascent.x.begin(), ascent.x.end());
  mode.log_density = ascent.log_density;
  const Eigen::VectorXd step = difference_steps(ascent);
  const auto curvature = negative_hessian(target, mode.position, {step.data(), static_cast<std::size_t>(step.size())});
  if (!curvature) return mode;
  const auto dim = static_cast<Eigen::Index>(mode.position.size());
  const Eigen::Map<const RowMatrix> matrix(curvature->values().data(), dim, dim);
  const Eigen::LLT<Eigen::MatrixXd> root(matrix);
  if (root.info() != Eigen::Success) return mode;
  mode.covariance = Matrix<double>(mode.position.size(), mode.position.size());
  Eigen::Map<RowMatrix>(mode.covariance.values().data(), dim, dim) = root.solve(Eigen::MatrixXd::Identity(dim, dim));
  mode.whitening = Whitening::from_covariance(mode.covariance.view(), mode.position);
  return mode;
}

bool near(const Mode& known, const Ascent& ascent) {
  if (!known.whitening) return false;
  Matrix<double> point(1, known.position.size());
  std::copy(ascent.x.begin(), ascent.x.end(), point.row(0).begin());
  ParticleBlock u(1, static_cast<std::int32_t>(known.position.size()));
  known.whitening->points(point.view(), u);
  double squared = 0;
  for (std::int32_t c = 0; c < u.dim; ++c) squared += u.at(0, c) * u.at(0, c);
  return squared < 1;
}

/// Best first. Starts that end within rounding of one another, at one mode or at modes that mirror each other, keep
/// their order: another processor or device rounds otherwise and must find the same modes in the same order.
void sort_by_density(std::vector<Ascent>& ascents) {
  std::vector<std::size_t> order(ascents.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(
      order, [&](std::size_t a, std::size_t b) { return ascents[a].log_density > ascents[b].log_density; });
  for (auto run = order.begin(); run != order.end();) {
    const double best = ascents[*run].log_density;
    const double lowest = best - kTiedDensities * (1 + std::abs(best));
    const auto end = std::find_if(run, order.end(), [&](std::size_t k) { return ascents[k].log_density < lowest; });
    std::sort(run, end);
    run = end;
  }
  std::vector<Ascent> sorted;
  for (const std::size_t k : order) sorted.push_back(std::move(ascents[k]));
  ascents = std::move(sorted);
}

}  // namespace

std::optional<Matrix<double>> negative_hessian(const Target& target, std::span<const double> position,
                                               std::span<const double> step) {
  const std::size_t dim = position.size();
  for (double shrink = 1; shrink > 5e-4; shrink *= 0.1) {
    Batch batch(2 * dim, dim);
    for (std::size_t p = 0; p < 2 * dim; ++p) {
      std::ranges::copy(position, batch.z.row(p).begin());
      batch.z(p, p / 2) += (p % 2 == 0 ? 1 : -1) * shrink * step[p / 2];
    }
    batch.evaluate(target);
    bool all_finite = true;
    for (std::size_t p = 0; p < 2 * dim; ++p) all_finite = all_finite && batch.finite(p);
    if (!all_finite) continue;
    Matrix<double> raw(dim, dim), symmetric(dim, dim);
    for (std::size_t c = 0; c < dim; ++c)
      for (std::size_t r = 0; r < dim; ++r)
        raw(r, c) = -(batch.score(2 * c, r) - batch.score(2 * c + 1, r)) / (batch.z(2 * c, c) - batch.z(2 * c + 1, c));
    for (std::size_t c = 0; c < dim; ++c)
      for (std::size_t r = 0; r < dim; ++r) symmetric(r, c) = 0.5 * (raw(r, c) + raw(c, r));
    return symmetric;
  }
  return std::nullopt;
}

ModeSearch find_modes(const Target& target, std::uint64_t seed) {
  ModeSearch search;
  const auto dim = static_cast<std::size_t>(target.dimension());
  std::vector<Ascent> ascents = make_starts(target, seed);
  if (ascents.empty()) {
    search.failure = fmt::format("the log density is not finite at any of {} prior draws", kNumDraws);
    return search;
  }
  for (int round = 0; round < kMaxRounds; ++round) {
    update_curvatures(target, ascents);
    std::vector<Ascent*> moving;
    for (Ascent& ascent : ascents) {
      if (ascent.active) propose(ascent);
      if (ascent.active) moving.push_back(&ascent);
    }
    if (moving.empty()) break;
    Batch batch(moving.size(), dim);
    for (std::size_t k = 0; k < moving.size(); ++k) std::ranges::copy(moving[k]->trial, batch.z.row(k).begin());
    batch.evaluate(target);
    for (std::size_t k = 0; k < moving.size(); ++k) judge(*moving[k], batch, k);
  }
  std::erase_if(ascents, [](const Ascent& ascent) { return !ascent.converged; });
  if (ascents.empty()) {
    search.failure = "no start of the mode search converged";
    return search;
  }
  sort_by_density(ascents);
  for (const Ascent& ascent : ascents) {
    if (ascent.log_density < ascents.front().log_density - 15) break;
    if (std::ranges::any_of(search.modes, [&](const Mode& known) { return near(known, ascent); })) continue;
    Mode mode = finish(target, ascent);
    if (mode.whitening) search.modes.push_back(std::move(mode));
  }
  if (search.modes.empty()) search.failure = "the Hessian at the mode is not negative definite";
  return search;
}

}  // namespace sojourn
