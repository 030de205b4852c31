#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/svgd_block.hpp"
#include "common/svgd_lanes.hpp"
#include "device/comm/rank_exchange.hpp"
#include "device/posterior/posterior_batch.hpp"
#include "device/sampler/direction_batch.hpp"
#include "device/support/blocks.hpp"
#include "sampler/optimizer.hpp"
#include "sojourn/error.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {

/// The rules of a run's iterations. Of at most svgd_lanes::kMostDimensions coordinates.
inline svgd_lanes::Rules cloud_rules(const SvgdOptions& options, std::int32_t dim) {
  svgd_lanes::Rules rules;
  rules.dim = dim;
  rules.n = options.num_particles;
  rules.stride = (rules.n + kWarp - 1) / kWarp * kWarp;
  rules.whiten = options.whiten;
  rules.median = options.bandwidth_rule == BandwidthRule::kMedian;
  rules.uses_adam = options.optimizer == Optimizer::kAdam;
  rules.bandwidth = options.bandwidth;
  rules.bandwidth_scale = options.bandwidth_scale;
  rules.linear_weight = options.linear_weight;
  rules.adam = adam_of(options);
  rules.schedule = schedule_of(options);
  return rules;
}

/// The particles of a run on one machine, which beside what `LikelihoodBatch` and `DirectionBatch` ask of it has
///   guard(pointer)         steps do nothing from now on where the number at `pointer`, in its memory, is not 0
///   Recording              what `repeat` remembers of one sequence
///   repeat(recording, f)   has done what f() enqueues, which is the same each time
///   connect(ranks, how)    a `RankExchange` behind the same steps
///   HostBuffer<T>          an owning array of the host's that copies reach beside other work
///   copy(to, from, size)   inside its memory, in order with all else
///   fetch(there, span)     a download in order with all else that does not wait; `wait()` does
///   fetch_aside(there, span)   one behind what was enqueued before, beside what is enqueued after; `wait_aside()`
/// The span of a fetch lies in a HostBuffer and holds nothing before the wait.
///
/// On several ranks an iteration is three sequences with two exchanges between them: rows of the direction, and what
/// the ends of steps are worth. Only what one rank has done alone travels; all else is done on every rank from the same
/// numbers in the same order. Exchanges come whether the cloud has halted or not, so that no rank waits for another.
template <class Machine>
class CloudBatch final : public DeviceCloud {
 public:
  /// `report`: see `PosteriorBatch::reserve`.
  CloudBatch(Machine& machine, std::unique_ptr<PosteriorBatch<Machine>> posterior, const SvgdOptions& options,
             std::string name, LikelihoodDevice::Report report)
      : machine_(machine),
        posterior_(std::move(posterior)),
        report_(std::move(report)),
        imq_(options.kernel == Kernel::kImq),
        mixed_(options.precision == DirectionPrecision::kMixed),
        name_(std::move(name)),
        trace_here_(static_cast<std::size_t>(2 * most_at_once())),
        numbers_here_(1),
        trace_(trace_here_.size()),
        numbers_(1) {
    cloud_.rules = cloud_rules(options, posterior_->dimension());
    const svgd_lanes::Rules& rules = cloud_.rules;
    const std::int64_t dim = rules.dim;
    const std::int64_t block = dim * rules.stride, terms = std::max(dim * dim, 2 * dim);
    state_size_ = static_cast<std::size_t>((rules.uses_adam ? 4 : 2) * block + rules.n);
    const std::int64_t of_particles = (mixed_ ? 11 : 10) * block + 5 * rules.n + static_cast<std::int64_t>(state_size_);
    with_way_out(
        [&] {
          doubles_ = Doubles(
              static_cast<std::size_t>(of_particles + std::max<std::int64_t>(terms, 3) * svgd_lanes::kNumChunks));
          outcome_ = typename Machine::template Buffer<std::int32_t>(static_cast<std::size_t>(rules.n));
        },
        [&] {
          const double each = 8 * static_cast<double>(of_particles) / static_cast<double>(rules.n) + 4;
          const double fitting =
              kUsableMemory * (machine_.free_bytes() + 8 * static_cast<double>(doubles_.size())) / each;
          return "a run's " + std::to_string(rules.n) + " particles stay on the device; about " +
                 std::to_string(static_cast<std::int64_t>(std::max(0.0, fitting))) +
                 " fit: give --particles that many, or use --device cpu";
        });
    double* next = doubles_.data();
    const auto take = [&](std::int64_t size) { return std::exchange(next, next + size); };
    // What a state has, side by side: it is set aside by one copy and travels by one.
    cloud_.log_density = take(rules.n);
    for (double** array : {&cloud_.x, &cloud_.score, &cloud_.first_moment, &cloud_.second_moment, &cloud_.trial,
                           &cloud_.trial_score, &cloud_.u, &cloud_.s, &cloud_.phi, &cloud_.dx})
      *array = take(block);
    for (double** array : {&cloud_.trial_log_density, &cloud_.error_bound, &cloud_.compression_error, &cloud_.largest})
      *array = take(rules.n);
    saved_ = take(static_cast<std::int64_t>(state_size_));
    if (mixed_) in_double_ = take(block);
    cloud_.partial = next;
    cloud_.outcome = outcome_.data();
    cloud_.trace_mean = trace_.data();
    cloud_.trace_step = trace_.data() + most_at_once();
    cloud_.numbers = numbers_.data();
    own_steps_ = own_directions_ = {0, rules.n};
  }

  CloudShare share_out(Communicator& ranks, const DeviceMessages& messages) override {
    exchange_ = machine_.connect(ranks, messages);
    const svgd_lanes::Rules& rules = cloud_.rules;
    own_steps_ = exchange_->rows(rules.n, 1);
    own_directions_ = exchange_->rows(rules.n, svgd_block::kBlockRows);
    exchange_->together([&] { packed_ = Doubles(static_cast<std::size_t>(rules.n * ends().width())); });
    return {exchange_->name(), own_steps_.begin, own_steps_.end};
  }

  bool on_any_rank(const std::function<bool()>& work) override {
    bool own = false;
    together([&] { own = work(); });
    return exchange_ ? std::ranges::count(exchange_->tell(own ? 1 : 0), 1) > 0 : own;
  }

  void load(const SvgdState& state) override {
    together([&] { take(state); });
  }

  void begin_turn(std::int64_t most) override {
    const std::int64_t begin = host_.trace_begin = host_.iteration;
    const std::int64_t last = begin + std::clamp<std::int64_t>(most, 1, exchange_ ? kMostExchanged : most_at_once());
    begin_exchanging([this, begin, last] {
      store_numbers();
      machine_.guard(&cloud_.numbers->halted);
      for (std::int64_t iteration = begin; iteration < last; ++iteration)
        iterate(svgd_step::refreshes_metric(iteration));
      machine_.guard(nullptr);
      enqueue_look(last - begin);
    });
  }

  CloudProgress end_turn() override {
    end_exchanging();
    return look_at_progress();
  }

  void open_steps(OpenSteps& steps) override {
    together([&] { look_at_steps(steps); });
  }

  CloudProgress settle(const OpenSteps& steps) override {
    together([&] {
      put(steps.to, cloud_.trial);
      put(steps.score, cloud_.trial_score);
      machine_.upload(cloud_.trial_log_density, std::span<const double>(steps.log_density));
      host_.halted = 0;
      host_.trace_begin = host_.iteration;
      store_numbers();
      enqueue_end();
      enqueue_look(1);
      machine_.wait();
    });
    return look_at_progress();
  }

  void follow_line(const line_series::Table& cells) override {
    const auto count = static_cast<std::size_t>(cells.num_cells);
    if (count > line_cells_.size()) {
      machine_.moved();
      line_cells_ = {};
      line_cells_ = typename Machine::template Buffer<line_series::Cell>(2 * count);
    }
    machine_.upload(line_cells_.data(), std::span(cells.cells, count));
    line_width_ = cells.width;
    num_line_cells_ = cells.num_cells;
  }

  CloudProgress retry() override {
    host_.halted = 0;
    host_.num_open = 0;
    host_.trace_begin = host_.iteration;
    begin_exchanging([this] {
      store_numbers();
      evaluate_trial();
      pack(ends(), own_steps_);
      gather(ends(), 1);
      unpack(ends());
      judge_trial();
      machine_.guard(&cloud_.numbers->halted);
      enqueue_end();
      machine_.guard(nullptr);
      enqueue_look(1);
    });
    end_exchanging();
    return look_at_progress();
  }

  /// A copy of its own, as the next turn writes where the state stands while that travels.
  void begin_save() override {
    together([&] {
      if (state_here_.size() < state_size_) state_here_ = HostDoubles(state_size_);
      machine_.copy(saved_, static_cast<const double*>(cloud_.log_density), state_size_);
      machine_.fetch_aside(static_cast<const double*>(saved_), std::span(state_here_.data(), state_size_));
      saved_numbers_ = host_;
    });
  }

  void end_save(SvgdState& state) override {
    together([&] {
      machine_.wait_aside();
      give(state);
    });
  }

  /// Whitened particles, scores and direction of an iteration stay until the next one.
  double direction_error() override {
    if (!mixed_) return 0;
    double worst = 0;
    together([&] { worst = own_direction_error(); });
    if (exchange_)
      for (const double error : exchange_->tell(worst))
        if (!std::isnan(worst) && !(error <= worst)) worst = error;
    return worst;
  }

  void worst_errors(double& error_bound, double& compression_error) override {
    error_bound = host_.worst_error_bound;
    compression_error = host_.worst_compression_error;
  }

 private:
  using Doubles = typename Machine::template Buffer<double>;
  using HostDoubles = typename Machine::template HostBuffer<double>;
  using Recording = typename Machine::Recording;

  /// Iterations of a turn with exchanges: what stands on the stream has to fit the driver's queue of some thousand. A
  /// rank whose peers have failed fills it, and one that waits in it comes to no vote.
  static constexpr std::int64_t kMostExchanged = 64;

  template <class Work>
  void together(Work&& work) {
    if (exchange_) {
      exchange_->together(work);
    } else {
      work();
    }
  }
  template <class Work>
  void begin_exchanging(Work&& enqueue) {
    if (exchange_) {
      exchange_->begin(enqueue);
    } else {
      enqueue();
    }
  }
  void end_exchanging() {
    if (exchange_) {
      exchange_->end();
    } else {
      machine_.wait();
    }
  }

  void take(const SvgdState& state) {
    // With more ranks than particles some have none.
    posterior_->reserve(std::max<std::int64_t>(own_steps_.end - own_steps_.begin, 1), report_);
    svgd_lanes::Numbers& numbers = host_ = {};
    const std::size_t d = static_cast<std::size_t>(cloud_.rules.dim);
    numbers.iteration = numbers.trace_begin = state.iteration;
    numbers.inverse_h2 = state.inverse_h2;
    std::copy_n(state.metric_factor.values().begin(), d * d, numbers.factor);
    std::copy_n(state.metric_centre.begin(), d, numbers.centre);
    std::copy(state.sd.begin(), state.sd.end(), numbers.sd);
    cloud_.rules.has_laplace = !state.laplace_covariance.empty();
    std::copy(state.laplace_covariance.values().begin(), state.laplace_covariance.values().end(), numbers.laplace);
    store_numbers();
    put(state.particles, cloud_.x);
    put(state.score, cloud_.score);
    machine_.upload(cloud_.log_density, std::span<const double>(state.log_density));
    if (cloud_.rules.uses_adam) {
      put_by_coordinate(state.first_moment, cloud_.first_moment);
      put_by_coordinate(state.second_moment, cloud_.second_moment);
    }
    with_way_out(
        [&] { check(state); },
        [] { return "the first evaluation of a run does not fit: give fewer --particles, or use --device cpu"; });
  }

  void look_at_steps(OpenSteps& steps) {
    const svgd_lanes::Rules& rules = cloud_.rules;
    std::vector<std::int32_t> outcome(static_cast<std::size_t>(rules.n));
    machine_.download(static_cast<const std::int32_t*>(cloud_.outcome), std::span(outcome));
    steps.open.clear();
    for (std::size_t i = 0; i < outcome.size(); ++i)
      if (outcome[i] != static_cast<std::int32_t>(LaneOutcome::kDone))
        steps.open.push_back(static_cast<std::int64_t>(i));
    get(cloud_.dx, steps.step);
    get(cloud_.trial, steps.to);
    get(cloud_.trial_score, steps.score);
    steps.log_density.resize(static_cast<std::size_t>(rules.n));
    machine_.download(static_cast<const double*>(cloud_.trial_log_density), std::span(steps.log_density));
  }

  /// What `begin_save` set aside.
  void give(SvgdState& state) {
    const svgd_lanes::Numbers& numbers = saved_numbers_;
    const auto d = static_cast<std::size_t>(cloud_.rules.dim), n = static_cast<std::size_t>(cloud_.rules.n);
    const auto stride = static_cast<std::size_t>(cloud_.rules.stride), block = d * stride;
    state.iteration = numbers.iteration;
    state.inverse_h2 = numbers.inverse_h2;
    state.metric_factor = Matrix<double>(d, d);
    std::copy_n(numbers.factor, d * d, state.metric_factor.values().begin());
    state.metric_centre.assign(numbers.centre, numbers.centre + d);
    if (numbers.iteration > 0) state.sd.assign(numbers.sd, numbers.sd + d);
    const double* const values = state_here_.data();
    state.log_density.assign(values, values + n);
    rows_of(values + n, state.particles);
    rows_of(values + n + block, state.score);
    if (!cloud_.rules.uses_adam) return;
    for (Matrix<double>* moment : {&state.first_moment, &state.second_moment}) {
      const double* const from = values + n + (moment == &state.first_moment ? 2 : 3) * block;
      *moment = Matrix<double>(d, n);
      for (std::size_t c = 0; c < d; ++c) std::copy_n(from + c * stride, n, moment->row(c).begin());
    }
  }

  double own_direction_error() {
    using namespace svgd_lanes;
    const Rules& rules = cloud_.rules;
    const std::int64_t num_blocks = svgd_block::num_row_blocks(rules.n);
    const std::int64_t first = checked_block_++ % num_blocks * svgd_block::kBlockRows;
    const std::int64_t last = std::min(rules.n, first + svgd_block::kBlockRows);
    machine_.run_direction({imq_, false, rules.dim, rules.n, rules.stride, &cloud_.numbers->inverse_h2, cloud_.u,
                            cloud_.s, first, last, in_double_});
    double* const mean_size = &cloud_.numbers->mean_score_size;
    sum(1, static_cast<double>(rules.n), ScoreSizeTerm{cloud_}, mean_size);
    double size = 0, off = 0;
    machine_.download(static_cast<const double*>(mean_size), std::span(&size, 1));
    std::vector<double> got(static_cast<std::size_t>(last - first)), wanted(got.size());
    for (std::int32_t c = 0; c < rules.dim; ++c) {
      const std::int64_t begin = c * rules.stride + first;
      machine_.download(static_cast<const double*>(cloud_.phi + begin), std::span(got));
      machine_.download(static_cast<const double*>(in_double_ + begin), std::span(wanted));
      for (std::size_t i = 0; i < got.size(); ++i) {
        const double difference = std::abs(got[i] - wanted[i]);
        // Written so that what is not a number is taken, and stays.
        if (!std::isnan(off) && !(difference <= off)) off = difference;
      }
    }
    return off / (size + std::sqrt(host_.inverse_h2));
  }

  template <class Term>
  void sum(int num_terms, double divisor, const Term& term, double* into) {
    machine_.run(num_terms * svgd_lanes::kNumChunks, svgd_lanes::SumStep<Term>{term, cloud_.rules.n, cloud_.partial});
    machine_.run(num_terms, svgd_lanes::CombineStep{cloud_.partial, divisor, into});
  }

  /// What a step's end is worth.
  [[nodiscard]] svgd_lanes::RowNumbers ends() const {
    return {cloud_.rules,
            cloud_.trial_score,
            {cloud_.trial_log_density, cloud_.error_bound, cloud_.compression_error},
            cloud_.outcome};
  }
  [[nodiscard]] svgd_lanes::RowNumbers directions() const { return {cloud_.rules, cloud_.phi, {}, nullptr}; }

  // Numbers of one array lie a stride apart: side by side, each rank's are one message and all ranks' one call. On one
  // rank nothing travels.
  void pack(const svgd_lanes::RowNumbers& from, const RankRows& own) {
    if (exchange_) machine_.run(own.end - own.begin, svgd_lanes::PackStep{from, own.begin, packed_.data()});
  }
  void gather(const svgd_lanes::RowNumbers& rows, std::int64_t unit) {
    if (exchange_) exchange_->gather(packed_.data(), cloud_.rules.n, unit, static_cast<std::size_t>(rows.width()));
  }
  void unpack(const svgd_lanes::RowNumbers& to) {
    if (exchange_) machine_.run(cloud_.rules.n, svgd_lanes::UnpackStep{packed_.data(), to});
  }

  void iterate(bool refresh) {
    Recording& to_direction = refresh ? refreshing_ : keeping_;
    if (!exchange_) {
      machine_.repeat(to_direction, [&] {
        enqueue_direction(refresh);
        enqueue_step();
        judge_trial();
        enqueue_end();
      });
      return;
    }
    // Exchanges stand between the recordings: NCCL keeps a communicator, also one that is given up, until no graph
    // holds its calls, and the other routes cannot be recorded at all.
    machine_.repeat(to_direction, [&] {
      enqueue_direction(refresh);
      pack(directions(), own_directions_);
    });
    gather(directions(), svgd_block::kBlockRows);
    machine_.repeat(stepping_, [&] {
      unpack(directions());
      enqueue_step();
      pack(ends(), own_steps_);
    });
    gather(ends(), 1);
    machine_.repeat(ending_, [&] {
      unpack(ends());
      judge_trial();
      enqueue_end();
    });
  }

  void enqueue_direction(bool refresh) {
    using namespace svgd_lanes;
    const Rules& rules = cloud_.rules;
    const int dim = rules.dim;
    const auto n = static_cast<double>(rules.n);
    Numbers* const numbers = cloud_.numbers;
    machine_.run(1, BeginStep{cloud_});
    if (refresh) {
      sum(dim, n, CoordinateTerm{cloud_.x, rules.stride}, numbers->mean);
      sum(dim * dim, n - 1, CovarianceTerm{cloud_}, numbers->covariance);
      machine_.run(1, MetricStep{cloud_});
    }
    machine_.run(rules.n, WhitenStep{cloud_});
    if (refresh) {
      if (rules.median) find_median();
      machine_.run(1, BandwidthStep{cloud_});
    }
    if (own_directions_.begin < own_directions_.end)
      machine_.run_direction({imq_, mixed_, dim, rules.n, rules.stride, &numbers->inverse_h2, cloud_.u, cloud_.s,
                              own_directions_.begin, own_directions_.end, cloud_.phi});
  }

  void enqueue_step() {
    using namespace svgd_lanes;
    const Rules& rules = cloud_.rules;
    const int dim = rules.dim;
    const auto n = static_cast<double>(rules.n);
    Numbers* const numbers = cloud_.numbers;
    if (rules.whiten && rules.linear_weight > 0) {
      sum(2 * dim, n, WhitenedTerm{cloud_}, numbers->mean_u_s);
      sum(dim * dim, n, MomentTerm{cloud_}, numbers->moment);
    }
    machine_.run(rules.n, MoveStep{cloud_});
    evaluate_trial();
  }

  void judge_trial() {
    machine_.run(cloud_.rules.n, svgd_lanes::OpenStep{cloud_});
    machine_.run(1, svgd_lanes::JudgeStep{cloud_});
  }

  void find_median() {
    using namespace svgd_lanes;
    const std::int64_t pairs = median_select::num_pairs(cloud_.rules.n);
    machine_.run(1, BeginSearchStep{cloud_});
    for (int digit = 0; digit < median_select::kNumDigits; ++digit) {
      machine_.run((pairs + median_select::kPairsPerLane - 1) / median_select::kPairsPerLane, CountStep{cloud_, digit});
      machine_.run(2, ChooseStep{cloud_});
    }
  }

  /// Of this rank's particles.
  void evaluate_trial() {
    const std::int64_t stride = cloud_.rules.stride, first = own_steps_.begin, count = own_steps_.end - first;
    const LanePlaces places{cloud_.trial + first, 1, stride};
    const LaneDensities output{
        cloud_.trial_log_density + first, cloud_.trial_score + first,      1, stride, cloud_.outcome + first,
        cloud_.error_bound + first,       cloud_.compression_error + first};
    if (num_line_cells_ > 0) {
      posterior_->launch_on_line({&cloud_.numbers->line_width, &cloud_.numbers->num_line_cells, line_cells_.data()},
                                 places, count, output);
    } else {
      posterior_->launch(places, count, output);
    }
  }

  void enqueue_end() {
    using namespace svgd_lanes;
    machine_.run(cloud_.rules.n, AcceptStep{cloud_});
    sum(1, static_cast<double>(cloud_.rules.n), CoordinateTerm{cloud_.log_density, 0},
        &cloud_.numbers->mean_log_density);
    machine_.run(3 * kNumChunks, MaximumStep{cloud_});
    machine_.run(3, CombineMaximumStep{cloud_});
    machine_.run(1, EndStep{cloud_});
  }

  void store_numbers() {
    host_.line_width = line_width_;
    host_.num_line_cells = num_line_cells_;
    machine_.upload(numbers_.data(), std::span<const svgd_lanes::Numbers>(&host_, 1));
  }

  /// All that a turn of so many iterations tells the host.
  void enqueue_look(std::int64_t count) {
    const auto size = static_cast<std::size_t>(count);
    machine_.fetch(static_cast<const svgd_lanes::Numbers*>(numbers_.data()), std::span(numbers_here_.data(), 1));
    machine_.fetch(static_cast<const double*>(cloud_.trace_mean), std::span(trace_here_.data(), size));
    machine_.fetch(static_cast<const double*>(cloud_.trace_step), std::span(trace_here_.data() + most_at_once(), size));
  }
  /// After the wait.
  CloudProgress look_at_progress() {
    const std::int64_t begin = host_.trace_begin;
    host_ = *numbers_here_.data();
    CloudProgress progress;
    progress.halted = host_.halted != 0;
    const double *const means = trace_here_.data(), *const steps = means + most_at_once();
    progress.mean_log_density.assign(means, means + (host_.iteration - begin));
    progress.largest_step.assign(steps, steps + (host_.iteration - begin));
    return progress;
  }

  /// The state's own log densities and scores come from the host or from a run before this one. Every rank looks at
  /// those that it will evaluate.
  void check(const SvgdState& state) {
    constexpr double kAllowance = 1e-6;
    put(state.particles, cloud_.trial);
    evaluate_trial();
    OpenSteps there;
    look_at_steps(there);
    const double weight = posterior_->total_weight() + 1;
    std::vector<char> open(state.log_density.size(), 0);
    for (const std::int64_t i : there.open) open[static_cast<std::size_t>(i)] = 1;
    const auto expect = [&](std::size_t i, const char* what, double got, double wanted) {
      if (std::abs(got - wanted) <= kAllowance * (std::abs(wanted) + weight)) return;
      throw DeviceError(name_ + ": the " + what + " of particle " + std::to_string(i) + " is " + std::to_string(got) +
                        " there and " + std::to_string(wanted) + " on the CPU; use --device cpu and report this");
    };
    for (auto i = static_cast<std::size_t>(own_steps_.begin); i < static_cast<std::size_t>(own_steps_.end); ++i) {
      if (open[i] != 0) continue;
      expect(i, "log density", there.log_density[i], state.log_density[i]);
      for (std::size_t c = 0; c < there.score.num_cols(); ++c) expect(i, "score", there.score(i, c), state.score(i, c));
    }
  }

  /// Rows of particles to and from arrays of coordinates.
  void put(const Matrix<double>& rows, double* there) {
    const auto stride = static_cast<std::size_t>(cloud_.rules.stride);
    transfer_.assign(stride * rows.num_cols(), 0);
    for (std::size_t i = 0; i < rows.num_rows(); ++i)
      for (std::size_t c = 0; c < rows.num_cols(); ++c) transfer_[c * stride + i] = rows(i, c);
    machine_.upload(there, std::span<const double>(transfer_));
  }
  void get(const double* there, Matrix<double>& rows) {
    transfer_.resize(static_cast<std::size_t>(cloud_.rules.stride) * static_cast<std::size_t>(cloud_.rules.dim));
    machine_.download(there, std::span<double>(transfer_));
    rows_of(transfer_.data(), rows);
  }
  void rows_of(const double* coordinates, Matrix<double>& rows) const {
    const auto stride = static_cast<std::size_t>(cloud_.rules.stride), d = static_cast<std::size_t>(cloud_.rules.dim);
    rows = Matrix<double>(static_cast<std::size_t>(cloud_.rules.n), d);
    for (std::size_t i = 0; i < rows.num_rows(); ++i)
      for (std::size_t c = 0; c < d; ++c) rows(i, c) = coordinates[c * stride + i];
  }
  void put_by_coordinate(const Matrix<double>& values, double* there) {
    for (std::size_t c = 0; c < values.num_rows(); ++c)
      machine_.upload(there + c * static_cast<std::size_t>(cloud_.rules.stride), values.row(c));
  }

  Machine& machine_;
  std::unique_ptr<PosteriorBatch<Machine>> posterior_;
  LikelihoodDevice::Report report_;
  std::unique_ptr<RankExchange> exchange_;   ///< null: one rank
  RankRows own_steps_{}, own_directions_{};  ///< particles whose steps' ends, and directions, are made here
  bool imq_, mixed_;
  std::string name_;
  svgd_lanes::Cloud cloud_{};
  // The host's buffers go last: what still travels has come when the device's are given back.
  HostDoubles state_here_;
  HostDoubles trace_here_;  ///< means, then steps
  typename Machine::template HostBuffer<svgd_lanes::Numbers> numbers_here_;
  std::size_t state_size_ = 0;
  Doubles doubles_, trace_;
  Doubles packed_;  ///< rows as they travel
  typename Machine::template Buffer<std::int32_t> outcome_;
  typename Machine::template Buffer<svgd_lanes::Numbers> numbers_;
  Recording refreshing_, keeping_;  ///< to the end of an iteration, or on several ranks to the direction
  Recording stepping_, ending_;     ///< on several ranks, the rest
  typename Machine::template Buffer<line_series::Cell> line_cells_;
  double line_width_ = 1;
  std::int64_t num_line_cells_ = 0;  ///< 0: likelihoods are the posterior's own
  double* in_double_ = nullptr;      ///< [d, stride] rows of a direction that is checked
  double* saved_ = nullptr;          ///< [state_size_] a state on its way to the host
  std::int64_t checked_block_ = 0;
  svgd_lanes::Numbers host_{};           ///< as they are on the machine between turns
  svgd_lanes::Numbers saved_numbers_{};  ///< of the state on its way
  std::vector<double> transfer_;
};

}  // namespace sojourn
