#include "sojourn/posterior.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <mutex>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "common/random.hpp"
#include "posterior/posterior_parts.hpp"
#include "posterior/prior_on_line.hpp"

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

struct Posterior::Impl {
  Impl(Model model_in, Observations observations_in, const std::map<std::string, Prior>& priors,
       const std::map<std::string, double>& fixed, std::span<const double> reward_in,
       const EvaluatorOptions& options_in)
      : model(std::move(model_in)),
        observations(std::move(observations_in)),
        reward(reward_in.begin(), reward_in.end()),
        options(options_in),
        warnings(model.warnings),
        parameters(resolve_parameters(model, priors, fixed, warnings)),
        likelihood(checked_likelihood(model, observations, reward)),
        prc(eliminate(model.graph)),
        plan(model.graph, prc, reward, likelihood.points(), options) {}

  /// A law workspace of the caller's own, kept for the next caller.
  class Lease {
   public:
    explicit Lease(const Impl& impl) : impl_(impl) {
      const std::scoped_lock lock(impl_.mutex);
      if (impl_.idle.empty()) return;
      workspace_ = std::move(impl_.idle.back());
      impl_.idle.pop_back();
    }
    ~Lease() {
      if (!workspace_) return;
      const std::scoped_lock lock(impl_.mutex);
      impl_.idle.push_back(std::move(workspace_));
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    LawPlan::Workspace& get() {
      if (!workspace_) workspace_ = impl_.plan.make_workspace();
      return *workspace_;
    }

   private:
    const Impl& impl_;
    LawPlan::WorkspacePtr workspace_;
  };

  /// Log likelihood and its gradient by theta [P] (may be empty); never throws. `status` stays empty where all is well.
  double likelihood_at(std::span<const double> theta, std::span<double> gradient, LawPlan::Workspace& workspace,
                       LawOutcome& outcome, std::string& status) const;
  /// Calls `body(particle, workspace, outcome)` for every particle and books the routes taken.
  template <class Body>
  void for_particles(std::size_t num_particles, const Body& body) const;
  void check_possible() const;

  Model model;
  Observations observations;
  std::vector<double> reward;
  EvaluatorOptions options;
  std::vector<std::string> warnings;
  ParameterSet parameters;
  Likelihood likelihood;
  Prc prc;
  LawPlan plan;

  mutable std::mutex mutex;
  mutable std::vector<LawPlan::WorkspacePtr> idle;
  mutable RouteCounts routes;
};

double Posterior::Impl::likelihood_at(std::span<const double> theta, std::span<double> gradient,
                                      LawPlan::Workspace& workspace, LawOutcome& outcome, std::string& status) const {
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

template <class Body>
void Posterior::Impl::for_particles(std::size_t num_particles, const Body& body) const {
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
  const std::scoped_lock lock(mutex);
  for (const LawOutcome& outcome : outcomes) {
    routes.contour += outcome.num_contour;
    routes.saddlepoint += outcome.num_saddlepoint;
    routes.uniformization += outcome.num_uniformization;
    routes.stepping += outcome.num_stepping;
    routes.closed += outcome.num_closed;
    if (outcome.ok) routes.worst_error_bound = std::max(routes.worst_error_bound, outcome.error_bound);
  }
}

/// A row that no theta allows shows at every theta; a handful spread over the prior decides.
void Posterior::Impl::check_possible() const {
  std::vector<char> possible(observations.items.size(), 0);
  std::vector<double> theta = parameters.base;
  bool evaluated = false;
  Lease lease(*this);
  for (const double p : {0.5, 0.1, 0.9, 0.3, 0.7}) {
    for (std::size_t j = 0; j < parameters.free.size(); ++j) {
      const Free& free = parameters.free[j];
      // Later points leave the diagonal: their even parameters take the mirrored quantile.
      const double q = (p == 0.3 || p == 0.7) && j % 2 == 1 ? 1 - p : p;
      theta[free.parameter] = truncated_quantile(free.prior, free.lower, free.upper, q);
    }
    try {
      std::vector<double> phi(model.graph.num_rates());
      model.rates.evaluate(theta, phi);
      if (!describe_bad_weight(model.graph, phi).empty()) continue;
      const LawObjective mark = [&](std::span<const double> log_density, std::span<const double> log_survival,
                                    std::span<const double> log_cdf, std::span<double>, std::span<double>,
                                    std::span<double>) {
        likelihood.mark_possible(log_density, log_survival, log_cdf, possible);
        return 0.0;
      };
      double value = 0;
      const LawOutcome outcome = plan.objective(phi, mark, value, {}, lease.get());
      if (!outcome.ok) return;  // a law that cannot be computed here says nothing; evaluation reports it
    } catch (const Error&) {
      return;
    }
    evaluated = true;
    if (std::find(possible.begin(), possible.end(), 0) == possible.end()) return;
  }
  if (!evaluated) return;
  const auto impossible = std::find(possible.begin(), possible.end(), 0) - possible.begin();
  const LawSupport support = law_support(model.graph, reward);
  const bool too_few = model.graph.time_kind() == TimeKind::kDiscrete &&
                       observations.items[impossible].upper < static_cast<double>(support.least_count);
  SOJOURN_EXPECTS(false, NumericalError,
                  "{} has zero density for every theta in prior: {}{}; correct the row or the model",
                  name_row(observations, impossible), describe_item(observations, impossible),
                  too_few ? fmt::format(", but absorption takes at least {} steps", support.least_count) : "");
}

Posterior::Posterior(Model model, Observations observations, const std::map<std::string, Prior>& priors,
                     const std::map<std::string, double>& fixed, std::span<const double> reward,
                     EvaluatorOptions options)
    : impl_(std::make_unique<Impl>(std::move(model), std::move(observations), priors, fixed, reward, options)) {
  impl_->check_possible();
}

Posterior::~Posterior() = default;

const Model& Posterior::model() const { return impl_->model; }
const Observations& Posterior::observations() const { return impl_->observations; }
const std::vector<Posterior::Free>& Posterior::free() const { return impl_->parameters.free; }
std::vector<double> Posterior::reward() const { return impl_->reward; }
const std::vector<std::string>& Posterior::warnings() const { return impl_->warnings; }
std::int32_t Posterior::dimension() const { return static_cast<std::int32_t>(impl_->parameters.free.size()); }

void Posterior::to_theta(std::span<const double> z, std::span<double> theta) const {
  const auto& [free, base] = impl_->parameters;
  SOJOURN_EXPECTS(z.size() == free.size() && theta.size() == base.size(), ShapeError,
                  "to_theta: z has {} values and theta {}; they must have {} and {}", z.size(), theta.size(),
                  free.size(), base.size());
  std::copy(base.begin(), base.end(), theta.begin());
  for (std::size_t j = 0; j < free.size(); ++j) theta[free[j].parameter] = free[j].transform.to_natural(z[j]);
}

void Posterior::evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                         std::vector<std::string>& status) const {
  const std::vector<Free>& free = impl_->parameters.free;
  const std::size_t n = z.num_rows(), d = free.size();
  SOJOURN_EXPECTS(z.num_cols() == d && log_density.size() == n &&
                      (score.empty() || (score.num_rows() == n && score.num_cols() == d)),
                  ShapeError,
                  "evaluate: z is [{}, {}], log_density [{}], score [{}, {}]; they must be [n, {}], [n], [n, {}]", n,
                  z.num_cols(), log_density.size(), score.num_rows(), score.num_cols(), d, d);
  status.assign(n, {});
  impl_->for_particles(n, [&](std::size_t i, LawPlan::Workspace& workspace, LawOutcome& outcome) {
    const std::span<const double> position = z.row(i);
    log_density[i] = kNan;
    if (!score.empty()) std::fill(score.row(i).begin(), score.row(i).end(), kNan);
    std::vector<double> theta(impl_->parameters.base.size()), by_theta(score.empty() ? 0 : theta.size());
    to_theta(position, theta);
    if (!std::all_of(theta.begin(), theta.end(), [](double x) { return std::isfinite(x); })) {
      status[i] = "position is not finite or too far out: " + describe_theta(impl_->model, theta);
      return;
    }
    double value = impl_->likelihood_at(theta, by_theta, workspace, outcome, status[i]);
    if (!status[i].empty()) return;
    std::vector<double> by_z(d);
    for (std::size_t j = 0; j < d; ++j) {
      const LineDensity prior = prior_on_line(free[j].prior, free[j].transform, free[j].log_prior_mass, position[j]);
      value += prior.value;
      if (score.empty()) continue;
      by_z[j] = by_theta[free[j].parameter] * free[j].transform.derivative(position[j]) + prior.derivative;
    }
    if (!std::isfinite(value) || !std::all_of(by_z.begin(), by_z.end(), [](double x) { return std::isfinite(x); })) {
      status[i] =
          fmt::format("log density {} or its score is not finite at {}", value, describe_theta(impl_->model, theta));
      return;
    }
    log_density[i] = value;
    if (!score.empty()) std::copy(by_z.begin(), by_z.end(), score.row(i).begin());
  });
}

void Posterior::sample_prior(std::uint64_t seed, MatrixView<double> z) const {
  const std::vector<Free>& free = impl_->parameters.free;
  SOJOURN_EXPECTS(z.num_cols() == free.size(), ShapeError, "sample_prior: z has {} columns; it must have {}",
                  z.num_cols(), free.size());
  for (std::size_t i = 0; i < z.num_rows(); ++i) {
    PhiloxStream random(seed, kStreamInitial, i);
    for (std::size_t j = 0; j < free.size(); ++j) {
      const double theta = truncated_quantile(free[j].prior, free[j].lower, free[j].upper, random.next_uniform());
      z(i, j) = free[j].transform.to_unconstrained(theta);
    }
  }
}

void Posterior::log_likelihood(MatrixView<const double> theta, std::span<double> value, MatrixView<double> gradient,
                               std::vector<std::string>& status) const {
  const std::size_t num_thetas = theta.num_rows(), num_parameters = impl_->parameters.base.size();
  SOJOURN_EXPECTS(
      theta.num_cols() == num_parameters && value.size() == num_thetas &&
          (gradient.empty() || (gradient.num_rows() == num_thetas && gradient.num_cols() == num_parameters)),
      ShapeError,
      "log_likelihood: theta is [{}, {}], value [{}], gradient [{}, {}]; they must be [K, {}], [K], [K, {}]",
      num_thetas, theta.num_cols(), value.size(), gradient.num_rows(), gradient.num_cols(), num_parameters,
      num_parameters);
  status.assign(num_thetas, {});
  impl_->for_particles(num_thetas, [&](std::size_t k, LawPlan::Workspace& workspace, LawOutcome& outcome) {
    const std::span<double> row = gradient.empty() ? std::span<double>{} : gradient.row(k);
    value[k] = impl_->likelihood_at(theta.row(k), row, workspace, outcome, status[k]);
  });
}

Posterior::RouteCounts Posterior::route_counts() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->routes;
}

}  // namespace sojourn
