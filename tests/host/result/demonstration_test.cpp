#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "host/result/calibration_cases.hpp"
#include "oracle/source_folder.hpp"
#include "sojourn/result.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

const std::string kExamples = oracle::source_folder() + "/examples/";

/// Half the particles and iterations of the defaults, for the test's time.
SvgdOptions quick_options() {
  SvgdOptions options;
  options.num_particles = 100;
  options.num_iterations = 250;
  return options;
}

Posterior load(const std::string& model_file, const std::string& data_file,
               const std::map<std::string, Prior>& priors) {
  Model model = load_model(kExamples + model_file);
  Observations data = load_observations(kExamples + data_file, model.graph.time_kind());
  const std::vector<double> reward = model.graph.unit_reward();
  return {std::move(model), std::move(data), priors, {}, reward};
}

TEST(Demonstration, CoalescentFindsThePopulationSize) {
  // Priors as in examples/coalescent/run.yaml; the data are simulated by another program with N = 10,000.
  const Posterior posterior = load("coalescent/coalescent.yaml", "coalescent/times.csv",
                                   {{"N", Prior::from_names("lognormal", {{"mean", 9.0}, {"sd", 1.0}})}});
  ASSERT_EQ(posterior.observations().num_rows, 300);
  const SvgdResult result = svgd(posterior, quick_options());
  const ParameterSummary size = summarize(posterior, result)[0];
  EXPECT_LT(size.q025, 10'000);
  EXPECT_GT(size.q975, 10'000);
  // A height's standard deviation is 0.60 of its mean (variance 4 sum 1/(k (k-1))^2 over mean 2 (1 - 1/n)), so 300 of
  // them tell N to 3.5 %; an interval that covers by being wide would not do.
  EXPECT_LT(size.sd / size.mean, 0.045);
  RecordProperty("N", fmt::format("{:.0f} sd {:.0f}, {:.0f} .. {:.0f}", size.mean, size.sd, size.q025, size.q975));
  // The predictive band holds the survival curve that the data come from, at every point but where both are 1 or 0 to
  // the picture's accuracy of 1e-6.
  const PredictiveCheck check = predictive_check(posterior, result, 0);
  for (std::size_t k = 0; k < check.grid.size(); ++k) {
    const double truth = calibration::coalescent_survival(10, check.grid[k] / 20'000);
    EXPECT_LE(check.lower[k], truth + 2e-6) << check.grid[k];
    EXPECT_GE(check.upper[k], truth - 2e-6) << check.grid[k];
  }
  for (const Diagnostic& diagnostic : result.diagnostics)
    EXPECT_NE(diagnostic.verdict, "FAIL") << diagnostic.name << ": " << diagnostic.explanation;
}

/// Index of the step of the product-limit estimate that holds at t.
std::size_t step_at(const PredictiveCheck& check, double t) {
  const auto after = std::upper_bound(check.data_x.begin(), check.data_x.end(), t);
  return static_cast<std::size_t>(after - check.data_x.begin()) - 1;
}

struct Fit {
  double covered;  ///< share of grid points at which the model's median lies in the estimate's own 95 % band
  double worst;    ///< largest distance of the model's median from the estimate
};

/// Over the grid up to the last event, where the estimate is still more than a constant.
Fit fit_of(const PredictiveCheck& check) {
  int num_points = 0, num_covered = 0;
  double worst = 0;
  for (std::size_t k = 0; k < check.grid.size(); ++k) {
    if (check.grid[k] < check.data_x.front() || check.grid[k] >= check.data_x.back()) continue;
    const std::size_t step = step_at(check, check.grid[k]);
    const double estimate = check.data_survival[step];
    ++num_points;
    num_covered += check.data_lower[step] <= check.median[k] && check.median[k] <= check.data_upper[step] ? 1 : 0;
    worst = std::max(worst, std::abs(check.median[k] - estimate));
  }
  return {static_cast<double>(num_covered) / num_points, worst};
}

TEST(Demonstration, VeteranSurvivalFitsTheProductLimitEstimate) {
  // Priors as in examples/veteran/veteran.yaml.
  const Prior prior = Prior::from_names("lognormal", {{"mean", -5.0}, {"sd", 1.0}});
  const Posterior posterior =
      load("veteran/coxian.yaml", "veteran/veteran.csv", {{"on_0", prior}, {"exit_0", prior}, {"exit_1", prior}});
  ASSERT_EQ(posterior.observations().num_rows, 137);
  const SvgdResult result = svgd(posterior, quick_options());
  const Fit fit = fit_of(predictive_check(posterior, result, 0));
  EXPECT_GE(fit.covered, 0.9);
  EXPECT_LT(fit.worst, 0.1);
  RecordProperty("covered", fmt::format("{:.3f}", fit.covered));
  RecordProperty("worst", fmt::format("{:.3f}", fit.worst));

  // The same measure refuses a model that fits worse: every rate twice too high.
  SvgdResult fast = result;
  for (double& z : fast.particles.values()) z += std::log(2.0);
  const Fit poor = fit_of(predictive_check(posterior, fast, 0));
  EXPECT_LT(poor.covered, 0.5);
}

}  // namespace
}  // namespace sojourn
