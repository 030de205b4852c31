#include "posterior/parameter_tables.hpp"

#include "model/expression_program.hpp"
#include "posterior/posterior_parts.hpp"

namespace sojourn {

ParameterTables::ParameterTables(const Model& model, const ParameterSet& parameters) : base(parameters.base) {
  for (std::size_t j = 0; j < parameters.free.size(); ++j)
    free.push_back({parameters.free[j].parameter, parameters.line_priors[j]});
  // The base holds no number where a parameter is free; particles write theirs there.
  numbers.num_free = static_cast<std::int32_t>(free.size());
  numbers.num_parameters = static_cast<std::int32_t>(base.size());
  numbers.num_rates = model.rates.num_rates();
  const ExpressionProgram* const program = model.rates.program();
  if (program == nullptr) return;
  constants.assign(program->constants().begin(), program->constants().end());
  code.assign(program->code().begin(), program->code().end());
  for (std::int32_t r = 0; r < numbers.num_rates; ++r) output_slot.push_back(program->output_slot(r));
  numbers.num_slots = static_cast<std::int32_t>(program->num_slots());
  numbers.num_constants = static_cast<std::int32_t>(constants.size());
  numbers.num_steps = static_cast<std::int32_t>(code.size());
}

ParameterView ParameterTables::view() const {
  ParameterView view = numbers;
  each_array(view, [](auto& pointer, const auto& array) { pointer = array.data(); });
  return view;
}

}  // namespace sojourn
