#include <cstring>
#include <vector>

#include "device/evaluation/device_program.hpp"
#include "device/support/buffer.cuh"
#include "elimination/prc_arrays.hpp"

namespace sojourn {
namespace {

/// Arrays side by side, each on a boundary that any load likes.
class Layout {
 public:
  template <class T>
  std::size_t place(const std::vector<T>& array) {
    const std::size_t begin = bytes_.size();
    bytes_.resize((begin + array.size() * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment);
    if (!array.empty()) std::memcpy(bytes_.data() + begin, array.data(), array.size() * sizeof(T));
    return begin;
  }
  [[nodiscard]] const std::vector<unsigned char>& bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kAlignment = 256;
  std::vector<unsigned char> bytes_;
};

}  // namespace

struct DeviceProgram::Impl {
  DeviceBuffer<unsigned char> buffer;
  PrcView view{};
};

DeviceProgram::DeviceProgram(const PrcArrays& arrays) : impl_(std::make_unique<Impl>()) {
  PrcView& view = impl_->view;
  view = arrays.view();
  Layout layout;
  const std::size_t forms = layout.place(arrays.forms), form_terms = layout.place(arrays.form_terms),
                    components = layout.place(arrays.components), rows = layout.place(arrays.rows),
                    groups = layout.place(arrays.groups), terms = layout.place(arrays.terms),
                    arrivals = layout.place(arrays.arrivals), arrival_terms = layout.place(arrays.arrival_terms),
                    entry_column = layout.place(arrays.entry_column),
                    entry_weight_begin = layout.place(arrays.entry_weight_begin),
                    entry_weights = layout.place(arrays.entry_weights),
                    entry_pair_begin = layout.place(arrays.entry_pair_begin), pairs = layout.place(arrays.pairs),
                    fronts = layout.place(arrays.fronts), front_slots = layout.place(arrays.front_slots),
                    value_slot = layout.place(arrays.value_slot), alpha = layout.place(arrays.alpha);
  impl_->buffer = DeviceBuffer<unsigned char>(layout.bytes().size());
  const DeviceStream stream;
  impl_->buffer.upload(layout.bytes(), stream.get());
  const unsigned char* const base = impl_->buffer.data();
  const auto point = [base](auto& pointer, std::size_t begin) {
    pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(base + begin);
  };
  point(view.forms, forms);
  point(view.form_terms, form_terms);
  point(view.components, components);
  point(view.rows, rows);
  point(view.groups, groups);
  point(view.terms, terms);
  point(view.arrivals, arrivals);
  point(view.arrival_terms, arrival_terms);
  point(view.entry_column, entry_column);
  point(view.entry_weight_begin, entry_weight_begin);
  point(view.entry_weights, entry_weights);
  point(view.entry_pair_begin, entry_pair_begin);
  point(view.pairs, pairs);
  point(view.fronts, fronts);
  point(view.front_slots, front_slots);
  point(view.value_slot, value_slot);
  point(view.alpha, alpha);
  stream.synchronize();
}

DeviceProgram::~DeviceProgram() = default;
DeviceProgram::DeviceProgram(DeviceProgram&&) noexcept = default;
const PrcView& DeviceProgram::view() const { return impl_->view; }
std::size_t DeviceProgram::num_bytes() const { return impl_->buffer.size(); }

}  // namespace sojourn
