#include <algorithm>
#include <string>
#include <utility>

#include "device/cuda_cloud.hpp"
#include "device/cuda_device.hpp"
#include "device/cuda_machine.cuh"
#include "device/evaluation/device_program.hpp"
#include "device/evaluation/moment_kernel.hpp"
#include "device/evaluation/shared_programs.hpp"
#include "device/graph/sample_batch.hpp"
#include "device/guarded_device.hpp"
#include "device/posterior/routed_likelihood.hpp"
#include "device/support/architecture.hpp"
#include "device/support/array_layout.hpp"
#include "device/support/device_ceiling.hpp"
#include "device/support/device_list.hpp"
#include "device/support/occupancy.cuh"
#include "elimination/prc_arrays.hpp"
#include "posterior/likelihood_tables.hpp"

namespace sojourn {
namespace {

constexpr const char* kProgramTooLarge =
    "the model's program and the data's tables take that before any particle: take a device with more memory, or use "
    "--device cpu";

/// The only place that chooses devices. The classes below work on the current one; callers have them in `guarded`.
constexpr DeviceSwitch kCudaDevices{[] {
                                      int device = 0;
                                      SOJOURN_CUDA_TRY(cudaGetDevice(&device));
                                      return device;
                                    },
                                    [](int device) { SOJOURN_CUDA_TRY(cudaSetDevice(device)); }};

class CudaLevel final : public DeviceLevel {
 public:
  CudaLevel(std::shared_ptr<const DeviceProgram> program, const LikelihoodTables& tables,
            LikelihoodDevice::Report report, MappingChoice choice)
      : program_(std::move(program)), report_(std::move(report)) {
    LikelihoodView view = tables.view();
    ArrayLayout layout;
    tables.each_array(view, [&](auto& pointer, const auto& array) { layout.place(pointer, array); });
    tables_ = DeviceBuffer<unsigned char>(layout.bytes().size());
    tables_.upload(layout.bytes(), machine_.stream());
    SOJOURN_CUDA_TRY(cudaStreamSynchronize(machine_.stream()));
    layout.point_into(tables_.data());
    TransformLaneShape shape = tables.shape;
    shape.num_value_slots = program_->arrays().num_value_slots;
    machine_.replay(*program_, choice);
    batch_ = std::make_unique<RoutedLikelihood<CudaMachine>>(machine_, program_->arrays(), program_->view(), tables,
                                                             view, shape);
  }

  void evaluate(MatrixView<const double> phi, bool gradient, DeviceValues& values) override {
    batch_->evaluate(phi, gradient, values, report_);
  }

  std::unique_ptr<DeviceCloud> make_cloud(const ParameterTables& parameters, const SvgdOptions& options,
                                          const std::string& name) override {
    return make_cuda_cloud(machine_, batch_->contour(), parameters, options, name, report_);
  }

  std::unique_ptr<DevicePosterior> make_posterior(const ParameterTables& parameters,
                                                  std::int64_t most_particles) override {
    return make_cuda_posterior(machine_, batch_->contour(), parameters, most_particles, report_);
  }

 private:
  std::shared_ptr<const DeviceProgram> program_;
  LikelihoodDevice::Report report_;
  CudaMachine machine_;
  DeviceBuffer<unsigned char> tables_;
  std::unique_ptr<RoutedLikelihood<CudaMachine>> batch_;
};

class CudaMoments final : public DeviceMoments {
 public:
  CudaMoments(std::shared_ptr<const DeviceProgram> program, LikelihoodDevice::Report report, MappingChoice choice)
      : program_(std::move(program)), report_(std::move(report)), choice_(choice) {}

  void evaluate(const MomentLaneShape& shape, MatrixView<const double> phi, std::span<const double> reward,
                std::span<double> values, std::span<double> gradient, std::span<unsigned char> in_doubt) override {
    moments_on_device(*program_, shape, phi, reward, values, gradient, in_doubt, report_, choice_);
  }

  std::unique_ptr<TensorMoments> on_tensors(const MomentLaneShape& shape, std::span<const double> reward,
                                            std::int64_t most_vectors) override {
    return with_way_out([&] { return make_tensor_moments(program_, shape, reward, most_vectors, choice_); },
                        [] { return "ask for fewer vectors at once"; });
  }
  [[nodiscard]] MomentTraffic traffic(const MomentLaneShape& shape, std::int64_t num_vectors) const override {
    const MomentWay way = way_of_moments(*program_, shape, num_vectors, choice_);
    return traffic_of(program_->arrays(), work_of(program_->arrays().view(), way.shape), way.mapping,
                      std::min(num_vectors, way.resident_lanes), current_device_size());
  }

 private:
  std::shared_ptr<const DeviceProgram> program_;
  LikelihoodDevice::Report report_;
  MappingChoice choice_;
};

class CudaDevice final : public LikelihoodDevice, public SvgdDevice, public MomentDevice, public SampleDevice {
 public:
  CudaDevice(std::string name, Report report, MappingChoice choice)
      : report_(std::move(report)), choice_(choice), name_(std::move(name)) {
    // Wakes the device, so that one that cannot be used is found out here.
    SOJOURN_CUDA_TRY(cudaFree(nullptr));
  }

  [[nodiscard]] std::string name() const override { return name_; }

  std::unique_ptr<DeviceLevel> load(const PrcArrays& arrays, const LikelihoodTables& tables) override {
    return with_way_out([&] { return std::make_unique<CudaLevel>(programs_.find(arrays), tables, report_, choice_); },
                        [] { return kProgramTooLarge; });
  }

  std::unique_ptr<DeviceMoments> load(const PrcArrays& arrays) override {
    return with_way_out([&] { return std::make_unique<CudaMoments>(programs_.find(arrays), report_, choice_); },
                        [] { return kProgramTooLarge; });
  }

  void draw(const JumpTable& table, std::uint64_t seed, std::int64_t num_draws, std::span<double> draws) override {
    CudaMachine machine;
    SampleBatch<CudaMachine>(machine, table).draw(seed, num_draws, draws, report_);
  }

  std::unique_ptr<TensorDraws> on_tensors(const JumpTable& table) override {
    return std::make_unique<TensorSampler<CudaMachine>>(table);
  }

  [[nodiscard]] std::int32_t most_dimensions() const override { return svgd_lanes::kMostDimensions; }

  void direction(Kernel kernel, const DirectionWork& work) override {
    directions().batch.sum(kernel == Kernel::kImq, work);
  }
  void direction(Kernel kernel, const DeviceTensor& u, const DeviceTensor& s, double inverse_h2,
                 const DeviceTensor& phi, void* stream) override {
    directions().batch.sum_there(kernel == Kernel::kImq, most_dimensions(), u, s, inverse_h2, phi, stream);
  }

 private:
  struct Directions {
    CudaMachine machine;
    DirectionBatch<CudaMachine> batch{machine};
  };
  Directions& directions() {
    if (!directions_) directions_ = std::make_unique<Directions>();
    return *directions_;
  }

  Report report_;
  MappingChoice choice_;
  std::string name_;
  SharedPrograms<DeviceProgram> programs_;
  std::unique_ptr<Directions> directions_;
};

/// @throws DeviceError where there is none, or this build has no code for it.
std::string name_of(int index) {
  const std::vector<std::string> devices = list_cuda_devices();
  if (index < 0 || static_cast<std::size_t>(index) >= devices.size())
    throw DeviceError("cuda:" + std::to_string(index) + ": there are " + std::to_string(devices.size()) +
                      " CUDA devices here; use --device cpu, or a number below that");
  const std::string& name = devices[static_cast<std::size_t>(index)];
  int major = 0, minor = 0;
  SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index));
  SOJOURN_CUDA_TRY(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index));
  expect_code_for(name, 10 * major + minor, SOJOURN_CUDA_ARCHITECTURES);
  return name;
}

/// On the current device, which has that number.
Device open_here(MappingChoice choice, int index, const std::string& name, LikelihoodDevice::Report report) {
  if (!report) report = [](const std::string&) {};
  const auto device = std::make_shared<CudaDevice>(name, std::move(report), choice);
  std::size_t free_bytes = 0, total_bytes = 0;
  SOJOURN_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes));
  return guarded(kCudaDevices, index,
                 {.likelihood = device,
                  .svgd = device,
                  .moments = device,
                  .sampling = device,
                  .limits = measure_device_limits,
                  .free_bytes = static_cast<double>(free_bytes)});
}

}  // namespace

Device open_cuda_device(int index, LikelihoodDevice::Report report) {
  return open_cuda_device_by(MappingChoice::kAuto, index, std::move(report));
}

Device open_only_cuda_device(int index, LikelihoodDevice::Report report) {
  const std::string name = name_of(index);
  kCudaDevices.choose(index);
  return open_here(MappingChoice::kAuto, index, name, std::move(report));
}

Device open_cuda_device_by(MappingChoice choice, int index, LikelihoodDevice::Report report) {
  const std::string name = name_of(index);
  const CurrentDevice here(kCudaDevices, index);
  return open_here(choice, index, name, std::move(report));
}

}  // namespace sojourn
