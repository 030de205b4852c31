#include "graph/state_program.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace sojourn {
namespace {

/// Expressions of x and y with every operation that the grammar has, and what they are in plain C++.
struct Case {
  const char* text;
  double (*value)(double x, double y);
};
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
const Case kCases[] = {
    {"x + y", [](double x, double y) { return x + y; }},
    {"x - y", [](double x, double y) { return x - y; }},
    {"x * y", [](double x, double y) { return x * y; }},
    {"x / y", [](double x, double y) { return x / y; }},
    {"x ^ y", [](double x, double y) { return std::pow(x, y); }},
    {"-x", [](double x, double) { return -x; }},
    {"exp(x)", [](double x, double) { return std::exp(x); }},
    {"log(x)", [](double x, double) { return std::log(x); }},
    {"sqrt(x)", [](double x, double) { return std::sqrt(x); }},
    {"abs(x - y)", [](double x, double y) { return std::fabs(x - y); }},
    {"min(x, y)", [](double x, double y) { return x < y ? x : y; }},
    {"max(x, y)", [](double x, double y) { return x > y ? x : y; }},
    {"x < y", [](double x, double y) { return x < y ? 1.0 : 0.0; }},
    {"x <= y", [](double x, double y) { return x <= y ? 1.0 : 0.0; }},
    {"x > y", [](double x, double y) { return x > y ? 1.0 : 0.0; }},
    {"x >= y", [](double x, double y) { return x >= y ? 1.0 : 0.0; }},
    {"x == y", [](double x, double y) { return x == y ? 1.0 : 0.0; }},
    {"x != y", [](double x, double y) { return x != y ? 1.0 : 0.0; }},
    {"x && y", [](double x, double y) { return x != 0 && y != 0 ? 1.0 : 0.0; }},
    {"x || y", [](double x, double y) { return x != 0 || y != 0 ? 1.0 : 0.0; }},
    {"log(x) < y", [](double x, double y) { return x < 0             ? kNaN
                                                   : std::log(x) < y ? 1.0
                                                                     : 0.0; }},
    {"x > 0 && log(x) < y", [](double x, double y) { return x > 0 && std::log(x) < y ? 1.0 : 0.0; }},
    {"2.5", [](double, double) { return 2.5; }},
    {"y", [](double, double y) { return y; }},
};

TEST(StateProgram, GivesEveryChosenStateItsOwnValue) {
  ExpressionTape tape;
  tape.add_input("x");
  tape.add_input("y");
  std::vector<std::int32_t> nodes;
  for (const Case& each : kCases) nodes.push_back(tape.parse(each.text));
  StateProgram all(tape, nodes);

  std::vector<std::int32_t> rows;
  for (std::int32_t k = 0; k < kLargestStateBlock; ++k) {
    rows.push_back(k % 9 - 4);
    rows.push_back(k / 9 - 3);
  }
  const MatrixView<const std::int32_t> states(rows.data(), rows.size() / 2, 2);
  const auto expect_values = [&](StateProgram& program, std::size_t first_case, std::size_t num_cases, std::size_t row,
                                 std::size_t lane) {
    for (std::size_t c = 0; c < num_cases; ++c) {
      const Case& each = kCases[first_case + c];
      const double value = program.output(c, lane), truth = each.value(states(row, 0), states(row, 1));
      EXPECT_TRUE(value == truth || (std::isnan(value) && std::isnan(truth)))
          << each.text << " at " << states(row, 0) << ", " << states(row, 1) << ": " << value << ", not " << truth;
    }
  };
  std::vector<std::uint8_t> every, some;
  for (std::size_t k = 0; k < states.num_rows(); ++k) {
    every.push_back(static_cast<std::uint8_t>(k));
    if (k % 5 == 3) some.push_back(static_cast<std::uint8_t>(k));
  }
  for (const auto& chosen : {every, some, std::vector<std::uint8_t>{}}) {
    all.run(states, chosen);
    for (std::size_t l = 0; l < chosen.size(); ++l) expect_values(all, 0, std::size(kCases), chosen[l], l);
  }
  // Alone, a program reads the variables it has and no others.
  for (std::size_t c = 0; c < std::size(kCases); ++c) {
    StateProgram one(tape, {&nodes[c], 1});
    for (std::size_t row = 0; row < states.num_rows(); ++row) {
      one.run(states.row(row));
      expect_values(one, c, 1, row, 0);
    }
  }
}

}  // namespace
}  // namespace sojourn
