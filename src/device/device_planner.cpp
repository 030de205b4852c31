#include "device/device_planner.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "common/svgd_lanes.hpp"
#include "device/evaluation/program_layout.hpp"
#include "device/posterior/routed_likelihood.hpp"
#include "device/sampler/cloud_batch.hpp"
#include "device/support/blocks.hpp"
#include "device/support/planned_machine.hpp"
#include "posterior/likelihood_tables.hpp"
#include "sojourn/communicator.hpp"

namespace sojourn {
namespace {

using cli::DevicePlan;

/// Assumed, not measured (decisions 0021 and 0025): a kernel in a graph, instructions of pairs of particles at nine
/// tenths of what 132 processors issue, and multiply-adds on registers.
constexpr double kSecondsPerKernel = 2.5e-6, kPairInstructionsPerSecond = 1.35e13, kMultiplyAddsPerSecond = 5.6e12;
constexpr double kKernelsPerIteration = 25, kKernelsPerEvaluation = 7;
/// Instructions in double precision of a pair, beside those of each coordinate, as the compiler makes them (0041).
constexpr double kImqInstructions = 9, kRbfInstructions = 18, kInstructionsOfCoordinate = 4;
/// Multiply-adds of a node in the values of one time: value, slope and bound of each transform.
constexpr double kInversionMultiplyAdds = 8;
constexpr double kSecondsPerMicrosecond = 1e-6;
/// Draws from the prior that say how many steps uniformization takes.
constexpr std::int64_t kDraws = 8;

/// What the levels of a planned device add to.
struct Plan {
  std::shared_ptr<PlannedMemory> memory;
  std::shared_ptr<DevicePlan> result;
  std::int64_t num_particles, num_ranks;
  LikelihoodDevice::Report report;
};

class PlannedLevel final : public DeviceLevel {
 public:
  PlannedLevel(const Plan& plan, const PrcArrays& arrays, const LikelihoodTables& tables)
      : plan_(plan), memory_(plan.memory), arrays_(by_level(arrays)), tables_(tables) {
    memory_->use_for("program");
    PrcView view = arrays_.view();
    ArrayLayout program;
    place_program(program, arrays_, view);
    buffers_.emplace_back(program.bytes().size());
    shape_ = tables.shape;
    shape_.num_value_slots = arrays_.num_value_slots;
    for (const bool gradient : {true, false}) add_schedule(gradient);
    memory_->use_for("data");
    LikelihoodView likelihood = tables_.view();
    ArrayLayout data;
    tables_.each_array(likelihood, [&](auto& pointer, const auto& array) { data.place(pointer, array); });
    buffers_.emplace_back(data.bytes().size());
    memory_->use_for("batch");
    routed_ = std::make_unique<RoutedLikelihood<PlannedMachine>>(machine_, arrays_, arrays_.view(), tables_,
                                                                 tables_.view(), shape_);
  }

  /// Leaves everything to the CPU.
  void evaluate(MatrixView<const double> phi, bool gradient, DeviceValues& values) override {
    memory_->use_for("batch");
    const auto n = static_cast<std::size_t>(plan_.num_particles);
    Matrix<double> all(n, phi.num_cols());
    for (std::size_t i = 0; i < n; ++i) std::ranges::copy(phi.row(i % phi.num_rows()), all.row(i).begin());
    DeviceValues planned;
    routed_->evaluate(std::as_const(all).view(), true, planned, plan_.report);
    if (tables_.by_contour) {
      plan_.result->batch = std::min(plan_.num_particles, routed_->contour().batch_size(plan_.num_particles, true));
      add_seconds();
      plan_.result->seconds.emplace_back("kernels", kKernelsPerEvaluation * kSecondsPerKernel);
    } else {
      plan_.result->batch = routed_->steps().largest_batch();
      plan_.result->notes.emplace_back(
          tables_.counts ? "likelihoods go step by step to the largest count, whose time is not predicted"
                         : "likelihoods go by uniformization, whose steps were taken from draws of the prior and whose "
                           "time is not predicted");
    }
    values.resize(phi.num_rows(), gradient ? phi.num_cols() : 0);
    std::ranges::fill(values.outcome, static_cast<std::int32_t>(LaneOutcome::kUncertified));
  }

  std::unique_ptr<DeviceCloud> make_cloud(const ParameterTables& parameters, const SvgdOptions& options,
                                          const std::string& name) override {
    memory_->use_for("batch");
    auto posterior = std::make_unique<PosteriorBatch<PlannedMachine>>(machine_, routed_->contour(), parameters);
    PosteriorBatch<PlannedMachine>& batch = *posterior;
    memory_->use_for("particles");
    auto cloud =
        std::make_unique<CloudBatch<PlannedMachine>>(machine_, std::move(posterior), options, name, plan_.report);
    if (plan_.num_ranks > 1) {
      const std::unique_ptr<Communicator> alone = make_serial_communicator();
      (void)cloud->share_out(*alone, {});
    }
    // As a cloud does when it takes its particles over.
    memory_->use_for("batch");
    batch.reserve(plan_.num_particles, plan_.report);
    plan_.result->batch = batch.batch_size();
    add_seconds();
    plan_.result->seconds.emplace_back("kernels", kKernelsPerIteration * kSecondsPerKernel);
    plan_.result->resident = true;
    note_parts();
    return cloud;
  }

  void note_parts() const {
    plan_.result->bytes = memory_->held_bytes();
    plan_.result->parts.assign(memory_->parts().begin(), memory_->parts().end());
  }

 private:
  /// What a mapping by levels reads beside the program.
  void add_schedule(bool gradient) {
    TransformLaneShape shape = shape_;
    shape.gradient = gradient;
    const Mapping& mapping = machine_.mapping_of(shape);
    if (!tables_.by_contour || !mapping.by_levels) return;
    if (gradient || !(mapping.level == known_)) {
      const LevelSchedule schedule = make_level_schedule(arrays_, mapping.level);
      const PrcArrays slotted = with_value_slots(arrays_, schedule);
      PrcView view = slotted.view();
      LevelView levels = schedule.view();
      ArrayLayout layout;
      place_levels(layout, slotted, schedule, view, levels);
      buffers_.emplace_back(layout.bytes().size());
    }
    known_ = mapping.level;
  }

  void add_seconds() const {
    const LikelihoodView likelihood = tables_.view();
    const auto n = static_cast<double>(plan_.num_particles);
    const auto transforms = [&](bool gradient, std::int32_t num_nodes) {
      TransformLaneShape shape = shape_;
      shape.gradient = gradient;
      return kSecondsPerMicrosecond * predict_microseconds(arrays_, work_of(arrays_.view(), shape),
                                                           machine_.mapping_of(shape), plan_.num_particles * num_nodes,
                                                           DeviceSize{}, routed_->contour().num_blocks(gradient));
    };
    // Tilts and proofs: a thread a particle, all its numbers in global memory. Moments at 0, then a factorization that
    // proves each window's tilt, or several where the first does not.
    const LaneWork preparing{.slot_bytes = sizeof(double),
                             .rate_slots = 0,
                             .solution_slots = 0,
                             .value_solutions = 3,
                             .factors = 1.0 + likelihood.num_windows,
                             .solves = 3,
                             .visits = 0,
                             .sums = 0,
                             .num_partials = 1};
    Mapping threads;
    threads.lanes_per_block = kLargestBlock;
    threads.blocks_per_processor = shape_.has_fronts ? 3 : 4;
    auto& seconds = plan_.result->seconds;
    seconds.emplace_back(
        "preparation",
        kSecondsPerMicrosecond * predict_microseconds(arrays_, preparing, threads, plan_.num_particles, DeviceSize{}));
    seconds.emplace_back("transforms", transforms(true, likelihood.num_nodes));
    seconds.emplace_back("checks", transforms(false, likelihood.num_checks));
    seconds.emplace_back("inversion", kInversionMultiplyAdds * n * likelihood.num_times * likelihood.num_transforms() *
                                          (likelihood.num_nodes + likelihood.num_checks) / kMultiplyAddsPerSecond);
  }

  Plan plan_;
  std::shared_ptr<PlannedMemory> memory_;
  PrcArrays arrays_;
  LikelihoodTables tables_;
  TransformLaneShape shape_;
  LevelOptions known_{};
  PlannedMachine machine_{*memory_, arrays_, DeviceSize{}, plan_.num_ranks};
  std::vector<PlannedBuffer<unsigned char>> buffers_;
  std::unique_ptr<RoutedLikelihood<PlannedMachine>> routed_;
};

class PlannedLikelihoods final : public LikelihoodDevice {
 public:
  explicit PlannedLikelihoods(Plan plan) : plan_(std::move(plan)) {}
  [[nodiscard]] std::string name() const override { return plan_.result->device.name; }
  std::unique_ptr<DeviceLevel> load(const PrcArrays& arrays, const LikelihoodTables& tables) override {
    return std::make_unique<PlannedLevel>(plan_, arrays, tables);
  }

 private:
  Plan plan_;
};

/// Directions of particles that come from the host; those of a rank's own rows.
void plan_directions(const Plan& plan, const SvgdOptions& options, std::int32_t dimension) {
  plan.memory->use_for("directions");
  const PrcArrays none;
  PlannedMachine machine(*plan.memory, none, DeviceSize{});
  DirectionBatch<PlannedMachine> batch(machine);
  const std::int64_t stride = (options.num_particles + kWarp - 1) / kWarp * kWarp;
  std::vector<double> values(static_cast<std::size_t>(dimension * stride));
  DirectionWork work{};
  work.dimension = dimension;
  work.num_particles = options.num_particles;
  work.stride = stride;
  work.row_end = plan.num_particles;
  work.u = work.s = work.phi = values.data();
  batch.sum(options.kernel == Kernel::kImq, work);
  plan.result->bytes = plan.memory->held_bytes();
  plan.result->parts.assign(plan.memory->parts().begin(), plan.memory->parts().end());
}

void plan_run_on(Posterior& posterior, const SvgdOptions& options, const Plan& plan) {
  DevicePlan& result = *plan.result;
  const std::int32_t dimension = posterior.dimension();
  if (posterior.cloud_on_device(options, result.why_not_resident)) return;
  const auto draws = static_cast<std::size_t>(std::min(kDraws, options.num_particles));
  Matrix<double> z(draws, static_cast<std::size_t>(dimension)), score(z.num_rows(), z.num_cols());
  std::vector<double> log_density(draws);
  std::vector<std::string> status(draws);
  posterior.sample_prior(options.seed, z.view());
  posterior.evaluate(std::as_const(z).view(), log_density, score.view(), status);
  if (dimension <= svgd_lanes::kMostDimensions) plan_directions(plan, options, dimension);
}

}  // namespace

DevicePlan plan_on_device(Posterior& posterior, const SvgdOptions& options, std::int64_t num_ranks,
                          const cli::PlannedDevice& device) {
  const auto shared = std::make_shared<DevicePlan>();
  DevicePlan& result = *shared;
  result.device = device;
  result.num_particles = (options.num_particles + num_ranks - 1) / num_ranks;
  const Plan plan{std::make_shared<PlannedMemory>(device.memory_bytes), shared, result.num_particles, num_ranks,
                  [shared](const std::string& text) { shared->notes.push_back(text); }};
  posterior.use_device(std::make_shared<PlannedLikelihoods>(plan));
  try {
    plan_run_on(posterior, options, plan);
  } catch (const OutOfDeviceMemory& error) {
    result.fault = error.what();
    result.batch = 0;
    result.bytes = plan.memory->held_bytes();
    result.parts.assign(plan.memory->parts().begin(), plan.memory->parts().end());
    return result;
  }
  std::erase_if(result.parts, [](const auto& part) { return !(part.second > 0); });
  const double d = posterior.dimension(), n = static_cast<double>(options.num_particles);
  const double pairs = n * static_cast<double>(result.num_particles);
  if (result.seconds.size() > 1 && d <= svgd_lanes::kMostDimensions) {
    const double pair = options.kernel == Kernel::kImq ? kImqInstructions : kRbfInstructions;
    result.seconds.emplace_back("directions",
                                pairs * (pair + kInstructionsOfCoordinate * d) / kPairInstructionsPerSecond);
    for (const auto& [name, seconds] : result.seconds) result.seconds_iteration += seconds;
  } else {
    result.seconds.clear();
  }
  if (posterior.dimension() == 1)
    result.notes.emplace_back(
        "one free parameter: its likelihoods come from cells of a line that is filled as the run goes, which takes "
        "less");
  if (posterior.compression().level_points.size() > 1)
    result.notes.emplace_back(
        "data compression: the first level is planned; finer ones are loaded beside it when particles need them");
  return result;
}

}  // namespace sojourn
