#include <fmt/format.h>

#include <map>

#include "model/expression.hpp"

namespace sojourn {
namespace {

/// Coefficient node per input; absent means 0. The base is kept apart.
struct Form {
  std::int32_t base;
  std::map<std::int32_t, std::int32_t> coefficients;
};

class Splitter {
 public:
  Splitter(ExpressionTape& tape, std::int32_t begin, std::int32_t end)
      : tape_(tape), depends_(tape.depends_on(begin, end)), zero_(tape.constant(0)), one_(tape.constant(1)) {}

  /// Forms of all nodes that depend on the inputs, up to `last`; tape order makes operands come first.
  Form split(std::int32_t last) {
    std::map<std::int32_t, Form> forms;
    const auto form_of = [&](std::int32_t node) { return depends_[node] ? forms.at(node) : Form{node, {}}; };
    if (!depends_[last]) return {last, {}};
    for (std::int32_t i : ancestors(last)) {
      const TapeNode node = tape_.node(i);
      Form result{zero_, {}};
      switch (node.op) {
        case Op::kInput:
          result.coefficients[node.a] = one_;
          break;
        case Op::kAdd:
        case Op::kSubtract:
          result = sum(form_of(node.a), form_of(node.b), node.op);
          break;
        case Op::kNegate:
          result = scale(form_of(node.a), [&](std::int32_t x) { return tape_.apply(Op::kNegate, x); });
          break;
        case Op::kMultiply:
          if (depends_[node.a] && depends_[node.b]) fail("a product of two terms that both contain a parameter");
          if (depends_[node.a])
            result = scale(form_of(node.a), [&](std::int32_t x) { return multiply(x, node.b); });
          else
            result = scale(form_of(node.b), [&](std::int32_t x) { return multiply(node.a, x); });
          break;
        case Op::kDivide:
          if (depends_[node.b]) fail("a division by a term that contains a parameter");
          result = scale(form_of(node.a), [&](std::int32_t x) { return tape_.apply(Op::kDivide, x, node.b); });
          break;
        default:
          fail(fmt::format("'{}' of a term that contains a parameter", to_string(node.op)));
      }
      forms[i] = std::move(result);
    }
    return forms.at(last);
  }

 private:
  [[noreturn]] static void fail(const std::string& what) {
    throw ExpressionError(fmt::format(
        "not linear in the parameters: {}; derive a rate for it under 'derived' and use that name here", what));
  }

  /// Nodes below `last` that depend on the inputs, in tape order, `last` included.
  [[nodiscard]] std::vector<std::int32_t> ancestors(std::int32_t last) const {
    std::vector<bool> needed(static_cast<std::size_t>(last) + 1, false);
    needed[last] = true;
    for (std::int32_t i = last; i >= 0; --i) {
      if (!needed[i] || num_operands(tape_.node(i).op) == 0) continue;
      needed[tape_.node(i).a] = true;
      if (tape_.node(i).b >= 0) needed[tape_.node(i).b] = true;
    }
    std::vector<std::int32_t> nodes;
    for (std::int32_t i = 0; i <= last; ++i)
      if (needed[i] && depends_[i]) nodes.push_back(i);
    return nodes;
  }

  std::int32_t multiply(std::int32_t a, std::int32_t b) {
    if (a == one_) return b;
    return b == one_ ? a : tape_.apply(Op::kMultiply, a, b);
  }

  Form sum(const Form& x, const Form& y, Op op) {
    const auto combine = [&](std::int32_t a, std::int32_t b) {
      if (b == zero_) return a;
      if (a == zero_) return op == Op::kAdd ? b : tape_.apply(Op::kNegate, b);
      return tape_.apply(op, a, b);
    };
    Form result{combine(x.base, y.base), x.coefficients};
    for (const auto& [input, coefficient] : y.coefficients) {
      const auto [position, is_new] = result.coefficients.try_emplace(input, zero_);
      position->second = combine(position->second, coefficient);
    }
    return result;
  }

  template <class Scale>
  Form scale(const Form& form, Scale&& by) {
    Form result{form.base == zero_ ? zero_ : by(form.base), {}};
    for (const auto& [input, coefficient] : form.coefficients) result.coefficients[input] = by(coefficient);
    return result;
  }

  ExpressionTape& tape_;
  std::vector<bool> depends_;
  std::int32_t zero_, one_;
};

}  // namespace

LinearForm linear_form(ExpressionTape& tape, std::int32_t node, std::int32_t begin, std::int32_t end) {
  const Form form = Splitter(tape, begin, end).split(node);
  LinearForm result{form.base, {}};
  for (const auto& [input, coefficient] : form.coefficients)
    if (!tape.is_constant(coefficient, 0)) result.terms.push_back({input, coefficient});
  return result;
}

}  // namespace sojourn
