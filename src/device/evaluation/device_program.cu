#include "device/evaluation/device_program.hpp"
#include "device/support/array_layout.hpp"
#include "device/support/buffer.cuh"
#include "elimination/prc_arrays.hpp"

namespace sojourn {

struct DeviceProgram::Impl {
  DeviceBuffer<unsigned char> buffer;
  PrcView view{};
};

DeviceProgram::DeviceProgram(const PrcArrays& arrays) : impl_(std::make_unique<Impl>()) {
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
  impl_->buffer = DeviceBuffer<unsigned char>(layout.bytes().size());
  const DeviceStream stream;
  impl_->buffer.upload(layout.bytes(), stream.get());
  layout.point_into(impl_->buffer.data());
  stream.synchronize();
}

DeviceProgram::~DeviceProgram() = default;
DeviceProgram::DeviceProgram(DeviceProgram&&) noexcept = default;
const PrcView& DeviceProgram::view() const { return impl_->view; }
std::size_t DeviceProgram::num_bytes() const { return impl_->buffer.size(); }

}  // namespace sojourn
