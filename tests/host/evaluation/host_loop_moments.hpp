#pragma once

#include <limits>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "common/moment_lane.hpp"
#include "elimination/prc_arrays.hpp"
#include "host/evaluation/shuffled_lanes.hpp"
#include "host/suite_device.hpp"
#include "sojourn/error.hpp"
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
      const auto with_order = [&](auto known) {
        constexpr int kOrder = decltype(known)::value;
        const PrcView view = arrays_.view();
        const MomentLaneSlots slots = shape.slots(view);
        const auto with_number = [&](auto nothing) {
          for_each_lane_shuffled(static_cast<std::int64_t>(count), slots.total(), slots.rate + slots.factor,
                                 Place::kShared, nothing, 3, [&](std::int64_t lane, auto local, auto solution) {
                                   moment_lane<kOrder, true>(view, shape, reward.data(), lane_phi.data(),
                                                             static_cast<std::int64_t>(count), lane, local, solution,
                                                             output);
                                 });
        };
        if (shape.single) {
          with_number(WatchedSingle(kNan));
        } else {
          with_number(kNan);
        }
      };
      if (order == 1) with_order(std::integral_constant<int, 1>{});
      if (order == 2) with_order(std::integral_constant<int, 2>{});
      if (order == 3) with_order(std::integral_constant<int, 3>{});
      if (order == 4) with_order(std::integral_constant<int, 4>{});
      const std::size_t width = order * num_rates;
      for (std::size_t l = 0; l < count; ++l) {
        for (std::size_t j = 0; j < order; ++j) values[l * order + j] = factor_ * lane_values[j * count + l];
        for (std::size_t i = 0; !gradient.empty() && i < width; ++i)
          gradient[l * width + i] = lane_gradient[i * count + l];
      }
    }

    std::unique_ptr<TensorMoments> on_tensors(const MomentLaneShape&, std::span<const double>, std::int64_t) override {
      throw DeviceError("this host loop takes no tensors");
    }

   private:
    PrcArrays arrays_;
    double factor_;
  };
};

inline std::shared_ptr<MomentDevice> suite_moments() {
  if (suite_device != nullptr) return suite_device->moments;
  return std::make_shared<HostLoopMoments>();
}

}  // namespace sojourn::testing
