#pragma once

#include <cstdio>
#include <exception>
#include <memory>
#include <utility>

namespace sojourn {

/// How the calling thread's current device is asked for and chosen: by CUDA, or by a test in its place.
struct DeviceSwitch {
  int (*current)();
  void (*choose)(int);  ///< @throws DeviceError
};

/// Makes a device the calling thread's current one, and the caller's current again when it goes.
class CurrentDevice {
 public:
  CurrentDevice(const DeviceSwitch& devices, int index) : devices_(devices), before_(devices.current()), index_(index) {
    if (before_ != index_) devices_.choose(index_);
  }
  ~CurrentDevice() {
    if (before_ == index_) return;
    try {
      devices_.choose(before_);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "sojourn: the device before is not current again: %s\n", error.what());
    }
  }
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

 private:
  DeviceSwitch devices_;
  int before_, index_;
};

/// Something of a device that can be reached, and destroyed, only while that device is the calling thread's current
/// one: current devices belong to threads, and the caller's may be another.
template <class T>
class OnDevice {
 public:
  OnDevice(const DeviceSwitch& devices, int index, std::shared_ptr<T> own)
      : devices_(devices), index_(index), own_(std::move(own)) {}
  ~OnDevice() {
    if (own_ == nullptr) return;
    try {
      const CurrentDevice here(devices_, index_);
      own_.reset();
    } catch (const std::exception& error) {
      // After a failure of the device nothing can be chosen; its memory goes with the process.
      std::fprintf(stderr, "sojourn: a device's memory is not given back: %s\n", error.what());
    }
  }
  OnDevice(OnDevice&&) noexcept = default;
  OnDevice& operator=(OnDevice&&) = delete;
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  template <class Use>
  decltype(auto) use(Use&& use) const {
    const CurrentDevice here(devices_, index_);
    return std::forward<Use>(use)(*own_);
  }
  /// Another thing of the same device, null where `own` is.
  template <class Wrapped, class Other>
  [[nodiscard]] std::unique_ptr<Wrapped> wrap(std::unique_ptr<Other> own) const {
    if (own == nullptr) return nullptr;
    return std::make_unique<Wrapped>(OnDevice<Other>(devices_, index_, std::move(own)));
  }

 private:
  DeviceSwitch devices_;
  int index_;
  std::shared_ptr<T> own_;
};

}  // namespace sojourn
