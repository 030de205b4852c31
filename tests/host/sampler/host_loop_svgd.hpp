#pragma once

#include "device/sampler/direction_batch.hpp"
#include "host/posterior/host_loop_device.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn::testing {

/// Directions by `HostLoop`.
class HostLoopSvgd : public SvgdDevice {
 public:
  [[nodiscard]] std::string name() const override { return "host loop"; }
  [[nodiscard]] std::int32_t most_dimensions() const override { return dimensions; }
  void direction(Kernel kernel, const DirectionWork& work) override {
    batch_.sum(kernel == Kernel::kImq, work);
    if (spoil != 0) work.phi[work.row_begin] += spoil;
  }
  void direction(Kernel kernel, const DeviceTensor& u, const DeviceTensor& s, double inverse_h2,
                 const DeviceTensor& phi, void* stream) override {
    batch_.sum_there(kernel == Kernel::kImq, dimensions, u, s, inverse_h2, phi, stream);
  }
  std::int32_t dimensions = 16;
  double spoil = 0;  ///< added to one number of each direction

 private:
  HostLoop machine_{1e12};
  DirectionBatch<HostLoop> batch_{machine_};
};

inline std::shared_ptr<SvgdDevice> suite_directions() {
  if (suite_device != nullptr) return suite_device->svgd;
  return std::make_shared<HostLoopSvgd>();
}

}  // namespace sojourn::testing
