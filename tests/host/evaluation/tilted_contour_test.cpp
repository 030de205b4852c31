#include "evaluation/tilted_contour.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

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
  /// Answers, and gradients by phi.
  std::pair<std::vector<SaddleAnswer>, std::vector<double>> operator()(const std::vector<SaddleRequest>& requests,
                                                                       double rtol = 1e-9) {
    std::vector<SaddleAnswer> answers(requests.size());
    std::vector<double> gradient(requests.size() * chain.phi.size());
    TiltedContour(replay).invert(requests, rtol, answers, gradient, *workspace);
    return {answers, gradient};
  }
  oracle::ZooChain chain;
  Prc prc;
  TransformReplay replay;
  TransformReplay::WorkspacePtr workspace;
};

TEST(TiltedContour, ExponentialInClosedFormFarIntoTheTail) {
  Inverter invert(oracle::zoo_exponential());
  const double rate = 0.75;
  std::vector<SaddleRequest> requests;
  for (const double t : {1e-9, 0.01, 0.02, 1.0, 1.1, 2.4, 30.0, 1000.0, 3900.0}) {
    for (const LawSide side : {LawSide::kDensity, LawSide::kSurvival, LawSide::kCdf}) requests.push_back({t, side});
  }
  const auto [answers, gradient] = invert(requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const double t = requests[i].t;
    // The cdf's saddle is pressed against its pole at zero where little is left beyond t: not this route's case.
    if (requests[i].side == LawSide::kCdf && t > 1) continue;
    const double truth = requests[i].side == LawSide::kDensity    ? std::log(rate) - rate * t
                         : requests[i].side == LawSide::kSurvival ? -rate * t
                                                                  : std::log(-std::expm1(-rate * t));
    // 2,925 e-foldings down the rounding of s t alone is 1e-12.
    EXPECT_LE(answers[i].error, 1e-10) << t;
    EXPECT_LE(std::abs(answers[i].log_value - truth), answers[i].error + 1e-15 * (1 + std::abs(truth))) << t;
    const double slope = requests[i].side == LawSide::kDensity    ? 1 / rate - t
                         : requests[i].side == LawSide::kSurvival ? -t
                                                                  : t / std::expm1(rate * t);
    EXPECT_NEAR(gradient[i], slope, 1e-10 * (1 / rate + t)) << t;
  }
}

TEST(TiltedContour, GoldenDensitiesWithRealSpectrum) {
  int asked = 0, certified = 0;
  for (const auto& [name, golden] : oracle::golden()) {
    oracle::ZooChain chain = oracle::zoo_by_name(name);
    if (!chain.real_spectrum || chain.graph.time_kind() == TimeKind::kDiscrete || chain.graph.num_states() > 300)
      continue;
    const std::vector<double> phi = chain.phi;
    Inverter invert(std::move(chain));
    std::vector<SaddleRequest> requests;
    std::vector<std::size_t> place;
    for (std::size_t n = 0; n < golden.times.size(); ++n) {
      if (golden.log_pdf[n] == -std::numeric_limits<double>::infinity()) continue;
      requests.push_back({golden.times[n], LawSide::kDensity});
      place.push_back(n);
    }
    const auto [answers, gradient] = invert(requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      ++asked;
      if (!(answers[i].error <= 1e-9)) continue;
      ++certified;
      const std::size_t n = place[i];
      // The bound, and what is lost in the logarithm and in the saddle times t.
      const double lost = 4e-15 * (1 + std::abs(golden.log_pdf[n]));
      EXPECT_LE(std::abs(answers[i].log_value - golden.log_pdf[n]), answers[i].error + lost) << name << " " << n;
      double scale = 1;
      for (std::size_t q = 0; q < phi.size(); ++q)
        scale = std::max(scale, std::abs(golden.log_pdf_gradient[n][q] * phi[q]));
      for (std::size_t p = 0; p < phi.size(); ++p) {
        // 1e-8 of the largest elasticity d log f / d log phi.
        EXPECT_NEAR(gradient[i * phi.size() + p] * phi[p], golden.log_pdf_gradient[n][p] * phi[p], 1e-8 * scale)
            << name << " t " << golden.times[n] << " rate " << p;
      }
    }
  }
  EXPECT_GT(certified, asked * 3 / 4) << asked;
}

TEST(TiltedContour, ClustersOfManyPolesAreRefused) {
  // Erlang 50 in its bulk: a bell of width sqrt(50) / t around the saddle, which the hyperbola's nodes overshoot.
  Inverter invert(oracle::zoo_erlang(50));
  const auto [answers, gradient] = invert({{10, LawSide::kDensity}, {25, LawSide::kDensity}});
  for (const SaddleAnswer& answer : answers) EXPECT_FALSE(answer.error <= 1e-9);
}

TEST(TiltedContour, AGoalOutOfReachIsNoAnswer) {
  Inverter invert(oracle::zoo_two_deme(4));
  const auto [answers, gradient] = invert({{1, LawSide::kDensity}}, 1e-18);
  EXPECT_EQ(answers[0].error, std::numeric_limits<double>::infinity());
  EXPECT_EQ(gradient, std::vector<double>(invert.chain.phi.size(), 0.0));
}

}  // namespace
}  // namespace sojourn
