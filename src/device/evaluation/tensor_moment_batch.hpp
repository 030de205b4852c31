#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <utility>

#include "common/likelihood_lanes.hpp"
#include "common/moment_lane.hpp"
#include "device/support/on_stream.hpp"
#include "sojourn/moment_device.hpp"

/// Moments of rates that are in a machine's memory, whose lanes lie side by side there.
namespace sojourn {

/// A vector's rates to its lane.
struct LayRatesStep {
  const double* rates;
  std::int64_t vector_stride, rate_stride;
  std::int32_t num_rates;
  std::int64_t n;
  double* phi;  ///< [num_rates, n]
  SOJOURN_HD void operator()(std::int64_t i) const {
    for (std::int32_t r = 0; r < num_rates; ++r) phi[r * n + i] = rates[i * vector_stride + r * rate_stride];
  }
};

/// Where a vector's numbers go, and whether they hold.
struct SpreadMomentsStep {
  PrcView prc;
  std::int32_t order;
  std::int64_t n;
  const double* phi;
  MomentLaneOutput lanes;  ///< `gradient` null: none
  double* values;
  std::int64_t values_stride[2];
  double* gradient;
  std::int64_t gradient_stride[2];
  std::int32_t* outcome;
  std::int64_t outcome_stride;

  SOJOURN_HD void operator()(std::int64_t i) const {
    const std::int64_t width = lanes.gradient != nullptr ? std::int64_t{order} * prc.num_rates : 0;
    LaneOutcome found = has_good_rates(i) ? LaneOutcome::kDone : LaneOutcome::kBadRates;
    if (found == LaneOutcome::kDone) {
      bool finite = true;
      for (std::int64_t k = 0; k < order; ++k) finite = finite && is_finite(lanes.values[k * n + i]);
      for (std::int64_t k = 0; k < width; ++k) finite = finite && is_finite(lanes.gradient[k * n + i]);
      if (!finite) {
        found = LaneOutcome::kUncertified;
      } else if (width > 0 && lanes.in_doubt[i] != 0) {
        found = LaneOutcome::kInDoubt;
      }
    }
    const bool holds = found == LaneOutcome::kDone || found == LaneOutcome::kInDoubt;
    const double nothing = std::numeric_limits<double>::quiet_NaN();
    for (std::int64_t k = 0; k < order; ++k)
      values[i * values_stride[0] + k * values_stride[1]] = holds ? lanes.values[k * n + i] : nothing;
    for (std::int64_t k = 0; k < width; ++k)
      gradient[i * gradient_stride[0] + k * gradient_stride[1]] = holds ? lanes.gradient[k * n + i] : nothing;
    outcome[i * outcome_stride] = static_cast<std::int32_t>(found);
  }

 private:
  /// Written so that what is not a number is none.
  [[nodiscard]] static SOJOURN_HD bool is_finite(double x) {
    return x >= -std::numeric_limits<double>::max() && x <= std::numeric_limits<double>::max();
  }
  [[nodiscard]] static SOJOURN_HD bool is_rate(double x) { return x >= 0 && x <= std::numeric_limits<double>::max(); }
  /// Rates and the forms of rates that weights are.
  [[nodiscard]] SOJOURN_HD bool has_good_rates(std::int64_t i) const {
    bool good = true;
    for (std::int32_t r = 0; r < prc.num_rates; ++r) good = good && is_rate(phi[r * n + i]);
    for (std::int32_t f = 0; f < prc.num_forms; ++f) {
      FormSum<double> sum;
      for (std::int64_t t = prc.forms[f].term_begin; t < prc.forms[f].term_end; ++t) {
        const PrcFormTerm& term = prc.form_terms[t];
        sum.add(term.coefficient, term.rate == 0 ? 1.0 : phi[(term.rate - 1) * n + i]);
      }
      good = good && is_rate(sum.value());
    }
    return good;
  }
};

/// `Machine` as `on_stream.hpp` has it. `Run` has
///   program()                 a PrcView into the machine's memory
///   run(machine, phi, n, output)   enqueues the moments of n lanes there
template <class Machine, class Run>
class TensorMomentBatch final : public TensorMoments {
 public:
  using Doubles = typename Machine::template Buffer<double>;

  /// `run` has room for as many lanes; the rest makes the machine. @throws DeviceError.
  template <class... MachineArguments>
  TensorMomentBatch(Run run, const MomentLaneShape& shape, std::int64_t most_vectors, MachineArguments&&... arguments)
      : machine_(std::forward<MachineArguments>(arguments)...),
        run_(std::move(run)),
        order_(shape.order),
        has_gradient_(shape.gradient),
        most_vectors_(most_vectors) {
    const auto n = static_cast<std::size_t>(most_vectors);
    const auto order = static_cast<std::size_t>(order_), rates = static_cast<std::size_t>(num_rates());
    phi_ = Doubles(rates * n);
    values_ = Doubles(order * n);
    if (!has_gradient_) return;
    gradient_ = Doubles(order * rates * n);
    in_doubt_ = typename Machine::template Buffer<unsigned char>(n);
  }

  [[nodiscard]] std::int64_t num_rates() const override { return run_.program().num_rates; }
  [[nodiscard]] std::int64_t order() const override { return order_; }
  [[nodiscard]] bool has_gradient() const override { return has_gradient_; }
  [[nodiscard]] std::int64_t most_vectors() const override { return most_vectors_; }

  void evaluate(const DeviceTensor& rates, const DeviceTensor& values, const DeviceTensor& gradient,
                const DeviceTensor& outcome, void* stream) override {
    using Type = DeviceTensor::Type;
    const std::int64_t n = rates.shape[0];
    const std::int32_t device = machine_.index();
    expect_tensor("rates", rates, n, num_rates(), Type::kDouble, device);
    expect_tensor("values", values, n, order_, Type::kDouble, device);
    if (has_gradient_) expect_tensor("gradient", gradient, n, order_ * num_rates(), Type::kDouble, device);
    expect_tensor("outcome", outcome, n, 0, Type::kInt32, device);
    expect_room("rates", n, most_vectors_);
    const OnStream there(machine_, stream);
    const PrcView program = run_.program();
    const MomentLaneOutput lanes{values_.data(), gradient_.data(), in_doubt_.data()};
    machine_.run(n, LayRatesStep{static_cast<const double*>(rates.data), rates.stride[0], rates.stride[1],
                                 program.num_rates, n, phi_.data()});
    run_.run(machine_, phi_.data(), n, lanes);
    machine_.run(n, SpreadMomentsStep{program,
                                      static_cast<std::int32_t>(order_),
                                      n,
                                      phi_.data(),
                                      lanes,
                                      static_cast<double*>(values.data),
                                      {values.stride[0], values.stride[1]},
                                      static_cast<double*>(gradient.data),
                                      {gradient.stride[0], gradient.stride[1]},
                                      static_cast<std::int32_t*>(outcome.data),
                                      outcome.stride[0]});
  }

 private:
  Machine machine_;
  Run run_;
  std::int64_t order_;
  bool has_gradient_;
  std::int64_t most_vectors_;
  Doubles phi_, values_, gradient_;
  typename Machine::template Buffer<unsigned char> in_doubt_;
};

}  // namespace sojourn
