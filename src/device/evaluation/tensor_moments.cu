#include <algorithm>
#include <utility>

#include "device/cuda_machine.cuh"
#include "device/evaluation/moment_kernel.hpp"
#include "device/evaluation/tensor_moment_batch.hpp"

namespace sojourn {
namespace {

/// Moments of lanes of one program, with room for its blocks' slots.
class MomentRun {
 public:
  MomentRun(std::shared_ptr<const DeviceProgram> program, const MomentLaneShape& shape, std::span<const double> reward,
            std::int64_t most_vectors, MappingChoice choice)
      : program_(std::move(program)),
        way_(way_of_moments(*program_, shape, most_vectors, choice)),
        reward_(reward.size()) {
    const DeviceStream stream;
    reward_.upload(reward, stream.get());
    const int lanes = way_.mapping.lanes_per_block;
    const std::int64_t slots_of_block = way_.mapping.global_slots * lanes * way_.shape.slot_bytes();
    std::int64_t blocks = std::min(way_.resident_lanes / lanes, way_.mapping.num_blocks(most_vectors));
    if (slots_of_block > 0) {
      std::size_t free_bytes = 0, total_bytes = 0;
      SOJOURN_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes));
      const double fitting =
          kSlotShare * kUsableMemory * static_cast<double>(free_bytes) / static_cast<double>(slots_of_block);
      // Lanes take turns; their bits do not depend on it.
      if (fitting < static_cast<double>(blocks)) blocks = std::max<std::int64_t>(1, static_cast<std::int64_t>(fitting));
    }
    way_.resident_lanes = blocks * lanes;
    slots_ = DeviceBuffer<unsigned char>(static_cast<std::size_t>(blocks * slots_of_block));
    stream.synchronize();
  }

  [[nodiscard]] const PrcView& program() const { return program_->view(); }
  void run(CudaMachine& machine, const double* phi, std::int64_t n, const MomentLaneOutput& output) const {
    launch_moments({program_.get(), reward_.data(), phi, n, slots_.data(), output}, way_, machine.stream());
  }

 private:
  std::shared_ptr<const DeviceProgram> program_;
  MomentWay way_;
  DeviceBuffer<double> reward_;
  DeviceBuffer<unsigned char> slots_;
};

}  // namespace

std::unique_ptr<TensorMoments> make_tensor_moments(std::shared_ptr<const DeviceProgram> program,
                                                   const MomentLaneShape& shape, std::span<const double> reward,
                                                   std::int64_t most_vectors, MappingChoice choice) {
  return std::make_unique<TensorMomentBatch<CudaMachine, MomentRun>>(
      MomentRun(std::move(program), shape, reward, most_vectors, choice), shape, most_vectors);
}

}  // namespace sojourn
