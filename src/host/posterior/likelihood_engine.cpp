#include "posterior/likelihood_engine.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <numeric>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "posterior/posterior_parts.hpp"

namespace sojourn {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kChunksPerThread = 16;

bool are_intervals_resolved(const LikelihoodReport& report, double law_error) {
  if (report.unresolved_item >= 0) return false;
  return report.amplified_item < 0 || report.amplification * law_error <= kIntervalTolerance;
}

int team_size(int requested, std::size_t num_particles) {
#ifdef _OPENMP
  const int threads = requested > 0 ? requested : omp_get_max_threads();
  return static_cast<int>(std::clamp<std::size_t>(num_particles, 1, static_cast<std::size_t>(std::max(1, threads))));
#else
  (void)requested, (void)num_particles;
  return 1;
#endif
}

/// What cannot be is told before work is put into it.
Prc eliminated(const Model& model, const Observations& observations, std::span<const double> reward,
               const std::optional<Prc>& known) {
  check_observations(model, observations, reward);
  return known ? *known : eliminate(model.graph);
}

}  // namespace

LikelihoodEngine::LikelihoodEngine(Model model_in, Observations observations_in, std::span<const double> reward_in,
                                   const EvaluatorOptions& options_in, DataCompression compression_in,
                                   const PosteriorFacts& known)
    : model(std::move(model_in)),
      observations(std::move(observations_in)),
      reward(reward_in.begin(), reward_in.end()),
      options(options_in),
      prc(eliminated(model, observations, reward, known.prc)),
      mode_(compression_in),
      held_(known.held) {
  report_.mode = mode_;
  if (held_) {  // what no compression reads at nodes, and is cut
    make_held_parts();
    return;
  }
  const LawSupport support = law_support(model.graph, reward);
  whole_.emplace(observations, support, model.graph.time_kind());
  report_.num_points = static_cast<std::int64_t>(whole().points().size());
  for (const CompressionShape& shape : kCompressionShapes) {
    if (mode_ == DataCompression::kOff) break;
    auto data = CompressedLikelihood::make(whole(), support, model.graph.time_kind(), shape);
    if (!data) continue;
    LawPlan law(model.graph, prc, reward, data->likelihood().points(), options);
    report_.level_points.push_back(static_cast<std::int64_t>(law.points().size()));
    levels_.push_back({std::move(*data), std::move(law)});
  }
  report_.level_count.assign(levels_.size(), 0);
  make_parts();
}

void LikelihoodEngine::make_parts() {
  const auto num_items = static_cast<std::int64_t>(observations.items.size());
  const std::int64_t per_part = std::max(
      kItemsPerPart, kItemsPerMultiplyAdd * (prc.cost().factor_multiply_adds + prc.cost().solve_multiply_adds));
  if (!levels_.empty() || num_items <= per_part) {
    parts_.push_back(std::make_unique<Part>());
    if (levels_.empty()) (void)exact_plan(*parts_.front());
    return;
  }
  // Neighbours share a contour's window.
  std::vector<std::int64_t> order(observations.items.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::ranges::stable_sort(order, {}, [this](std::int64_t item) { return observations.items[item].lower; });
  const HeldParts all{.num_parts = (num_items + per_part - 1) / per_part, .num_observations = num_items};
  for (std::int64_t k = 0; k < all.num_parts; ++k) {
    parts_.push_back(std::make_unique<Part>());
    parts_.back()->items.assign(order.begin() + all.begin_of(k), order.begin() + all.begin_of(k + 1));
  }
  whole_.reset();  // parts have their own
}

void LikelihoodEngine::make_held_parts() {
  const HeldParts& held = *held_;
  SOJOURN_EXPECTS(held.num_shares > 0 && 0 <= held.first && held.first < held.last && held.last <= held.num_parts &&
                      held.num_held() == std::ssize(observations.items),
                  UsageError, "{} observations for the parts [{}, {}) of {}, which have {} of {}",
                  observations.items.size(), held.first, held.last, held.num_parts, held.num_held(),
                  held.num_observations);
  report_.num_points = held.num_points;
  parts_.resize(static_cast<std::size_t>(held.num_parts));
  for (std::int64_t k = held.first; k < held.last; ++k) {
    auto part = std::make_unique<Part>();
    part->items.resize(static_cast<std::size_t>(held.begin_of(k + 1) - held.begin_of(k)));
    std::iota(part->items.begin(), part->items.end(), held.begin_of(k) - held.begin_of(held.first));
    parts_[k] = std::move(part);
  }
}

std::span<const std::int64_t> LikelihoodEngine::items_of_part(std::int64_t part) const {
  SOJOURN_EXPECTS(part >= 0 && part < num_parts(), UsageError, "part {} of {}", part, num_parts());
  expect_parts(part, part + 1);
  return parts_[part]->items;
}

void LikelihoodEngine::hold_parts(const std::optional<HeldParts>& held) {
  expect_parts(0, num_parts());
  SOJOURN_EXPECTS(!held || (held->num_parts == num_parts() && held->num_parts > 1 &&
                            held->num_observations == std::ssize(observations.items)),
                  UsageError, "parts of {} observations in {}, but there are {} in {}",
                  held ? held->num_observations : 0, held ? held->num_parts : 0, observations.items.size(),
                  num_parts());
  const std::scoped_lock lock(mutex_);
  held_ = held;
  if (!held_) return;
  idle_.clear();
  for (std::int64_t k = 0; k < num_parts(); ++k) {
    if (held_->first <= k && k < held_->last) continue;
    auto unplanned = std::make_unique<Part>();
    unplanned->items = std::move(parts_[k]->items);
    parts_[k] = std::move(unplanned);
  }
}

void LikelihoodEngine::expect_parts(std::int64_t first, std::int64_t last) const {
  const auto is_missing = [](const std::unique_ptr<Part>& part) { return part == nullptr; };
  SOJOURN_EXPECTS(std::none_of(parts_.begin() + first, parts_.begin() + last, is_missing), UsageError,
                  "the parts [{}, {}) of {} of {} are not all on this rank, which holds [{}, {})", first, last,
                  num_parts(), observations.origin, held_ ? held_->first : 0, held_ ? held_->last : num_parts());
}

Likelihood LikelihoodEngine::likelihood_of_items(std::span<const std::int64_t> items) const {
  Observations own;
  own.counts = observations.counts;
  own.items.reserve(items.size());
  for (const std::int64_t item : items) own.items.push_back(observations.items[item]);
  return {own, law_support(model.graph, reward), model.graph.time_kind()};
}

std::unique_ptr<LikelihoodEngine::Workspace> LikelihoodEngine::make_workspace() const {
  auto workspace = std::make_unique<Workspace>();
  workspace->law.resize(levels_.size() + parts_.size());
  workspace->phi.resize(model.graph.num_rates());
  workspace->by_phi.resize(model.graph.num_rates());
  return workspace;
}

LawPlan LikelihoodEngine::plan_of(const Likelihood& likelihood) const {
  return {model.graph, prc, reward, likelihood.points(), options};
}

const LawPlan& LikelihoodEngine::exact_plan(Part& part) const {
  std::call_once(part.made, [&] {
    if (!part.items.empty() && !part.own) part.own.emplace(likelihood_of_items(part.items));
    part.plan.emplace(plan_of(part.own ? *part.own : whole()));
  });
  return *part.plan;
}

const LawPlan& LikelihoodEngine::plan(std::size_t index, Workspace& workspace, LawPlan::Workspace*& law) const {
  const LawPlan& plan = index < levels_.size() ? levels_[index].plan : exact_plan(*parts_[index - levels_.size()]);
  if (!workspace.law[index]) workspace.law[index] = plan.make_workspace();
  law = workspace.law[index].get();
  return plan;
}

double LikelihoodEngine::Reading::operator()(std::span<const double> log_density, std::span<const double> log_survival,
                                             std::span<const double> log_cdf, std::span<double> by_density,
                                             std::span<double> by_survival, std::span<double> by_cdf) {
  const Likelihood& likelihood = compressed != nullptr ? compressed->likelihood() : *exact;
  const double value = likelihood.evaluate(log_density, log_survival, log_cdf, by_density, by_survival, by_cdf, report);
  if (bounds_error) {
    num_relative = num_rounded = 0;
    const auto add = [&](std::span<const double> log_values, std::span<const double> by) {
      for (std::size_t p = 0; p < by.size(); ++p) {
        if (by[p] == 0) continue;  // its log value may be -inf
        num_relative += std::abs(by[p]);
        num_rounded += std::abs(by[p]) * (1 + std::abs(log_values[p]));
      }
    };
    add(log_density, by_density);
    add(log_survival, by_survival);
    add(log_cdf, by_cdf);
    num_rounded += std::abs(likelihood.constant());
  }
  if (compressed == nullptr) return value;
  if (value == -std::numeric_limits<double>::infinity()) {
    const auto zero = compressed->where_zero(log_density, log_survival, log_cdf);
    report.impossible_item = engine->whole().first_impossible(zero[0], zero[1], zero[2]);
  } else {
    compression_error = compressed->error_estimate(log_density, log_survival, log_cdf);
  }
  return value;
}

double LikelihoodEngine::Reading::error(double value, double law_error) const {
  if (value == -std::numeric_limits<double>::infinity()) return 0;
  // Derivatives by log values are those at the values found; an interval's difference magnifies how they change.
  const double slack = 1 - law_error * (1 + report.amplification);
  if (!(slack > 0)) return std::numeric_limits<double>::infinity();
  return compression_error + law_error * num_relative / slack +
         kRoundings * kUnitRoundoff * (num_rounded + std::abs(value));
}

double LikelihoodEngine::exact_at(std::int64_t first, std::int64_t last, std::span<double> by_phi, Workspace& workspace,
                                  Outcome& outcome, LikelihoodReport& report, bool bounds_error) const {
  double sum = 0;
  for (std::int64_t k = first; k < last; ++k) {
    const Part& part = *parts_[k];
    LawPlan::Workspace* law = nullptr;
    const LawPlan& plan = this->plan(levels_.size() + static_cast<std::size_t>(k), workspace, law);
    Reading reading{this, nullptr, part.own ? &*part.own : &whole(), bounds_error, {}};
    double value = kNan;
    // The first part's derivatives come to their place at once; a data set that is not cut has no other.
    workspace.by_phi_part.resize(k == first ? 0 : by_phi.size());
    const std::span<double> by = k == first ? by_phi : std::span<double>(workspace.by_phi_part);
    const LawOutcome found = plan.objective(workspace.phi, std::ref(reading), value, by, *law);
    for (std::int64_t* const item :
         {&reading.report.impossible_item, &reading.report.unresolved_item, &reading.report.amplified_item}) {
      if (*item >= 0 && !part.items.empty()) *item = part.items[*item];
    }
    if (bounds_error) outcome.error = (k == first ? 0 : outcome.error) + reading.error(value, found.error_bound);
    outcome.multiply_adds += found.multiply_adds;
    if (k == first) {
      outcome.law = found;
      report = reading.report;
      sum = value;
      if (!found.ok) return kNan;
      continue;
    }
    LawOutcome& all = outcome.law;
    all.num_contour += found.num_contour;
    all.num_saddlepoint += found.num_saddlepoint;
    all.num_uniformization += found.num_uniformization;
    all.num_stepping += found.num_stepping;
    all.num_closed += found.num_closed;
    all.error_bound = std::max(all.error_bound, found.error_bound);
    if (!found.ok) {
      all.ok = false;
      all.message = found.message;
      return kNan;
    }
    if (report.impossible_item < 0) report.impossible_item = reading.report.impossible_item;
    if (report.unresolved_item < 0) report.unresolved_item = reading.report.unresolved_item;
    if (reading.report.amplification > report.amplification) {
      report.amplification = reading.report.amplification;
      report.amplified_item = reading.report.amplified_item;
    }
    sum += value;
    for (std::size_t r = 0; r < by_phi.size(); ++r) by_phi[r] += by[r];
  }
  return sum;
}

double LikelihoodEngine::likelihood_at(std::int64_t first, std::int64_t last, std::span<double> by_phi,
                                       Workspace& workspace, Outcome& outcome, LikelihoodReport& report,
                                       bool bounds_error) const {
  for (std::size_t level = 0;; ++level) {
    outcome.level = static_cast<std::int32_t>(level);
    if (level == levels_.size()) return exact_at(first, last, by_phi, workspace, outcome, report, bounds_error);
    Reading reading{this, &levels_[level].data, nullptr, bounds_error, {}};
    LawPlan::Workspace* law = nullptr;
    double value = kNan;
    // By reference, which needs no memory of its own.
    outcome.law = plan(level, workspace, law).objective(workspace.phi, std::ref(reading), value, by_phi, *law);
    outcome.multiply_adds += outcome.law.multiply_adds;
    report = reading.report;
    if (bounds_error) outcome.error = reading.error(value, outcome.law.error_bound);
    // What a compressed likelihood cannot answer, or not surely, goes on, and the exact plan finds the words for it.
    if (!outcome.law.ok) continue;
    if (value == -std::numeric_limits<double>::infinity() && report.impossible_item >= 0) return value;
    const bool resolved = are_intervals_resolved(report, outcome.law.error_bound);
    const double scale = std::max(std::abs(value), LikelihoodEngine::kLeastScale * reading.compressed->total_weight());
    outcome.compression_error = reading.compression_error / scale;
    if (resolved && outcome.compression_error <= options.rtol) return value;
  }
}

bool LikelihoodEngine::mark_possible(std::span<const double> phi, std::span<char> possible,
                                     Workspace& workspace) const {
  LawPlan::Workspace* law = nullptr;
  double value = 0;
  if (!levels_.empty()) {
    const CompressedLikelihood& compressed = levels_.front().data;
    const LawObjective mark = [&](std::span<const double> log_density, std::span<const double> log_survival,
                                  std::span<const double> log_cdf, std::span<double>, std::span<double>,
                                  std::span<double>) {
      const auto zero = compressed.where_zero(log_density, log_survival, log_cdf);
      whole().mark_possible(zero[0], zero[1], zero[2], possible);
      return 0.0;
    };
    return plan(0, workspace, law).objective(phi, mark, value, {}, *law).ok;
  }
  if (parts_.size() == 1) {
    const LawObjective mark = [&](std::span<const double> log_density, std::span<const double> log_survival,
                                  std::span<const double> log_cdf, std::span<double>, std::span<double>,
                                  std::span<double>) {
      whole().mark_possible(log_density, log_survival, log_cdf, possible);
      return 0.0;
    };
    return plan(0, workspace, law).objective(phi, mark, value, {}, *law).ok;
  }
  // Plans are made for this and let go: which parts this process will evaluate is not known yet.
  for (const std::unique_ptr<Part>& part : parts_) {
    std::vector<char> own(part->items.size(), 0);
    const Likelihood likelihood = likelihood_of_items(part->items);
    const LawObjective mark = [&](std::span<const double> log_density, std::span<const double> log_survival,
                                  std::span<const double> log_cdf, std::span<double>, std::span<double>,
                                  std::span<double>) {
      likelihood.mark_possible(log_density, log_survival, log_cdf, own);
      return 0.0;
    };
    const LawPlan once = plan_of(likelihood);
    if (!once.objective(phi, mark, value, {}, *once.make_workspace()).ok) return false;
    for (std::size_t i = 0; i < own.size(); ++i)
      if (own[i] != 0) possible[part->items[i]] = 1;
  }
  return true;
}

double LikelihoodEngine::at(std::span<const double> theta, std::span<double> gradient, Workspace& workspace,
                            Outcome& outcome, std::string& status, bool bounds_error) const {
  return at(theta, 0, num_parts(), gradient, workspace, outcome, status, bounds_error);
}

double LikelihoodEngine::at(std::span<const double> theta, std::int64_t first, std::int64_t last,
                            std::span<double> gradient, Workspace& workspace, Outcome& outcome, std::string& status,
                            bool bounds_error) const {
  std::fill(gradient.begin(), gradient.end(), kNan);
  outcome = {};
  const auto at_theta = [&] { return describe_theta(model, theta); };
  try {
    const std::span<double> phi = workspace.phi;
    model.rates.evaluate(theta, phi);
    status = describe_bad_weight(model.graph, phi);
    if (!status.empty()) {
      status += " at " + at_theta();
      return kNan;
    }
    LikelihoodReport report;
    const std::span<double> by_phi = gradient.empty() ? std::span<double>() : workspace.by_phi;
    const double value = likelihood_at(first, last, by_phi, workspace, outcome, report, bounds_error);
    if (!outcome.law.ok) {
      status = fmt::format("{} at {}", outcome.law.message, at_theta());
      return kNan;
    }
    if (!are_intervals_resolved(report, outcome.law.error_bound)) {
      const std::int64_t item = report.unresolved_item >= 0 ? report.unresolved_item : report.amplified_item;
      status = fmt::format(
          "{}: {} is too narrow for the law's accuracy of {:.1e} at {}; widen it or ask for a smaller "
          "rtol",
          name_row(observations, item), describe_item(observations, item), outcome.law.error_bound, at_theta());
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
  std::vector<Outcome> outcomes(num_particles);
  const auto count = static_cast<std::int64_t>(num_particles);
  std::exception_ptr failure;
  const int team = team_size(options.num_threads, num_particles);
  // Several particles at a time where there are many, as one may take just a microsecond or two.
  [[maybe_unused]] const auto chunk = std::max<std::int64_t>(1, count / (kChunksPerThread * team));
  // A particle's numbers depend on it alone, so which thread takes it does not matter.
#pragma omp parallel num_threads(team) if (team > 1)
  {
    Lease lease(*this);
#pragma omp for schedule(dynamic, chunk)
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
  for (const Outcome& outcome : outcomes) {
    const LawOutcome& law = outcome.law;
    routes_.contour += law.num_contour;
    routes_.saddlepoint += law.num_saddlepoint;
    routes_.uniformization += law.num_uniformization;
    routes_.stepping += law.num_stepping;
    routes_.closed += law.num_closed;
    routes_.multiply_adds += outcome.multiply_adds;
    if (law.ok) routes_.worst_error_bound = std::max(routes_.worst_error_bound, law.error_bound);
    if (outcome.level == kNotEvaluated) continue;
    if (const auto level = static_cast<std::size_t>(outcome.level); level < levels_.size()) {
      ++report_.level_count[level];
      report_.worst_error = std::max(report_.worst_error, outcome.compression_error);
    } else {
      ++report_.num_exact;
    }
  }
}

void LikelihoodEngine::evaluate(MatrixView<const double> theta, std::span<double> value, MatrixView<double> gradient,
                                std::vector<std::string>& status, std::span<double> error) const {
  const std::size_t num_thetas = theta.num_rows(), num_parameters = model.parameters.size();
  SOJOURN_EXPECTS(error.empty() || error.size() == num_thetas, ShapeError, "log_likelihood: {} errors of {} values",
                  error.size(), num_thetas);
  SOJOURN_EXPECTS(
      theta.num_cols() == num_parameters && value.size() == num_thetas &&
          (gradient.empty() || (gradient.num_rows() == num_thetas && gradient.num_cols() == num_parameters)),
      ShapeError,
      "log_likelihood: theta is [{}, {}], value [{}], gradient [{}, {}]; they must be [K, {}], [K], [K, {}]",
      num_thetas, theta.num_cols(), value.size(), gradient.num_rows(), gradient.num_cols(), num_parameters,
      num_parameters);
  expect_parts(0, num_parts());
  status.assign(num_thetas, {});
  std::vector<std::size_t> open;
  if (has_device()) {
    std::vector<char> answered(num_thetas, 0);
    answer_on_device(theta, value, gradient, {}, error, answered);
    for (std::size_t k = 0; k < num_thetas; ++k)
      if (answered[k] == 0) open.push_back(k);
  } else {
    open.resize(num_thetas);
    std::iota(open.begin(), open.end(), std::size_t{0});
  }
  for_particles(open.size(), [&](std::size_t place, Workspace& workspace, Outcome& outcome) {
    const std::size_t k = open[place];
    const std::span<double> row = gradient.empty() ? std::span<double>{} : gradient.row(k);
    value[k] = at(theta.row(k), row, workspace, outcome, status[k], !error.empty());
    if (!error.empty()) error[k] = std::isnan(value[k]) ? kNan : outcome.error;
  });
}

RouteCounts LikelihoodEngine::route_counts() const {
  const std::scoped_lock lock(mutex_);
  return routes_;
}

CompressionReport LikelihoodEngine::compression() const {
  const std::scoped_lock lock(mutex_);
  return report_;
}

DataLikelihood::DataLikelihood(Model model, Observations observations, std::span<const double> reward,
                               const EvaluatorOptions& options, DataCompression compression)
    : engine_(std::make_unique<LikelihoodEngine>(std::move(model), std::move(observations), reward, options,
                                                 compression)) {}
DataLikelihood::~DataLikelihood() = default;

void DataLikelihood::evaluate(MatrixView<const double> theta, std::span<double> value, MatrixView<double> gradient,
                              std::vector<std::string>& status, std::span<double> error_bound) const {
  engine_->evaluate(theta, value, gradient, status, error_bound);
}

void DataLikelihood::use_device(std::shared_ptr<LikelihoodDevice> device) { engine_->use_device(std::move(device)); }
DeviceReport DataLikelihood::device_report() const { return engine_->device_report(); }
RouteCounts DataLikelihood::route_counts() const { return engine_->route_counts(); }
CompressionReport DataLikelihood::compression() const { return engine_->compression(); }

}  // namespace sojourn
