#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "common/moment_lane.hpp"
#include "elimination/prc_arrays.hpp"
#include "sojourn/moment_device.hpp"

namespace sojourn::testing {

/// A "device" for moments that is a host loop over the body which kernels run, lanes in shuffled order, slots filled
/// with NaN first.
class HostLoopMoments final : public MomentDevice {
 public:
  [[nodiscard]] std::string name() const override { return "host loop"; }
  std::unique_ptr<DeviceMoments> load(const PrcArrays& arrays) override {
    return std::make_unique<Loaded>(arrays, factor);
  }
  double factor = 1;  ///< on every value

 private:
  class Loaded final : public DeviceMoments {
   public:
    Loaded(const PrcArrays& arrays, double factor) : arrays_(arrays), factor_(factor) {}

    void evaluate(const MomentLaneShape& shape, MatrixView<const double> phi, std::span<const double> reward,
                  std::span<double> values, std::span<double> gradient, std::span<unsigned char> in_doubt) override {
      constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
      const std::size_t count = phi.num_rows(), num_rates = phi.num_cols(), order = values.size() / count;
      std::vector<double> lane_phi(phi.size()), lane_values(values.size(), kNan), lane_gradient(gradient.size(), kNan);
      for (std::size_t l = 0; l < count; ++l)
        for (std::size_t r = 0; r < num_rates; ++r) lane_phi[r * count + l] = phi(l, r);
      const MomentLaneOutput output{lane_values.data(), lane_gradient.data(), in_doubt.data()};
      std::vector<std::int64_t> lanes(count);
      std::iota(lanes.begin(), lanes.end(), std::int64_t{0});
      std::shuffle(lanes.begin(), lanes.end(), std::mt19937(3));
      for (const std::int64_t lane : lanes)
        run(shape, reward, lane_phi, static_cast<std::int64_t>(count), lane, output);
      const std::size_t width = order * num_rates;
      for (std::size_t l = 0; l < count; ++l) {
        for (std::size_t j = 0; j < order; ++j) values[l * order + j] = factor_ * lane_values[j * count + l];
        for (std::size_t i = 0; !gradient.empty() && i < width; ++i)
          gradient[l * width + i] = lane_gradient[i * count + l];
      }
    }

   private:
    void run(const MomentLaneShape& shape, std::span<const double> reward, const std::vector<double>& phi,
             std::int64_t num_lanes, std::int64_t lane, const MomentLaneOutput& output) const {
      const PrcView view = arrays_.view();
      const MomentLaneSlots slots = shape.slots(view);
      std::vector<double> own(static_cast<std::size_t>(slots.total()), std::numeric_limits<double>::quiet_NaN());
      const Strided<double> local{own.data(), 1};
      const auto with_order = [&](auto order) {
        constexpr int kOrder = decltype(order)::value;
        moment_lane<kOrder, true>(view, shape, reward.data(), phi.data(), num_lanes, lane, local,
                                  local.from(slots.rate + slots.factor), output);
      };
      if (shape.order == 1) with_order(std::integral_constant<int, 1>{});
      if (shape.order == 2) with_order(std::integral_constant<int, 2>{});
      if (shape.order == 3) with_order(std::integral_constant<int, 3>{});
      if (shape.order == 4) with_order(std::integral_constant<int, 4>{});
    }

    PrcArrays arrays_;
    double factor_;
  };
};

}  // namespace sojourn::testing
