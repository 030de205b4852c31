#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <string>
#include <vector>

#include "host/result/calibration_truth.hpp"
#include "sojourn/families.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/sample.hpp"

/// Posteriors of real models and simulated data, each with a log density written down without the library.
namespace sojourn::calibration {

struct Case {
  std::string name;
  Posterior posterior;
  LogDensity log_density;
  std::vector<double> lower, upper;  ///< a box that holds the posterior; its mass outside is lost in rounding
};

/// Draws of the time to absorption.
inline std::vector<double> draw_times(const Model& model, std::vector<double> theta, int count, std::uint64_t seed) {
  const std::vector<double> reward = model.graph.unit_reward();
  return sample(model, theta, {std::span<const double>(reward)}, count, seed, 1).values();
}

inline Posterior posterior_of(Model model, const std::string& csv, const std::map<std::string, Prior>& priors,
                              const std::map<std::string, double>& fixed = {}) {
  Observations data = parse_observations(csv, "simulated.csv", model.graph.time_kind());
  const std::vector<double> reward = model.graph.unit_reward();
  return {std::move(model), std::move(data), priors, fixed, reward};
}

inline std::string column(const std::string& name, const std::vector<double>& values) {
  std::string csv = name + "\n";
  for (const double value : values) csv += fmt::format("{:.17g}\n", value);
  return csv;
}

/// A log-normal prior seen on the log scale, Jacobian included.
inline double lognormal_on_line(double z, double mean, double sd) { return -0.5 * (z - mean) * (z - mean) / (sd * sd); }

/// Sum over the partial fractions of the coalescent's height for `samples` lineages at pair rate 1, exponentials of
/// rates k (k - 1) / 2 in a row: their density where `power` is 1, their survival where it is 0. Ten samples cost 4 of
/// the 19 digits away from t = 0.
inline double coalescent_sum(int samples, double t, int power) {
  long double sum = 0;
  for (int i = 2; i <= samples; ++i) {
    const long double rate = 0.5L * i * (i - 1);
    long double share = power == 1 ? rate : 1;
    for (int k = 2; k <= samples; ++k)
      if (k != i) share *= 0.5L * k * (k - 1) / (0.5L * k * (k - 1) - rate);
    sum += share * std::exp(-rate * static_cast<long double>(t));
  }
  return static_cast<double>(sum);
}
inline double coalescent_density(int samples, double t) { return coalescent_sum(samples, t, 1); }
inline double coalescent_survival(int samples, double t) { return coalescent_sum(samples, t, 0); }

inline Case coalescent_case() {
  Model model = coalescent_lineages(10);
  const std::vector<double> times = draw_times(model, {1.3}, 40, 11);
  return {"coalescent of 10",
          posterior_of(std::move(model), column("time", times), {{"theta", {PriorFamily::kGamma, 2, 1}}}),
          [times](std::span<const double> z) {
            const double theta = std::exp(z[0]);
            double sum = 2 * z[0] - theta;
            for (const double t : times) sum += z[0] + std::log(coalescent_density(10, theta * t));
            return sum;
          },
          {-2},
          {2.5}};
}

inline constexpr double kEnd = 2.5;

/// Erlang of three stages, times past kEnd right-censored there, rate uniform on (0.5, 4).
inline Case censored_erlang_case(bool censoring_forgotten = false) {
  Model model = erlang(3);
  const std::vector<double> times = draw_times(model, {1.4}, 40, 12);
  std::string csv = "time,event\n";
  for (const double t : times)
    csv += fmt::format("{:.17g},{}\n", std::min(t, kEnd), t <= kEnd || censoring_forgotten ? 1 : 0);
  return {"censored Erlang 3",
          posterior_of(std::move(model), csv, {{"rate", {PriorFamily::kUniform, 0.5, 4}}}),
          [times](std::span<const double> z) {
            const double share = 1 / (1 + std::exp(-z[0]));
            const double rate = 0.5 + 3.5 * share;
            double sum = std::log(share) + std::log1p(-share);
            for (const double t : times) {
              const double x = rate * std::min(t, kEnd);
              sum += t <= kEnd ? 3 * std::log(rate) - x : std::log1p(x + 0.5 * x * x) - x;
            }
            return sum;
          },
          {-4},
          {4}};
}

/// Density of a Coxian law with two stages.
inline double coxian_density(double on, double first, double second, double t) {
  const double rate = on + first;
  const double gap = rate - second;
  // (e^{-second t} - e^{-rate t}) / gap, finite where the rates meet.
  const double both = std::exp(-second * t) * (std::abs(gap * t) < 1e-8 ? t : -std::expm1(-gap * t) / gap);
  return first * std::exp(-rate * t) + on * second * both;
}

inline Case coxian_case() {
  Model model = coxian(2);
  const std::vector<double> times = draw_times(model, {1, 0.6, 0.25}, 60, 13);
  return {"Coxian 2",
          posterior_of(std::move(model), column("time", times),
                       {{"on_0", {PriorFamily::kLognormal, 0, 0.7}},
                        {"exit_0", {PriorFamily::kLognormal, -0.5, 0.7}},
                        {"exit_1", {PriorFamily::kLognormal, -1, 0.7}}}),
          [times](std::span<const double> z) {
            double sum =
                lognormal_on_line(z[0], 0, 0.7) + lognormal_on_line(z[1], -0.5, 0.7) + lognormal_on_line(z[2], -1, 0.7);
            for (const double t : times)
              sum += std::log(coxian_density(std::exp(z[0]), std::exp(z[1]), std::exp(z[2]), t));
            return sum;
          },
          {-4, -4, -4},
          {3, 2, 1}};
}

/// Mixture .6 : .4 of exponentials, one twenty-five times as fast.
inline Case hyperexponential_case() {
  Model model = hyperexponential(std::vector<double>{0.6, 0.4});
  const std::vector<double> times = draw_times(model, {5, 0.2}, 60, 14);
  return {"hyperexponential",
          posterior_of(std::move(model), column("time", times),
                       {{"rate_0", {PriorFamily::kGamma, 2, 0.5}}, {"rate_1", {PriorFamily::kExponential, 2}}}),
          [times](std::span<const double> z) {
            const double fast = std::exp(z[0]), slow = std::exp(z[1]);
            double sum = 2 * z[0] - 0.5 * fast + z[1] - 2 * slow;
            for (const double t : times)
              sum += std::log(0.6 * fast * std::exp(-fast * t) + 0.4 * slow * std::exp(-slow * t));
            return sum;
          },
          {0, -3},
          {3, 0}};
}

/// Density of the common ancestor's time for 4 and 1 lineages in two demes: eigenvalues of a generator written here.
class TwoDemes {
 public:
  TwoDemes(double coal_0, double coal_1, double mig_0_1, double mig_1_0) {
    const auto index = [](int a, int b) {
      int i = a;
      for (int total = 2; total < a + b; ++total) i += total + 1;
      return i;
    };
    Eigen::MatrixXd generator = Eigen::MatrixXd::Zero(18, 18);  // 3 + 4 + 5 + 6 states of 2 to 5 lineages
    exit_ = Eigen::VectorXcd::Zero(18);
    for (int total = 2; total <= 5; ++total)
      for (int a = 0; a <= total; ++a) {
        const int b = total - a;
        const auto move = [&](double rate, int to_a, int to_b) {
          if (rate == 0) return;
          generator(index(a, b), index(a, b)) -= rate;
          if (to_a + to_b == 1)
            exit_(index(a, b)) += rate;
          else
            generator(index(a, b), index(to_a, to_b)) += rate;
        };
        move(coal_0 * a * (a - 1) / 2, a - 1, b);
        move(coal_1 * b * (b - 1) / 2, a, b - 1);
        move(mig_0_1 * a, a - 1, b + 1);
        move(mig_1_0 * b, a + 1, b - 1);
      }
    const Eigen::EigenSolver<Eigen::MatrixXd> solver(generator);
    rates_ = solver.eigenvalues();
    const Eigen::MatrixXcd vectors = solver.eigenvectors();
    Eigen::VectorXcd start = Eigen::VectorXcd::Zero(18);
    start(index(4, 1)) = 1;
    shares_ = (vectors.transpose() * start).cwiseProduct(vectors.partialPivLu().solve(exit_));
  }
  /// At places of no weight rounding may leave nothing of it; never below the smallest number of use in a logarithm.
  [[nodiscard]] double density(double t) const {
    std::complex<double> sum = 0;
    for (Eigen::Index i = 0; i < rates_.size(); ++i) sum += shares_(i) * std::exp(rates_(i) * t);
    return std::max(sum.real(), 1e-300);
  }

 private:
  Eigen::VectorXcd rates_, shares_, exit_;
};

/// Two demes with sizes N0 and N1 free and the migration rate known; rates derived from a model file.
inline Case two_deme_case() {
  Model model = parse_model(R"(
schema: sojourn/model/1
name: two-demes
time: continuous
parameters: [N0, N1, m]
derived: {pair_0: 1 / (2*N0), pair_1: 1 / (2*N1), out: m, back: m / 2}
family: {structured_coalescent: {samples: [4, 1]}}
)",
                            "two-demes.yaml");
  const std::vector<double> times = draw_times(model, {0.3, 1.5, 0.4}, 30, 15);
  return {"two demes",
          posterior_of(std::move(model), column("time", times),
                       {{"N0", {PriorFamily::kLognormal, -1, 0.8}}, {"N1", {PriorFamily::kLognormal, 0, 0.8}}},
                       {{"m", 0.4}}),
          [times](std::span<const double> z) {
            const TwoDemes law(0.5 * std::exp(-z[0]), 0.5 * std::exp(-z[1]), 0.4, 0.2);
            double sum = lognormal_on_line(z[0], -1, 0.8) + lognormal_on_line(z[1], 0, 0.8);
            for (const double t : times) sum += std::log(law.density(t));
            return sum;
          },
          {-5, -4},
          {3, 4}};
}

/// Trials until the second success under a beta(2, 2) prior: conjugate, p is beta(2 + 2 n, 2 + sum of failures).
struct Conjugate {
  double a, b;
};
inline Case discrete_case(Conjugate* exact = nullptr) {
  Model model = parse_model(R"(
schema: sojourn/model/1
name: second-success
time: discrete
parameters: [{name: p, lower: 0, upper: 1}]
states: 3
initial: [[0, 1]]
edges:
  - [0, 1, 0.0, [1.0]]
  - [1, 2, 0.0, [1.0]]
)",
                            "second-success.yaml");
  const std::vector<double> counts = draw_times(model, {0.3}, 30, 16);
  double trials = 0;
  for (const double count : counts) trials += count;
  const double a = 2 + 2 * static_cast<double>(counts.size());
  const double b = 2 + trials - 2 * static_cast<double>(counts.size());
  if (exact != nullptr) *exact = {a, b};
  return {"discrete",
          posterior_of(std::move(model), column("count", counts), {{"p", {PriorFamily::kBeta, 2, 2}}}),
          [=](std::span<const double> z) { return -a * std::log1p(std::exp(-z[0])) - b * std::log1p(std::exp(z[0])); },
          {-4},
          {3}};
}

/// Population size in the thousands, rate 1 / (2N) per pair.
inline Case derived_case() {
  Model model = parse_model(R"(
schema: sojourn/model/1
name: coalescent-N
time: continuous
parameters: [N]
derived: {pair_rate: 1 / (2*N)}
family: {coalescent: {samples: 4}}
)",
                            "coalescent-N.yaml");
  const std::vector<double> times = draw_times(model, {5000}, 30, 17);
  return {"derived 1 / (2N)",
          posterior_of(std::move(model), column("time", times), {{"N", {PriorFamily::kLognormal, 9.5, 0.6}}}),
          [times](std::span<const double> z) {
            const double rate = 0.5 * std::exp(-z[0]);
            double sum = lognormal_on_line(z[0], 9.5, 0.6);
            for (const double t : times) sum += std::log(rate * coalescent_density(4, rate * t));
            return sum;
          },
          {6},
          {11.5}};
}

}  // namespace sojourn::calibration
