#include "result/tables.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "host/result/made_up_run.hpp"

namespace sojourn {
namespace {

std::vector<std::vector<std::string>> rows_of(const std::string& csv) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(csv);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
  }
  return rows;
}

TEST(Tables, ParticlesComeBackBitForBit) {
  auto run = made_up_run();
  Matrix<double>& particles = run->result.particles;
  particles(0, 0) = 0.1;
  particles(0, 1) = 5e-324;
  particles(0, 2) = 1.7976931348623157e308;
  const auto rows = rows_of(particles_csv(run->facts));
  ASSERT_EQ(rows.size(), particles.num_rows() + 1);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"theta", "growth_rate", "migration_to_north"}));
  for (std::size_t i = 0; i < particles.num_rows(); ++i) {
    ASSERT_EQ(rows[i + 1].size(), 3U);
    for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(std::strtod(rows[i + 1][k].c_str(), nullptr), particles(i, k));
  }
  EXPECT_EQ(rows[1][0], "0.10000000000000001");
}

TEST(Tables, TraceHoldsEveryFrameOnTheNaturalScale) {
  const auto run = made_up_run(2, 5);
  const auto rows = rows_of(trace_csv(run->facts));
  ASSERT_EQ(rows.size(), 1 + 26 * 5U);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"iteration", "particle", "theta", "growth_rate"}));
  EXPECT_EQ(rows[6][0], "20");
  EXPECT_EQ(rows[6][1], "0");
  EXPECT_EQ(std::strtod(rows[6][2].c_str(), nullptr), std::exp(run->result.svgd.history[1].particles(0, 0)));
}

TEST(Tables, ConvergenceHasOneRowPerIteration) {
  const auto run = made_up_run();
  const auto rows = rows_of(convergence_csv(run->facts));
  ASSERT_EQ(rows.size(), 501U);
  EXPECT_EQ(rows[1][0], "1");
  EXPECT_EQ(std::strtod(rows[500][2].c_str(), nullptr), run->result.svgd.trace_step[499]);
}

TEST(Tables, NamesWithCommasAreQuoted) {
  const auto run = made_up_run(1, 2);
  run->facts.parameters[0].summary.name = "a,\"b\"";
  EXPECT_EQ(particles_csv(run->facts).substr(0, 11), "\"a,\"\"b\"\"\"\n" + particles_csv(run->facts).substr(10, 1));
}

}  // namespace
}  // namespace sojourn
