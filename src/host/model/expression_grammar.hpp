#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/expression.hpp"

namespace sojourn {

/// A name an expression uses and the node that holds its value.
struct ExpressionSymbol {
  std::string name;
  std::int32_t node;
};

/// Thrown by `record_expression` with the offset of the fault in the expression.
struct GrammarFault {
  std::size_t position;
  std::string message;
};

/// Names of functions and constants, which no variable may have; sorted.
const std::vector<std::string>& reserved_expression_names();

/// Characters of the decimal number that `text` starts with; 0 where it starts with none. Independent of the locale.
std::size_t number_length(std::string_view text);

/// Records `expression` onto the tape through muParser and returns the node of its value. @throws GrammarFault.
std::int32_t record_expression(ExpressionTape& tape, const std::string& expression,
                               std::span<const ExpressionSymbol> symbols);

}  // namespace sojourn
