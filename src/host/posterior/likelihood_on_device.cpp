#include <algorithm>
#include <cmath>
#include <string>

#include "common/likelihood_lanes.hpp"
#include "posterior/likelihood_engine.hpp"
#include "posterior/likelihood_tables.hpp"
#include "posterior/posterior_parts.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

/// Distinct points of an exact level that is worth its place on a device: with more, the levels before it serve nearly
/// all particles, and its weights alone would take gigabytes.
constexpr std::size_t kMostExactPoints = 10'000;
/// First answers of a device that the CPU computes as well: a driver or a compiler that does not do what this program
/// was tested with shows at once.
constexpr int kNumChecked = 4;
constexpr double kGradientAllowance = 1e-6;
/// A team of threads costs more than the rates of fewer particles.
[[maybe_unused]] constexpr std::int64_t kManyParticles = 4096;

bool all_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
}

std::int64_t& count_of(LaneOutcome outcome, DeviceReport& report) {
  switch (outcome) {
    case LaneOutcome::kDone:
      return report.num_served;
    case LaneOutcome::kCoarse:
      return report.num_coarse;
    case LaneOutcome::kNotReal:
      return report.num_not_real;
    case LaneOutcome::kUncertified:
      return report.num_uncertified;
    case LaneOutcome::kInterval:
      return report.num_narrow;
    case LaneOutcome::kInDoubt:
      return report.num_in_doubt;
    case LaneOutcome::kManySteps:
      return report.num_many_steps;
    case LaneOutcome::kBadRates:
      break;
  }
  return report.num_bad_rates;
}

}  // namespace

void LikelihoodEngine::use_device(std::shared_ptr<LikelihoodDevice> device) {
  expect_parts(0, num_parts());
  // A device has no parts.
  if (!whole_) whole_.emplace(observations, law_support(model.graph, reward), model.graph.time_kind());
  const std::string why = LikelihoodTables::why_not(
      model.graph, reward, levels_.empty() ? whole() : levels_.front().data.likelihood(), options);
  SOJOURN_EXPECTS(why.empty(), DeviceError, "{}: this likelihood is not evaluated on a device: {}; use --device cpu",
                  device->name(), why);
  const std::scoped_lock lock(device_mutex_);
  device_ = std::move(device);
  device_by_contour_ = LikelihoodTables::contour_may_hold(model.graph, reward, options);
  device_levels_.clear();
  device_levels_.resize(levels_.size() + 1);
  device_checked_ = false;
  device_report_ = {};
  device_report_.name = device_->name();
}

DeviceReport LikelihoodEngine::device_report() const {
  const std::scoped_lock lock(device_mutex_);
  return device_report_;
}

LikelihoodEngine::LoadedLevel* LikelihoodEngine::device_level(std::size_t level) const {
  LoadedLevel& loaded = device_levels_[level];
  if (loaded.level) return &loaded;
  const bool exact = level == levels_.size();
  if (exact && level > 0 && whole().points().size() > kMostExactPoints) return nullptr;
  const CompressedLikelihood* const compressed = exact ? nullptr : &levels_[level].data;
  const LikelihoodTables tables(model.graph, prc, reward, likelihood_of(level), compressed, options);
  loaded.level = device_->load(prc.arrays(), tables);
  const LawCost cost(model.graph, prc, reward);
  for (const bool gradient : {false, true})
    loaded.multiply_adds[gradient ? 1 : 0] = tables.multiply_adds(cost, gradient);
  return &loaded;
}

const Likelihood& LikelihoodEngine::likelihood_of(std::size_t level) const {
  return level < levels_.size() ? levels_[level].data.likelihood() : whole();
}

LikelihoodEngine::LevelWeights LikelihoodEngine::level_weights(std::size_t level) const {
  const Likelihood& likelihood = likelihood_of(level);
  LevelWeights sums;
  for (const std::span<const double> weights : likelihood.weights())
    for (const double weight : weights) sums.linear += std::abs(weight);
  // Intervals of counts are sums of masses there, which magnify nothing.
  const bool discrete = model.graph.time_kind() == TimeKind::kDiscrete;
  for (const Likelihood::Interval& interval : likelihood.intervals())
    (discrete ? sums.linear : sums.intervals) += interval.weight;
  return sums;
}

double LikelihoodEngine::error_on_device(std::size_t level, const LevelWeights& weights, double value, double law_error,
                                         double compression_error) const {
  constexpr double kLargestLog = 745;  // of what is not zero in double precision
  const bool compressed = level < levels_.size();
  const double of_compression =
      compressed ? compression_error * std::max(std::abs(value), kLeastScale * levels_[level].data.total_weight()) : 0;
  return of_compression +
         (law_error * weights.linear + kIntervalTolerance * weights.intervals) / (1 - kIntervalTolerance) +
         kRoundings * kUnitRoundoff *
             (kLargestLog * (weights.linear + weights.intervals) + std::abs(likelihood_of(level).constant()) +
              std::abs(value));
}

void LikelihoodEngine::answer_on_device(MatrixView<const double> theta, std::span<double> value,
                                        MatrixView<double> gradient, std::span<double> compression_error,
                                        std::span<double> error, std::span<char> answered) const {
  const std::size_t num_thetas = theta.num_rows(), num_rates = static_cast<std::size_t>(model.graph.num_rates());
  const std::scoped_lock device_lock(device_mutex_);
  Matrix<double> phi(num_thetas, num_rates);
  std::vector<char> usable(num_thetas, 0);
  const auto count = static_cast<std::int64_t>(num_thetas);
#pragma omp parallel for schedule(static) if (count > kManyParticles)
  for (std::int64_t i = 0; i < count; ++i) {
    const auto k = static_cast<std::size_t>(i);
    if (!all_finite(theta.row(k))) continue;
    try {
      model.rates.evaluate(theta.row(k), phi.row(k));
      usable[k] = all_finite(phi.row(k)) ? 1 : 0;
    } catch (const std::exception&) {
      // The CPU finds the words for it.
    }
  }
  const bool is_discrete = model.graph.time_kind() == TimeKind::kDiscrete;
  std::vector<std::size_t> open, next;
  for (std::size_t k = 0; k < num_thetas; ++k) {
    if (usable[k] != 0) {
      open.push_back(k);
    } else {
      ++device_report_.num_bad_rates;
    }
  }
  DeviceValues& values = device_values_;
  for (std::size_t level = 0; !open.empty(); ++level) {
    LoadedLevel* const loaded = level <= levels_.size() ? device_level(level) : nullptr;
    if (loaded == nullptr) {
      device_report_.num_coarse += static_cast<std::int64_t>(open.size());
      return;
    }
    const bool all = open.size() == num_thetas;
    Matrix<double> some(all ? 0 : open.size(), num_rates);
    for (std::size_t i = 0; !all && i < open.size(); ++i)
      std::copy_n(phi.row(open[i]).begin(), num_rates, some.row(i).begin());
    loaded->level->evaluate(all ? std::as_const(phi).view() : std::as_const(some).view(), !gradient.empty(), values);
    next.clear();
    const auto num_points = static_cast<std::int64_t>(level < levels_.size() ? levels_[level].plan.points().size()
                                                                             : whole().points().size());
    const LevelWeights weights = error.empty() ? LevelWeights{} : level_weights(level);
    const std::scoped_lock lock(mutex_);
    routes_.multiply_adds += static_cast<double>(open.size()) * loaded->multiply_adds[gradient.empty() ? 0 : 1];
    for (std::size_t i = 0; i < open.size(); ++i) {
      const std::size_t k = open[i];
      auto outcome = static_cast<LaneOutcome>(values.outcome[i]);
      if (outcome == LaneOutcome::kCoarse) {
        next.push_back(k);
        continue;
      }
      const std::span<const double> by_rate =
          gradient.empty() ? std::span<const double>()
                           : std::span<const double>(values.by_rate).subspan(i * num_rates, num_rates);
      if (outcome == LaneOutcome::kDone && !gradient.empty()) {
        model.rates.pull_back(theta.row(k), by_rate, gradient.row(k));
        if (!all_finite(gradient.row(k))) outcome = LaneOutcome::kInDoubt;
      }
      ++count_of(outcome, device_report_);
      if (outcome != LaneOutcome::kDone) continue;
      value[k] = values.value[i];
      if (!compression_error.empty()) compression_error[k] = values.compression_error[i];
      if (!error.empty())
        error[k] = error_on_device(level, weights, value[k], values.error_bound[i], values.compression_error[i]);
      answered[k] = 1;
      const bool by_steps = values.by_steps[i] != 0;
      (!by_steps ? routes_.contour : is_discrete ? routes_.stepping : routes_.uniformization) += num_points;
      device_report_.num_by_steps += by_steps ? 1 : 0;
      routes_.worst_error_bound = std::max(routes_.worst_error_bound, values.error_bound[i]);
      if (level < levels_.size()) {
        ++report_.level_count[level];
        report_.worst_error = std::max(report_.worst_error, values.compression_error[i]);
      } else {
        ++report_.num_exact;
      }
    }
    std::swap(open, next);
  }
  check_device(theta, value, gradient, answered);
}

/// A device's cloud that works while nobody else evaluates there, and counts what it answers.
class LikelihoodEngine::BookedCloud final : public DeviceCloud {
 public:
  BookedCloud(const LikelihoodEngine& engine, std::unique_ptr<DeviceCloud> cloud, std::int64_t num_particles)
      : engine_(engine), cloud_(std::move(cloud)), row_end_(num_particles) {}

  CloudShare share_out(Communicator& ranks, const DeviceMessages& messages) override {
    const std::scoped_lock lock(engine_.device_mutex_);
    const CloudShare share = cloud_->share_out(ranks, messages);
    row_begin_ = share.row_begin;
    row_end_ = share.row_end;
    return share;
  }
  /// `work` may evaluate on the device.
  bool on_any_rank(const std::function<bool()>& work) override { return cloud_->on_any_rank(work); }
  void load(const SvgdState& state) override {
    const std::scoped_lock lock(engine_.device_mutex_);
    cloud_->load(state);
  }
  /// Until it ends others may evaluate there: what they enqueue stands behind the turn.
  void begin_turn(std::int64_t most) override {
    const std::scoped_lock lock(engine_.device_mutex_);
    cloud_->begin_turn(most);
  }
  CloudProgress end_turn() override {
    const std::scoped_lock lock(engine_.device_mutex_);
    CloudProgress progress = cloud_->end_turn();
    book(std::ssize(progress.mean_log_density) * (row_end_ - row_begin_));
    return progress;
  }
  void open_steps(OpenSteps& steps) override {
    const std::scoped_lock lock(engine_.device_mutex_);
    cloud_->open_steps(steps);
    book(row_end_ - row_begin_ - steps.num_open(row_begin_, row_end_));
  }
  CloudProgress settle(const OpenSteps& steps) override {
    const std::scoped_lock lock(engine_.device_mutex_);
    return cloud_->settle(steps);
  }
  void begin_save() override {
    const std::scoped_lock lock(engine_.device_mutex_);
    cloud_->begin_save();
  }
  void end_save(SvgdState& state) override {
    const std::scoped_lock lock(engine_.device_mutex_);
    cloud_->end_save(state);
    double error_bound = 0, compression_error = 0;
    cloud_->worst_errors(error_bound, compression_error);
    const std::scoped_lock report_lock(engine_.mutex_);
    engine_.routes_.worst_error_bound = std::max(engine_.routes_.worst_error_bound, error_bound);
    engine_.report_.worst_error = std::max(engine_.report_.worst_error, compression_error);
  }
  void worst_errors(double& error_bound, double& compression_error) override {
    cloud_->worst_errors(error_bound, compression_error);
  }
  void follow_line(const line_series::Table& cells) override {
    const std::scoped_lock lock(engine_.device_mutex_);
    cloud_->follow_line(cells);
    on_line_ = true;
  }
  CloudProgress retry() override {
    const std::scoped_lock lock(engine_.device_mutex_);
    return cloud_->retry();
  }
  double direction_error() override {
    const std::scoped_lock lock(engine_.device_mutex_);
    return cloud_->direction_error();
  }

 private:
  void book(std::int64_t num_served) {
    if (on_line_) return;
    const bool exact = engine_.levels_.empty();
    const auto num_points = static_cast<std::int64_t>(exact ? engine_.whole().points().size()
                                                            : engine_.levels_.front().plan.points().size());
    engine_.device_report_.num_served += num_served;
    const std::scoped_lock lock(engine_.mutex_);
    engine_.routes_.contour += num_points * num_served;
    (exact ? engine_.report_.num_exact : engine_.report_.level_count.front()) += num_served;
  }

  const LikelihoodEngine& engine_;
  std::unique_ptr<DeviceCloud> cloud_;
  std::int64_t row_begin_ = 0, row_end_;  ///< evaluated here
  bool on_line_ = false;                  ///< the line's owner counts what it answers
};

std::unique_ptr<DeviceCloud> LikelihoodEngine::make_cloud(const ParameterTables& parameters, const SvgdOptions& options,
                                                          std::string& why_not) const {
  const std::scoped_lock lock(device_mutex_);
  if (!device_by_contour_) {
    why_not = model.graph.time_kind() == TimeKind::kDiscrete
                  ? "its likelihoods are evaluated step by step, which iterations that stay there do not do"
                  : "its likelihoods are evaluated by uniformization, whose steps depend on the particles";
    return nullptr;
  }
  std::unique_ptr<DeviceCloud> cloud = device_level(0)->level->make_cloud(parameters, options, device_->name());
  if (!cloud) {
    why_not = "the device moves no particles";
    return nullptr;
  }
  return std::make_unique<BookedCloud>(*this, std::move(cloud), options.num_particles);
}

std::unique_ptr<DevicePosterior> LikelihoodEngine::make_posterior(const ParameterTables& parameters,
                                                                  std::int64_t most_particles) const {
  const std::scoped_lock lock(device_mutex_);
  SOJOURN_EXPECTS(device_by_contour_, DeviceError,
                  "{}: likelihoods of this model are evaluated {}, which takes its rates from the host; evaluate "
                  "particles in host memory",
                  device_->name(),
                  model.graph.time_kind() == TimeKind::kDiscrete ? "step by step" : "by uniformization");
  std::unique_ptr<DevicePosterior> posterior = device_level(0)->level->make_posterior(parameters, most_particles);
  SOJOURN_EXPECTS(posterior != nullptr, DeviceError, "{}: it takes no particles from its own memory", device_->name());
  return posterior;
}

void LikelihoodEngine::check_device(MatrixView<const double> theta, std::span<const double> value,
                                    MatrixView<double> gradient, std::span<const char> answered) const {
  if (device_checked_ || gradient.empty()) return;
  double weight = 0;
  for (const Observation& item : observations.items) weight += item.weight;
  Lease lease(*this);
  std::vector<double> slopes(gradient.num_cols());
  int num_checked = 0;
  for (std::size_t k = 0; k < theta.num_rows() && num_checked < kNumChecked; ++k) {
    if (answered[k] == 0) continue;
    Outcome outcome;
    std::string status;
    const double wanted = at(theta.row(k), slopes, lease.get(), outcome, status);
    if (!status.empty()) continue;
    ++num_checked;
    device_checked_ = true;
    // Every law's value may be off by rtol on either side, and as much again may lie in the compression.
    const double allowed = 4 * options.rtol * (std::abs(wanted) + weight);
    SOJOURN_EXPECTS(std::abs(value[k] - wanted) <= allowed, DeviceError,
                    "{}: the log likelihood is {} there and {} on the CPU at {}; use --device cpu and report this",
                    device_->name(), value[k], wanted, describe_theta(model, theta.row(k)));
    for (std::size_t p = 0; p < slopes.size(); ++p) {
      const double scale = std::abs(slopes[p] * theta(k, p)) + weight;
      SOJOURN_EXPECTS(std::abs((gradient(k, p) - slopes[p]) * theta(k, p)) <= kGradientAllowance * scale, DeviceError,
                      "{}: the derivative by {} is {} there and {} on the CPU at {}; use --device cpu and report this",
                      device_->name(), model.parameters[p].name, gradient(k, p), slopes[p],
                      describe_theta(model, theta.row(k)));
    }
  }
}

}  // namespace sojourn
