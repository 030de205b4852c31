#pragma once

#include <cmath>
#include <complex>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "sojourn/posterior.hpp"
#include "sojourn/state_graph.hpp"

/// Models with closed-form likelihoods, and those closed forms for complex rates.
namespace sojourn::cases {

using Complex = std::complex<long double>;
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Edge {
  std::int32_t from, to;
  double base;
  std::vector<RateTerm> terms;
};

inline Model make_model(TimeKind kind, std::int32_t num_states, const std::vector<InitialMass>& initial,
                        const std::vector<Edge>& edges, const std::vector<Parameter>& parameters,
                        const RateMap& rates) {
  StateGraphBuilder builder(kind, rates.num_rates());
  builder.ensure_states(num_states);
  for (const Edge& edge : edges) builder.add_edge(edge.from, edge.to, edge.base, edge.terms);
  for (const InitialMass& mass : initial) builder.add_initial(mass.state, mass.probability);
  return Model{"case", parameters, rates, std::move(builder).build(), {}};
}

/// `stages` exponentials of one rate; parameter `rate`.
inline Model erlang(std::int32_t stages) {
  std::vector<Edge> edges;
  for (std::int32_t i = 0; i < stages; ++i) edges.push_back({i, i + 1, 0, {{0, 1.0}}});
  return make_model(TimeKind::kContinuous, stages + 1, {{0, 1.0}}, edges, {{"rate"}}, RateMap::identity(1));
}

/// One exponential of rate 1 / N; parameter `N`.
inline Model exponential_of_mean() {
  return make_model(TimeKind::kContinuous, 2, {{0, 1.0}}, {{0, 1, 0, {{0, 1.0}}}}, {{"N"}},
                    RateMap::derived({"N"}, {"coal"}, {"1/N"}));
}

/// Two exponentials in a row with rates a and b.
inline Model two_stages() {
  return make_model(TimeKind::kContinuous, 3, {{0, 1.0}}, {{0, 1, 0, {{0, 1.0}}}, {1, 2, 0, {{1, 1.0}}}},
                    {{"a"}, {"b"}}, RateMap::identity(2));
}

/// A number of trials until the `stages`-th success of probability p; parameter `p` in (0, 1).
inline Model negative_binomial(std::int32_t stages) {
  std::vector<Edge> edges;
  for (std::int32_t i = 0; i < stages; ++i) edges.push_back({i, i + 1, 0, {{0, 1.0}}});
  return make_model(TimeKind::kDiscrete, stages + 1, {{0, 1.0}}, edges, {{"p", 0, 1}}, RateMap::identity(1));
}

/// Terms of the tail sum_{j<k} x^j / j! exp(-x) and of its complement, each a sum of like signs for real x.
inline Complex erlang_survival(int stages, Complex rate, long double t) {
  const Complex x = rate * t;
  Complex term = std::exp(-x), sum = 0;
  for (int j = 0; j < stages; ++j) {
    sum += term;
    term *= x / static_cast<long double>(j + 1);
  }
  return sum;
}
inline Complex erlang_cdf(int stages, Complex rate, long double t) {
  const Complex x = rate * t;
  Complex term = std::exp(-x), sum = 0;
  for (int j = 0; j < stages + 400; ++j) {
    if (j >= stages) sum += term;
    term *= x / static_cast<long double>(j + 1);
  }
  return sum;
}
inline Complex erlang_log_density(int stages, Complex rate, long double t) {
  return static_cast<long double>(stages) * std::log(rate) + static_cast<long double>(stages - 1) * std::log(t) -
         rate * t - std::lgamma(static_cast<long double>(stages));
}

/// Log likelihood of one observation under an Erlang law, by the definitions of each kind.
inline Complex erlang_term(int stages, Complex rate, const Observation& item) {
  Complex term;
  if (item.left_censored) {
    term = std::log(erlang_cdf(stages, rate, item.upper));
  } else if (item.right_censored()) {
    term = std::log(erlang_survival(stages, rate, item.lower));
  } else if (item.exact()) {
    term = item.lower == 0 && stages == 1 ? std::log(rate) : erlang_log_density(stages, rate, item.lower);
  } else if (std::real(rate) * item.upper < stages) {
    term = std::log(erlang_cdf(stages, rate, item.upper) - erlang_cdf(stages, rate, item.lower));
  } else {
    term = std::log(erlang_survival(stages, rate, item.lower) - erlang_survival(stages, rate, item.upper));
  }
  if (item.entry > 0) term -= std::log(erlang_survival(stages, rate, item.entry));
  return static_cast<long double>(item.weight) * term;
}

inline Complex erlang_log_likelihood(int stages, Complex rate, const Observations& data) {
  Complex sum = 0;
  for (const Observation& item : data.items) sum += erlang_term(stages, rate, item);
  return sum;
}

struct ValueAndSlope {
  double value, slope;
};

/// f and f' at a real x by the complex step, which has no subtraction.
template <class Function>
ValueAndSlope complex_step(const Function& function, double x) {
  const long double h = 1e-30L;
  const Complex at = function(Complex(x, h));
  return {static_cast<double>(at.real()), static_cast<double>(at.imag() / h)};
}

inline Observations times(const std::string& csv) { return parse_observations(csv, "t.csv", TimeKind::kContinuous); }
inline Observations counts(const std::string& csv) { return parse_observations(csv, "t.csv", TimeKind::kDiscrete); }

inline Posterior make_posterior(Model model, Observations data, const std::map<std::string, Prior>& priors,
                                const std::map<std::string, double>& fixed = {}, EvaluatorOptions options = {}) {
  const std::vector<double> reward = model.graph.unit_reward();
  return Posterior(std::move(model), std::move(data), priors, fixed, reward, options);
}

/// Six times of a model, a gamma prior for each parameter.
inline Posterior gamma_posterior(Model model) {
  std::map<std::string, Prior> priors;
  for (const Parameter& parameter : model.parameters)
    priors.emplace(parameter.name, Prior(PriorFamily::kGamma, 2, 1.5));
  const double values[] = {0.3, 0.7, 1.1, 1.4, 2.5, 4};
  return make_posterior(std::move(model), exact_observations(values, TimeKind::kContinuous, "drawn"), priors);
}

struct Evaluation {
  std::vector<double> value;
  Matrix<double> gradient;
  std::vector<std::string> status;
};

/// log likelihood at parameter vectors [K, P]; not a number where none was written.
inline Evaluation evaluate_at(const DataLikelihood& likelihood, MatrixView<const double> theta, bool gradient = true) {
  const std::size_t count = theta.num_rows();
  Evaluation out{std::vector<double>(count, kNan), Matrix<double>(gradient ? count : 0, theta.num_cols()), {}};
  likelihood.evaluate(theta, out.value, gradient ? out.gradient.view() : MatrixView<double>(), out.status);
  return out;
}
inline Evaluation evaluate_at(const DataLikelihood& likelihood, const Matrix<double>& theta, bool gradient = true) {
  return evaluate_at(likelihood, theta.view(), gradient);
}

/// log likelihood at parameter vectors [K, P].
inline Evaluation log_likelihood(const Posterior& posterior, const std::vector<std::vector<double>>& thetas) {
  Matrix<double> theta(thetas.size(), thetas[0].size());
  for (std::size_t k = 0; k < thetas.size(); ++k) std::copy(thetas[k].begin(), thetas[k].end(), theta.row(k).begin());
  Evaluation out{std::vector<double>(thetas.size()), Matrix<double>(thetas.size(), thetas[0].size()), {}};
  posterior.log_likelihood(theta.view(), out.value, out.gradient.view(), out.status);
  return out;
}

/// log density and score at positions [n, d].
inline Evaluation evaluate(const Posterior& posterior, const std::vector<std::vector<double>>& positions) {
  Matrix<double> z(positions.size(), positions[0].size());
  for (std::size_t i = 0; i < positions.size(); ++i)
    std::copy(positions[i].begin(), positions[i].end(), z.row(i).begin());
  Evaluation out{std::vector<double>(positions.size()), Matrix<double>(positions.size(), positions[0].size()), {}};
  posterior.evaluate(z.view(), out.value, out.gradient.view(), out.status);
  return out;
}

}  // namespace sojourn::cases
