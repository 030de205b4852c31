#include "cli/bench_measure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>

#include "cli/streams.hpp"
#include "common/random.hpp"
#include "expects.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/sample.hpp"

namespace sojourn::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// Standard deviation of the logarithm of the particles' rates: about a posterior's after some tens of observations.
constexpr double kScatter = 0.2;
constexpr std::uint64_t kSeed = 1;
/// One reading of a program larger than the caches serves so many parameter vectors, for the count of bytes.
constexpr double kVectorsPerReading = 32;
/// A sampler's number of particles, and the most a case gets on its own.
constexpr std::int64_t kSamplerParticles = 200, kManyParticles = 10'000, kQuickParticles = 1000;
constexpr std::int64_t kFewestParticles = 64;
/// Multiply-adds of one evaluation of all particles, at 1e9 a second or more.
constexpr double kWork = 1e9, kQuickWork = 2e7;
constexpr double kLikelihoodWork = 1.5e9, kQuickLikelihoodWork = 5e7;
/// A log-likelihood takes some 50 complex transforms, each four times a real one.
constexpr double kTransforms = 200;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Particles about the centre, inside the ranges the model declares. [K, P].
Matrix<double> scatter(const BenchCase& one, std::int64_t num_particles) {
  const std::vector<Parameter>& parameters = one.model.parameters;
  Matrix<double> theta(static_cast<std::size_t>(num_particles), parameters.size());
  for (std::size_t k = 0; k < theta.num_rows(); ++k) {
    PhiloxStream random(kSeed, kStreamInitial, k);
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      const double lower = parameters[p].lower, upper = parameters[p].upper, centre = one.centre[p];
      const double shift = kScatter * random.next_normal();
      if (std::isfinite(lower) && std::isfinite(upper)) {
        // On the logit scale; a centre on the border stays there.
        const double below = (centre - lower) * std::exp(shift), above = upper - centre;
        theta(k, p) = below + above > 0 ? lower + (upper - lower) * below / (below + above) : centre;
      } else if (std::isfinite(lower)) {
        theta(k, p) = lower + (centre - lower) * std::exp(shift);
      } else if (std::isfinite(upper)) {
        theta(k, p) = upper - (upper - centre) * std::exp(shift);
      } else {
        theta(k, p) = centre + shift;
      }
    }
  }
  return theta;
}

/// Draws of the model at the centre, as a data set.
Observations draw_observations(const BenchCase& one, std::int64_t num_observations) {
  const Matrix<double> draws = sample(one.model, one.centre, {one.model.graph.unit_reward()}, num_observations, kSeed);
  std::vector<double> values;
  for (const double value : draws.values()) {
    if (value > 0) values.push_back(value);  // an atom at zero is no density
  }
  return exact_observations(values, one.model.graph.time_kind(), "bench");
}

void expect_done(const std::vector<std::string>& status, const BenchCase& one, BenchQuantity quantity) {
  for (const std::string& text : status) {
    SOJOURN_EXPECTS(text.empty() || text == "ok", NumericalError, "{} of {}: {}; choose other parameters by --theta",
                    to_string(quantity), one.name, text);
  }
}

/// One measurement: what to run, and how often for a repetition to last long enough.
struct Timed {
  std::size_t row;
  std::function<void()> run;
  std::int64_t num_runs = 1;
};

bool is_likelihood(BenchQuantity quantity) {
  return quantity == BenchQuantity::kLikelihood || quantity == BenchQuantity::kLikelihoodGradient;
}

void repeat(Timed& timed, BenchRow& row) {
  const Clock::time_point start = Clock::now();
  for (std::int64_t i = 0; i < timed.num_runs; ++i) timed.run();
  row.rate.values.push_back(static_cast<double>(timed.num_runs * row.num_particles) / seconds_since(start));
}

/// Means by `PrcCost`. Log-likelihoods are counted while they are evaluated.
void count_work(BenchRow& row, const PrcCost& cost, std::int32_t num_parameters, std::size_t last_cache_bytes) {
  const bool gradient = row.quantity == BenchQuantity::kMeanGradient;
  if (!gradient && row.quantity != BenchQuantity::kMean) return;
  const double num_solves = gradient ? 2 : 1;
  row.multiply_adds =
      static_cast<double>(cost.factor_multiply_adds) + num_solves * static_cast<double>(cost.solve_multiply_adds);
  // Parameters in, value and derivatives out; a program that the last cache holds is read from memory once for all.
  const auto num_particles = static_cast<double>(row.num_particles);
  row.bytes = sizeof(double) * (num_parameters + 1.0 + (gradient ? num_parameters : 0));
  if (static_cast<double>(cost.bytes) > static_cast<double>(last_cache_bytes)) {
    row.bytes +=
        num_solves * static_cast<double>(cost.bytes) * std::ceil(num_particles / kVectorsPerReading) / num_particles;
  }
}

void measure_limits(MachineProbe& probe, const BenchPlan& plan, int num_repetitions, std::vector<BenchLimit>& limits) {
  const double seconds = plan.quick ? 0.02 : 0.1;
  for (int repetition = 0; repetition < num_repetitions; ++repetition) {
    for (BenchLimit& limit : limits) {
      limit.multiply_adds.values.push_back(probe.multiply_adds_per_second(limit.num_threads, seconds));
      limit.copied_bytes.values.push_back(probe.copied_bytes_per_second(limit.num_threads, seconds));
    }
  }
}

/// All rows of one case with one number of threads.
class CaseRun {
 public:
  /// `device`: null for the CPU, which then has `num_threads`.
  CaseRun(const BenchCase& one, const BenchPlan& plan, int num_threads, const Device* device, BenchResult& result)
      : case_(one), plan_(plan), num_threads_(num_threads), device_(device), result_(result) {
    const Clock::time_point start = Clock::now();
    evaluator_ = std::make_unique<Evaluator>(one.model, EvaluatorOptions{.num_threads = num_threads});
    elimination_seconds_ = seconds_since(start);
    if (device_ != nullptr) try_device([&] { evaluator_->use_device(device_->moments); });
    sizes_ = bench_sizes(plan, cost().factor_multiply_adds, cost().solve_multiply_adds);
  }

  [[nodiscard]] const PrcCost& cost() const { return evaluator_->prc().cost(); }
  [[nodiscard]] double elimination_seconds() const { return elimination_seconds_; }

  void run() {
    const std::vector<std::int64_t>& particles = plan_.particles.empty() ? sizes_.particles : plan_.particles;
    for (const std::int64_t num_particles : particles) add_rows(num_particles);
    std::erase_if(timed_, [&](Timed& one) { return !warm_up(one); });
    SOJOURN_EXPECTS(!timed_.empty() || device_ != nullptr, NumericalError, "bench {}: nothing can be measured: {}",
                    case_.name, result_.rows.back().not_measured);
    for (int repetition = 0; repetition < plan_.num_repetitions; ++repetition) {
      for (Timed& one : timed_) {
        BenchRow& row = result_.rows[one.row];
        const std::int64_t before = device_ != nullptr ? left_to_the_cpu(row.quantity) : 0;
        repeat(one, row);
        if (device_ == nullptr) continue;
        row.num_on_cpu += left_to_the_cpu(row.quantity) - before;
        if (!is_likelihood(row.quantity)) row.traffic = evaluator_->moment_report().traffic;
      }
    }
  }

 private:
  void add_rows(std::int64_t num_particles) {
    for (const Precision precision : plan_.precisions)
      if (device_ == nullptr || precision == Precision::kDouble) add_rows(num_particles, precision);
  }
  void add_rows(std::int64_t num_particles, Precision precision) {
    for (const BenchQuantity quantity : kBenchQuantities) {
      BenchRow row;
      row.precision = precision;
      row.case_index = result_.cases.size() - 1;
      row.quantity = quantity;
      row.num_threads = num_threads_;
      row.num_particles = num_particles;
      if (device_ != nullptr) row.device = device_->name();
      const bool gradient = quantity == BenchQuantity::kLikelihoodGradient || quantity == BenchQuantity::kMeanGradient;
      const bool likelihood = is_likelihood(quantity);
      if (likelihood && precision == Precision::kSingle) {
        row.not_measured = "log-likelihoods are not computed in fp32";
      } else if (gradient && case_.model.num_parameters() == 0) {
        row.not_measured = "the model has no parameters";
      } else if (likelihood) {
        prepare_likelihood(row);
      } else {
        row.not_measured = why_not_;
      }
      count_work(row, cost(), case_.model.num_parameters(), plan_.last_cache_bytes);
      if (row.not_measured.empty()) {
        // The threads keep their own count of the particles: fewer likelihoods than means fit into the same time.
        const auto theta = std::make_shared<const Matrix<double>>(scatter(case_, row.num_particles));
        timed_.push_back(
            {result_.rows.size(), likelihood ? likelihood_of(theta, quantity) : mean_of(theta, quantity, precision)});
      }
      result_.rows.push_back(std::move(row));
    }
  }

  /// Cuts the number of particles, or says why the row cannot be measured.
  void prepare_likelihood(BenchRow& row) {
    if (plan_.particles.empty()) {
      row.num_particles = std::min(row.num_particles, sizes_.most_for_likelihood);
      if (row.num_particles == 0) {
        row.not_measured = "one value takes too long for this table; ask for few with --particles";
        return;
      }
    }
    if (likelihood_ != nullptr) return;
    try {
      likelihood_ = std::make_unique<DataLikelihood>(case_.model, draw_observations(case_, plan_.num_observations),
                                                     case_.model.graph.unit_reward(),
                                                     EvaluatorOptions{.num_threads = num_threads_});
      if (device_ != nullptr) likelihood_->use_device(device_->likelihood);
    } catch (const Error& error) {
      row.not_measured = error.what();
      likelihood_.reset();
    }
  }

  template <class Use>
  void try_device(Use&& use) {
    try {
      use();
    } catch (const DeviceError& error) {
      why_not_ = error.what();
    }
  }

  /// Particles that the device has left to the CPU since it was asked first.
  [[nodiscard]] std::int64_t left_to_the_cpu(BenchQuantity quantity) const {
    if (quantity == BenchQuantity::kMean || quantity == BenchQuantity::kMeanGradient) {
      const MomentReport report = evaluator_->moment_report();
      return report.num_in_doubt + report.num_not_finite;
    }
    return likelihood_->device_report().num_on_cpu();
  }

  std::function<void()> likelihood_of(std::shared_ptr<const Matrix<double>> theta, BenchQuantity quantity) const {
    return [this, theta, quantity] {
      const bool gradient = quantity == BenchQuantity::kLikelihoodGradient;
      std::vector<double> value(theta->num_rows());
      Matrix<double> slope(gradient ? theta->num_rows() : 0, theta->num_cols());
      std::vector<std::string> status;
      likelihood_->evaluate(theta->view(), value, slope.view(), status);
      expect_done(status, case_, quantity);
    };
  }

  std::function<void()> mean_of(std::shared_ptr<const Matrix<double>> theta, BenchQuantity quantity,
                                Precision precision) {
    if (precision == Precision::kSingle && single_ == nullptr) {
      single_ = std::make_unique<Evaluator>(case_.model,
                                            EvaluatorOptions{.num_threads = num_threads_, .precision = precision});
    }
    const Evaluator& evaluator = precision == Precision::kSingle ? *single_ : *evaluator_;
    return [this, &evaluator, theta, quantity] {
      const Quantity mean = evaluator.moments(theta->view(), case_.model.graph.unit_reward(), 1,
                                              quantity == BenchQuantity::kMeanGradient);
      expect_done(mean.status, case_, quantity);
    };
  }

  /// Runs until caches and clocks are warm, and learns how many runs a repetition takes. False where a value fails,
  /// which its row then says.
  [[nodiscard]] bool warm_up(Timed& timed) const {
    try {
      Clock::time_point start = Clock::now();
      timed.run();
      double seconds = seconds_since(start);
      if (seconds < 0.2 * plan_.seconds) {
        start = Clock::now();
        timed.run();
        seconds = std::min(seconds, seconds_since(start));
      }
      if (is_likelihood(result_.rows[timed.row].quantity)) count_likelihoods(timed);
      timed.num_runs = std::max<std::int64_t>(1, std::llround(std::ceil(plan_.seconds / std::max(seconds, 1e-7))));
      return true;
    } catch (const Error& error) {
      result_.rows[timed.row].not_measured = error.what();
      return false;
    }
  }

  /// What one more run adds to the likelihood's own count.
  void count_likelihoods(const Timed& timed) const {
    BenchRow& row = result_.rows[timed.row];
    const double before = likelihood_->route_counts().multiply_adds;
    timed.run();
    row.multiply_adds = (likelihood_->route_counts().multiply_adds - before) / static_cast<double>(row.num_particles);
  }

  const BenchCase& case_;
  const BenchPlan& plan_;
  int num_threads_;
  const Device* device_;
  std::string why_not_;  ///< why the device evaluates no moments
  BenchResult& result_;
  std::unique_ptr<Evaluator> evaluator_, single_;
  std::unique_ptr<DataLikelihood> likelihood_;
  double elimination_seconds_ = 0;
  BenchSizes sizes_;
  std::vector<Timed> timed_;
};

}  // namespace

const char* to_string(BenchQuantity quantity) {
  switch (quantity) {
    case BenchQuantity::kLikelihood:
      return "log_likelihood";
    case BenchQuantity::kLikelihoodGradient:
      return "log_likelihood_gradient";
    case BenchQuantity::kMean:
      return "mean";
    case BenchQuantity::kMeanGradient:
      return "mean_gradient";
  }
  return "?";
}

double Spread::median() const {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : 0.5 * (sorted[middle - 1] + sorted[middle]);
}
double Spread::low() const { return values.empty() ? median() : *std::min_element(values.begin(), values.end()); }
double Spread::high() const { return values.empty() ? median() : *std::max_element(values.begin(), values.end()); }
double Spread::relative() const { return values.empty() ? 0 : 0.5 * (high() - low()) / median(); }

const char* BenchShare::limit() const {
  if (largest() <= 0) return "";
  if (largest() == multiply_adds) return by_registers ? "fp64" : "multiply_adds";
  return largest() == cache ? "cache" : "copy";
}

BenchShare share_of_limit(const BenchRow& row, const BenchResult& result) {
  BenchShare share;
  if (row.rate.values.empty()) return share;
  // A limit is the best that was seen: other programs can only hide it, and more threads never lower it.
  double multiply_adds = 0, copied_bytes = 0;
  if (row.device != "cpu") {
    const DeviceLimits& limits = result.device_limits;
    share.by_registers = !row.traffic.mapping.empty() && row.traffic.shared_bytes == 0;
    multiply_adds = share.by_registers ? limits.multiply_adds : limits.shared_dot;
    // A product of complex numbers is four multiply-adds of two numbers twice as wide.
    if (is_likelihood(row.quantity)) multiply_adds = std::min(2 * limits.shared_dot, limits.multiply_adds);
    copied_bytes = limits.memory_bytes;
    if (limits.cache_bytes > 0) share.cache = row.traffic.cache_bytes * row.rate.median() / limits.cache_bytes;
  }
  for (const BenchLimit& limit : result.limits) {
    if (row.device != "cpu" || limit.num_threads > row.num_threads) continue;
    multiply_adds = std::max(multiply_adds, limit.multiply_adds.high());
    copied_bytes = std::max(copied_bytes, limit.copied_bytes.high());
  }
  if (multiply_adds > 0) share.multiply_adds = row.multiply_adds * row.rate.median() / multiply_adds;
  if (copied_bytes > 0) share.copy = (row.bytes + row.traffic.memory_bytes) * row.rate.median() / copied_bytes;
  return share;
}

BenchSizes bench_sizes(const BenchPlan& plan, std::int64_t factor_multiply_adds, std::int64_t solve_multiply_adds) {
  const auto fitting = [](double work, double per_particle, std::int64_t most) {
    return static_cast<std::int64_t>(std::min(static_cast<double>(most), work / std::max(per_particle, 1.0)));
  };
  const double factor = static_cast<double>(factor_multiply_adds), solve = static_cast<double>(solve_multiply_adds);
  const std::int64_t many = std::max(kFewestParticles, fitting(plan.quick ? kQuickWork : kWork, factor + solve,
                                                               plan.quick ? kQuickParticles : kManyParticles));
  BenchSizes sizes;
  if (!plan.quick && many > 2 * kSamplerParticles) sizes.particles.push_back(kSamplerParticles);
  sizes.particles.push_back(many);
  sizes.most_for_likelihood =
      fitting(plan.quick ? kQuickLikelihoodWork : kLikelihoodWork, kTransforms * (factor + 2 * solve),
              plan.quick ? kQuickParticles : kManyParticles);
  // Fewer than a few for every thread would measure how they are dealt out.
  const int most_threads = plan.threads.empty() ? 1 : *std::max_element(plan.threads.begin(), plan.threads.end());
  if (sizes.most_for_likelihood < 4 * most_threads) sizes.most_for_likelihood = 0;
  return sizes;
}

BenchResult run_bench(const std::vector<BenchCase>& cases, const BenchPlan& plan) {
  BenchResult result;
  for (const int num_threads : plan.threads) result.limits.push_back({num_threads, {}, {}});
  const int most_threads = *std::max_element(plan.threads.begin(), plan.threads.end());
  const std::size_t copy_bytes = MachineProbe::copy_size(plan.last_cache_bytes);
  MachineProbe probe(copy_bytes, most_threads);
  measure_limits(probe, plan, 2, result.limits);
  if (plan.device) {
    result.device = plan.device.name();
    if (plan.device.limits) result.device_limits = plan.device.limits();
  }
  for (const BenchCase& one : cases) {
    BenchCaseFacts facts;
    facts.name = one.name;
    facts.description = one.description;
    facts.num_states = one.model.graph.num_states();
    facts.num_edges = one.model.graph.num_edges();
    facts.num_parameters = one.model.num_parameters();
    result.cases.push_back(facts);
    for (const int num_threads : plan.threads) {
      if (log_level() == LogLevel::kInfo)
        write_stderr(
            fmt::format("measuring {} with {} thread{}\n", one.name, num_threads, num_threads == 1 ? "" : "s"));
      CaseRun run(one, plan, num_threads, nullptr, result);
      run.run();
      BenchCaseFacts& known = result.cases.back();
      known.factor_multiply_adds = run.cost().factor_multiply_adds;
      known.solve_multiply_adds = run.cost().solve_multiply_adds;
      known.program_bytes = run.cost().bytes;
      known.elimination_seconds = known.elimination_seconds == 0
                                      ? run.elimination_seconds()
                                      : std::min(known.elimination_seconds, run.elimination_seconds());
    }
    if (plan.device) {
      if (log_level() == LogLevel::kInfo) write_stderr(fmt::format("measuring {} on {}\n", one.name, result.device));
      CaseRun(one, plan, most_threads, &plan.device, result).run();
    }
    measure_limits(probe, plan, 1, result.limits);
  }
  return result;
}

}  // namespace sojourn::cli
