#pragma once

#include <algorithm>
#include <cstdint>

#include "common/line_series.hpp"
#include "common/posterior_lane.hpp"
#include "device/posterior/likelihood_batch.hpp"
#include "device/support/array_layout.hpp"
#include "posterior/parameter_tables.hpp"

namespace sojourn {

/// Particles in a machine's memory: coordinate c of particle i at `z[i * particle_stride + c * coordinate_stride]`.
struct LanePlaces {
  const double* z;
  std::int64_t particle_stride, coordinate_stride;
  [[nodiscard]] SOJOURN_HD Strided<const double> at(std::int64_t i) const {
    return {z + i * particle_stride, coordinate_stride};
  }
};

/// What is made of them; `score` as the places, everything else [n].
struct LaneDensities {
  double* log_density;
  double* score;
  std::int64_t particle_stride, coordinate_stride;
  std::int32_t* outcome;      ///< `LaneOutcome`: where it is not kDone the numbers hold nothing
  double* error_bound;        ///< of the law, relative; 0 where there is no answer
  double* compression_error;  ///< relative; 0 where there is no answer
};

/// Rates of a batch of particles from number `first` on.
struct PlaceStep {
  ParameterView parameters;
  LanePlaces places;
  std::int64_t first, n;
  double* scratch;  ///< [scratch slots, n]
  double* phi;      ///< [num_rates, n]
  SOJOURN_HD void operator()(std::int64_t lane) const {
    place_particle(parameters, places.at(first + lane), Strided<double>{scratch + lane, n},
                   Strided<double>{phi + lane, n});
  }
};

/// Log densities and scores from the batch's likelihoods.
struct FinishStep {
  ParameterView parameters;
  LanePlaces places;
  LikelihoodBatchView batch;
  std::int64_t first;
  double* scratch;
  LaneDensities output;
  SOJOURN_HD void operator()(std::int64_t lane) const {
    const std::int64_t i = first + lane, n = batch.n;
    std::int32_t outcome = batch.outcome[lane];
    double log_density = batch.value[lane];
    const Strided<double> score{output.score + i * output.particle_stride, output.coordinate_stride};
    const bool finite = finish_particle(parameters, places.at(i), Strided<double>{scratch + lane, n}, batch.value[lane],
                                        Strided<const double>{batch.by_rate + lane, n}, log_density, score);
    const bool answered = outcome == static_cast<std::int32_t>(LaneOutcome::kDone);
    if (answered && !finite) outcome = static_cast<std::int32_t>(LaneOutcome::kInDoubt);
    const bool done = answered && finite;
    output.log_density[i] = log_density;
    output.outcome[i] = outcome;
    output.error_bound[i] = done ? batch.error_bound[lane] : 0;
    output.compression_error[i] = done ? batch.compression_error[lane] : 0;
  }
};

/// Cells of the only free parameter's line; all of it in a machine's memory.
struct LineCells {
  const double* width;
  const std::int64_t* num_cells;
  const line_series::Cell* cells;
};

/// Log densities and scores from likelihoods on the line.
struct LineStep {
  ParameterView parameters;
  LanePlaces places;
  LineCells line;
  LaneDensities output;
  SOJOURN_HD void operator()(std::int64_t i) const {
    const Strided<const double> z = places.at(i);
    const Strided<double> score{output.score + i * output.particle_stride, output.coordinate_stride};
    double likelihood = 0, slope = 0;
    const line_series::Answer answer =
        line_series::at({*line.width, *line.num_cells, line.cells}, z[0], likelihood, slope);
    LaneOutcome outcome = answer == line_series::Answer::kGiven     ? LaneOutcome::kDone
                          : answer == line_series::Answer::kNotMade ? LaneOutcome::kCoarse
                                                                    : LaneOutcome::kUncertified;
    const bool finite = finish_on_line(parameters, z, likelihood, slope, output.log_density[i], score);
    if (outcome == LaneOutcome::kDone && !finite) outcome = LaneOutcome::kInDoubt;
    output.outcome[i] = static_cast<std::int32_t>(outcome);
    // The line's own estimate is the host's.
    output.error_bound[i] = output.compression_error[i] = 0;
  }
};

/// Log densities and scores of particles that are in a machine's memory and stay there; see `LikelihoodBatch`.
template <class Machine>
class PosteriorBatch {
 public:
  /// Uploads the parameters.
  PosteriorBatch(Machine& machine, LikelihoodBatch<Machine>& likelihood, const ParameterTables& parameters)
      : machine_(machine), likelihood_(likelihood), parameters_(parameters.numbers) {
    ArrayLayout layout;
    parameters.each_array(parameters_, [&](auto& pointer, const auto& array) { layout.place(pointer, array); });
    tables_ = typename Machine::template Buffer<unsigned char>(layout.bytes().size());
    machine_.upload(tables_.data(), std::span<const unsigned char>(layout.bytes()));
    layout.point_into(tables_.data());
  }

  /// Room for n particles at a time, or for as many as fit. @throws DeviceError.
  void reserve(std::int64_t n, const LikelihoodDevice::Report& report) {
    const std::int64_t smallest = LikelihoodBatch<Machine>::kSmallestBatch;
    const std::int64_t most = std::min(n, std::max(smallest, likelihood_.batch_size(n, true)));
    batch_size_ = run_fitting(most, smallest, report, [&](std::int64_t size) {
      double *phi = nullptr, *results = nullptr;
      likelihood_.room(size, true, phi, results);
      const auto slots = static_cast<std::size_t>(parameters_.scratch_slots() * size);
      if (slots <= scratch_.size()) return;
      machine_.moved();
      scratch_ = {};
      scratch_ = typename Machine::template Buffer<double>(slots);
    });
    likelihood_.tell(report);
  }

  /// After `reserve`, of as many particles or fewer. A particle's bits depend on its place alone.
  void launch(const LanePlaces& places, std::int64_t n, const LaneDensities& output) {
    for (std::int64_t first = 0; first < n; first += batch_size_) {
      const std::int64_t count = std::min(batch_size_, n - first);
      double *phi = nullptr, *results = nullptr;
      const LikelihoodBatchView batch = likelihood_.room(count, true, phi, results);
      machine_.run(count, PlaceStep{parameters_, places, first, count, scratch_.data(), phi});
      likelihood_.launch(batch, true);
      machine_.run(count, FinishStep{parameters_, places, batch, first, scratch_.data(), output});
    }
  }

  /// From the line's cells instead, without `reserve`.
  void launch_on_line(const LineCells& line, const LanePlaces& places, std::int64_t n, const LaneDensities& output) {
    machine_.run(n, LineStep{parameters_, places, line, output});
  }

  /// Particles at once, after `reserve`.
  [[nodiscard]] std::int64_t batch_size() const { return batch_size_; }
  [[nodiscard]] std::int32_t dimension() const { return parameters_.num_free; }
  [[nodiscard]] double total_weight() const { return likelihood_.total_weight(); }

 private:
  Machine& machine_;
  LikelihoodBatch<Machine>& likelihood_;
  ParameterView parameters_;
  std::int64_t batch_size_ = 0;
  typename Machine::template Buffer<unsigned char> tables_;
  typename Machine::template Buffer<double> scratch_;
};

}  // namespace sojourn
