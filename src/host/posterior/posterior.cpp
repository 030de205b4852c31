#include "sojourn/posterior.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <optional>

#include "common/random.hpp"
#include "common/svgd_lanes.hpp"
#include "posterior/likelihood_engine.hpp"
#include "posterior/likelihood_on_line.hpp"
#include "posterior/line_cloud.hpp"
#include "posterior/parameter_tables.hpp"
#include "posterior/posterior_parts.hpp"
#include "posterior/prior_on_line.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
/// Width of a cell on which the likelihood of one parameter is a polynomial: half an e-folding of a parameter with a
/// bound, a part of the prior's bulk for one without.
constexpr double kCellWidth = 0.5;
constexpr double kCellsInPrior = 8;
/// A team of threads costs more than what it saves on fewer particles that a polynomial answers.
[[maybe_unused]] constexpr std::int64_t kManyParticles = 4096;

double cell_width(const Posterior::Free& free) {
  if (free.transform.kind() != Transform::Kind::kIdentity) return kCellWidth;
  const auto quantile = [&](double p) { return truncated_quantile(free.prior, free.lower, free.upper, p); };
  return (quantile(0.95) - quantile(0.05)) / kCellsInPrior;
}

bool all_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
}

}  // namespace

struct Posterior::Impl {
  using Free = Posterior::Free;
  Impl(Model model, Observations observations, const std::map<std::string, Prior>& priors,
       const std::map<std::string, double>& fixed, std::span<const double> reward, const EvaluatorOptions& options,
       DataCompression compression, const PosteriorFacts& known)
      : warnings(model.warnings),
        parameters(resolve_parameters(model, priors, fixed, warnings)),
        engine(std::move(model), std::move(observations), reward, options, compression, known) {
    if (compression == DataCompression::kOff || parameters.free.size() != 1) return;
    SOJOURN_EXPECTS(!known.held, UsageError, "parts of the observations, but values of one parameter are interpolated");
    double total_weight = 0;
    for (const Observation& item : engine.observations.items) total_weight += item.weight;
    line.emplace(cell_width(parameters.free.front()), options.rtol, LikelihoodEngine::kLeastScale * total_weight);
  }

  void check_possible() const;
  void to_theta(std::span<const double> z, std::span<double> theta) const;
  /// log p(data | theta(z)) and its derivatives by z [d] (may be empty); NaN and a status where it has none. Of the
  /// parts [first, last) of the data.
  double likelihood_at(std::span<const double> z, std::int64_t first, std::int64_t last, std::span<double> by_z,
                       LikelihoodEngine::Workspace& workspace, LikelihoodEngine::Outcome& outcome,
                       std::string& status) const;
  /// Adds prior and Jacobian to a likelihood and its derivatives by z, or says why the sum is not finite.
  void finish(std::span<const double> z, double likelihood, std::span<const double> by_z, double& log_density,
              std::span<double> score, std::string& status) const;
  /// Gives what the device answers for rows `places` of z [n, d] to `answer(row, likelihood, by_z, compression error)`,
  /// several at a time; returns the other rows. Without a device these are all.
  template <class Answer>
  std::vector<std::size_t> answer_on_device(MatrixView<const double> z, std::vector<std::size_t> places, bool gradient,
                                            Answer&& answer) const;
  /// Makes the cells that places need; the caller holds the line's mutex.
  void prepare_line(std::span<const double> places) const;
  /// Particles that stay on a device and are answered by polynomials there.
  std::unique_ptr<DeviceCloud> cloud_on_line(std::unique_ptr<DeviceCloud> cloud, std::int64_t num_particles) const;
  /// Answers what polynomials can answer; returns the other particles.
  std::vector<std::size_t> answer_on_line(MatrixView<const double> z, std::span<double> log_density,
                                          MatrixView<double> score, std::vector<std::string>& status) const;

  std::vector<std::string> warnings;
  ParameterSet parameters;
  LikelihoodEngine engine;
  mutable std::mutex line_mutex;
  mutable std::optional<LikelihoodOnLine> line;  ///< where one parameter is free
  mutable std::int64_t num_line_answers = 0;
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
                     EvaluatorOptions options, DataCompression compression, const PosteriorFacts& known)
    : impl_(std::make_unique<Impl>(std::move(model), std::move(observations), priors, fixed, reward, options,
                                   compression, known)) {
  SOJOURN_EXPECTS(!known.held || known.data_are_possible, UsageError,
                  "parts of the observations that are not known to be possible");
  if (!known.data_are_possible) impl_->check_possible();
}

Posterior::~Posterior() = default;

const Model& Posterior::model() const { return impl_->engine.model; }
const Prc& Posterior::prc() const { return impl_->engine.prc; }
const Observations& Posterior::observations() const { return impl_->engine.observations; }
const std::vector<Posterior::Free>& Posterior::free() const { return impl_->parameters.free; }
std::vector<double> Posterior::reward() const { return impl_->engine.reward; }
PosteriorBytes Posterior::bytes() const { return impl_->engine.bytes(); }
const std::vector<std::string>& Posterior::warnings() const { return impl_->warnings; }
std::int32_t Posterior::dimension() const { return static_cast<std::int32_t>(impl_->parameters.free.size()); }

void Posterior::Impl::to_theta(std::span<const double> z, std::span<double> theta) const {
  std::copy(parameters.base.begin(), parameters.base.end(), theta.begin());
  for (std::size_t j = 0; j < z.size(); ++j)
    theta[parameters.free[j].parameter] = parameters.free[j].transform.to_natural(z[j]);
}

double Posterior::Impl::likelihood_at(std::span<const double> z, std::int64_t first, std::int64_t last,
                                      std::span<double> by_z, LikelihoodEngine::Workspace& workspace,
                                      LikelihoodEngine::Outcome& outcome, std::string& status) const {
  std::vector<double>&theta = workspace.theta, &by_theta = workspace.by_theta;
  theta.resize(parameters.base.size());
  by_theta.resize(by_z.empty() ? 0 : theta.size());
  to_theta(z, theta);
  if (!all_finite(theta)) {
    status = "position is not finite or too far out: " + describe_theta(engine.model, theta);
    return kNan;
  }
  const double value = engine.at(theta, first, last, by_theta, workspace, outcome, status);
  if (!status.empty()) return kNan;
  for (std::size_t j = 0; j < by_z.size(); ++j) {
    const Free& free = parameters.free[j];
    by_z[j] = by_theta[free.parameter] * free.transform.derivative(z[j]);
  }
  return value;
}

void Posterior::Impl::finish(std::span<const double> z, double likelihood, std::span<const double> by_z,
                             double& log_density, std::span<double> score, std::string& status) const {
  for (std::size_t j = 0; j < z.size(); ++j) {
    const prior_density::LineDensity prior = prior_density::on_line(parameters.line_priors[j], z[j]);
    likelihood += prior.value;
    if (!score.empty()) score[j] = by_z[j] + prior.derivative;
  }
  log_density = likelihood;
  if (std::isfinite(likelihood) && all_finite(score)) return;
  std::vector<double> theta(parameters.base.size());
  to_theta(z, theta);
  status =
      fmt::format("log density {} or its score is not finite at {}", likelihood, describe_theta(engine.model, theta));
  log_density = kNan;
  std::fill(score.begin(), score.end(), kNan);
}

template <class Answer>
std::vector<std::size_t> Posterior::Impl::answer_on_device(MatrixView<const double> z, std::vector<std::size_t> places,
                                                           bool gradient, Answer&& answer) const {
  if (!engine.has_device() || places.empty()) return places;
  const std::size_t count = places.size(), num_parameters = parameters.base.size();
  Matrix<double> theta(count, num_parameters), by_theta(gradient ? count : 0, num_parameters);
  const auto size = static_cast<std::int64_t>(count);
#pragma omp parallel for schedule(static) if (size > kManyParticles)
  for (std::int64_t i = 0; i < size; ++i) to_theta(z.row(places[i]), theta.row(i));
  std::vector<double> value(count), compression_error(count);
  std::vector<char> answered(count, 0);
  engine.answer_on_device(theta.view(), value, gradient ? by_theta.view() : MatrixView<double>(), compression_error, {},
                          answered);
#pragma omp parallel if (size > kManyParticles)
  {
    std::vector<double> by_z(gradient ? parameters.free.size() : 0);
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < size; ++i) {
      if (answered[i] == 0) continue;
      for (std::size_t j = 0; j < by_z.size(); ++j) {
        const Free& free = parameters.free[j];
        by_z[j] = by_theta(i, free.parameter) * free.transform.derivative(z(places[i], j));
      }
      answer(places[i], value[i], std::span<const double>(by_z), compression_error[i]);
    }
  }
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < count; ++i)
    if (answered[i] == 0) open.push_back(places[i]);
  return open;
}

void Posterior::Impl::prepare_line(std::span<const double> places) const {
  line->prepare(places, [&](std::span<const double> nodes, std::span<LikelihoodOnLine::Sample> samples) {
    std::vector<std::size_t> left(nodes.size());
    std::iota(left.begin(), left.end(), std::size_t{0});
    left = answer_on_device({nodes.data(), nodes.size(), 1}, std::move(left), true,
                            [&](std::size_t k, double value, std::span<const double> by_z, double error) {
                              samples[k].value = value;
                              samples[k].slope = by_z[0];
                              samples[k].error = error;
                              samples[k].ok = true;
                            });
    engine.for_particles(left.size(), [&](std::size_t place, LikelihoodEngine::Workspace& workspace,
                                          LikelihoodEngine::Outcome& outcome) {
      const std::size_t k = left[place];
      LikelihoodOnLine::Sample& sample = samples[k];
      std::string why;
      sample.value = likelihood_at({&nodes[k], 1}, 0, engine.num_parts(), {&sample.slope, 1}, workspace, outcome, why);
      sample.error = outcome.compression_error;
      sample.ok = why.empty() && std::isfinite(sample.value) && std::isfinite(sample.slope);
    });
  });
}

std::unique_ptr<DeviceCloud> Posterior::Impl::cloud_on_line(std::unique_ptr<DeviceCloud> cloud,
                                                            std::int64_t num_particles) const {
  const auto extend = [this, sent = std::int64_t{0}](std::span<const double> places, DeviceCloud& there) mutable {
    const std::scoped_lock lock(line_mutex);
    prepare_line(places);
    if (line->table().num_cells == sent) return false;
    sent = line->table().num_cells;
    there.follow_line(line->table());
    return true;
  };
  const auto book = [this](std::int64_t num_answers) {
    const std::scoped_lock lock(line_mutex);
    num_line_answers += num_answers;
  };
  return std::make_unique<LineCloud>(std::move(cloud), num_particles, extend, book);
}

std::vector<std::size_t> Posterior::Impl::answer_on_line(MatrixView<const double> z, std::span<double> log_density,
                                                         MatrixView<double> score,
                                                         std::vector<std::string>& status) const {
  const std::size_t n = z.num_rows();
  std::vector<std::size_t> open;
  const std::scoped_lock lock(line_mutex);
  prepare_line({z.data(), n});
  std::vector<char> answered(n, 0);
  const auto count = static_cast<std::int64_t>(n);
#pragma omp parallel for schedule(static) if (count > kManyParticles)
  for (std::int64_t i = 0; i < count; ++i) {
    const std::span<const double> position = z.row(i);
    const std::optional<LinePoint> point = line->at(position[0]);
    if (!point) continue;
    answered[i] = 1;
    const std::span<double> row = score.empty() ? std::span<double>() : score.row(i);
    finish(position, point->value, {&point->slope, 1}, log_density[i], row, status[i]);
  }
  for (std::size_t i = 0; i < n; ++i)
    if (!answered[i]) open.push_back(i);
  num_line_answers += static_cast<std::int64_t>(n - open.size());
  return open;
}

void Posterior::to_theta(std::span<const double> z, std::span<double> theta) const {
  const std::vector<Free>& free = impl_->parameters.free;
  const std::vector<double>& base = impl_->parameters.base;
  SOJOURN_EXPECTS(z.size() == free.size() && theta.size() == base.size(), ShapeError,
                  "to_theta: z has {} values and theta {}; they must have {} and {}", z.size(), theta.size(),
                  free.size(), base.size());
  impl_->to_theta(z, theta);
}

void Posterior::evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                         std::vector<std::string>& status) const {
  const std::size_t n = z.num_rows(), d = impl_->parameters.free.size();
  SOJOURN_EXPECTS(z.num_cols() == d && log_density.size() == n &&
                      (score.empty() || (score.num_rows() == n && score.num_cols() == d)),
                  ShapeError,
                  "evaluate: z is [{}, {}], log_density [{}], score [{}, {}]; they must be [n, {}], [n], [n, {}]", n,
                  z.num_cols(), log_density.size(), score.num_rows(), score.num_cols(), d, d);
  impl_->engine.expect_parts(0, impl_->engine.num_parts());
  status.assign(n, {});
  std::fill(log_density.begin(), log_density.end(), kNan);
  for (std::size_t i = 0; i < score.num_rows(); ++i) std::fill(score.row(i).begin(), score.row(i).end(), kNan);
  if (num_parts() > 1) {
    Matrix<double> terms(n * static_cast<std::size_t>(num_parts()), score.empty() ? 1 : 1 + d);
    std::vector<std::string> part_status;
    evaluate_parts(z, 0, num_parts(), terms.view(), part_status);
    join_parts(z, terms.view(), part_status, log_density, score, status);
    return;
  }
  std::vector<std::size_t> open;
  if (impl_->line) {
    open = impl_->answer_on_line(z, log_density, score, status);
    if (open.empty()) return;
  } else {
    open.resize(n);
    std::iota(open.begin(), open.end(), std::size_t{0});
  }
  open = impl_->answer_on_device(z, std::move(open), !score.empty(),
                                 [&](std::size_t i, double value, std::span<const double> by_z, double) {
                                   const std::span<double> row = score.empty() ? std::span<double>() : score.row(i);
                                   impl_->finish(z.row(i), value, by_z, log_density[i], row, status[i]);
                                 });
  impl_->engine.for_particles(
      open.size(), [&](std::size_t k, LikelihoodEngine::Workspace& workspace, LikelihoodEngine::Outcome& outcome) {
        const std::size_t i = open[k];
        std::vector<double>& by_z = workspace.by_z;
        by_z.assign(score.empty() ? 0 : d, 0.0);
        const double value =
            impl_->likelihood_at(z.row(i), 0, impl_->engine.num_parts(), by_z, workspace, outcome, status[i]);
        if (!status[i].empty()) return;
        const std::span<double> row = score.empty() ? std::span<double>() : score.row(i);
        impl_->finish(z.row(i), value, by_z, log_density[i], row, status[i]);
      });
}

std::int64_t Posterior::num_parts() const {
  // What polynomials on a line answer, or a device, has no parts.
  return impl_->line || impl_->engine.has_device() ? 1 : impl_->engine.num_parts();
}

std::int64_t Posterior::part_shares() const { return held() ? held()->num_shares : 0; }
const std::optional<HeldParts>& Posterior::held() const { return impl_->engine.held(); }
std::span<const std::int64_t> Posterior::items_of_part(std::int64_t part) const {
  return impl_->engine.items_of_part(part);
}
void Posterior::hold_parts(const std::optional<HeldParts>& held) {
  SOJOURN_EXPECTS(!held || num_parts() > 1, UsageError, "what a device or a line answers has no parts to hold");
  impl_->engine.hold_parts(held);
}

void Posterior::evaluate_parts(MatrixView<const double> z, std::int64_t first, std::int64_t last,
                               MatrixView<double> terms, std::vector<std::string>& status) const {
  SOJOURN_EXPECTS(first >= 0 && first < last && last <= num_parts(), UsageError, "parts [{}, {}) of {}", first, last,
                  num_parts());
  const auto parts = static_cast<std::size_t>(last - first);
  SOJOURN_EXPECTS(terms.num_rows() == z.num_rows() * parts && z.num_cols() == impl_->parameters.free.size() &&
                      (terms.num_cols() == 1 || terms.num_cols() == 1 + z.num_cols()),
                  ShapeError, "evaluate_parts: z is [{}, {}], terms [{}, {}]; they must be [n, {}], [{} n, 1 or {}]",
                  z.num_rows(), z.num_cols(), terms.num_rows(), terms.num_cols(), impl_->parameters.free.size(), parts,
                  1 + impl_->parameters.free.size());
  impl_->engine.expect_parts(first, last);
  status.assign(terms.num_rows(), {});
  impl_->engine.for_particles(terms.num_rows(), [&](std::size_t k, LikelihoodEngine::Workspace& workspace,
                                                    LikelihoodEngine::Outcome& outcome) {
    const std::span<double> term = terms.row(k);
    const std::int64_t part = first + static_cast<std::int64_t>(k % parts);
    term[0] = impl_->likelihood_at(z.row(k / parts), part, part + 1, term.subspan(1), workspace, outcome, status[k]);
    if (part > 0) outcome.level = LikelihoodEngine::kNotEvaluated;  // a row counts once
  });
}

void Posterior::join_parts(MatrixView<const double> z, MatrixView<const double> terms,
                           std::span<const std::string> part_status, std::span<double> log_density,
                           MatrixView<double> score, std::vector<std::string>& status) const {
  const auto parts = static_cast<std::size_t>(num_parts());
  std::vector<double> by_z(score.empty() ? 0 : z.num_cols());
  for (std::size_t i = 0; i < z.num_rows(); ++i) {
    double value = 0;
    std::ranges::fill(by_z, 0.0);
    status[i].clear();
    for (std::size_t k = i * parts; k < (i + 1) * parts && status[i].empty(); ++k) {
      status[i] = part_status[k];
      value += terms(k, 0);
      for (std::size_t j = 0; j < by_z.size(); ++j) by_z[j] += terms(k, 1 + j);
    }
    const std::span<double> row = score.empty() ? std::span<double>() : score.row(i);
    if (status[i].empty()) {
      impl_->finish(z.row(i), value, by_z, log_density[i], row, status[i]);
    } else {
      log_density[i] = kNan;
      std::ranges::fill(row, kNan);
    }
  }
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

std::unique_ptr<DeviceCloud> Posterior::cloud_on_device(const SvgdOptions& options, std::string& why_not) const {
  why_not.clear();
  if (!impl_->engine.has_device()) return nullptr;
  if (impl_->parameters.free.size() > svgd_lanes::kMostDimensions) {
    why_not = fmt::format("{} free parameters are more than the {} that its kernels take",
                          impl_->parameters.free.size(), svgd_lanes::kMostDimensions);
    return nullptr;
  }
  std::unique_ptr<DeviceCloud> cloud =
      impl_->engine.make_cloud(ParameterTables(impl_->engine.model, impl_->parameters), options, why_not);
  return cloud && impl_->line ? impl_->cloud_on_line(std::move(cloud), options.num_particles) : std::move(cloud);
}

std::unique_ptr<DevicePosterior> Posterior::on_device(std::int64_t most_particles) const {
  SOJOURN_EXPECTS(impl_->engine.has_device(), DeviceError,
                  "this posterior is evaluated on the CPU; give it a device first");
  SOJOURN_EXPECTS(most_particles > 0, UsageError, "room for {} particles: there must be at least 1", most_particles);
  return impl_->engine.make_posterior(ParameterTables(impl_->engine.model, impl_->parameters), most_particles);
}

void Posterior::use_device(std::shared_ptr<LikelihoodDevice> device) { impl_->engine.use_device(std::move(device)); }
DeviceReport Posterior::device_report() const { return impl_->engine.device_report(); }
RouteCounts Posterior::route_counts() const { return impl_->engine.route_counts(); }
CompressionReport Posterior::compression() const {
  CompressionReport report = impl_->engine.compression();
  const std::scoped_lock lock(impl_->line_mutex);
  if (!impl_->line) return report;
  report.num_line_values = impl_->line->num_evaluations();
  report.num_line_answers = impl_->num_line_answers;
  report.line_error = impl_->line->worst_error();
  return report;
}

}  // namespace sojourn
