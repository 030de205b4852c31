#include <list>
#include <map>
#include <mutex>
#include <utility>

#include "device/evaluation/device_program.hpp"
#include "device/evaluation/mapping.hpp"
#include "device/evaluation/program_layout.hpp"
#include "device/support/array_layout.hpp"
#include "device/support/buffer.cuh"
#include "elimination/level_schedule.hpp"

namespace sojourn {
namespace {

/// Puts a layout's arrays into device memory of their own, and its pointers there.
DeviceBuffer<unsigned char> upload(const ArrayLayout& layout) {
  DeviceBuffer<unsigned char> buffer(layout.bytes().size());
  const DeviceStream stream;
  buffer.upload(layout.bytes(), stream.get());
  layout.point_into(buffer.data());
  stream.synchronize();
  return buffer;
}

struct LoadedLevels {
  LevelOptions options;
  DeviceLevels levels;
  DeviceBuffer<unsigned char> buffer;
};

}  // namespace

struct DeviceProgram::Impl {
  /// Of what is made when first asked for, which whoever shares the program may do. Levels and mappings stay where they
  /// are once they are made.
  std::mutex mutex;
  PrcArrays arrays;
  DeviceBuffer<unsigned char> buffer;
  PrcView view{};
  std::list<LoadedLevels> levels;
  std::map<std::string, Mapping> mappings;
};

DeviceProgram::DeviceProgram(PrcArrays sorted) : impl_(std::make_unique<Impl>()) {
  impl_->arrays = std::move(sorted);
  const PrcArrays& arrays = impl_->arrays;
  impl_->view = arrays.view();
  ArrayLayout layout;
  place_program(layout, arrays, impl_->view);
  impl_->buffer = upload(layout);
}

const DeviceLevels& DeviceProgram::levels(const LevelOptions& options) const {
  const std::scoped_lock lock(impl_->mutex);
  for (const LoadedLevels& loaded : impl_->levels)
    if (loaded.options == options) return loaded.levels;
  const LevelSchedule schedule = make_level_schedule(impl_->arrays, options);
  const PrcArrays slotted = with_value_slots(impl_->arrays, schedule);
  LoadedLevels& loaded = impl_->levels.emplace_back();
  loaded.options = options;
  loaded.levels = {impl_->view, schedule.view(), schedule.num_factor_slots, schedule.num_value_slots};
  ArrayLayout layout;
  place_levels(layout, slotted, schedule, loaded.levels.program, loaded.levels.levels);
  loaded.buffer = upload(layout);
  return loaded.levels;
}

const Mapping& DeviceProgram::remember(const std::string& name, const std::function<Mapping()>& make) const {
  const std::scoped_lock lock(impl_->mutex);
  const auto known = impl_->mappings.find(name);
  return known != impl_->mappings.end() ? known->second : impl_->mappings.emplace(name, make()).first->second;
}

DeviceProgram::~DeviceProgram() = default;
DeviceProgram::DeviceProgram(DeviceProgram&&) noexcept = default;
const PrcView& DeviceProgram::view() const { return impl_->view; }
const PrcArrays& DeviceProgram::arrays() const { return impl_->arrays; }
std::size_t DeviceProgram::num_bytes() const { return impl_->buffer.size(); }

}  // namespace sojourn
