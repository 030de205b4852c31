#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "device/comm/rank_exchange.hpp"
#include "device/evaluation/mapping.hpp"
#include "device/posterior/step_batch.hpp"
#include "device/sampler/direction_batch.hpp"
#include "device/support/batches.hpp"

/// A machine for batches (`LikelihoodBatch`) that works nothing out and has no memory: it counts the bytes that they
/// ask for, so that what is predicted of a device comes from the code that sizes batches there.
namespace sojourn {

/// Bytes that would be held on a device, by what they are for.
class PlannedMemory {
 public:
  explicit PlannedMemory(double total_bytes) : total_bytes_(total_bytes) {}
  PlannedMemory(const PlannedMemory&) = delete;
  PlannedMemory& operator=(const PlannedMemory&) = delete;

  /// What is asked for from now on in this thread is asked of this memory, and is for `part`.
  void use_for(std::string part) {
    part_ = std::move(part);
    current = this;
  }
  /// @throws OutOfDeviceMemory where so many are not left.
  void take(const std::string& part, double bytes) {
    if (bytes > free_bytes())
      throw OutOfDeviceMemory(out_of_memory_text(static_cast<std::size_t>(bytes),
                                                 static_cast<std::size_t>(std::max(0.0, free_bytes())),
                                                 static_cast<std::size_t>(total_bytes_)));
    held_bytes_ += bytes;
    parts_[part] += bytes;
  }
  void give_back(const std::string& part, double bytes) {
    held_bytes_ -= bytes;
    parts_[part] -= bytes;
  }
  [[nodiscard]] const std::string& part() const { return part_; }
  [[nodiscard]] double free_bytes() const { return total_bytes_ - held_bytes_; }
  [[nodiscard]] double held_bytes() const { return held_bytes_; }
  [[nodiscard]] const std::map<std::string, double>& parts() const { return parts_; }

  static inline thread_local PlannedMemory* current = nullptr;

 private:
  double total_bytes_, held_bytes_ = 0;
  std::map<std::string, double> parts_;
  std::string part_;
};

/// An array that is not there. Its address is never read.
template <class T>
class PlannedBuffer {
 public:
  PlannedBuffer() = default;
  explicit PlannedBuffer(std::size_t size) : PlannedBuffer(size, *PlannedMemory::current, "") {}
  /// For `part`; empty: what the memory is used for now.
  PlannedBuffer(std::size_t size, PlannedMemory& memory, const std::string& part) {
    if (size == 0) return;
    part_ = part.empty() ? memory.part() : part;
    memory.take(part_, static_cast<double>(size * sizeof(T)));
    memory_ = &memory;
    size_ = size;
  }
  ~PlannedBuffer() {
    if (memory_ != nullptr) memory_->give_back(part_, static_cast<double>(size_ * sizeof(T)));
  }
  PlannedBuffer(PlannedBuffer&& other) noexcept { *this = std::move(other); }
  PlannedBuffer& operator=(PlannedBuffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(part_, other.part_);
    std::swap(size_, other.size_);
    return *this;
  }
  PlannedBuffer(const PlannedBuffer&) = delete;
  PlannedBuffer& operator=(const PlannedBuffer&) = delete;

  [[nodiscard]] T* data() const { return memory_ != nullptr ? reinterpret_cast<T*>(kAddress) : nullptr; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr std::uintptr_t kAddress = std::uintptr_t{1} << 20;
  PlannedMemory* memory_ = nullptr;
  std::string part_;
  std::size_t size_ = 0;
};

/// The first of ranks that have a planned device each; says nothing.
class PlannedExchange final : public RankExchange {
 public:
  explicit PlannedExchange(std::int64_t num_ranks) : num_ranks_(num_ranks) {}
  [[nodiscard]] std::string name() const override { return "planned"; }
  [[nodiscard]] RankRows rows(std::int64_t count, std::int64_t unit) const override {
    const std::int64_t units = (count + unit - 1) / unit;
    return {0, std::min(count, (units + num_ranks_ - 1) / num_ranks_ * unit)};
  }
  void gather(double*, std::int64_t, std::int64_t, std::size_t) override {}
  void begin(const std::function<void()>& enqueue) override { enqueue(); }
  void end() override {}
  void together(const std::function<void()>& work) override { work(); }
  std::vector<double> tell(double own) override {
    return std::vector<double>(static_cast<std::size_t>(num_ranks_), own);
  }

 private:
  std::int64_t num_ranks_;
};

class PlannedMachine {
 public:
  template <class T>
  using Buffer = PlannedBuffer<T>;
  template <class T>
  using HostBuffer = std::vector<T>;
  struct Recording {};

  /// `arrays` by level, which outlive this. What blocks in work hold of slots counts for "work of blocks".
  PlannedMachine(PlannedMemory& memory, const PrcArrays& arrays, const DeviceSize& device, std::int64_t num_ranks = 1)
      : memory_(memory), arrays_(arrays), device_(device), num_ranks_(num_ranks) {}

  template <class T>
  void upload(T*, std::span<const T>) {}
  template <class T>
  void download(const T*, std::span<T> here) {
    std::ranges::fill(here, T{});
  }
  template <class T>
  void copy(T*, const T*, std::size_t) {}
  template <class T>
  void fetch(const T* there, std::span<T> here) {
    download(there, here);
  }
  template <class T>
  void fetch_aside(const T* there, std::span<T> here) {
    download(there, here);
  }
  static void wait() {}
  static void wait_aside() {}
  template <class Step>
  void run(std::int64_t, const Step&) {}
  void run_steps(const StepRun&) {}
  void run_direction(const DirectionLaunch&) {}
  void guard(const std::int32_t*) {}
  void moved() {}
  template <class Enqueue>
  void repeat(Recording&, Enqueue&& enqueue) {
    enqueue();
  }
  /// Of `num_ranks` like this one.
  [[nodiscard]] std::unique_ptr<RankExchange> connect(Communicator&, const DeviceMessages&) const {
    return std::make_unique<PlannedExchange>(num_ranks_);
  }
  void run_transforms(const TransformStep&, const BlockSlots&) {}
  [[nodiscard]] TransformBlocks transform_blocks(const PrcView&, const TransformLaneShape& shape) const {
    const Mapping& mapping = mapping_of(shape);
    return {std::int64_t{mapping.blocks_per_processor} * device_.num_processors,
            mapping.lanes_per_block * mapping.global_slots};
  }
  [[nodiscard]] PlannedBuffer<LaneComplex> slots(std::size_t size) { return {size, memory_, kSlots}; }
  [[nodiscard]] double free_bytes() const { return memory_.free_bytes(); }
  [[nodiscard]] static std::int64_t step_lanes() { return kWarpLanes; }
  /// At 128 registers a thread.
  [[nodiscard]] std::int64_t most_step_blocks() const {
    return std::int64_t{device_.num_processors} * (kResidentThreads / (kWarpLanes * kStepStreams));
  }

  /// As `CudaMachine` has it, for as many lanes as there may be.
  [[nodiscard]] const Mapping& mapping_of(const TransformLaneShape& shape) const {
    const int name = (shape.density ? 1 : 0) + (shape.survival ? 2 : 0) + (shape.gradient ? 4 : 0);
    const auto known = mappings_.find(name);
    if (known != mappings_.end()) return known->second;
    return mappings_.emplace(name, map_transforms(arrays_, shape, kManyLanes, device_)).first->second;
  }

 private:
  static constexpr const char* kSlots = "work of blocks";
  static constexpr std::int64_t kWarpLanes = 32, kResidentThreads = 512;
  PlannedMemory& memory_;
  const PrcArrays& arrays_;
  DeviceSize device_;
  std::int64_t num_ranks_;
  mutable std::map<int, Mapping> mappings_;
};

}  // namespace sojourn
