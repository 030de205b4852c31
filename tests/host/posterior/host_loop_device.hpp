#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "device/posterior/likelihood_batch.hpp"
#include "posterior/likelihood_tables.hpp"

/// A "device" that is a host loop over the bodies which kernels run, in shuffled order, all memory filled with NaN
/// first. Lanes of a step that read what others of the same step write would show.
namespace sojourn::testing {

class HostLoop {
 public:
  template <class T>
  class Buffer {
   public:
    Buffer() = default;
    explicit Buffer(std::size_t size) : values_(size, unwritten()) {}
    [[nodiscard]] T* data() const { return const_cast<T*>(values_.data()); }
    [[nodiscard]] std::size_t size() const { return values_.size(); }

   private:
    static T unwritten() {
      constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
      if constexpr (std::is_same_v<T, LaneComplex>) return LaneComplex(kNan, kNan);
      if constexpr (std::is_same_v<T, double>) return kNan;
      return T{};
    }
    std::vector<T> values_;
  };

  explicit HostLoop(double free_bytes) : free_bytes_(free_bytes) {}

  template <class T>
  void upload(T* there, std::span<const T> here) {
    std::copy(here.begin(), here.end(), there);
  }
  template <class T>
  void download(const T* there, std::span<T> here) {
    std::copy_n(there, here.size(), here.begin());
  }
  template <class Step>
  void run(std::int64_t num_lanes, const Step& step) {
    for (const std::int64_t block : shuffled((num_lanes + kLanesPerBlock - 1) / kLanesPerBlock)) {
      const std::int64_t end = std::min(num_lanes, (block + 1) * kLanesPerBlock);
      for (std::int64_t lane = block * kLanesPerBlock; lane < end; ++lane) step(lane);
    }
  }
  /// Programs without fronts keep their factors apart from the solutions, as in shared memory.
  void run_transforms(const TransformStep& step) {
    const TransformLaneSlots slots = step.shape.slots(step.prc);
    Buffer<LaneComplex> solutions(static_cast<std::size_t>(slots.solution * kResident));
    for (const std::int64_t block : shuffled(kResident / kLanesPerBlock)) {
      Buffer<LaneComplex> factors(static_cast<std::size_t>(slots.factor * kLanesPerBlock));
      for (std::int64_t thread = 0; thread < kLanesPerBlock; ++thread) {
        const std::int64_t own = block * kLanesPerBlock + thread;
        const Strided<LaneComplex> factor{factors.data() + thread, kLanesPerBlock};
        const Strided<LaneComplex> solution{solutions.data() + own, kResident};
        if (step.shape.has_fronts) {
          step.run<true>(own, kResident, factor, solution);
        } else {
          step.run<false>(own, kResident, factor, solution);
        }
      }
    }
  }
  [[nodiscard]] double slot_bytes(const PrcView&, const TransformLaneShape&) const { return 0; }
  [[nodiscard]] double free_bytes() const { return free_bytes_; }

 private:
  static constexpr std::int64_t kLanesPerBlock = 8, kResident = 40;
  std::vector<std::int64_t> shuffled(std::int64_t count) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::shuffle(order.begin(), order.end(), random_);
    return order;
  }
  double free_bytes_;
  std::mt19937 random_{7};
};

class HostLoopDevice final : public LikelihoodDevice {
 public:
  explicit HostLoopDevice(double free_bytes = 1e12) : free_bytes_(free_bytes) {}
  [[nodiscard]] std::string name() const override { return "host loop"; }
  std::unique_ptr<DeviceLevel> load(const PrcArrays& arrays, const LikelihoodTables& tables) override {
    ++num_levels;
    return std::make_unique<Level>(arrays, tables, free_bytes_);
  }
  int num_levels = 0;

 private:
  class Level final : public DeviceLevel {
   public:
    Level(const PrcArrays& arrays, const LikelihoodTables& tables, double free_bytes)
        : arrays_(arrays),
          tables_(tables),
          machine_(free_bytes),
          batch_(machine_, arrays_.view(), tables_.view(), tables_.shape) {}
    void evaluate(MatrixView<const double> phi, bool gradient, DeviceValues& values) override {
      batch_.evaluate(phi, gradient, values, [](const std::string&) {});
    }

   private:
    PrcArrays arrays_;
    LikelihoodTables tables_;
    HostLoop machine_;
    LikelihoodBatch<HostLoop> batch_;
  };
  double free_bytes_;
};

}  // namespace sojourn::testing
