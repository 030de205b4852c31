#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "sojourn/communicator.hpp"
#include "sojourn/error.hpp"
#include "sojourn/matrix_view.hpp"
#include "sojourn/svgd_device.hpp"
#include "sojourn/target.hpp"

namespace sojourn {

enum class Kernel { kImq, kRbf };
enum class BandwidthRule { kMedian, kFixed };
enum class Optimizer { kAdam, kGradient };
enum class ScheduleKind { kConstant, kExponential, kWarmup };
enum class StartKind { kLaplace, kPrior, kGiven };
/// What directions are summed in: double; or distances, kernel values and products of a pair in single precision and
/// their sums over particles in double, checked.
enum class DirectionPrecision { kDouble, kMixed };
/// With kMixed the run ends where some rows are further than this from those in double, as a part of the size of what
/// is summed: the mean of the largest |score| of a particle and 1 / bandwidth, whitened. Rounding leaves about 1e-7.
inline constexpr double kMixedTolerance = 1e-5;

struct SvgdOptions {
  std::int64_t num_particles = 200;
  std::int64_t num_iterations = 500;
  Kernel kernel = Kernel::kImq;
  BandwidthRule bandwidth_rule = BandwidthRule::kMedian;
  double bandwidth = 1;        ///< with kFixed, in the whitened metric
  double bandwidth_scale = 4;  ///< with kMedian: h is this many times `median_bandwidth`
  bool whiten = true;  ///< kernel and steps in coordinates whitened by the particle covariance (Laplace's at first)
  /// Weight of the kernel 1 + u.v added to `kernel` (u whitened and centred): its fixed point fulfils the Stein
  /// identity for linear functions, which removes the bias of the spread at small n. 0: `kernel` alone. Unused without
  /// `whiten`.
  double linear_weight = 0.05;
  Optimizer optimizer = Optimizer::kAdam;
  double learning_rate = 0.05;
  double beta1 = 0.9;
  double beta2 = 0.9;  ///< above .95 the first huge scores freeze the steps
  ScheduleKind schedule = ScheduleKind::kExponential;
  double decay = 0.995;  ///< exponential: rate * decay^iteration, floored at 1e-3 of the start
  std::int64_t warmup_iterations = 50;
  StartKind start = StartKind::kLaplace;
  double laplace_inflation = 1.5;
  Matrix<double> given;  ///< [n, d] unconstrained, with kGiven
  std::uint64_t seed = 1;
  std::int64_t history_every = 0;  ///< 0: keep no history
  DirectionPrecision precision = DirectionPrecision::kDouble;
  int num_threads = 0;
};

struct Diagnostic {
  std::string name;
  double value = 0;
  std::string verdict;      ///< PASS, WARN or FAIL
  std::string explanation;  ///< what it measures and what to do
};

struct HistoryFrame {
  std::int64_t iteration;
  Matrix<double> particles;  ///< [n, d] unconstrained
};

/// What a run gathers for its diagnostics.
struct SvgdFacts {
  double largest_last_step = 0;         ///< in sds
  std::int64_t num_steps = 0;           ///< particle steps tried
  std::int64_t num_rejected_steps = 0;  ///< of these, steps shortened because the target was not finite
  std::int64_t num_start_repairs = 0;   ///< start particles moved because the target was not finite there
  std::int64_t num_modes = 0;           ///< distinct modes the Laplace start found
  std::string start_failure;            ///< why a Laplace start was not possible
};

/// A run between two iterations, whole: `svgd` goes on from it with the bits of a run that was never stopped, on any
/// number of ranks and threads. It is what the loop itself works on; whatever else the loop holds is made anew in each
/// iteration. A run that has no particles yet is one that starts from the beginning.
struct SvgdState {
  std::int64_t iteration = 0;         ///< iterations done
  Matrix<double> particles;           ///< [n, d] unconstrained, in particle order
  std::vector<double> log_density;    ///< [n]
  Matrix<double> score;               ///< [n, d]
  Matrix<double> metric_factor;       ///< [d, d] lower Cholesky factor of the metric, as last refreshed
  std::vector<double> metric_centre;  ///< [d]
  std::vector<double> sd;             ///< [d] of the particles, as last refreshed; empty before the first time
  double inverse_h2 = 1;              ///< 1 / bandwidth^2, as last refreshed
  std::vector<std::int64_t> held;     ///< [n] iterations in a row that a particle could not move
  Matrix<double> first_moment;        ///< [d, n] Adam's, in whitened coordinates (empty otherwise)
  Matrix<double> second_moment;       ///< [d, n]
  SvgdFacts facts;
  std::vector<HistoryFrame> history;
  std::vector<double> trace_mean_log_density, trace_step;  ///< [iteration]
  std::vector<double> map;                                 ///< [d] mode found for the Laplace start (empty otherwise)
  Matrix<double> laplace_covariance;                       ///< [d, d] at the mode (empty otherwise)
  /// Of all parts of the run.
  double seconds_start = 0, seconds_scores = 0, seconds_kernel = 0, seconds_total = 0;
};

/// An iteration of a run on several ranks beside what one of them would take alone. Zeros where it was not measured:
/// on one rank, and where a run was stopped.
struct RankEfficiency {
  double seconds_iteration = 0;                       ///< wall clock, mean over the iterations of this call
  double seconds_alone = 0;                           ///< of one rank with as many threads
  double efficiency = 0;                              ///< seconds_alone / (ranks * seconds_iteration)
  std::int64_t particle_shares = 1, part_shares = 1;  ///< the mesh of ranks; told of stopped runs too
};

/// Which parts of this call's iterations a device did.
struct DeviceIterations {
  std::string name;                 ///< empty: no device
  std::int64_t num_directions = 0;  ///< summed there, in whole iterations too
  std::string why_no_directions;    ///< why the CPU sums them; empty where the device does
  std::int64_t num_resident = 0;    ///< whole iterations, particles staying there
  std::int64_t num_halts = 0;       ///< of these, how many the host had to finish for some particles
  std::string why_not_resident;     ///< why particles come to the host in each iteration; empty where they stay
  std::string messages;             ///< what rows of whole iterations travel by between ranks; empty on one
};

/// How far directions of mixed precision were from those in double, in this call and on this rank.
struct DirectionCheck {
  std::int64_t num_checks = 0;  ///< of some rows each; 0: none, or all in double
  double worst_error = 0;       ///< as a part of the size of what is summed, see `kMixedTolerance`
};

struct SvgdResult {
  Matrix<double> particles;         ///< [n, d] unconstrained, in particle order
  std::vector<double> log_density;  ///< [n] at the end
  Matrix<double> score;             ///< [n, d] at the end
  std::vector<HistoryFrame> history;
  std::vector<double> trace_mean_log_density, trace_step;  ///< one per iteration
  std::vector<double> map;                                 ///< [d] mode found for the Laplace start (empty otherwise)
  Matrix<double> laplace_covariance;                       ///< [d, d] at the mode (empty otherwise)
  std::vector<Diagnostic> diagnostics;
  std::int64_t iterations_done = 0;
  bool interrupted = false;
  /// Of all parts of a run that was resumed.
  double seconds_start = 0, seconds_scores = 0, seconds_kernel = 0, seconds_total = 0;
  RankEfficiency on_ranks;
  DeviceIterations on_device;
  DirectionCheck direction_check;
};

/// During the start `iteration` is 0, and what is not known yet is NaN.
struct SvgdProgress {
  std::int64_t iteration, num_iterations;
  double seconds, seconds_left;  ///< since this call began
  double mean_log_density, largest_step;
};
/// Called about ten times a second, at the end of the start and at the end; return false to stop after this iteration.
/// In the start, and in iterations of seconds, which then count as not begun, calls come between parts of 0.25 s. A run
/// stopped in its start returns `iterations_done` 0 and the particles it would have started from, else draws from the
/// prior; where not evaluated yet, log density and score are NaN, and one failed diagnostic says so.
using SvgdProgressFunction = std::function<bool(const SvgdProgress&)>;

/// How a run is watched, and where it goes on.
struct SvgdControl {
  SvgdProgressFunction progress = {};
  /// Calls `progress` after every so many iterations as well; 0: by time alone.
  std::int64_t report_every = 0;
  /// Asked where `progress` has let the run go on, not inside the start: whether `take_state` is to have the state of
  /// this iteration. Empty: never. Without it a run on a device brings no state back for `progress`.
  std::function<bool(std::int64_t iteration)> wants_state = {};
  /// Given the states that were asked for, which `svgd` could go on from; each valid during the call. On a device it is
  /// called while the next iterations are under way, before `progress` is called for them. What it throws ends the run,
  /// on several ranks on all of them.
  std::function<void(const SvgdState&)> take_state = {};
  /// Called once on every rank with the state that the run ends in, stopped or not; not where it is stopped inside its
  /// start. After it ranks say nothing more to each other, so an exception on one rank leaves `svgd` on that one alone.
  std::function<void(const SvgdState&)> finish = {};
  /// Goes on from here instead of from a start; the same options but for `num_iterations`, which may be more, and
  /// `num_threads`. Read before `svgd` returns, never kept.
  const SvgdState* resume = nullptr;
  /// Of several ranks: how many share out the parts of the same particles' work among them (`PartedTarget`); divides
  /// the number of ranks. 0: as many as end an iteration soonest. The bits are the same for any.
  std::int64_t num_part_shares = 0;
  /// Does whole iterations where the target is evaluated there (`Target::cloud_on_device`), on all ranks or none; else
  /// it sums directions, of up to `most_dimensions` coordinates. null: all on the CPU.
  SvgdDevice* device = nullptr;
  /// Between the devices of several ranks that do whole iterations.
  DeviceMessages messages = {};
};

/// A particle whose log density is not finite, after every remedy.
struct ParticleError : NumericalError {
  ParticleError(const std::string& message, std::int64_t particle_in, std::int64_t iteration_in,
                std::span<const double> position_in, std::span<const double> previous_in, std::string reason_in)
      : NumericalError(message),
        particle(particle_in),
        iteration(iteration_in),
        position(position_in.begin(), position_in.end()),
        previous(previous_in.begin(), previous_in.end()),
        reason(std::move(reason_in)) {}
  std::int64_t particle, iteration;  ///< both from 0; iteration 0 may be the start
  std::vector<double> position;      ///< [d] unconstrained, where the log density is not finite
  std::vector<double> previous;      ///< [d] where it stood before its step, finite there; empty in the start
  std::string reason;                ///< the target's status text
};

/// Stein variational gradient descent (Liu, Wang 2016):
/// phi_i = 1/n sum_j [ k(x_j, x_i) grad log p(x_j) + grad_{x_j} k(x_j, x_i) ].
/// Bit-identical for any thread count. Memory O(n d). Cost per iteration: n evaluations of the target + O(n^2 d).
/// @throws UsageError for options out of range, ParticleError naming particle, position and iteration when the target
/// is not finite, NumericalError where directions of mixed precision fail their check.
SvgdResult svgd(const Target& target, const SvgdOptions& options, const SvgdProgressFunction& progress = {});

/// The same under more control. @throws UsageError also for a state that cannot be one of this run.
SvgdResult svgd(const Target& target, const SvgdOptions& options, const SvgdControl& control);

/// The same by all ranks of a communicator, each of which has the whole target: they share out the evaluations of the
/// target and the rows of phi, and exchange both once an iteration. Every rank holds all particles and returns the same
/// result, bit for bit that of `svgd` for any number of ranks and threads. `progress` may be given on some ranks alone;
/// all are asked at the same moments, and any of them ends the run. Communication: 16 n (1 + d) bytes an iteration.
///
/// At the end of a whole run the first rank evaluates its own particles once more while the others wait: its seconds a
/// particle, times all particles, with the rows of phi of all ranks as they took in the run and what every rank does
/// itself, are what an iteration would take one rank (`on_ranks`). Where devices do whole iterations that is not
/// measured, and the rows travel between the devices.
/// @throws as `svgd`, on every rank; CommError where a rank fails alone.
SvgdResult svgd(const Target& target, const SvgdOptions& options, Communicator& communicator,
                const SvgdProgressFunction& progress = {});
/// All ranks resume from the same state, and report as often. @throws CommError where they do not.
SvgdResult svgd(const Target& target, const SvgdOptions& options, Communicator& communicator,
                const SvgdControl& control);

/// What keeps `state` from being one of a run with these options, in words; empty where nothing does.
std::string fault_of(const SvgdState& state, const SvgdOptions& options, std::int32_t dimension);

/// Start particles [num_particles, d] of a run that goes on from those [n, d] of a coarser one: the same where there
/// are as many, evenly chosen ones where there are fewer, and where there are more draws from the normal law of their
/// mean and covariance, keyed by `seed` and `stage` (>= 1). A draw that the target cannot evaluate is pulled towards
/// one of the particles until it can. Cost: one evaluation of the target for each draw.
/// @throws UsageError for fewer than 2 particles, ParticleError where no pulling helps.
Matrix<double> restart_particles(const Target& target, MatrixView<const double> particles, std::int64_t num_particles,
                                 std::uint64_t seed, int stage);

/// phi of the formula above, [n, d], for particles and scores [n, d]; bandwidth h and metric as given
/// (`whitener` [d, d] lower Cholesky factor L of the precision, distances |L^T (x - y)|; empty: identity).
void svgd_direction(Kernel kernel, double bandwidth, MatrixView<const double> whitener,
                    MatrixView<const double> particles, MatrixView<const double> scores, MatrixView<double> direction,
                    int num_threads = 0);

/// Step size of iteration `iteration` (from 0): constant; rate * decay^iteration, at least rate / 1000; or a linear
/// ramp over `warmup_iterations`, constant afterwards.
double learning_rate_at(const SvgdOptions& options, std::int64_t iteration);

/// @throws UsageError naming the option, its value and the allowed range. `dimension` is the target's.
void check_options(const SvgdOptions& options, std::int32_t dimension);

/// Median heuristic: h^2 = median squared distance / (2 log(n + 1)), over all pairs (n <= 1000) or a fixed subset.
double median_bandwidth(MatrixView<const double> whitener, MatrixView<const double> particles);

}  // namespace sojourn
