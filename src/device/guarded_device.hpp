#pragma once

#include <memory>
#include <string>
#include <utility>

#include "device/support/on_device.hpp"
#include "sojourn/device.hpp"

/// The interfaces of a device with its number made current for each call. Classes of CUDA are handed out in these
/// alone, and choose no device themselves.
namespace sojourn {

class GuardedCloud final : public DeviceCloud {
 public:
  explicit GuardedCloud(OnDevice<DeviceCloud> own) : own_(std::move(own)) {}
  CloudShare share_out(Communicator& ranks, const DeviceMessages& messages) override {
    return own_.use([&](DeviceCloud& own) { return own.share_out(ranks, messages); });
  }
  bool on_any_rank(const std::function<bool()>& work) override {
    return own_.use([&](DeviceCloud& own) { return own.on_any_rank(work); });
  }
  void load(const SvgdState& state) override {
    own_.use([&](DeviceCloud& own) { own.load(state); });
  }
  void begin_turn(std::int64_t most) override {
    own_.use([&](DeviceCloud& own) { own.begin_turn(most); });
  }
  CloudProgress end_turn() override {
    return own_.use([](DeviceCloud& own) { return own.end_turn(); });
  }
  void open_steps(OpenSteps& steps) override {
    own_.use([&](DeviceCloud& own) { own.open_steps(steps); });
  }
  CloudProgress settle(const OpenSteps& steps) override {
    return own_.use([&](DeviceCloud& own) { return own.settle(steps); });
  }
  void follow_line(const line_series::Table& cells) override {
    own_.use([&](DeviceCloud& own) { own.follow_line(cells); });
  }
  CloudProgress retry() override {
    return own_.use([](DeviceCloud& own) { return own.retry(); });
  }
  void begin_save() override {
    own_.use([](DeviceCloud& own) { own.begin_save(); });
  }
  void end_save(SvgdState& state) override {
    own_.use([&](DeviceCloud& own) { own.end_save(state); });
  }
  void worst_errors(double& error_bound, double& compression_error) override {
    own_.use([&](DeviceCloud& own) { own.worst_errors(error_bound, compression_error); });
  }
  double direction_error() override {
    return own_.use([](DeviceCloud& own) { return own.direction_error(); });
  }

 private:
  OnDevice<DeviceCloud> own_;
};

class GuardedPosterior final : public DevicePosterior {
 public:
  explicit GuardedPosterior(OnDevice<DevicePosterior> own) : own_(std::move(own)) {}
  [[nodiscard]] std::int32_t dimension() const override {
    return own_.use([](const DevicePosterior& own) { return own.dimension(); });
  }
  [[nodiscard]] std::int64_t most_particles() const override {
    return own_.use([](const DevicePosterior& own) { return own.most_particles(); });
  }
  void evaluate(const DeviceTensor& z, const DeviceTensor& log_density, const DeviceTensor& score,
                const DeviceTensor& outcome, void* stream) override {
    own_.use([&](DevicePosterior& own) { own.evaluate(z, log_density, score, outcome, stream); });
  }

 private:
  OnDevice<DevicePosterior> own_;
};

class GuardedTensorMoments final : public TensorMoments {
 public:
  explicit GuardedTensorMoments(OnDevice<TensorMoments> own) : own_(std::move(own)) {}
  [[nodiscard]] std::int64_t num_rates() const override {
    return own_.use([](const TensorMoments& own) { return own.num_rates(); });
  }
  [[nodiscard]] std::int64_t order() const override {
    return own_.use([](const TensorMoments& own) { return own.order(); });
  }
  [[nodiscard]] bool has_gradient() const override {
    return own_.use([](const TensorMoments& own) { return own.has_gradient(); });
  }
  [[nodiscard]] std::int64_t most_vectors() const override {
    return own_.use([](const TensorMoments& own) { return own.most_vectors(); });
  }
  void evaluate(const DeviceTensor& rates, const DeviceTensor& values, const DeviceTensor& gradient,
                const DeviceTensor& outcome, void* stream) override {
    own_.use([&](TensorMoments& own) { own.evaluate(rates, values, gradient, outcome, stream); });
  }

 private:
  OnDevice<TensorMoments> own_;
};

class GuardedTensorDraws final : public TensorDraws {
 public:
  explicit GuardedTensorDraws(OnDevice<TensorDraws> own) : own_(std::move(own)) {}
  [[nodiscard]] std::int64_t num_rewards() const override {
    return own_.use([](const TensorDraws& own) { return own.num_rewards(); });
  }
  void draw(std::uint64_t seed, std::int64_t first, const DeviceTensor& draws, void* stream) override {
    own_.use([&](TensorDraws& own) { own.draw(seed, first, draws, stream); });
  }

 private:
  OnDevice<TensorDraws> own_;
};

class GuardedLevel final : public DeviceLevel {
 public:
  explicit GuardedLevel(OnDevice<DeviceLevel> own) : own_(std::move(own)) {}
  void evaluate(MatrixView<const double> phi, bool gradient, DeviceValues& values) override {
    own_.use([&](DeviceLevel& own) { own.evaluate(phi, gradient, values); });
  }
  std::unique_ptr<DeviceCloud> make_cloud(const ParameterTables& parameters, const SvgdOptions& options,
                                          const std::string& name) override {
    return own_.wrap<GuardedCloud>(
        own_.use([&](DeviceLevel& own) { return own.make_cloud(parameters, options, name); }));
  }
  std::unique_ptr<DevicePosterior> make_posterior(const ParameterTables& parameters,
                                                  std::int64_t most_particles) override {
    return own_.wrap<GuardedPosterior>(
        own_.use([&](DeviceLevel& own) { return own.make_posterior(parameters, most_particles); }));
  }

 private:
  OnDevice<DeviceLevel> own_;
};

class GuardedMoments final : public DeviceMoments {
 public:
  explicit GuardedMoments(OnDevice<DeviceMoments> own) : own_(std::move(own)) {}
  void evaluate(const MomentLaneShape& shape, MatrixView<const double> phi, std::span<const double> reward,
                std::span<double> values, std::span<double> gradient, std::span<unsigned char> in_doubt) override {
    own_.use([&](DeviceMoments& own) { own.evaluate(shape, phi, reward, values, gradient, in_doubt); });
  }
  std::unique_ptr<TensorMoments> on_tensors(const MomentLaneShape& shape, std::span<const double> reward,
                                            std::int64_t most_vectors) override {
    return own_.wrap<GuardedTensorMoments>(
        own_.use([&](DeviceMoments& own) { return own.on_tensors(shape, reward, most_vectors); }));
  }
  [[nodiscard]] MomentTraffic traffic(const MomentLaneShape& shape, std::int64_t num_vectors) const override {
    return own_.use([&](const DeviceMoments& own) { return own.traffic(shape, num_vectors); });
  }

 private:
  OnDevice<DeviceMoments> own_;
};

class GuardedLikelihoodDevice final : public LikelihoodDevice {
 public:
  explicit GuardedLikelihoodDevice(OnDevice<LikelihoodDevice> own) : own_(std::move(own)) {}
  [[nodiscard]] std::string name() const override {
    return own_.use([](const LikelihoodDevice& own) { return own.name(); });
  }
  std::unique_ptr<DeviceLevel> load(const PrcArrays& arrays, const LikelihoodTables& tables) override {
    return own_.wrap<GuardedLevel>(own_.use([&](LikelihoodDevice& own) { return own.load(arrays, tables); }));
  }

 private:
  OnDevice<LikelihoodDevice> own_;
};

class GuardedMomentDevice final : public MomentDevice {
 public:
  explicit GuardedMomentDevice(OnDevice<MomentDevice> own) : own_(std::move(own)) {}
  [[nodiscard]] std::string name() const override {
    return own_.use([](const MomentDevice& own) { return own.name(); });
  }
  std::unique_ptr<DeviceMoments> load(const PrcArrays& arrays) override {
    return own_.wrap<GuardedMoments>(own_.use([&](MomentDevice& own) { return own.load(arrays); }));
  }

 private:
  OnDevice<MomentDevice> own_;
};

class GuardedSampleDevice final : public SampleDevice {
 public:
  explicit GuardedSampleDevice(OnDevice<SampleDevice> own) : own_(std::move(own)) {}
  [[nodiscard]] std::string name() const override {
    return own_.use([](const SampleDevice& own) { return own.name(); });
  }
  void draw(const JumpTable& table, std::uint64_t seed, std::int64_t num_draws, std::span<double> draws) override {
    own_.use([&](SampleDevice& own) { own.draw(table, seed, num_draws, draws); });
  }
  std::unique_ptr<TensorDraws> on_tensors(const JumpTable& table) override {
    return own_.wrap<GuardedTensorDraws>(own_.use([&](SampleDevice& own) { return own.on_tensors(table); }));
  }

 private:
  OnDevice<SampleDevice> own_;
};

class GuardedSvgdDevice final : public SvgdDevice {
 public:
  explicit GuardedSvgdDevice(OnDevice<SvgdDevice> own) : own_(std::move(own)) {}
  [[nodiscard]] std::string name() const override {
    return own_.use([](const SvgdDevice& own) { return own.name(); });
  }
  [[nodiscard]] std::int32_t most_dimensions() const override {
    return own_.use([](const SvgdDevice& own) { return own.most_dimensions(); });
  }
  void direction(Kernel kernel, const DirectionWork& work) override {
    own_.use([&](SvgdDevice& own) { own.direction(kernel, work); });
  }
  void direction(Kernel kernel, const DeviceTensor& u, const DeviceTensor& s, double inverse_h2,
                 const DeviceTensor& phi, void* stream) override {
    own_.use([&](SvgdDevice& own) { own.direction(kernel, u, s, inverse_h2, phi, stream); });
  }

 private:
  OnDevice<SvgdDevice> own_;
};

/// Everything that `device` does, with device number `index` made current for it.
inline Device guarded(const DeviceSwitch& devices, int index, const Device& device) {
  Device all = device;
  all.likelihood =
      std::make_shared<GuardedLikelihoodDevice>(OnDevice<LikelihoodDevice>(devices, index, device.likelihood));
  all.svgd = std::make_shared<GuardedSvgdDevice>(OnDevice<SvgdDevice>(devices, index, device.svgd));
  all.moments = std::make_shared<GuardedMomentDevice>(OnDevice<MomentDevice>(devices, index, device.moments));
  all.sampling = std::make_shared<GuardedSampleDevice>(OnDevice<SampleDevice>(devices, index, device.sampling));
  all.limits = [devices, index, limits = device.limits] {
    const CurrentDevice here(devices, index);
    return limits();
  };
  return all;
}

}  // namespace sojourn
