#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sojourn/error.hpp"
#include "sojourn/families.hpp"
#include "sojourn/result.hpp"

namespace sojourn {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();
// Curves are certified to 1e-6 relative, for the picture.
constexpr double kPicture = 2e-6;

Observations observations_of(std::vector<Observation> items, bool counts = false) {
  Observations observations;
  for (std::size_t i = 0; i < items.size(); ++i) observations.first_row.push_back(static_cast<std::int64_t>(i) + 2);
  observations.num_rows = static_cast<std::int64_t>(items.size());
  observations.items = std::move(items);
  observations.counts = counts;
  observations.origin = "made-up.csv";
  return observations;
}

const Prior kLognormal(PriorFamily::kLognormal, 0, 1);

Posterior erlang_posterior(std::vector<Observation> items) {
  Model model = erlang(3);
  const std::vector<double> reward = model.graph.unit_reward();
  return {std::move(model), observations_of(std::move(items)), {{"rate", kLognormal}}, {}, reward};
}

double erlang_survival(double rate, double t) {
  const double u = rate * t;
  return std::exp(-u) * (1 + u + 0.5 * u * u);
}

SvgdResult particles_at(const std::vector<double>& z) {
  SvgdResult svgd;
  svgd.particles = Matrix<double>(z.size(), 1);
  for (std::size_t i = 0; i < z.size(); ++i) svgd.particles(i, 0) = z[i];
  svgd.log_density.assign(z.size(), -1.0);
  svgd.score = Matrix<double>(z.size(), 1);
  return svgd;
}

TEST(PredictiveCheck, OneParticleIsItsSurvivalCurve) {
  const Posterior posterior = erlang_posterior({{1, 1}, {2.5, 2.5}, {4, kInf}});
  const PredictiveCheck check = predictive_check(posterior, particles_at({0.3}), 1);
  ASSERT_EQ(check.grid.size(), 120U);
  EXPECT_EQ(check.num_particles, 1);
  for (std::size_t k = 0; k < check.grid.size(); ++k) {
    const double truth = erlang_survival(std::exp(0.3), check.grid[k]);
    EXPECT_NEAR(check.median[k], truth, kPicture * truth);
    EXPECT_EQ(check.lower[k], check.median[k]);
    EXPECT_EQ(check.upper[k], check.median[k]);
  }
  EXPECT_EQ(check.data_x, (std::vector<double>{0, 1, 2.5}));
  EXPECT_NEAR(check.data_survival[2], 1. / 3, 1e-15);
  EXPECT_EQ(check.censored_x, (std::vector<double>{4}));
  EXPECT_TRUE(check.notes.empty());
}

TEST(PredictiveCheck, BandIsTheQuantilesOverParticles) {
  const Posterior posterior = erlang_posterior({{1, 1}, {2.5, 2.5}});
  std::vector<double> z(41);
  for (int i = 0; i < 41; ++i) z[i] = -1 + 0.05 * ((7 * i) % 41);
  const PredictiveCheck check = predictive_check(posterior, particles_at(z), 2);
  EXPECT_EQ(check.num_particles, 41);
  // Survival falls with the rate, so its quantile at p is the curve of the rate's quantile at 1 - p: with 41 particles
  // 2.5 % and 97.5 % are the second from either end.
  for (std::size_t k = 0; k < check.grid.size(); ++k) {
    const double t = check.grid[k];
    EXPECT_NEAR(check.lower[k], erlang_survival(std::exp(0.95), t), kPicture);
    EXPECT_NEAR(check.median[k], erlang_survival(1, t), kPicture);
    EXPECT_NEAR(check.upper[k], erlang_survival(std::exp(-0.95), t), kPicture);
  }
}

TEST(PredictiveCheck, BitsDoNotDependOnThreads) {
  const Posterior posterior = erlang_posterior({{1, 1}, {2.5, 2.5}});
  std::vector<double> z(300);
  for (int i = 0; i < 300; ++i) z[i] = -1 + 0.005 * i;
  const PredictiveCheck one = predictive_check(posterior, particles_at(z), 1);
  const PredictiveCheck three = predictive_check(posterior, particles_at(z), 3);
  EXPECT_EQ(one.num_particles, 200);
  EXPECT_EQ(one.lower, three.lower);
  EXPECT_EQ(one.median, three.median);
  EXPECT_EQ(one.upper, three.upper);
}

TEST(PredictiveCheck, LateEntryMakesBothCurvesConditional) {
  const Posterior posterior = erlang_posterior({{2, 2, 0.5}, {3, 3, 1}});
  const PredictiveCheck check = predictive_check(posterior, particles_at({0}), 1);
  EXPECT_EQ(check.grid.front(), 0.5);
  EXPECT_EQ(check.median.front(), 1);
  for (std::size_t k = 0; k < check.grid.size(); ++k) {
    const double truth = erlang_survival(1, check.grid[k]) / erlang_survival(1, 0.5);
    EXPECT_NEAR(check.median[k], truth, 2 * kPicture);
  }
  EXPECT_THAT(check.notes, Contains(HasSubstr("earliest entry, 0.5")));
}

TEST(PredictiveCheck, IntervalsAreSaid) {
  const Posterior posterior = erlang_posterior({{1, 2}, {3, 3}});
  EXPECT_THAT(predictive_check(posterior, particles_at({0}), 1).notes, Contains(HasSubstr("middle of their interval")));
}

TEST(PredictiveCheck, DiscreteTime) {
  const char* geometric = R"(
schema: sojourn/model/1
name: geometric
time: discrete
parameters: [{name: p, lower: 0, upper: 1}]
states: 2
initial: [[0, 1.0]]
edges:
  - [0, 1, 0.0, [1.0]]
)";
  Model model = parse_model(geometric, "geometric");
  const std::vector<double> reward = model.graph.unit_reward();
  const Posterior posterior(std::move(model), observations_of({{1, 1}, {4, 4}, {6, kInf}}, true),
                            {{"p", Prior(PriorFamily::kBeta, 2, 2)}}, {}, reward);
  const PredictiveCheck check =
      predictive_check(posterior, particles_at({posterior.free()[0].transform.to_unconstrained(0.3)}), 1);
  EXPECT_EQ(check.grid, (std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7}));
  for (std::size_t k = 0; k < check.grid.size(); ++k) {
    EXPECT_NEAR(check.median[k], std::pow(0.7, check.grid[k]), kPicture);
  }
}

TEST(PredictiveCheck, AParticleThatCannotBeEvaluatedIsLeftOutAndCounted) {
  const Posterior posterior = erlang_posterior({{1, 1}, {2.5, 2.5}});
  const PredictiveCheck check = predictive_check(posterior, particles_at({0, std::nan(""), 0.1}), 1);
  EXPECT_EQ(check.num_particles, 2);
  EXPECT_THAT(check.notes, Contains(HasSubstr("1 of 3 particles are left out")));
  EXPECT_TRUE(std::isfinite(check.median[60]));
}

TEST(Summarize, FromThePosterior) {
  const Posterior posterior = erlang_posterior({{1, 1}});
  const SvgdResult svgd = particles_at({std::log(1.0), std::log(2.0), std::log(3.0)});
  const auto summaries = summarize(posterior, svgd);
  ASSERT_EQ(summaries.size(), 1U);
  EXPECT_EQ(summaries[0].name, "rate");
  EXPECT_NEAR(summaries[0].mean, 2, 1e-15);
  EXPECT_NEAR(summaries[0].sd, 1, 1e-15);
  EXPECT_NEAR(summaries[0].q95, 2.9, 1e-14);
  EXPECT_EQ(summaries[0].prior, kLognormal.describe());
  EXPECT_FALSE(summaries[0].transform.empty());
  SvgdResult wrong = svgd;
  wrong.particles = Matrix<double>(3, 2);
  EXPECT_THROW(summarize(posterior, wrong), ShapeError);
}

TEST(WriteOutputFolder, FromThePosterior) {
  Model model = coxian(2);  // on_0, exit_0, exit_1
  const std::vector<double> reward = model.graph.unit_reward();
  const std::string held = model.parameters[1].name;
  std::map<std::string, Prior> priors;
  for (const Parameter& parameter : model.parameters) {
    if (parameter.name != held) priors.emplace(parameter.name, kLognormal);
  }
  const Posterior posterior(std::move(model), observations_of({{0.5, 0.5}, {1, 1, 0, 3}, {2, kInf}}), priors,
                            {{held, 0.75}}, reward);
  InferenceResult result;
  result.svgd.particles = Matrix<double>(20, 2);
  for (int i = 0; i < 20; ++i) {
    result.svgd.particles(i, 0) = 0.1 * i - 1;
    result.svgd.particles(i, 1) = 0.05 * ((7 * i) % 20) - 0.5;
  }
  result.svgd.log_density.assign(20, -3.0);
  result.parameters = summarize(posterior, result.svgd);
  result.particles = natural_particles(posterior, result.svgd);
  result.predictive = predictive_check(posterior, result.svgd, 1);
  const auto base = std::filesystem::temp_directory_path() / ("sojourn-result-" + std::to_string(getpid()));
  std::filesystem::remove_all(base);
  write_output_folder(base / "out", result, posterior, {});
  std::ifstream file(base / "out" / "summary.json");
  const auto json = nlohmann::json::parse(file);
  EXPECT_EQ(json["fixed"][held], 0.75);
  EXPECT_EQ(json["parameters"].size(), 2U);
  EXPECT_EQ(json["data"]["weight"], 5);
  EXPECT_TRUE(std::filesystem::exists(base / "out" / "report.html"));
  result.particles = Matrix<double>(19, 2);
  EXPECT_THROW(write_output_folder(base / "other", result, posterior, {}), ShapeError);
  EXPECT_FALSE(std::filesystem::exists(base / "other"));
  std::filesystem::remove_all(base);
}

}  // namespace
}  // namespace sojourn
