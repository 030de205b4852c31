#pragma once

#include <vector>

#include "common/posterior_lane.hpp"

namespace sojourn {

struct Model;
struct ParameterSet;

/// A posterior's parameters as flat arrays: what a device makes rates and priors from.
struct ParameterTables {
  ParameterTables(const Model& model, const ParameterSet& parameters);

  /// Pointers into this object.
  [[nodiscard]] ParameterView view() const;
  /// As `LikelihoodTables::each_array`.
  template <class Place>
  void each_array(ParameterView& view, Place&& place) const {
    place(view.free, free);
    place(view.base, base);
    place(view.constants, constants);
    place(view.code, code);
    place(view.output_slot, output_slot);
  }

  ParameterView numbers{};  ///< the view without its pointers
  std::vector<LaneParameter> free;
  std::vector<double> base, constants;
  std::vector<Instruction> code;
  std::vector<std::int32_t> output_slot;
};

}  // namespace sojourn
