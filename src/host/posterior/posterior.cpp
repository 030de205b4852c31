#include "sojourn/posterior.hpp"

#include <algorithm>
#include <cmath>

#include "common/random.hpp"
#include "posterior/likelihood_engine.hpp"
#include "posterior/posterior_parts.hpp"
#include "posterior/prior_on_line.hpp"

namespace sojourn {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

struct Posterior::Impl {
  Impl(Model model, Observations observations, const std::map<std::string, Prior>& priors,
       const std::map<std::string, double>& fixed, std::span<const double> reward, const EvaluatorOptions& options,
       DataCompression compression)
      : warnings(model.warnings),
        parameters(resolve_parameters(model, priors, fixed, warnings)),
        engine(std::move(model), std::move(observations), reward, options, compression) {}

  void check_possible() const;

  std::vector<std::string> warnings;
  ParameterSet parameters;
  LikelihoodEngine engine;
};

/// A row that no theta allows shows at every theta; a handful spread over the prior decides.
void Posterior::Impl::check_possible() const {
  const Model& model = engine.model;
  const Observations& observations = engine.observations;
  std::vector<char> possible(observations.items.size(), 0);
  std::vector<double> theta = parameters.base;
  bool evaluated = false;
  LikelihoodEngine::Lease lease(engine);
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
      // A law that cannot be computed here says nothing; evaluation reports it.
      if (!engine.mark_possible(phi, possible, lease.get())) return;
    } catch (const Error&) {
      return;
    }
    evaluated = true;
    if (std::find(possible.begin(), possible.end(), 0) == possible.end()) return;
  }
  if (!evaluated) return;
  const auto impossible = std::find(possible.begin(), possible.end(), 0) - possible.begin();
  const LawSupport support = law_support(model.graph, engine.reward);
  const bool too_few = model.graph.time_kind() == TimeKind::kDiscrete &&
                       observations.items[impossible].upper < static_cast<double>(support.least_count);
  SOJOURN_EXPECTS(false, NumericalError,
                  "{} has zero density for every theta in prior: {}{}; correct the row or the model",
                  name_row(observations, impossible), describe_item(observations, impossible),
                  too_few ? fmt::format(", but absorption takes at least {} steps", support.least_count) : "");
}

Posterior::Posterior(Model model, Observations observations, const std::map<std::string, Prior>& priors,
                     const std::map<std::string, double>& fixed, std::span<const double> reward,
                     EvaluatorOptions options, DataCompression compression)
    : impl_(std::make_unique<Impl>(std::move(model), std::move(observations), priors, fixed, reward, options,
                                   compression)) {
  impl_->check_possible();
}

Posterior::~Posterior() = default;

const Model& Posterior::model() const { return impl_->engine.model; }
const Observations& Posterior::observations() const { return impl_->engine.observations; }
const std::vector<Posterior::Free>& Posterior::free() const { return impl_->parameters.free; }
std::vector<double> Posterior::reward() const { return impl_->engine.reward; }
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
  impl_->engine.for_particles(n, [&](std::size_t i, LikelihoodEngine::Workspace& workspace,
                                     LikelihoodEngine::Outcome& outcome) {
    const std::span<const double> position = z.row(i);
    log_density[i] = kNan;
    if (!score.empty()) std::fill(score.row(i).begin(), score.row(i).end(), kNan);
    std::vector<double>&theta = workspace.theta, &by_theta = workspace.by_theta, &by_z = workspace.by_z;
    theta.resize(impl_->parameters.base.size());
    by_theta.resize(score.empty() ? 0 : theta.size());
    by_z.assign(d, 0.0);
    to_theta(position, theta);
    if (!std::all_of(theta.begin(), theta.end(), [](double x) { return std::isfinite(x); })) {
      status[i] = "position is not finite or too far out: " + describe_theta(impl_->engine.model, theta);
      return;
    }
    double value = impl_->engine.at(theta, by_theta, workspace, outcome, status[i]);
    if (!status[i].empty()) return;
    for (std::size_t j = 0; j < d; ++j) {
      const LineDensity prior = prior_on_line(free[j].prior, free[j].transform, free[j].log_prior_mass, position[j]);
      value += prior.value;
      if (score.empty()) continue;
      by_z[j] = by_theta[free[j].parameter] * free[j].transform.derivative(position[j]) + prior.derivative;
    }
    if (!std::isfinite(value) || !std::all_of(by_z.begin(), by_z.end(), [](double x) { return std::isfinite(x); })) {
      status[i] = fmt::format("log density {} or its score is not finite at {}", value,
                              describe_theta(impl_->engine.model, theta));
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
  impl_->engine.evaluate(theta, value, gradient, status);
}

RouteCounts Posterior::route_counts() const { return impl_->engine.route_counts(); }
CompressionReport Posterior::compression() const { return impl_->engine.compression(); }

}  // namespace sojourn
