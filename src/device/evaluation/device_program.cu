#include <list>
#include <map>
#include <utility>

#include "device/evaluation/device_program.hpp"
#include "device/evaluation/mapping.hpp"
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
  PrcArrays arrays;
  DeviceBuffer<unsigned char> buffer;
  PrcView view{};
  std::list<LoadedLevels> levels;
  std::map<std::string, Mapping> mappings;
};

DeviceProgram::DeviceProgram(const PrcArrays& given) : impl_(std::make_unique<Impl>()) {
  impl_->arrays = by_level(given);
  const PrcArrays& arrays = impl_->arrays;
  PrcView& view = impl_->view;
  view = arrays.view();
  ArrayLayout layout;
  layout.place(view.forms, arrays.forms);
  layout.place(view.form_terms, arrays.form_terms);
  layout.place(view.components, arrays.components);
  layout.place(view.rows, arrays.rows);
  layout.place(view.groups, arrays.groups);
  layout.place(view.terms, arrays.terms);
  layout.place(view.arrivals, arrays.arrivals);
  layout.place(view.arrival_terms, arrays.arrival_terms);
  layout.place(view.entry_column, arrays.entry_column);
  layout.place(view.entry_slot, arrays.entry_slot);
  layout.place(view.sums, arrays.sums);
  layout.place(view.pairs, arrays.pairs);
  layout.place(view.fronts, arrays.fronts);
  layout.place(view.front_slots, arrays.front_slots);
  layout.place(view.value_slot, arrays.value_slot);
  layout.place(view.alpha, arrays.alpha);
  impl_->buffer = upload(layout);
}

const DeviceLevels& DeviceProgram::levels(const LevelOptions& options) const {
  for (const LoadedLevels& loaded : impl_->levels)
    if (loaded.options == options) return loaded.levels;
  const LevelSchedule schedule = make_level_schedule(impl_->arrays, options);
  const PrcArrays slotted = with_value_slots(impl_->arrays, schedule);
  LoadedLevels& loaded = impl_->levels.emplace_back();
  loaded.options = options;
  loaded.levels = {impl_->view, schedule.view(), schedule.num_factor_slots, schedule.num_value_slots};
  PrcView& program = loaded.levels.program;
  LevelView& levels = loaded.levels.levels;
  ArrayLayout layout;
  layout.place(program.terms, slotted.terms);
  layout.place(program.arrival_terms, slotted.arrival_terms);
  layout.place(program.entry_slot, slotted.entry_slot);
  layout.place(program.value_slot, slotted.value_slot);
  schedule.each_array(levels, [&](auto& pointer, const auto& array) { layout.place(pointer, array); });
  loaded.buffer = upload(layout);
  return loaded.levels;
}

const Mapping& DeviceProgram::remember(const std::string& name, const std::function<Mapping()>& make) const {
  const auto known = impl_->mappings.find(name);
  return known != impl_->mappings.end() ? known->second : impl_->mappings.emplace(name, make()).first->second;
}

DeviceProgram::~DeviceProgram() = default;
DeviceProgram::DeviceProgram(DeviceProgram&&) noexcept = default;
const PrcView& DeviceProgram::view() const { return impl_->view; }
const PrcArrays& DeviceProgram::arrays() const { return impl_->arrays; }
std::size_t DeviceProgram::num_bytes() const { return impl_->buffer.size(); }

}  // namespace sojourn
