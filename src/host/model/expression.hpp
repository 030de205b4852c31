#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/expression_ops.hpp"
#include "sojourn/error.hpp"

namespace sojourn {

const char* to_string(Op op);
/// Number of operands, 0 to 2.
int num_operands(Op op);
/// Differentiable wherever it is defined: everything but abs, min, max, floor, ceil, mod, comparisons and logic.
bool is_smooth(Op op);
/// Comparisons and logic.
bool is_logical(Op op);
/// True for letters, digits and underscores not starting with a digit that are no function or constant name.
bool is_expression_name(std::string_view name);

/// A fault inside an expression. `what()` is "column 7 of '1/(2*aa)': unknown name 'aa'; ...".
struct ExpressionError : ModelError {
  explicit ExpressionError(const std::string& message) : ModelError(message) {}
};

/// Node of a tape: an input, a constant, or one operation on earlier nodes.
struct TapeNode {
  Op op;
  std::int32_t a = -1;  ///< first operand, or the number of the input
  std::int32_t b = -1;
  double value = 0;  ///< of a constant
};

/// Records arithmetic expressions over named inputs as a directed acyclic graph in evaluation order.
///
/// muParser reads the grammar; its values are node numbers and its operators append nodes, so nothing is computed while
/// parsing but operations on constants. Equal nodes are shared between all expressions of a tape.
/// Operators by falling precedence: ^ (right), unary - + !, * /, + -, < <= > >= == !=, &&, ||. Functions: abs ceil cos
/// exp expm1 floor log log1p max min mod pow sin sqrt tanh; constants: true, false. No other name, no ?:, no
/// assignment.
class ExpressionTape {
 public:
  static constexpr std::size_t kMaxLength = 10'000;  ///< characters of one expression
  static constexpr int kMaxDepth = 200;              ///< nested parentheses

  /// Declares a free input and gives it a name. @throws ModelError if the name is taken or no expression name.
  std::int32_t add_input(const std::string& name);
  /// Gives a name to a node: later expressions may use it. @throws ModelError as `add_input`.
  void define(const std::string& name, std::int32_t node);
  /// Makes a name known but forbidden; using it fails with "'name' <reason>".
  void forbid(const std::string& name, const std::string& reason);

  /// Records an expression and returns the node that holds its value. @throws ExpressionError.
  std::int32_t parse(std::string_view expression);

  std::int32_t constant(double value);
  std::int32_t apply(Op op, std::int32_t a, std::int32_t b = -1);

  [[nodiscard]] const TapeNode& node(std::int32_t index) const { return nodes_[index]; }
  [[nodiscard]] std::int32_t num_nodes() const { return static_cast<std::int32_t>(nodes_.size()); }
  [[nodiscard]] std::int32_t num_inputs() const { return num_inputs_; }
  [[nodiscard]] bool is_constant(std::int32_t index, double value) const {
    return nodes_[index].op == Op::kConstant && nodes_[index].value == value;
  }
  /// For every node whether it depends on one of the inputs [begin, end). O(nodes).
  [[nodiscard]] std::vector<bool> depends_on(std::int32_t begin, std::int32_t end) const;

 private:
  struct KeyHash {
    std::size_t operator()(const TapeNode& node) const;
  };
  struct KeyEqual {
    bool operator()(const TapeNode& x, const TapeNode& y) const;
  };
  std::int32_t append(const TapeNode& node);
  void check_new_name(const std::string& name) const;

  std::vector<TapeNode> nodes_;
  std::unordered_map<TapeNode, std::int32_t, KeyHash, KeyEqual> index_;
  std::unordered_map<std::string, std::int32_t> symbols_;
  std::unordered_map<std::string, std::string> forbidden_;
  std::int32_t num_inputs_ = 0;
};

/// node = base + sum_k coefficient_k * input_k with base and coefficients free of the inputs [begin, end).
struct LinearForm {
  struct Term {
    std::int32_t input;        ///< number of the input
    std::int32_t coefficient;  ///< node
  };
  std::int32_t base;        ///< node
  std::vector<Term> terms;  ///< by rising input, no coefficient is the constant 0
};

/// Splits a node into a form linear in the inputs [begin, end), by the rules of calculation, without evaluating: the
/// coefficients carry no rounding of their own. Appends nodes to the tape. Cost: O(nodes * inputs).
/// @throws ExpressionError where the node is not written as a linear form: "the product of two terms that ...".
LinearForm linear_form(ExpressionTape& tape, std::int32_t node, std::int32_t begin, std::int32_t end);

}  // namespace sojourn
