#include "model/expression_grammar.hpp"

#include <fmt/format.h>
#include <muParser.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>

namespace sojourn {
namespace {

/// What the callbacks record onto: muParser gives its operators no user data, so it is a variable of the thread that is
/// set for the time of one `record_expression`.
thread_local ExpressionTape* recording_tape = nullptr;

struct RecordingScope {
  explicit RecordingScope(ExpressionTape& tape) : outer(recording_tape) { recording_tape = &tape; }
  ~RecordingScope() { recording_tape = outer; }
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;
  ExpressionTape* outer;
};

/// Values that travel through muParser are node numbers; whole numbers below 2^31 are exact in a double.
double as_handle(std::int32_t node) { return node; }
std::int32_t as_node(double handle) { return static_cast<std::int32_t>(handle); }

template <Op kOp>
double record_unary(double a) {
  return as_handle(recording_tape->apply(kOp, as_node(a)));
}

template <Op kOp>
double record_binary(double a, double b) {
  return as_handle(recording_tape->apply(kOp, as_node(a), as_node(b)));
}

/// `0 < a < 5` compares 0 or 1 with 5: never what is meant.
template <Op kOp>
double record_comparison(double a, double b) {
  for (const double side : {a, b}) {
    const Op inner = recording_tape->node(as_node(side)).op;
    if (is_logical(inner))
      throw mu::ParserError(fmt::format("the result of '{}' is compared by '{}'; join two comparisons with &&",
                                        to_string(inner), to_string(kOp)));
  }
  return record_binary<kOp>(a, b);
}

template <Op kOp>
double record_fold(const double* values, int num_values) {
  if (num_values < 2) throw mu::ParserError(fmt::format("'{}' needs two arguments or more", to_string(kOp)));
  double result = values[0];
  for (int i = 1; i < num_values; ++i) result = record_binary<kOp>(result, values[i]);
  return result;
}

double record_plus(double a) { return a; }

int read_number(const char* text, int* position, double* value) {
  const std::size_t length = number_length(text);
  if (length == 0) return 0;
  double number = 0;
  const auto [end, fault] = std::from_chars(text, text + length, number);
  if (fault != std::errc()) throw mu::ParserError(fmt::format("number {} is out of range", std::string(text, length)));
  *value = as_handle(recording_tape->constant(number));
  *position += static_cast<int>(length);
  return 1;
}

/// muParser's grammar with none of its built-in operators, functions or constants.
class RecordingParser : public mu::ParserBase {
 public:
  RecordingParser() {
    InitCharSets();
    EnableBuiltInOprt(false);
    EnableOptimizer(false);
    AddValIdent(read_number);
    InitFun();
    InitOprt();
  }

 private:
  void InitCharSets() override {
    DefineNameChars("0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    DefineOprtChars("+-*/^<>=!&|");
    DefineInfixOprtChars("+-!");
  }
  void InitConst() override {}
  // The last argument of every definition forbids muParser to fold calls with constant operands: their values are node
  // numbers, and each call must happen exactly once, in order.
  void InitFun() override {
    DefineFun("exp", record_unary<Op::kExp>, false);
    DefineFun("log", record_unary<Op::kLog>, false);
    DefineFun("log1p", record_unary<Op::kLog1p>, false);
    DefineFun("expm1", record_unary<Op::kExpm1>, false);
    DefineFun("sqrt", record_unary<Op::kSqrt>, false);
    DefineFun("sin", record_unary<Op::kSin>, false);
    DefineFun("cos", record_unary<Op::kCos>, false);
    DefineFun("tanh", record_unary<Op::kTanh>, false);
    DefineFun("abs", record_unary<Op::kAbs>, false);
    DefineFun("floor", record_unary<Op::kFloor>, false);
    DefineFun("ceil", record_unary<Op::kCeil>, false);
    DefineFun("pow", record_binary<Op::kPower>, false);
    DefineFun("mod", record_binary<Op::kMod>, false);
    DefineFun("min", record_fold<Op::kMin>, false);
    DefineFun("max", record_fold<Op::kMax>, false);
  }
  void InitOprt() override {
    DefineOprt("||", record_binary<Op::kOr>, mu::prLOR, mu::oaLEFT, false);
    DefineOprt("&&", record_binary<Op::kAnd>, mu::prLAND, mu::oaLEFT, false);
    DefineOprt("<", record_comparison<Op::kLess>, mu::prCMP, mu::oaLEFT, false);
    DefineOprt("<=", record_comparison<Op::kLessEqual>, mu::prCMP, mu::oaLEFT, false);
    DefineOprt(">", record_comparison<Op::kGreater>, mu::prCMP, mu::oaLEFT, false);
    DefineOprt(">=", record_comparison<Op::kGreaterEqual>, mu::prCMP, mu::oaLEFT, false);
    DefineOprt("==", record_comparison<Op::kEqual>, mu::prCMP, mu::oaLEFT, false);
    DefineOprt("!=", record_comparison<Op::kNotEqual>, mu::prCMP, mu::oaLEFT, false);
    DefineOprt("+", record_binary<Op::kAdd>, mu::prADD_SUB, mu::oaLEFT, false);
    DefineOprt("-", record_binary<Op::kSubtract>, mu::prADD_SUB, mu::oaLEFT, false);
    DefineOprt("*", record_binary<Op::kMultiply>, mu::prMUL_DIV, mu::oaLEFT, false);
    DefineOprt("/", record_binary<Op::kDivide>, mu::prMUL_DIV, mu::oaLEFT, false);
    DefineOprt("^", record_binary<Op::kPower>, mu::prPOW, mu::oaRIGHT, false);
    DefineInfixOprt("-", record_unary<Op::kNegate>, mu::prINFIX, false);
    DefineInfixOprt("+", record_plus, mu::prINFIX, false);
    DefineInfixOprt("!", record_unary<Op::kNot>, mu::prINFIX, false);
  }
};

std::string describe(const mu::ParserError& error) {
  const std::string& token = error.GetToken();
  switch (error.GetCode()) {
    case mu::ecUNEXPECTED_OPERATOR:
      return fmt::format("unexpected operator '{}'; a value is expected here", token);
    case mu::ecUNEXPECTED_EOF:
      return "the expression ends where a value is expected";
    case mu::ecUNEXPECTED_ARG_SEP:
    case mu::ecUNEXPECTED_ARG:
      return "unexpected ','; only function arguments are separated by commas";
    case mu::ecUNEXPECTED_VAL:
    case mu::ecUNEXPECTED_VAR:
    case mu::ecUNEXPECTED_FUN:
      return fmt::format("unexpected '{}'; an operator is expected here", token);
    case mu::ecUNEXPECTED_PARENS:
      return fmt::format("unexpected '{}'", token);
    case mu::ecMISSING_PARENS:
      return "')' is missing";
    case mu::ecTOO_MANY_PARAMS:
      return fmt::format("too many arguments for '{}'", token);
    case mu::ecTOO_FEW_PARAMS:
      return fmt::format("too few arguments for '{}'", token);
    case mu::ecUNASSIGNABLE_TOKEN: {
      const std::string word = token.substr(0, token.find(' '));
      const auto& reserved = reserved_expression_names();
      if (std::find(reserved.begin(), reserved.end(), word) != reserved.end())
        return fmt::format("'{}' is a function; write {}(...)", word, word);
      return fmt::format("unexpected '{}'; a value is expected here", word);
    }
    default:
      return error.GetMsg();
  }
}

}  // namespace

const std::vector<std::string>& reserved_expression_names() {
  static const std::vector<std::string> names{"abs", "ceil", "cos", "exp", "expm1", "false", "floor", "log", "log1p",
                                              "max", "min",  "mod", "pow", "sin",   "sqrt",  "tanh",  "true"};
  return names;
}

std::size_t number_length(std::string_view text) {
  const auto digits_from = [&](std::size_t i) {
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    return i;
  };
  std::size_t end = digits_from(0);
  std::size_t num_digits = end;
  if (end < text.size() && text[end] == '.') {
    const std::size_t after = digits_from(end + 1);
    num_digits += after - end - 1;
    end = after;
  }
  if (num_digits == 0) return 0;
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    std::size_t exponent = end + 1;
    if (exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-')) ++exponent;
    const std::size_t after = digits_from(exponent);
    if (after > exponent) end = after;
  }
  return end;
}

std::int32_t record_expression(ExpressionTape& tape, const std::string& expression,
                               std::span<const ExpressionSymbol> symbols) {
  const RecordingScope scope(tape);
  // muParser keeps the addresses: the map's nodes stay where they are.
  std::unordered_map<std::string, double> handles;
  try {
    RecordingParser parser;
    for (const ExpressionSymbol& symbol : symbols) {
      const auto [position, is_new] = handles.try_emplace(symbol.name, as_handle(symbol.node));
      if (is_new) parser.DefineVar(symbol.name, &position->second);
    }
    for (const bool value : {false, true}) {
      const std::string name = value ? "true" : "false";
      const auto [position, is_new] = handles.try_emplace(name, as_handle(tape.constant(value)));
      if (is_new) parser.DefineVar(name, &position->second);
    }
    parser.SetExpr(expression);
    int num_results = 0;
    const double* results = parser.Eval(num_results);
    if (num_results != 1) throw GrammarFault{expression.find(','), "unexpected ','; an expression has one value"};
    return as_node(results[0]);
  } catch (const mu::ParserError& error) {
    const int position = error.GetPos();
    const bool known = position >= 0 && static_cast<std::size_t>(position) <= expression.size();
    // Faults found at the end of the text, a missing parenthesis above all, come without a position.
    const std::size_t fallback = error.GetCode() == mu::ecMISSING_PARENS ? expression.size() : 0;
    throw GrammarFault{known ? static_cast<std::size_t>(position) : fallback, describe(error)};
  }
}

}  // namespace sojourn
