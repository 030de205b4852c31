#include "sojourn/evaluator.hpp"

#include <algorithm>
#include <cmath>

#include "evaluation/expect_reward.hpp"
#include "evaluation/moment_replay.hpp"
#include "evaluation/moment_single.hpp"
#include "evaluation/multi_law.hpp"
#include "evaluation/particle_batch.hpp"
#include "evaluation/stepping.hpp"
#include "evaluation/team.hpp"
#include "expects.hpp"

namespace sojourn {
namespace {

Quantity make_quantity(std::size_t num_lanes, std::size_t num_values) {
  Quantity quantity;
  quantity.values = Matrix<double>(num_lanes, num_values);
  return quantity;
}

/// Room for a gradient by rates, or none.
std::vector<double> gradient_buffer(const ParticleBatch& batch, std::size_t num_values, bool gradient) {
  return std::vector<double>(gradient ? batch.size() * num_values * batch.phi().num_cols() : 0);
}

void expect_not_single(const EvaluatorOptions& options, const char* what) {
  SOJOURN_EXPECTS(options.precision != Precision::kSingle, UsageError,
                  "{}: not in fp32, which serves moments alone; use fp64", what);
}

/// Multiply-adds of a gradient that 60 digits are spent on, about a tenth of a second of them. In large components the
/// bound that raises the doubt is also the most pessimistic.
constexpr double kMostMultiplyAddsInMulti = 5e5;

/// Replaces the gradients in doubt, [K * per_particle] of equal size, by what `compute(i, place)` writes, and marks
/// their parameter vectors; gradients of large models are marked alone.
template <class Compute>
void settle_gradients(const std::vector<char>& in_doubt, std::size_t per_particle, const PrcCost& cost,
                      std::vector<double>& by_rate, int num_threads, Quantity& quantity, Compute&& compute) {
  if (std::find(in_doubt.begin(), in_doubt.end(), 1) == in_doubt.end()) return;
  const std::size_t size = by_rate.size() / in_doubt.size();
  const double one = static_cast<double>(cost.factor_multiply_adds + cost.solve_multiply_adds);
  const bool too_large = 2 * one * static_cast<double>(size) > kMostMultiplyAddsInMulti;
  quantity.gradient_digits.assign(in_doubt.size() / per_particle, GradientDigits::kDouble);
  for_each_particle(quantity.gradient_digits.size(), num_threads, [&](std::size_t k) {
    for (std::size_t i = k * per_particle; i < (k + 1) * per_particle; ++i) {
      if (in_doubt[i] == 0) continue;
      quantity.gradient_digits[k] = too_large ? GradientDigits::kInDoubt : GradientDigits::kMulti;
      if (!too_large) compute(i, std::span(by_rate).subspan(i * size, size));
    }
  });
}

void expect_double(const EvaluatorOptions& options, const char* what) {
  expect_not_single(options, what);
  SOJOURN_EXPECTS(options.precision == Precision::kDouble, UsageError,
                  "{}: not in multi precision, which serves moments, Laplace transforms, densities and distribution "
                  "functions; use fp64",
                  what);
}

/// Relative errors of a gradient by parameter from those of the gradient by rate, [K * N, num_rates].
std::vector<double> pull_back_errors(const Model& model, MatrixView<const double> theta, std::size_t num_values,
                                     std::span<const double> by_rate, std::vector<double> error,
                                     std::span<const double> by_parameter) {
  if (error.empty() || model.rates.is_identity()) return error;
  const std::size_t num_rates = model.rates.num_rates(), num_parameters = theta.num_cols();
  Matrix<double> jacobian(num_rates, num_parameters);
  std::vector<double> result(by_parameter.size());
  for (std::size_t i = 0; i < by_rate.size() / num_rates; ++i) {
    if (i % num_values == 0) model.rates.jacobian(theta.row(i / num_values), jacobian.view());
    for (std::size_t p = 0; p < num_parameters; ++p) {
      double size = 0;
      for (std::size_t r = 0; r < num_rates; ++r) {
        size += std::abs(jacobian(r, p) * by_rate[i * num_rates + r]) * error[i * num_rates + r];
      }
      result[i * num_parameters + p] = size > 0 ? size / std::abs(by_parameter[i * num_parameters + p]) : 0;
    }
  }
  return result;
}

/// Threads for a replay of `num_lanes` parameter vectors that solves `num_solves` times, twice as often with gradient.
/// Beside the multiply-adds that the program counts each row and each vector has a few of its own.
int replay_team(int requested, const PrcCost& cost, std::size_t num_lanes, std::size_t num_solves, bool gradient) {
  if (gradient) num_solves *= 2;
  const auto rows = static_cast<double>(cost.num_transient);
  const auto sweep = static_cast<double>(cost.factor_multiply_adds + cost.solve_multiply_adds) + 4 * rows + 40;
  return team_size(requested, static_cast<double>(num_lanes) * static_cast<double>(num_solves) * sweep);
}

}  // namespace

const char* to_string(Precision precision) {
  switch (precision) {
    case Precision::kDouble:
      return "fp64";
    case Precision::kMulti:
      return "multi";
    case Precision::kSingle:
      return "fp32";
  }
  return "unknown";
}

const char* to_string(GradientDigits digits) {
  switch (digits) {
    case GradientDigits::kDouble:
      return "fp64";
    case GradientDigits::kMulti:
      return "multi";
    case GradientDigits::kInDoubt:
      return "fp64 in doubt";
  }
  return "unknown";
}

const char* to_string(LawMethod method) {
  switch (method) {
    case LawMethod::kAuto:
      return "auto";
    case LawMethod::kContour:
      return "contour";
    case LawMethod::kSaddlepoint:
      return "saddlepoint";
    case LawMethod::kUniformization:
      return "uniformization";
    case LawMethod::kStepping:
      return "stepping";
    case LawMethod::kClosed:
      return "closed";
    case LawMethod::kMulti:
      return "multi";
  }
  return "unknown";
}

Evaluator::Evaluator(Model model, EvaluatorOptions options)
    : model_(std::move(model)), prc_(eliminate(model_.graph)), options_(options) {
  SOJOURN_EXPECTS(options_.rtol > 0 && options_.rtol < 1, UsageError, "rtol {} must lie between 0 and 1",
                  options_.rtol);
}

Quantity Evaluator::moments(MatrixView<const double> theta, std::span<const double> reward, int order,
                            bool gradient) const {
  SOJOURN_EXPECTS(order >= 1 && order <= 1000, UsageError, "moments: order {} must lie in 1..1000", order);
  expect_reward(model_.graph, reward);
  const ParticleBatch batch(model_, theta);
  if (options_.precision == Precision::kMulti) {
    return gather_multi(batch, order, [&](std::span<const double> phi) {
      return multi_moments(model_.graph, prc_, phi, reward, order, options_.digits, gradient);
    });
  }
  Quantity quantity = make_quantity(batch.size(), order);
  std::vector<double> by_rate = gradient_buffer(batch, order, gradient);
  const int team = replay_team(options_.num_threads, prc_.cost(), batch.size(), order, gradient);
  const auto settle = [&](const std::vector<char>& in_doubt) {
    settle_gradients(in_doubt, 1, prc_.cost(), by_rate, team_size(options_.num_threads), quantity,
                     [&](std::size_t k, std::span<double> place) {
                       multi_moment_gradient(model_.graph, prc_, batch.phi().row(k), reward, order, place);
                     });
  };
  if (options_.precision == Precision::kSingle && on_device_) {
    SOJOURN_EXPECTS(!gradient, DeviceError,
                    "{}: gradients of moments are not evaluated on a device in fp32; use fp64, or --device cpu",
                    moment_report().name);
    single_moments_on_device(batch.phi(), reward, order, quantity);
    quantity.status = finite_status(quantity.values);
    return quantity;
  }
  if (options_.precision == Precision::kSingle) {
    SingleMoments answer =
        replay_moments_single(model_.graph, prc_, batch.phi(), reward, order, quantity.values.values(), by_rate, team);
    for (const char single : answer.single)
      quantity.precision.push_back(single != 0 ? Precision::kSingle : Precision::kDouble);
    quantity.error_bound = Matrix<double>(batch.size(), order);
    quantity.error_bound.values() = std::move(answer.error_bound);
    settle(answer.in_doubt);
    quantity.gradient = batch.pull_back(by_rate, order);
    quantity.gradient_error_bound =
        pull_back_errors(model_, theta, order, by_rate, std::move(answer.gradient_error), quantity.gradient);
    quantity.status = finite_status(quantity.values);
    return quantity;
  }
  std::vector<char> in_doubt(gradient ? batch.size() : 0);
  if (on_device_) {
    moments_on_device(batch.phi(), reward, order, quantity.values.values(), by_rate, in_doubt);
  } else {
    replay_moments(model_.graph, prc_, batch.phi(), reward, order, quantity.values.values(), by_rate, team,
                   GradientRoute::kCertified, in_doubt);
  }
  settle(in_doubt);
  quantity.gradient = batch.pull_back(std::move(by_rate), order);
  quantity.status = finite_status(quantity.values);
  return quantity;
}

Quantity Evaluator::cross_moments(MatrixView<const double> theta, const std::vector<std::span<const double>>& rewards,
                                  bool gradient) const {
  expect_double(options_, "cross moments");
  for (const auto& reward : rewards) expect_reward(model_.graph, reward);
  const ParticleBatch batch(model_, theta);
  const std::size_t num_pairs = rewards.size() * rewards.size();
  Quantity quantity = make_quantity(batch.size(), num_pairs);
  std::vector<double> means(batch.size() * rewards.size());
  std::vector<double> means_by_rate = gradient_buffer(batch, rewards.size(), gradient);
  std::vector<double> by_rate = gradient_buffer(batch, num_pairs, gradient);
  replay_cross_moments(model_.graph, prc_, batch.phi(), rewards, means, quantity.values.values(), means_by_rate,
                       by_rate,
                       replay_team(options_.num_threads, prc_.cost(), batch.size(), 2 * rewards.size(), gradient));
  quantity.gradient = batch.pull_back(std::move(by_rate), num_pairs);
  quantity.status = finite_status(quantity.values);
  return quantity;
}

Quantity Evaluator::covariance(MatrixView<const double> theta, const std::vector<std::span<const double>>& rewards,
                               bool gradient) const {
  expect_double(options_, "covariance");
  for (const auto& reward : rewards) expect_reward(model_.graph, reward);
  const ParticleBatch batch(model_, theta);
  const std::size_t num_rewards = rewards.size();
  const std::size_t num_pairs = num_rewards * num_rewards;
  const std::size_t num_rates = batch.phi().num_cols();
  Quantity quantity = make_quantity(batch.size(), num_pairs);
  std::vector<double> means(batch.size() * num_rewards);
  std::vector<double> means_by_rate = gradient_buffer(batch, num_rewards, gradient);
  std::vector<double> by_rate = gradient_buffer(batch, num_pairs, gradient);
  replay_cross_moments(model_.graph, prc_, batch.phi(), rewards, means, quantity.values.values(), means_by_rate,
                       by_rate,
                       replay_team(options_.num_threads, prc_.cost(), batch.size(), 2 * rewards.size(), gradient));
  for (std::size_t k = 0; k < batch.size(); ++k) {
    for (std::size_t a = 0; a < num_rewards; ++a) {
      for (std::size_t b = 0; b < num_rewards; ++b) {
        const double* mean = means.data() + k * num_rewards;
        quantity.values(k, a * num_rewards + b) -= mean[a] * mean[b];
        for (std::size_t r = 0; gradient && r < num_rates; ++r) {
          const double* slope = means_by_rate.data() + k * num_rewards * num_rates + r;
          by_rate[(k * num_pairs + a * num_rewards + b) * num_rates + r] -=
              mean[a] * slope[b * num_rates] + mean[b] * slope[a * num_rates];
        }
      }
    }
  }
  quantity.gradient = batch.pull_back(std::move(by_rate), num_pairs);
  quantity.status = finite_status(quantity.values);
  return quantity;
}

Quantity Evaluator::laplace(MatrixView<const double> theta, std::span<const double> reward, std::span<const double> s,
                            bool gradient) const {
  expect_not_single(options_, "laplace");
  expect_reward(model_.graph, reward);
  for (const double point : s) {
    SOJOURN_EXPECTS(std::isfinite(point) && point >= 0, UsageError, "laplace: s = {} must be finite and >= 0", point);
  }
  const ParticleBatch batch(model_, theta);
  if (options_.precision == Precision::kMulti) {
    return gather_multi(batch, s.size(), [&](std::span<const double> phi) {
      return multi_laplace(model_.graph, prc_, phi, reward, s, options_.digits, gradient);
    });
  }
  Quantity quantity = make_quantity(batch.size(), s.size());
  std::vector<double> by_rate = gradient_buffer(batch, s.size(), gradient);
  std::vector<char> in_doubt(gradient ? batch.size() * s.size() : 0);
  replay_laplace(model_.graph, prc_, batch.phi(), reward, s, quantity.values.values(), by_rate,
                 replay_team(options_.num_threads, prc_.cost(), batch.size(), s.size(), gradient), in_doubt);
  settle_gradients(in_doubt, s.size(), prc_.cost(), by_rate, team_size(options_.num_threads), quantity,
                   [&](std::size_t i, std::span<double> place) {
                     multi_laplace_gradient(model_.graph, prc_, batch.phi().row(i / s.size()), reward, s[i % s.size()],
                                            place);
                   });
  quantity.gradient = batch.pull_back(std::move(by_rate), s.size());
  quantity.status = finite_status(quantity.values);
  return quantity;
}

Quantity Evaluator::expected_sojourn(MatrixView<const double> theta, bool gradient) const {
  expect_double(options_, "expected sojourn");
  const ParticleBatch batch(model_, theta);
  const std::size_t num_states = model_.graph.num_states();
  Quantity quantity = make_quantity(batch.size(), num_states);
  std::vector<double> by_rate = gradient_buffer(batch, num_states, gradient);
  replay_expected_sojourn(model_.graph, prc_, batch.phi(), quantity.values.values(), by_rate,
                          replay_team(options_.num_threads, prc_.cost(), batch.size(), num_states, gradient));
  quantity.gradient = batch.pull_back(std::move(by_rate), num_states);
  quantity.status = finite_status(quantity.values);
  return quantity;
}

Quantity Evaluator::state_probability(MatrixView<const double> theta, double time, bool gradient) const {
  expect_double(options_, "state probability");
  SOJOURN_EXPECTS(std::isfinite(time) && time >= 0, UsageError, "state probability: time {} must be finite and >= 0",
                  time);
  const ParticleBatch batch(model_, theta);
  const std::size_t num_states = model_.graph.num_states();
  Quantity quantity = make_quantity(batch.size(), num_states);
  std::vector<double> by_rate = gradient_buffer(batch, num_states, gradient);
  const std::size_t gradient_stride = gradient ? num_states * batch.phi().num_cols() : 0;
  quantity.status.assign(batch.size(), "ok");
  for_each_particle(batch.size(), team_size(options_.num_threads), [&](std::size_t k) {
    try {
      sojourn::state_probability(model_.graph, batch.phi().row(k), time, options_.rtol, options_.max_terms,
                                 quantity.values.row(k), {by_rate.data() + k * gradient_stride, gradient_stride});
    } catch (const NumericalError& error) {
      quantity.status[k] = error.what();
      for (double& value : quantity.values.row(k)) value = std::nan("");
    }
  });
  quantity.method.assign(quantity.values.size(), model_.graph.time_kind() == TimeKind::kDiscrete
                                                     ? LawMethod::kStepping
                                                     : LawMethod::kUniformization);
  quantity.gradient = batch.pull_back(std::move(by_rate), num_states);
  return quantity;
}

}  // namespace sojourn
