#include "model/expression.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/expression_program.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;

double value_of(const std::string& text, double a = 3, double b = 2) {
  ExpressionTape tape;
  tape.add_input("a");
  tape.add_input("b");
  const std::vector<std::int32_t> outputs{tape.parse(text)};
  const ExpressionProgram program(tape, outputs);
  std::vector<double> scratch(program.num_slots());
  program.load_constants<double>(scratch);
  scratch[0] = a;
  scratch[1] = b;
  program.run<double>(scratch);
  return scratch[program.output_slot(0)];
}

std::string fault_of(const std::string& text) {
  try {
    return "value " + std::to_string(value_of(text));
  } catch (const ExpressionError& error) {
    return error.what();
  }
}

TEST(Expression, FollowsThePrecedenceOfArithmetic) {
  EXPECT_EQ(value_of("1 + 2 * 3"), 7);
  EXPECT_EQ(value_of("1 - 2 - 3"), -4);
  EXPECT_EQ(value_of("8 / 4 / 2"), 1);
  EXPECT_EQ(value_of("2 ^ 3 ^ 2"), 512);
  EXPECT_EQ(value_of("-2 ^ 2"), -4);
  EXPECT_EQ(value_of("2 ^ -3 * 4"), 0.5);
  EXPECT_EQ(value_of("2 * -3 + 1"), -5);
  EXPECT_EQ(value_of("2--3"), 5);
  EXPECT_EQ(value_of("-a * b"), -6);
  EXPECT_EQ(value_of("a / -b * 4"), -6);
  EXPECT_EQ(value_of("a^-b^2"), std::pow(3.0, -4.0));
  EXPECT_EQ(value_of("a*(a-1)/2"), 3);
  EXPECT_EQ(value_of("+a - +b"), 1);
  EXPECT_EQ(value_of(" ( (a)\t)\n"), 3);
}

TEST(Expression, ComparesAndJoins) {
  EXPECT_EQ(value_of("a > b && b >= 2"), 1);
  EXPECT_EQ(value_of("a < b || b != 2"), 0);
  EXPECT_EQ(value_of("a + b == 5"), 1);
  EXPECT_EQ(value_of("!(a == 3)"), 0);
  EXPECT_EQ(value_of("!a || b <= -b"), 0);
  EXPECT_EQ(value_of("1 == 1 || a / 0 < 1 && 0 == 1"), 1);
  EXPECT_EQ(value_of("(a > 1) * 10 + (a > 5) * 100"), 10);
  EXPECT_EQ(value_of("true"), 1);
  EXPECT_EQ(value_of("a == 1 || false"), 0);
}

TEST(Expression, HasTheFunctionsOfTheManual) {
  EXPECT_EQ(value_of("min(a, b, 1) + max(a, b)"), 4);
  EXPECT_EQ(value_of("abs(-a) + floor(2.7) + ceil(2.1)"), 8);
  EXPECT_EQ(value_of("mod(-7, 3)"), 2);
  EXPECT_EQ(value_of("pow(a, b)"), 9);
  EXPECT_DOUBLE_EQ(value_of("exp(1) + log(a) + sqrt(b)"), std::exp(1.0) + std::log(3.0) + std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(value_of("expm1(a) + log1p(b)"), std::expm1(3.0) + std::log1p(2.0));
  EXPECT_DOUBLE_EQ(value_of("sin(a) + cos(b) + tanh(a)"), std::sin(3.0) + std::cos(2.0) + std::tanh(3.0));
}

TEST(Expression, ReadsNumbersExactly) {
  EXPECT_EQ(value_of("0.1"), 0.1);
  EXPECT_EQ(value_of("1e3 + .5 + 2."), 1002.5);
  EXPECT_EQ(value_of("9007199254740993"), 9007199254740992.0);
  EXPECT_EQ(value_of("1.7976931348623157e308"), 1.7976931348623157e308);
  EXPECT_EQ(value_of("3000000000 - 1"), 2999999999.0);
}

TEST(Expression, DomainErrorsAreNaN) {
  EXPECT_TRUE(std::isnan(value_of("log(-a)")));
  EXPECT_TRUE(std::isnan(value_of("(-a)^0.5")));
  EXPECT_TRUE(std::isnan(value_of("min(log(-a), 1)")));
  EXPECT_TRUE(std::isnan(value_of("max(1, log(-a))")));
  EXPECT_EQ(value_of("a / (b - 2)"), INFINITY);
}

TEST(Expression, ConditionsOnNaNAreNeitherTrueNorFalse) {
  for (const char* text : {"log(-a) < 1", "log(-a) >= 1", "log(-a) == 1", "log(-a) != 1", "!log(-a)",
                           "a > 1 && log(-a) > 0", "log(-a) > 0 || a < 1"})
    EXPECT_TRUE(std::isnan(value_of(text))) << text;
  EXPECT_EQ(value_of("a < 1 && log(-a) > 0"), 0);
  EXPECT_EQ(value_of("log(-a) > 0 || a > 1"), 1);
  // The sum of both sides is NaN here though neither is.
  EXPECT_EQ(value_of("1 / (b - 2) > -1 / (b - 2)"), 1);
}

TEST(Expression, RecordsEachCallOnceAndSharesEqualParts) {
  ExpressionTape tape;
  const auto a = tape.add_input("a");
  const auto first = tape.parse("exp(a * 2) + exp(a * 2)");
  // Nodes: a, true and false, 2, a*2, exp, sum. Calls with constant operands are folded by the tape, not by muParser.
  EXPECT_EQ(tape.node(first).op, Op::kAdd);
  EXPECT_EQ(tape.node(first).a, tape.node(first).b);
  const auto nodes = tape.num_nodes();
  EXPECT_EQ(tape.parse("exp(a * 2)"), tape.node(first).a);
  EXPECT_EQ(tape.num_nodes(), nodes);
  EXPECT_EQ(tape.parse("a"), a);
  EXPECT_TRUE(tape.is_constant(tape.parse("2 * 3 + exp(0)"), 7));
}

TEST(Expression, NamesTheColumnOfAFault) {
  EXPECT_THAT(fault_of("1 / (2 * aa)"), HasSubstr("column 10 of '1 / (2 * aa)': unknown name 'aa'; did you mean 'a'?"));
  EXPECT_THAT(fault_of("a b"), HasSubstr("column 3 of 'a b': unexpected 'b'; an operator is expected"));
  EXPECT_THAT(fault_of("a +"), HasSubstr("ends where a value is expected"));
  EXPECT_THAT(fault_of("a + * b"), HasSubstr("column 5"));
  EXPECT_THAT(fault_of("(a + b"), HasSubstr("column 7 of '(a + b': ')' is missing"));
  EXPECT_THAT(fault_of("a + b)"), HasSubstr("column 6 of 'a + b)': this ')' closes nothing"));
  EXPECT_THAT(fault_of("2a"), HasSubstr("column 2 of '2a': a name follows a number"));
  EXPECT_THAT(fault_of("sqr(a)"), HasSubstr("did you mean 'sqrt'?"));
  EXPECT_THAT(fault_of("sqrt a"), HasSubstr("'sqrt' is a function; write sqrt(...)"));
  EXPECT_THAT(fault_of("pow(a)"), HasSubstr("too few arguments"));
  EXPECT_THAT(fault_of("exp(a, b)"), HasSubstr("too many arguments"));
  EXPECT_THAT(fault_of("min(a)"), HasSubstr("two arguments"));
  EXPECT_THAT(fault_of("a, b"), HasSubstr("an expression has one value"));
  EXPECT_THAT(fault_of(""), HasSubstr("expression is empty"));
  EXPECT_THAT(fault_of(" \t"), HasSubstr("expression is empty"));
  EXPECT_THAT(fault_of("1e999"), HasSubstr("out of range"));
  EXPECT_THAT(fault_of("()"), HasSubstr("column 2"));
}

TEST(Expression, RefusesEverythingButArithmetic) {
  EXPECT_THAT(fault_of("a > 1 ? a : b"), HasSubstr("column 7 of 'a > 1 ? a : b': '?:' is not allowed"));
  EXPECT_THAT(fault_of("a = 3"), HasSubstr("column 3 of 'a = 3': assignment is not allowed; compare with =="));
  EXPECT_THAT(fault_of("\"a\""), HasSubstr("text is not allowed"));
  EXPECT_THAT(fault_of("a & b"), HasSubstr("did you mean '&&'?"));
  EXPECT_THAT(fault_of("a; b"), HasSubstr("';' is not allowed"));
  EXPECT_THAT(fault_of("a.b"), HasSubstr("column"));
  EXPECT_THAT(fault_of("a[0]"), HasSubstr("'[' is not allowed"));
  EXPECT_THAT(fault_of("system(1)"), HasSubstr("unknown name 'system'"));
  EXPECT_THAT(fault_of("_pi"), HasSubstr("unknown name '_pi'"));
  EXPECT_THAT(fault_of("a \xc3\x97 b"), HasSubstr("plain ASCII"));
  EXPECT_THAT(fault_of("0 < a < 5"), HasSubstr("join two comparisons with &&"));
  EXPECT_THAT(fault_of("a == b == 1"), HasSubstr("join two comparisons"));
}

TEST(Expression, LimitsLengthAndDepth) {
  std::string sum = "a";
  while (sum.size() < 9000) sum += "+a";
  EXPECT_EQ(value_of(sum, 1), (sum.size() + 1) / 2);
  EXPECT_THAT(fault_of(std::string(10'001, '1')), HasSubstr("longer than the 10000 allowed"));
  const auto nested = [](int depth) { return std::string(depth, '(') + "a" + std::string(depth, ')'); };
  EXPECT_EQ(value_of(nested(200)), 3);
  EXPECT_THAT(fault_of(nested(201)), HasSubstr("nest deeper than 200"));
  EXPECT_THAT(fault_of(std::string(5000, '-') + "a"), HasSubstr("unexpected operator '-'"));
}

TEST(Expression, ChecksNames) {
  ExpressionTape tape;
  tape.add_input("a");
  EXPECT_THROW(tape.add_input("a"), ModelError);
  EXPECT_THROW(tape.add_input("exp"), ModelError);
  EXPECT_THROW(tape.add_input("2a"), ModelError);
  EXPECT_THROW(tape.add_input("mig-1"), ModelError);
  EXPECT_THROW(tape.add_input(""), ModelError);
  EXPECT_NO_THROW(tape.add_input("_x1"));
  tape.forbid("theta", "is elsewhere");
  try {
    (void)tape.parse("2 * theta");
    FAIL();
  } catch (const ExpressionError& error) {
    EXPECT_THAT(error.what(), HasSubstr("column 5 of '2 * theta': 'theta' is elsewhere"));
  }
}

/// A linear form evaluated at one state: base and one coefficient per rate.
std::vector<double> form_at(const std::string& text, double x) {
  ExpressionTape tape;
  tape.add_input("x");
  tape.add_input("p");
  tape.add_input("q");
  const LinearForm form = linear_form(tape, tape.parse(text), 1, 3);
  std::vector<std::int32_t> outputs{form.base, tape.constant(0), tape.constant(0)};
  for (const LinearForm::Term& term : form.terms) outputs[term.input] = term.coefficient;
  const ExpressionProgram program(tape, outputs);
  std::vector<double> scratch(program.num_slots(), 0.0);
  program.load_constants<double>(scratch);
  scratch[0] = x;
  scratch[1] = scratch[2] = std::nan("");  // the form is free of the rates
  program.run<double>(scratch);
  std::vector<double> values;
  for (int k = 0; k < 3; ++k) values.push_back(scratch[program.output_slot(k)]);
  return values;
}

TEST(LinearForm, SplitsBaseAndCoefficients) {
  using Values = std::vector<double>;
  EXPECT_EQ(form_at("p * x*(x-1)/2", 5), (Values{0, 10, 0}));
  EXPECT_EQ(form_at("x + 2*p - q*x", 5), (Values{5, 2, -5}));
  EXPECT_EQ(form_at("(p + q*x + 1) * (x + 1) / 2", 5), (Values{3, 3, 15}));
  EXPECT_EQ(form_at("-(p - 3) - q", 5), (Values{3, -1, -1}));
  EXPECT_EQ(form_at("p - p", 5), (Values{0, 0, 0}));
  EXPECT_EQ(form_at("3*p + 4*p", 5), (Values{0, 7, 0}));
  EXPECT_EQ(form_at("x^2", 5), (Values{25, 0, 0}));
  EXPECT_EQ(form_at("(x > 4) * p + (x <= 4) * q", 5), (Values{0, 1, 0}));
  EXPECT_EQ(form_at("2", 5), (Values{2, 0, 0}));
}

TEST(LinearForm, RefusesWhatIsNotLinear) {
  for (const char* text : {"p * q", "p * p", "1 / p", "x / (1 + p)", "p ^ 2", "exp(p)", "abs(p)", "min(p, x)", "p > 1"})
    EXPECT_THROW(form_at(text, 5), ExpressionError) << text;
}

}  // namespace
}  // namespace sojourn
