#include <gtest/gtest.h>

#include <cmath>

#include "oracle/dense.hpp"
#include "sojourn/error.hpp"
#include "sojourn/evaluator.hpp"

namespace sojourn {
namespace {

Model derived_model() {
  // Coalescence at 1 / (2 N) and migration m / N: rates that the edges are linear in, derived from two parameters.
  oracle::ZooChain chain = oracle::zoo_two_deme(3);
  Model model;
  model.name = "two demes";
  model.parameters = {{"N"}, {"m"}};
  model.rates = RateMap::derived({"N", "m"}, {"c0", "c1", "m01", "m10"}, {"1/(2*N)", "1/N", "m/N", "2*m/N"});
  model.graph = std::move(chain.graph);
  return model;
}

TEST(EvaluatorLaw, EveryKindAgreesWithTheDenseLaw) {
  const Model model = derived_model();
  const Evaluator evaluator(model);
  const std::vector<double> theta{0.7, 1.3, 2.0, 0.1}, points{0, 0.05, 0.4, 3, 20};
  const MatrixView<const double> batch(theta.data(), 2, 2);
  const std::vector<double>& reward = model.graph.unit_reward();
  for (const LawKind kind :
       {LawKind::kPdf, LawKind::kLogPdf, LawKind::kCdf, LawKind::kLogCdf, LawKind::kSurvival, LawKind::kLogSurvival}) {
    const Quantity law = evaluator.law(batch, reward, kind, points, false);
    EXPECT_TRUE(law.gradient.empty());
    for (std::size_t k = 0; k < 2; ++k) {
      EXPECT_EQ(law.status[k], "ok");
      std::vector<double> phi(4);
      model.rates.evaluate(batch.row(k), phi);
      const oracle::DenseChain dense = oracle::dense_chain(model.graph, phi, reward);
      for (std::size_t n = 0; n < points.size(); ++n) {
        const oracle::DenseLaw truth = oracle::dense_law(dense, points[n]);
        const double value = static_cast<double>(kind == LawKind::kPdf || kind == LawKind::kLogPdf   ? truth.density
                                                 : kind == LawKind::kCdf || kind == LawKind::kLogCdf ? truth.cdf
                                                                                                     : truth.survival);
        const bool logarithm = kind == LawKind::kLogPdf || kind == LawKind::kLogCdf || kind == LawKind::kLogSurvival;
        if (logarithm && value == 0) {
          EXPECT_EQ(law.values(k, n), -std::numeric_limits<double>::infinity());
        } else if (logarithm) {
          EXPECT_NEAR(law.values(k, n), std::log(value), 1e-9);
        } else {
          EXPECT_NEAR(law.values(k, n), value, 1e-9 * value);
        }
        EXPECT_LE(law.error_bound(k, n), 1e-9);
      }
    }
  }
}

TEST(EvaluatorLaw, GradientReachesTheParameters) {
  const Model model = derived_model();
  const Evaluator evaluator(model);
  const std::vector<double> theta{0.7, 1.3}, points{0.05, 0.4, 3};
  for (const LawKind kind : {LawKind::kPdf, LawKind::kLogPdf, LawKind::kCdf, LawKind::kLogSurvival}) {
    const auto at = [&](std::vector<double> where, bool gradient) {
      return evaluator.law({where.data(), 1, 2}, model.graph.unit_reward(), kind, points, gradient);
    };
    const Quantity law = at(theta, true);
    for (std::size_t p = 0; p < 2; ++p) {
      // Fourth-order central differences, step 1e-3: truncation 1e-12, values good to about 1e-12 over a step of 1e-3.
      const double h = 1e-3 * theta[p];
      const auto shifted = [&](double steps) {
        std::vector<double> where = theta;
        where[p] += steps * h;
        return at(where, false);
      };
      const Quantity a = shifted(-2), b = shifted(-1), c = shifted(1), d = shifted(2);
      for (std::size_t n = 0; n < points.size(); ++n) {
        const double difference =
            (a.values(0, n) - 8 * b.values(0, n) + 8 * c.values(0, n) - d.values(0, n)) / (12 * h);
        EXPECT_NEAR(law.gradient[n * 2 + p], difference, 1e-8 * (1 + std::abs(difference)));
      }
    }
  }
}

TEST(EvaluatorLaw, ThreadsDoNotChangeTheBits) {
  std::vector<double> theta;
  for (int k = 0; k < 23; ++k) {
    theta.push_back(0.5 + 0.1 * k);
    theta.push_back(2.0 / (1 + k));
  }
  const std::vector<double> points{0.01, 0.5, 2, 40};
  std::vector<std::vector<double>> seen;
  for (const int threads : {1, 2, 5}) {
    EvaluatorOptions options;
    options.num_threads = threads;
    const Evaluator evaluator(derived_model(), options);
    const Quantity law =
        evaluator.law({theta.data(), 23, 2}, evaluator.model().graph.unit_reward(), LawKind::kLogPdf, points, true);
    seen.push_back(law.values.values());
    seen.back().insert(seen.back().end(), law.gradient.begin(), law.gradient.end());
  }
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
}

TEST(EvaluatorLaw, UncertifiedValuesAreFlaggedAndNoNumbers) {
  oracle::ZooChain chain = oracle::zoo_complex_ring();
  Model model;
  model.name = chain.name;
  model.parameters = {{"turn"}, {"exit"}};
  model.rates = RateMap::identity(2);
  model.graph = std::move(chain.graph);
  const Evaluator evaluator(model);
  const std::vector<double> points{1, 1e12};
  const Quantity law = evaluator.law({chain.phi.data(), 1, 2}, model.graph.unit_reward(), LawKind::kPdf, points, false);
  EXPECT_NE(law.status[0], "ok");
  EXPECT_GT(law.values(0, 0), 0);
  EXPECT_TRUE(std::isnan(law.values(0, 1)));
  EXPECT_EQ(law.method[0], LawMethod::kUniformization);
}

TEST(EvaluatorLaw, BadArguments) {
  const Evaluator evaluator(derived_model());
  const std::vector<double>& reward = evaluator.model().graph.unit_reward();
  const std::vector<double> theta{1, 1}, negative{1, -1}, nan{1, std::nan("")}, one{1.0}, bad{-1.0};
  const auto law = [&](const std::vector<double>& at, const std::vector<double>& points) {
    return evaluator.law({at.data(), 1, at.size()}, reward, LawKind::kPdf, points, false);
  };
  EXPECT_THROW(law(theta, bad), UsageError);
  EXPECT_THROW(law(theta, {}), ShapeError);
  EXPECT_THROW(law(nan, one), UsageError);
  EXPECT_THROW(law(one, one), ShapeError);
  try {
    law(negative, one);
    FAIL() << "a negative weight went through";
  } catch (const NumericalError& error) {
    EXPECT_NE(std::string(error.what()).find("->"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("-1"), std::string::npos);
  }
}

}  // namespace
}  // namespace sojourn
