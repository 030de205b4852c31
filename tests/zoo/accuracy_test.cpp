#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "sojourn/error.hpp"
#include "sojourn/evaluator.hpp"
#include "zoo/findings.hpp"
#include "zoo/known_failures.hpp"
#include "zoo/zoo_chains.hpp"

namespace sojourn::zoo {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

/// Moments, times per state, transforms: products and quotients of sums without subtraction, each entry right to a few
/// roundings for every pass through a component. 1e-13 is 450 roundings.
constexpr double kMomentTolerance = 1e-13;
/// Transient values: the goal. The bound that comes with each of them is a sharper test.
constexpr double kLawTolerance = 1e-8;
/// Derivatives: relative where they stand alone (moments, transforms), of the largest elasticity for log values.
constexpr double kGradientTolerance = 1e-8;
/// What a gradient of moments and transforms may be off besides, in elasticity and of the value itself: 4.5 roundings
/// of the value. Smaller errors show in the table, not here.
constexpr double kGradientFloor = 1e-15;
/// A tenth of the default: uniformization gives up a little earlier, and the test ends sooner.
constexpr std::int64_t kMaxTerms = 20'000'000;
/// Multi precision is asked for 20 digits and compared in double.
constexpr int kDigits = 20;
constexpr double kMultiTolerance = 1e-15;
constexpr std::int32_t kMostMultiStates = 20;
/// Smallest values that keep all their digits, with room for products.
constexpr double kSmallest = 1e-290;

/// Collects the verdicts on one chain and holds them to the list of known failures.
class Judge {
 public:
  explicit Judge(const Chain& chain) : chain_(chain) {}
  ~Judge() {
    for (const KnownFailure& known : kKnownFailures) {
      const std::string key(known.key);
      if (!known.by_rounding && tried_.contains(key) && !failed_.contains(key))
        ADD_FAILURE() << key << " passes now: take it off the list of known failures";
    }
  }

  void expect(bool good, const std::string& quantity, const std::string& route, const std::string& message) {
    const std::string key = chain_.name + " " + quantity + " " + route;
    tried_.insert(key);
    if (good) return;
    failed_.insert(key);
    if (std::ranges::find(kKnownFailures, key, &KnownFailure::key) == std::end(kKnownFailures))
      ADD_FAILURE() << key << ": " << message;
  }

 private:
  const Chain& chain_;
  std::set<std::string> tried_, failed_;
};

std::string shown(double point, double got, double want, double error, double limit) {
  char text[200];
  std::snprintf(text, sizeof text, "at %.17g got %.17g, want %.17g, error %.3g above %.3g", point, got, want, error,
                limit);
  return text;
}

double relative_error(double got, double want) { return got == want ? 0 : std::abs(got - want) / std::abs(want); }

/// The worst component of a gradient.
struct GradientError {
  double error = 0, got = 0, want = 0;

  void look(double component_error, double component_got, double component_want) {
    if (!(component_error > error) && !std::isnan(component_error)) return;
    *this = {std::isnan(component_error) ? kInfinity : component_error, component_got, component_want};
  }
};

/// Each component relative to itself; false where one is off by more than goal and floor. `size` is the quantity's own.
bool compare_components(std::span<const double> got, const std::vector<double>& want, double size,
                        const std::vector<double>& theta, GradientError& worst) {
  bool good = true;
  for (std::size_t p = 0; p < want.size(); ++p) {
    if (std::isnan(want[p])) continue;
    const double floor = kGradientFloor * size / theta[p], difference = std::abs(got[p] - want[p]);
    good = good && difference <= kGradientTolerance * std::abs(want[p]) + floor;
    // A derivative of zero has no relative error.
    if (want[p] != 0 || !(difference <= floor)) worst.look(relative_error(got[p], want[p]), got[p], want[p]);
  }
  return good;
}

/// Elasticities d log value / d log theta, relative to the largest of them or 1.
GradientError elasticity_error(std::span<const double> got, const std::vector<double>& want,
                               const std::vector<double>& theta) {
  double scale = 1;
  for (std::size_t p = 0; p < want.size(); ++p) scale = std::max(scale, std::abs(want[p] * theta[p]));
  GradientError worst;
  for (std::size_t p = 0; p < want.size(); ++p)
    worst.look(std::abs(got[p] - want[p]) * theta[p] / scale, got[p], want[p]);
  return worst;
}

MatrixView<const double> one_row(const std::vector<double>& theta) { return {theta.data(), 1, theta.size()}; }

/// Values of one quantity without a certified bound, and their gradients.
void check_exact(Judge& judge, const Chain& chain, const std::string& quantity, const Quantity& got,
                 const std::vector<double>& want, const std::vector<std::vector<double>>& want_gradient,
                 const std::vector<double>& points, const std::vector<double>& sizes) {
  const std::size_t num_parameters = chain.theta.size();
  for (std::size_t n = 0; n < want.size(); ++n) {
    const double value = got.values(0, n);
    if (std::isnan(want[n])) {
      judge.expect(!std::isfinite(value) && got.status[0] != "ok", quantity, "replay",
                   shown(points[n], value, want[n], kNan, 0));
      continue;
    }
    Finding finding{chain.name, quantity, "replay", "", points[n], 0, kNan, kNan, kMomentTolerance};
    if (std::abs(want[n]) < kSmallest) {
      const bool good = std::abs(value) < 2 * kSmallest;
      judge.expect(good, quantity, "replay", shown(points[n], value, want[n], kNan, 0));
      finding.error = good ? 0 : kNan;
      record(finding);
      continue;
    }
    finding.error = std::abs(value - want[n]) / sizes[n];
    judge.expect(finding.error <= kMomentTolerance, quantity, "replay",
                 shown(points[n], value, want[n], finding.error, kMomentTolerance));
    if (n < want_gradient.size() && !got.gradient.empty()) {
      GradientError worst;
      const bool good = compare_components({&got.gradient[n * num_parameters], num_parameters}, want_gradient[n],
                                           sizes[n], chain.theta, worst);
      finding.gradient_error = worst.error;
      judge.expect(good, quantity + " gradient", "replay",
                   shown(points[n], worst.got, worst.want, worst.error, kGradientTolerance));
    }
    record(finding);
  }
}

std::vector<double> sizes_of(const std::vector<double>& values) {
  std::vector<double> sizes;
  for (const double value : values) sizes.push_back(std::abs(value));
  return sizes;
}

struct Route {
  LawMethod method;
  std::string name;
};

struct Kind {
  LawKind kind;
  std::string name;
  bool logarithm;
  const std::vector<double>& log_values;
  const std::vector<std::vector<double>>& gradients;
};

/// One kind by one route: whatever is answered keeps its bound, and what is not answered is flagged.
void check_law(Judge& judge, const Chain& chain, const Route& route, const Kind& kind, bool gradient) {
  const References& references = chain.references;
  EvaluatorOptions options;
  options.method = route.method;
  options.max_terms = kMaxTerms;
  const Evaluator evaluator(chain.model, options);
  const Quantity got = evaluator.law(one_row(chain.theta), chain.reward, kind.kind, references.points, gradient);
  const std::size_t num_parameters = chain.theta.size();
  for (std::size_t n = 0; n < references.points.size(); ++n) {
    const double point = references.points[n], value = got.values(0, n), bound = got.error_bound(0, n);
    const double log_want = kind.log_values[n];
    Finding finding{chain.name, kind.name, route.name,   to_string(got.method[n]), point, kNan,
                    bound,      kNan,      kLawTolerance};
    if (std::isnan(value)) {
      judge.expect(got.status[0] != "ok", kind.name, route.name,
                   shown(point, value, log_want, kNan, 0) + ", not flagged");
      finding.bound = kNan;
      record(finding);
      continue;
    }
    judge.expect(bound <= options.rtol, kind.name, route.name,
                 shown(point, value, log_want, bound, options.rtol) + ": answered without a bound");
    double& slack = finding.slack;
    if (log_want == -kInfinity) {
      finding.error = value == (kind.logarithm ? -kInfinity : 0.0) ? 0 : kInfinity;
    } else if (kind.logarithm) {
      finding.error = std::abs(value - log_want);
      // Value and reference are rounded to double: half a unit in the last place of the logarithm each.
      slack = kEpsilon * std::max(1.0, std::abs(log_want));
    } else {
      if (log_want < std::log(kSmallest)) {
        judge.expect(value < 2 * kSmallest, kind.name, route.name, shown(point, value, log_want, kNan, 0));
        continue;
      }
      finding.error = std::abs(std::expm1(std::log(value) - log_want));
      // The reference is a logarithm in double, and `std::log` rounds once more.
      slack = kEpsilon * (2 + std::abs(log_want));
    }
    judge.expect(finding.error <= bound + slack, kind.name + " bound", route.name,
                 shown(point, value, log_want, finding.error, bound + slack));
    judge.expect(finding.error <= kLawTolerance, kind.name, route.name,
                 shown(point, value, log_want, finding.error, kLawTolerance));
    if (gradient && log_want != -kInfinity) {
      const GradientError worst =
          elasticity_error({&got.gradient[n * num_parameters], num_parameters}, kind.gradients[n], chain.theta);
      finding.gradient_error = worst.error;
      judge.expect(worst.error <= kGradientTolerance, kind.name + " gradient", route.name,
                   shown(point, worst.got, worst.want, worst.error, kGradientTolerance));
    }
    record(finding);
  }
}

class Zoo : public testing::TestWithParam<std::string> {};
class ZooStates : public Zoo {};
class ZooLaws : public Zoo {};
class ZooMulti : public Zoo {};

TEST_P(Zoo, MomentsAndTransforms) {
  const Chain chain = read_chain(GetParam());
  const References& references = chain.references;
  Judge judge(chain);
  const Evaluator evaluator(chain.model);
  const auto theta = one_row(chain.theta);
  std::vector<double> orders;
  for (std::size_t k = 1; k <= references.moments.size(); ++k) orders.push_back(static_cast<double>(k));
  check_exact(judge, chain, "moment", evaluator.moments(theta, chain.reward, static_cast<int>(orders.size()), true),
              references.moments, references.moments_gradient, orders, sizes_of(references.moments));
  check_exact(judge, chain, "laplace", evaluator.laplace(theta, chain.reward, references.laplace_s, true),
              references.laplace, references.laplace_gradient, references.laplace_s, sizes_of(references.laplace));

  if (!chain.together.empty()) {
    std::vector<std::span<const double>> rewards(chain.together.begin(), chain.together.end());
    // A covariance is a difference, E[Y_a Y_b] - E[Y_a] E[Y_b]: right to roundings of what is subtracted.
    const Quantity cross = evaluator.cross_moments(theta, rewards, false);
    std::vector<double> sizes, pairs;
    for (std::size_t i = 0; i < references.covariance.size(); ++i) {
      sizes.push_back(cross.values(0, i));
      pairs.push_back(static_cast<double>(i));
    }
    check_exact(judge, chain, "covariance", evaluator.covariance(theta, rewards, true), references.covariance,
                references.covariance_gradient, pairs, sizes);
  }
  if (!references.sojourn.empty()) {
    std::vector<double> states;
    for (std::size_t i = 0; i < references.sojourn.size(); ++i) states.push_back(static_cast<double>(i));
    check_exact(judge, chain, "sojourn", evaluator.expected_sojourn(theta, false), references.sojourn, {}, states,
                sizes_of(references.sojourn));
  }
}

TEST_P(ZooStates, ProbabilitiesAtThreeTimes) {
  const Chain chain = read_chain(GetParam());
  const References& references = chain.references;
  Judge judge(chain);
  EvaluatorOptions options;
  options.max_terms = kMaxTerms;
  const Evaluator evaluator(chain.model, options);
  for (std::size_t i = 0; i < references.state_times.size(); ++i) {
    const double time = references.state_times[i];
    const Quantity got = evaluator.state_probability(one_row(chain.theta), time, false);
    if (got.status[0] != "ok") {
      record({chain.name, "state_probability", "uniformization", "", time, kNan, kNan, kNan, kLawTolerance});
      continue;
    }
    Finding finding{chain.name, "state_probability", "uniformization", to_string(got.method[0]), time, 0, kNan,
                    kNan,       kLawTolerance};
    for (std::int32_t state = 0; state < chain.model.graph.num_states(); ++state) {
      const double want = references.state_probability[i][state];
      if (chain.model.graph.is_absorbing(state) || want < kSmallest) continue;
      finding.error = std::max(finding.error, relative_error(got.values(0, state), want));
    }
    judge.expect(finding.error <= kLawTolerance, finding.quantity, finding.route,
                 shown(time, kNan, kNan, finding.error, kLawTolerance));
    record(finding);
  }
}

TEST_P(ZooLaws, EveryRoute) {
  const Chain chain = read_chain(GetParam());
  const References& references = chain.references;
  Judge judge(chain);
  std::vector<Route> routes{{LawMethod::kAuto, "auto"}, {LawMethod::kContour, "contour"}};
  routes.push_back({LawMethod::kSaddlepoint, "saddlepoint"});
  if (chain.discrete) routes.push_back({LawMethod::kStepping, "stepping"});
  if (!chain.discrete) routes.push_back({LawMethod::kUniformization, "uniformization"});
  const Kind log_pdf{LawKind::kLogPdf, "log_pdf", true, references.log_pdf, references.log_pdf_gradient};
  const Kind log_cdf{LawKind::kLogCdf, "log_cdf", true, references.log_cdf, references.log_cdf_gradient};
  const Kind log_survival{LawKind::kLogSurvival, "log_survival", true, references.log_survival,
                          references.log_survival_gradient};
  const Kind pdf{LawKind::kPdf, "pdf", false, references.log_pdf, {}};
  const Kind cdf{LawKind::kCdf, "cdf", false, references.log_cdf, {}};
  const Kind survival{LawKind::kSurvival, "survival", false, references.log_survival, {}};
  for (const Route& route : routes) {
    for (const Kind* kind : {&log_pdf, &log_cdf, &log_survival}) check_law(judge, chain, route, *kind, true);
    if (route.method != LawMethod::kAuto) continue;
    for (const Kind* kind : {&pdf, &cdf, &survival}) check_law(judge, chain, route, *kind, false);
  }
}

/// Fixed Talbot contour or circle in 60 to 1,000 digits: slow, so small chains and the points around the median alone.
TEST_P(ZooMulti, TwentyDigits) {
  const Chain chain = read_chain(GetParam());
  const References& references = chain.references;
  constexpr double kMostSteps = 2'000;  // counts beyond are refused
  Judge judge(chain);
  EvaluatorOptions options;
  options.precision = Precision::kMulti;
  options.digits = kDigits;
  const Evaluator evaluator(chain.model, options);
  const Quantity moments = evaluator.moments(one_row(chain.theta), chain.reward, 2, false);
  for (std::size_t k = 0; k < 2; ++k) {
    const double error = relative_error(moments.values(0, k), references.moments[k]);
    judge.expect(error <= kMultiTolerance, "moment", "multi",
                 shown(k + 1.0, moments.values(0, k), references.moments[k], error, kMultiTolerance));
    record({chain.name, "moment", "multi", "multi", k + 1.0, error, kNan, kNan, kMultiTolerance});
  }
  std::vector<std::size_t> chosen;
  for (std::size_t n = 0; n < references.points.size(); ++n) {
    const bool middle = references.log_cdf[n] > -4 && references.log_survival[n] > -4;
    if (middle && (!chain.discrete || references.points[n] <= kMostSteps) && chosen.size() < 2) chosen.push_back(n);
  }
  for (const std::size_t n : chosen) {
    const std::vector<double> point{references.points[n]};
    const Quantity got = evaluator.law(one_row(chain.theta), chain.reward, LawKind::kLogPdf, point, false);
    const double value = got.values(0, 0), want = references.log_pdf[n];
    if (std::isnan(value)) {
      judge.expect(got.status[0] != "ok", "log_pdf", "multi", shown(point[0], value, want, kNan, 0) + ", not flagged");
      record({chain.name, "log_pdf", "multi", "multi", point[0], kNan, kNan, kNan, kMultiTolerance});
      continue;
    }
    const double error = value == want ? 0 : std::abs(value - want),
                 limit = kMultiTolerance * std::max(1.0, std::abs(want));
    judge.expect(error <= limit, "log_pdf", "multi", shown(point[0], value, want, error, limit));
    record({chain.name, "log_pdf", "multi", "multi", point[0], error, kNan, kNan, kMultiTolerance});
  }
}

std::string test_name(const testing::TestParamInfo<std::string>& one) {
  std::string name = one.param;
  for (char& c : name)
    if (c == '-' || c == '.') c = '_';
  return name;
}
template <class Choice>
auto chains_with(Choice&& choice) {
  std::vector<std::string> names;
  for (const ChainEntry& entry : chain_entries())
    if (choice(entry)) names.push_back(entry.name);
  return testing::ValuesIn(names);
}
INSTANTIATE_TEST_SUITE_P(Chains, Zoo, chains_with([](const ChainEntry&) { return true; }), test_name);
INSTANTIATE_TEST_SUITE_P(Chains, ZooStates, chains_with([](const ChainEntry& entry) { return entry.states; }),
                         test_name);
INSTANTIATE_TEST_SUITE_P(Chains, ZooLaws, chains_with([](const ChainEntry& entry) { return entry.law; }), test_name);
INSTANTIATE_TEST_SUITE_P(Chains, ZooMulti, chains_with([](const ChainEntry& entry) {
                           return entry.law && entry.num_transient <= kMostMultiStates;
                         }),
                         test_name);

}  // namespace
}  // namespace sojourn::zoo
