#include "evaluation/saddlepoint.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "oracle/golden.hpp"
#include "oracle/zoo.hpp"

namespace sojourn {
namespace {

struct Inverter {
  explicit Inverter(oracle::ZooChain zoo)
      : chain(std::move(zoo)),
        prc(eliminate(chain.graph)),
        replay(chain.graph, prc, chain.reward),
        workspace(replay.make_workspace()) {
    replay.set_particle(chain.phi, *workspace);
  }
  SaddleAnswer operator()(double t, LawSide side, std::vector<double>* gradient = nullptr) {
    const SaddleRequest request{t, side};
    SaddleAnswer answer;
    if (gradient) gradient->resize(chain.graph.num_rates());
    SaddlepointContour(replay).invert({&request, 1}, 1e-9, {&answer, 1},
                                      gradient ? std::span<double>(*gradient) : std::span<double>(), *workspace);
    return answer;
  }
  oracle::ZooChain chain;
  Prc prc;
  TransformReplay replay;
  TransformReplay::WorkspacePtr workspace;
};

TEST(Saddlepoint, ExponentialInClosedForm) {
  Inverter invert(oracle::zoo_exponential());
  const double rate = 0.75;
  for (const double t : {1e-200, 1e-9, 0.01, 1.0, 30.0, 1000.0, 3900.0}) {
    std::vector<double> gradient;
    const SaddleAnswer density = invert(t, LawSide::kDensity, &gradient);
    // log f = -2925 at the last point: relative 1e-9 of f is 1e-9 in log f.
    EXPECT_NEAR(density.log_value, std::log(rate) - rate * t, 1e-10 + 1e-15 * rate * t);
    EXPECT_LE(density.error, 1e-9);
    EXPECT_NEAR(gradient[0], 1 / rate - t, 1e-9 * std::max(1.0, t));
    EXPECT_NEAR(invert(t, LawSide::kSurvival).log_value, -rate * t, 1e-10);
    EXPECT_NEAR(invert(t, LawSide::kCdf).log_value, std::log(-std::expm1(-rate * t)), 1e-10);
  }
}

TEST(Saddlepoint, GoldenDensitiesWithRealSpectrum) {
  int checked = 0;
  for (const auto& [name, golden] : oracle::golden()) {
    oracle::ZooChain chain = oracle::zoo_by_name(name);
    if (!chain.real_spectrum || chain.graph.time_kind() == TimeKind::kDiscrete || chain.graph.num_states() > 300)
      continue;
    Inverter invert(std::move(chain));
    for (std::size_t n = 0; n < golden.times.size(); ++n) {
      if (golden.log_pdf[n] == -std::numeric_limits<double>::infinity()) continue;
      std::vector<double> gradient;
      const SaddleAnswer answer = invert(golden.times[n], LawSide::kDensity, &gradient);
      EXPECT_LE(answer.error, 1e-9) << name << " t " << golden.times[n];
      // The error of log f is the relative error of f.
      EXPECT_NEAR(answer.log_value, golden.log_pdf[n], 1e-9) << name << " t " << golden.times[n];
      for (std::size_t p = 0; p < gradient.size(); ++p) {
        double scale = 1;
        for (std::size_t q = 0; q < gradient.size(); ++q) {
          scale = std::max(scale, std::abs(golden.log_pdf_gradient[n][q] * invert.chain.phi[q]));
        }
        // 1e-8 of the largest elasticity d log f / d log phi.
        EXPECT_NEAR(gradient[p] * invert.chain.phi[p], golden.log_pdf_gradient[n][p] * invert.chain.phi[p],
                    1e-8 * scale)
            << name << " t " << golden.times[n] << " rate " << p;
      }
      ++checked;
    }
  }
  EXPECT_GT(checked, 150);
}

TEST(Saddlepoint, CdfOfTheLowerTailKeepsItsDigits) {
  Inverter invert(oracle::zoo_erlang(50));
  const auto& golden = oracle::golden().at("erlang_50");
  for (std::size_t n = 0; n < golden.times.size(); ++n) {
    if (golden.log_cdf[n] > -0.7) continue;
    EXPECT_NEAR(invert(golden.times[n], LawSide::kCdf).log_value, golden.log_cdf[n], 1e-9);
  }
}

TEST(Saddlepoint, LawWithoutMassIsMinusInfinity) {
  Inverter invert(oracle::zoo_all_atom());
  const SaddleAnswer answer = invert(1, LawSide::kDensity);
  EXPECT_EQ(answer.log_value, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(answer.error, 0);
}

TEST(Saddlepoint, AnswersDoNotDependOnTheBatch) {
  Inverter invert(oracle::zoo_two_deme(8));
  std::vector<SaddleRequest> requests;
  for (int i = 0; i < 37; ++i) {
    requests.push_back({0.01 * std::pow(1.5, i % 19), static_cast<LawSide>(i % 3)});
  }
  std::vector<SaddleAnswer> answers(requests.size());
  SaddlepointContour(invert.replay).invert(requests, 1e-9, answers, {}, *invert.workspace);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    // Not to the bit: packs of other widths round the trial points, and so the vertex, differently.
    EXPECT_NEAR(answers[i].log_value, invert(requests[i].t, requests[i].side).log_value, 1e-11);
  }
}

}  // namespace
}  // namespace sojourn
