#include "posterior/likelihood_engine.hpp"

#include <algorithm>
#include <cmath>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "posterior/posterior_parts.hpp"

namespace sojourn {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

int team_size(int requested, std::size_t num_particles) {
#ifdef _OPENMP
  const int threads = requested > 0 ? requested : omp_get_max_threads();
  return static_cast<int>(std::clamp<std::size_t>(num_particles, 1, static_cast<std::size_t>(std::max(1, threads))));
#else
  (void)requested, (void)num_particles;
  return 1;
#endif
}

}  // namespace

LikelihoodEngine::LikelihoodEngine(Model model_in, Observations observations_in, std::span<const double> reward_in,
                                   const EvaluatorOptions& options_in)
    : model(std::move(model_in)),
      observations(std::move(observations_in)),
      reward(reward_in.begin(), reward_in.end()),
      options(options_in),
      likelihood(checked_likelihood(model, observations, reward)),
      prc(eliminate(model.graph)),
      plan(model.graph, prc, reward, likelihood.points(), options) {}

double LikelihoodEngine::at(std::span<const double> theta, std::span<double> gradient, LawPlan::Workspace& workspace,
                            LawOutcome& outcome, std::string& status) const {
  std::fill(gradient.begin(), gradient.end(), kNan);
  outcome = {};
  const auto at_theta = [&] { return describe_theta(model, theta); };
  try {
    std::vector<double> phi(model.graph.num_rates());
    model.rates.evaluate(theta, phi);
    status = describe_bad_weight(model.graph, phi);
    if (!status.empty()) {
      status += " at " + at_theta();
      return kNan;
    }
    LikelihoodReport report;
    const LawObjective objective = [&](std::span<const double> log_density, std::span<const double> log_survival,
                                       std::span<const double> log_cdf, std::span<double> by_density,
                                       std::span<double> by_survival, std::span<double> by_cdf) {
      return likelihood.evaluate(log_density, log_survival, log_cdf, by_density, by_survival, by_cdf, report);
    };
    std::vector<double> by_phi(gradient.empty() ? 0 : phi.size());
    double value = kNan;
    outcome = plan.objective(phi, objective, value, by_phi, workspace);
    if (!outcome.ok) {
      status = fmt::format("{} at {}", outcome.message, at_theta());
      return kNan;
    }
    if (report.unresolved_item >= 0 || report.amplification * outcome.error_bound > kIntervalTolerance) {
      const std::int64_t item = report.unresolved_item >= 0 ? report.unresolved_item : report.amplified_item;
      status = fmt::format(
          "{}: {} is too narrow for the law's accuracy of {:.1e} at {}; widen it or ask for a smaller "
          "rtol",
          name_row(observations, item), describe_item(observations, item), outcome.error_bound, at_theta());
      return kNan;
    }
    if (value == -std::numeric_limits<double>::infinity()) {
      std::fill(gradient.begin(), gradient.end(), 0.0);
      status = report.impossible_item < 0
                   ? fmt::format("the data have zero density at {}", at_theta())
                   : fmt::format("{}: {} has zero density at {}", name_row(observations, report.impossible_item),
                                 describe_item(observations, report.impossible_item), at_theta());
      return value;
    }
    if (!gradient.empty()) model.rates.pull_back(theta, by_phi, gradient);
    const bool finite = std::isfinite(value) &&
                        std::all_of(gradient.begin(), gradient.end(), [](double x) { return std::isfinite(x); });
    if (finite) return value;
    status = fmt::format("log likelihood {} or its gradient is not finite at {}", value, at_theta());
  } catch (const std::exception& error) {
    status = fmt::format("{} at {}", error.what(), at_theta());
  }
  std::fill(gradient.begin(), gradient.end(), kNan);
  return kNan;
}

void LikelihoodEngine::for_particles(std::size_t num_particles, const Body& body) const {
  std::vector<LawOutcome> outcomes(num_particles);
  const auto count = static_cast<std::int64_t>(num_particles);
  std::exception_ptr failure;
  // A particle's numbers depend on it alone, so which thread takes it does not matter.
#pragma omp parallel num_threads(team_size(options.num_threads, num_particles))
  {
    Lease lease(*this);
#pragma omp for schedule(dynamic, 1)
    for (std::int64_t i = 0; i < count; ++i) {
      try {
        body(static_cast<std::size_t>(i), lease.get(), outcomes[i]);
      } catch (...) {  // out of memory for a workspace: carried out of the parallel region
#pragma omp critical(sojourn_posterior_failure)
        if (!failure) failure = std::current_exception();
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
  const std::scoped_lock lock(mutex_);
  for (const LawOutcome& outcome : outcomes) {
    routes_.contour += outcome.num_contour;
    routes_.saddlepoint += outcome.num_saddlepoint;
    routes_.uniformization += outcome.num_uniformization;
    routes_.stepping += outcome.num_stepping;
    routes_.closed += outcome.num_closed;
    if (outcome.ok) routes_.worst_error_bound = std::max(routes_.worst_error_bound, outcome.error_bound);
  }
}

void LikelihoodEngine::evaluate(MatrixView<const double> theta, std::span<double> value, MatrixView<double> gradient,
                                std::vector<std::string>& status) const {
  const std::size_t num_thetas = theta.num_rows(), num_parameters = model.parameters.size();
  SOJOURN_EXPECTS(
      theta.num_cols() == num_parameters && value.size() == num_thetas &&
          (gradient.empty() || (gradient.num_rows() == num_thetas && gradient.num_cols() == num_parameters)),
      ShapeError,
      "log_likelihood: theta is [{}, {}], value [{}], gradient [{}, {}]; they must be [K, {}], [K], [K, {}]",
      num_thetas, theta.num_cols(), value.size(), gradient.num_rows(), gradient.num_cols(), num_parameters,
      num_parameters);
  status.assign(num_thetas, {});
  for_particles(num_thetas, [&](std::size_t k, LawPlan::Workspace& workspace, LawOutcome& outcome) {
    const std::span<double> row = gradient.empty() ? std::span<double>{} : gradient.row(k);
    value[k] = at(theta.row(k), row, workspace, outcome, status[k]);
  });
}

RouteCounts LikelihoodEngine::route_counts() const {
  const std::scoped_lock lock(mutex_);
  return routes_;
}

DataLikelihood::DataLikelihood(Model model, Observations observations, std::span<const double> reward,
                               const EvaluatorOptions& options)
    : engine_(std::make_unique<LikelihoodEngine>(std::move(model), std::move(observations), reward, options)) {}
DataLikelihood::~DataLikelihood() = default;

void DataLikelihood::evaluate(MatrixView<const double> theta, std::span<double> value, MatrixView<double> gradient,
                              std::vector<std::string>& status) const {
  engine_->evaluate(theta, value, gradient, status);
}

RouteCounts DataLikelihood::route_counts() const { return engine_->route_counts(); }

}  // namespace sojourn
