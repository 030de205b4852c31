#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sojourn/matrix_view.hpp"

namespace sojourn {

class Communicator;
struct CommCost;
struct DeviceTensor;
enum class Kernel;
struct SvgdState;
namespace line_series {
struct Table;
}

/// The direction of rows [row_begin, row_end): phi_i = 1/n sum_j [ k(u_j, u_i) s_j + grad_{u_j} k(u_j, u_i) ] of
/// whitened particles u and scores s. Arrays are [d, stride] in host memory, particle index minor.
struct DirectionWork {
  std::int32_t dimension = 0;
  std::int64_t num_particles = 0, stride = 0;
  const double* u = nullptr;
  const double* s = nullptr;
  double inverse_h2 = 1;
  bool mixed = false;  ///< pairs in single precision, their sums in double
  std::int64_t row_begin = 0, row_end = 0;
  double* phi = nullptr;  ///< rows outside the range stay as they are
};

/// A machine that sums the directions of Stein variational gradient descent.
class SvgdDevice {
 public:
  virtual ~SvgdDevice() = default;
  /// "cuda:0 NVIDIA H200, 139 GiB".
  [[nodiscard]] virtual std::string name() const = 0;
  /// Of a direction; more coordinates are for the CPU.
  [[nodiscard]] virtual std::int32_t most_dimensions() const = 0;
  /// Sums are in double precision, in an order fixed by the number of particles: the bits of a row depend neither on
  /// the range nor on timing. Cost: O(rows n d), memory O(n d). @throws DeviceError.
  virtual void direction(Kernel kernel, const DirectionWork& work) = 0;
  /// The direction of all particles where they are: enqueued behind what `stream` has been given so far, waiting for
  /// nothing, without a copy between host and device or an allocation. The bits are those of `direction`. The arrays
  /// stay their owner's; for callers who move particles themselves, with scores from `DevicePosterior`.
  ///
  /// @param u, s, phi   [n, d] doubles, d <= most_dimensions(); particles lie side by side (stride[0] 1) and all three
  ///   have the same stride between coordinates. phi overlaps neither u nor s.
  /// @param inverse_h2  1 / bandwidth^2, > 0.
  /// @param stream      a cudaStream_t of this device; null: the default stream.
  /// @throws ShapeError, UsageError, DeviceError. Cost: O(n^2 d).
  virtual void direction(Kernel kernel, const DeviceTensor& u, const DeviceTensor& s, double inverse_h2,
                         const DeviceTensor& phi, void* stream) = 0;
};

/// How the devices of several ranks reach each other: by NCCL where all ranks can open it, else by MPI that takes the
/// devices' memory, else through the host's.
struct DeviceMessages {
  bool nccl = true;  ///< false: never by NCCL, so that ranks may share a device
  /// As SOJOURN_CUDA_AWARE_MPI: "1" asks for MPI with the devices' memory in place of NCCL and is an error where MPI
  /// does not take it, "0" never gives it any, "auto" or nothing asks MPI where there is no NCCL.
  std::string cuda_aware_mpi = {};
  /// How long a turn of iterations may take on a device, and NCCL's start.
  std::chrono::duration<double> deadline{3600};
  /// How long a rank on which NCCL failed waits for the others to come to the vote.
  std::chrono::duration<double> grace{30};
  /// Ends all ranks, with the text of what happened, where others wait inside NCCL and cannot be told.
  std::function<void(const std::string&)> end_all = {};
  /// What NCCL's calls take is added here once they are done, the seconds by the device's own clock; the caller's. Host
  /// messages, those of the host's route too, are counted by the communicator that they go by.
  CommCost* cost = nullptr;
  /// A line for each call and each wait of NCCL.
  std::function<void(const std::string&)> log = {};
};

/// What one rank of several has of a cloud's work.
struct CloudShare {
  std::string messages;                     ///< what rows travel by, in words: "NCCL 2.28.9"
  std::int64_t row_begin = 0, row_end = 0;  ///< particles that this rank evaluates
};

/// What whole iterations on a device came to.
struct CloudProgress {
  std::vector<double> mean_log_density, largest_step;  ///< of each iteration that was finished
  /// Whether one more is begun whose particles the device could not all evaluate where their steps end.
  bool halted = false;
};

/// A step that all particles have begun, in host memory.
struct OpenSteps {
  std::vector<std::int64_t> open;   ///< particles that the device could not evaluate at the end of their step
  Matrix<double> step, to;          ///< [n, d] and where it ends
  std::vector<double> log_density;  ///< [n] there; of no meaning for open particles, as their score
  Matrix<double> score;             ///< [n, d]

  /// Of the particles [begin, end).
  [[nodiscard]] std::int64_t num_open(std::int64_t begin, std::int64_t end) const {
    return std::count_if(open.begin(), open.end(), [=](std::int64_t i) { return begin <= i && i < end; });
  }
};

/// The particles of one run of `svgd` on a device, with scores, metric and optimiser: iterations run there without a
/// word to the host, until particles are left open that only the host can evaluate.
///
/// Of several ranks each has a cloud of all particles. It evaluates the ends of its own particles' steps and sums their
/// directions; these rows go to the other devices as they are, and everything else every device does itself, so that
/// all hold the bits that one alone would have.
class DeviceCloud {
 public:
  virtual ~DeviceCloud() = default;
  /// Shares the work out among `ranks`, before `load`. From then on all ranks make the same calls in the same order,
  /// and an exception on one is a CommError on all. `ranks` outlives this.
  /// @throws CommError, DeviceError, UsageError on every rank.
  virtual CloudShare share_out(Communicator& ranks, const DeviceMessages& messages) = 0;
  /// Whether `work`, which says nothing to other ranks, returns true on any rank. @throws as above where it throws on
  /// any.
  virtual bool on_any_rank(const std::function<bool()>& work) = 0;
  /// Takes a state over, and compares what the device makes of its particles with their log densities and scores.
  /// @throws DeviceError where they differ, and as the following do.
  virtual void load(const SvgdState& state) = 0;
  /// Begins a turn of up to `most` iterations (at least 1, at most `most_at_once`) and returns while the device is at
  /// work where it can. The next call but `end_save` and `on_any_rank` is `end_turn`. @throws DeviceError.
  virtual void begin_turn(std::int64_t most) = 0;
  /// Waits for the turn. @throws DeviceError.
  virtual CloudProgress end_turn() = 0;
  /// Where it has halted.
  virtual void open_steps(OpenSteps& steps) = 0;
  /// Ends the iteration that halted: `steps.to`, `log_density` and `score` of the open particles are the host's now.
  virtual CloudProgress settle(const OpenSteps& steps) = 0;
  /// Log likelihoods come from these cells of the only free parameter's line from now on, which are copied. A particle
  /// whose cell has not been made or is too rough is left open.
  virtual void follow_line(const line_series::Table& cells) = 0;
  /// Where it has halted: evaluates the ends of steps once more, by cells that were made since, and ends the iteration
  /// where no particle is left open.
  virtual CloudProgress retry() = 0;
  /// Sets aside what the device holds now, between two turns, and begins to bring it to the host beside whatever the
  /// device does next. `end_save` comes before the next one.
  virtual void begin_save() = 0;
  /// Waits for what `begin_save` set aside and writes it to a state of the same run: everything but traces, history,
  /// facts and seconds, all of the one iteration.
  virtual void end_save(SvgdState& state) = 0;
  /// Both at once.
  void save(SvgdState& state) {
    begin_save();
    end_save(state);
  }
  /// Largest of what its evaluations were worth, relative: the law's error bound and that of data compression.
  virtual void worst_errors(double& error_bound, double& compression_error) = 0;
  /// How far the direction of some rows of the iteration just done is from that in double precision, as a part of the
  /// size of what is summed (`kMixedTolerance`); each call takes other rows. Cost: a few rows in double.
  virtual double direction_error() = 0;

  static constexpr std::int64_t most_at_once() { return 256; }
};

}  // namespace sojourn
