#include "model/expression.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>

#include "expects.hpp"
#include "model/expression_grammar.hpp"
#include "model/expression_program.hpp"
#include "model/suggest.hpp"

namespace sojourn {
namespace {

struct OpFacts {
  const char* name;
  int num_operands;
  bool smooth, logical;
};
// In the order of `Op`.
constexpr std::array<OpFacts, 33> kOpFacts{{
    {"constant", 0, true, false}, {"input", 0, true, false}, {"+", 2, true, false},     {"-", 2, true, false},
    {"*", 2, true, false},        {"/", 2, true, false},     {"^", 2, true, false},     {"unary -", 1, true, false},
    {"exp", 1, true, false},      {"log", 1, true, false},   {"log1p", 1, true, false}, {"expm1", 1, true, false},
    {"sqrt", 1, true, false},     {"sin", 1, true, false},   {"cos", 1, true, false},   {"tanh", 1, true, false},
    {"abs", 1, false, false},     {"min", 2, false, false},  {"max", 2, false, false},  {"floor", 1, false, false},
    {"ceil", 1, false, false},    {"mod", 2, false, false},  {"<", 2, false, true},     {"<=", 2, false, true},
    {">", 2, false, true},        {">=", 2, false, true},    {"==", 2, false, true},    {"!=", 2, false, true},
    {"&&", 2, false, true},       {"||", 2, false, true},    {"!", 1, false, true},
}};

const OpFacts& facts(Op op) { return kOpFacts[static_cast<std::size_t>(op)]; }

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

/// "column 7 of '1/(2*aa)': message"; long expressions are cut around the fault.
[[noreturn]] void fail(std::string_view expression, std::size_t position, const std::string& message) {
  constexpr std::size_t kShown = 60;
  const std::size_t begin = expression.size() <= kShown || position < kShown / 2 ? 0 : position - kShown / 2;
  std::string shown(expression.substr(begin, kShown));
  if (begin > 0) shown = "..." + shown;
  if (begin + kShown < expression.size()) shown += "...";
  throw ExpressionError(fmt::format("column {} of '{}': {}", position + 1, shown, message));
}

/// Tells what is wrong with a character that belongs to no expression.
void check_character(std::string_view text, std::size_t i) {
  const char c = text[i];
  const char next = i + 1 < text.size() ? text[i + 1] : '\0';
  const char before = i > 0 ? text[i - 1] : '\0';
  switch (c) {
    case '?':
    case ':':
      fail(text, i, "'?:' is not allowed; multiply by a comparison, as in (a > 1) * b");
    case '"':
    case '\'':
      fail(text, i, "text is not allowed in an expression; write arithmetic only");
    case '=':
      if (next == '=' || before == '=' || before == '<' || before == '>' || before == '!') return;
      fail(text, i, "assignment is not allowed; compare with ==");
    case '&':
    case '|':
      if (next == c || before == c) return;
      fail(text, i, fmt::format("'{}' is not an operator; did you mean '{}{}'?", c, c, c));
    default:
      if (std::string_view("+-*/^(),<>!. \t\r\n").find(c) != std::string_view::npos) return;
      if (static_cast<unsigned char>(c) >= 0x80 || static_cast<unsigned char>(c) < 0x20)
        fail(text, i,
             fmt::format("character 0x{:02x} is not allowed; expressions are plain ASCII",
                         static_cast<unsigned char>(c)));
      fail(text, i, fmt::format("'{}' is not allowed; operators are + - * / ^ ( ) < <= > >= == != && || !", c));
  }
}

}  // namespace

const char* to_string(Op op) { return facts(op).name; }
int num_operands(Op op) { return facts(op).num_operands; }
bool is_smooth(Op op) { return facts(op).smooth; }
bool is_logical(Op op) { return facts(op).logical; }

bool is_expression_name(std::string_view name) {
  if (name.empty() || name.size() > 200 || !is_name_start(name[0])) return false;
  if (!std::all_of(name.begin(), name.end(), is_name_char)) return false;
  const auto& reserved = reserved_expression_names();
  return std::find(reserved.begin(), reserved.end(), name) == reserved.end();
}

std::size_t ExpressionTape::KeyHash::operator()(const TapeNode& node) const {
  std::size_t hash = static_cast<std::size_t>(node.op) * 0x9E3779B97F4A7C15ULL;
  for (const std::uint64_t part :
       {static_cast<std::uint64_t>(static_cast<std::uint32_t>(node.a)) << 32 | static_cast<std::uint32_t>(node.b),
        std::bit_cast<std::uint64_t>(node.value)})
    hash = (hash ^ part) * 0x9E3779B97F4A7C15ULL, hash ^= hash >> 29;
  return hash;
}

bool ExpressionTape::KeyEqual::operator()(const TapeNode& x, const TapeNode& y) const {
  return x.op == y.op && x.a == y.a && x.b == y.b &&
         std::bit_cast<std::uint64_t>(x.value) == std::bit_cast<std::uint64_t>(y.value);
}

std::int32_t ExpressionTape::append(const TapeNode& node) {
  const auto [position, is_new] = index_.try_emplace(node, num_nodes());
  if (is_new) nodes_.push_back(node);
  return position->second;
}

void ExpressionTape::check_new_name(const std::string& name) const {
  SOJOURN_EXPECTS(is_expression_name(name), ModelError,
                  "name '{}' cannot be used in expressions; use letters, digits and underscores, not starting with a "
                  "digit, and none of {}",
                  name, list_names(reserved_expression_names(), 40));
  SOJOURN_EXPECTS(!symbols_.contains(name), ModelError, "name '{}' is given twice; rename one of the two", name);
}

std::int32_t ExpressionTape::add_input(const std::string& name) {
  check_new_name(name);
  const std::int32_t node = append({Op::kInput, num_inputs_++, -1, 0});
  symbols_.emplace(name, node);
  return node;
}

void ExpressionTape::define(const std::string& name, std::int32_t node) {
  check_new_name(name);
  symbols_.emplace(name, node);
}

void ExpressionTape::forbid(const std::string& name, const std::string& reason) { forbidden_[name] = reason; }

std::int32_t ExpressionTape::constant(double value) { return append({Op::kConstant, -1, -1, value}); }

std::int32_t ExpressionTape::apply(Op op, std::int32_t a, std::int32_t b) {
  const bool binary = num_operands(op) == 2;
  if (nodes_[a].op == Op::kConstant && (!binary || nodes_[b].op == Op::kConstant))
    return constant(apply_op<double>(op, nodes_[a].value, binary ? nodes_[b].value : 0.0));
  return append({op, a, binary ? b : -1, 0});
}

std::vector<bool> ExpressionTape::depends_on(std::int32_t begin, std::int32_t end) const {
  std::vector<bool> depends(nodes_.size(), false);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const TapeNode& node = nodes_[i];
    if (node.op == Op::kInput)
      depends[i] = node.a >= begin && node.a < end;
    else if (node.op != Op::kConstant)
      depends[i] = depends[node.a] || (node.b >= 0 && depends[node.b]);
  }
  return depends;
}

std::int32_t ExpressionTape::parse(std::string_view expression) {
  if (expression.size() > kMaxLength)
    throw ExpressionError(fmt::format("expression of {} characters is longer than the {} allowed; split it",
                                      expression.size(), kMaxLength));
  if (expression.find_first_not_of(" \t\r\n") == std::string_view::npos)
    throw ExpressionError("expression is empty; write a number or arithmetic over the names in scope");

  // One pass before the grammar: it refuses what the grammar would take and finds the names that are used.
  std::vector<ExpressionSymbol> used;
  int depth = 0;
  std::string plain(expression);
  for (std::size_t i = 0; i < expression.size();) {
    const char c = expression[i];
    if (is_digit(c) || (c == '.' && i + 1 < expression.size() && is_digit(expression[i + 1]))) {
      i += number_length(expression.substr(i));
      if (i < expression.size() && is_name_start(expression[i]))
        fail(expression, i, "a name follows a number; write * for the product");
      continue;
    }
    if (is_name_start(c)) {
      std::size_t end = i;
      while (end < expression.size() && is_name_char(expression[end])) ++end;
      const std::string name(expression.substr(i, end - i));
      if (const auto found = symbols_.find(name); found != symbols_.end()) {
        used.push_back({name, found->second});
      } else if (const auto reason = forbidden_.find(name); reason != forbidden_.end()) {
        fail(expression, i, fmt::format("'{}' {}", name, reason->second));
      } else {
        const auto& reserved = reserved_expression_names();
        if (std::find(reserved.begin(), reserved.end(), name) == reserved.end()) {
          std::vector<std::string> known;
          for (const auto& [symbol, node] : symbols_) known.push_back(symbol);
          std::sort(known.begin(), known.end());
          const std::string in_scope = list_names(known);
          known.insert(known.end(), reserved.begin(), reserved.end());
          fail(expression, i, fmt::format("unknown name '{}'{} (known: {})", name, suggestion(name, known), in_scope));
        }
      }
      i = end;
      continue;
    }
    check_character(expression, i);
    if (c == '(' && ++depth > kMaxDepth)
      fail(expression, i, fmt::format("parentheses nest deeper than {}; split the expression", kMaxDepth));
    if (c == ')' && --depth < 0) fail(expression, i, "this ')' closes nothing; remove it or add '('");
    if (std::isspace(static_cast<unsigned char>(c)) != 0) plain[i] = ' ';
    ++i;
  }
  try {
    return record_expression(*this, plain, used);
  } catch (const GrammarFault& fault) {
    fail(expression, std::min(fault.position, expression.size()), fault.message);
  }
}

}  // namespace sojourn
