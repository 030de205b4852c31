#include "evaluation/transform.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "oracle/dense.hpp"
#include "oracle/zoo.hpp"

namespace sojourn {
namespace {

using oracle::ZooChain;
using Complex = std::complex<double>;
using LongComplex = std::complex<long double>;
using ComplexMatrix = Eigen::Matrix<LongComplex, Eigen::Dynamic, Eigen::Dynamic>;
using ComplexVector = Eigen::Matrix<LongComplex, Eigen::Dynamic, 1>;

/// D(s) = alpha (s - S)^-1 b and G(s) = alpha (s - S)^-1 1 of the dense chain, rewards divided out.
LongComplex dense_transform(const ZooChain& chain, std::span<const double> phi, LongComplex s, bool survival) {
  const oracle::DenseChain dense = oracle::dense_chain(chain.graph, phi, chain.reward);
  ComplexMatrix shifted = -dense.matrix.cast<LongComplex>();
  shifted.diagonal().array() += s;
  const ComplexVector rhs =
      survival ? ComplexVector::Ones(dense.exit.size()).eval() : dense.exit.cast<LongComplex>().eval();
  const ComplexVector x = shifted.partialPivLu().solve(rhs);
  return (dense.alpha.cast<LongComplex>().transpose() * x)(0);
}

const std::vector<Complex> kNodes{{0.3, 0.0}, {2.0, 5.0},   {-0.02, 7.0}, {40.0, -3.0},
                                  {0.0, 0.1}, {11.0, 60.0}, {0.7, 0.7}};

std::vector<ZooChain> chains() {
  std::vector<ZooChain> list;
  for (ZooChain& chain : oracle::zoo(200)) {
    if (chain.graph.time_kind() == TimeKind::kContinuous && chain.name.find("dense_random") == std::string::npos) {
      list.push_back(std::move(chain));
    }
  }
  return list;
}

TEST(Transform, MatchesDenseSolvesIncludingZeroRewards) {
  ASSERT_GE(chains().size(), 8U);
  for (const ZooChain& chain : chains()) {
    const Prc prc = eliminate(chain.graph);
    const TransformReplay replay(chain.graph, prc, chain.reward);
    const auto workspace = replay.make_workspace();
    replay.set_particle(chain.phi, *workspace);
    EXPECT_NEAR(replay.atom(*workspace), static_cast<double>(oracle::dense_chain(chain).atom), 1e-14) << chain.name;
    std::vector<Complex> density(kNodes.size()), survival(kNodes.size());
    replay.evaluate(kNodes, density, survival, {}, {}, *workspace);
    for (std::size_t i = 0; i < kNodes.size(); ++i) {
      for (const bool is_survival : {false, true}) {
        const Complex truth(dense_transform(chain, chain.phi, LongComplex(kNodes[i]), is_survival));
        const Complex value = is_survival ? survival[i] : density[i];
        // Complex pivots are not free of cancellation; stiff chains lose a few digits on the contour.
        EXPECT_LT(std::abs(value - truth), 1e-11 * std::abs(truth) + 1e-300) << chain.name << " s " << kNodes[i];
      }
    }
  }
}

TEST(Transform, GradientsMatchDifferencesOfDenseSolves) {
  for (const ZooChain& chain : chains()) {
    if (chain.name.find("stiff") != std::string::npos || chain.name == "ring_slow") continue;  // dense loses the digits
    const Prc prc = eliminate(chain.graph);
    const TransformReplay replay(chain.graph, prc, chain.reward);
    const auto workspace = replay.make_workspace();
    replay.set_particle(chain.phi, *workspace);
    const std::size_t num_rates = chain.phi.size(), count = kNodes.size();
    std::vector<Complex> density(count), survival(count), by_density(count * num_rates), by_survival(count * num_rates);
    replay.evaluate(kNodes, density, survival, by_density, by_survival, *workspace);
    for (std::size_t r = 0; r < num_rates; ++r) {
      std::vector<double> up(chain.phi), down(chain.phi);
      up[r] *= 1 + 0x1p-18;
      down[r] *= 1 - 0x1p-18;
      const long double step = static_cast<long double>(up[r]) - down[r];
      for (std::size_t i = 0; i < count; ++i) {
        for (const bool is_survival : {false, true}) {
          const LongComplex s(kNodes[i]);
          const Complex truth(
              (dense_transform(chain, up, s, is_survival) - dense_transform(chain, down, s, is_survival)) / step);
          const Complex value = (is_survival ? by_survival : by_density)[i * num_rates + r];
          const Complex base = is_survival ? survival[i] : density[i];
          // Central differences of step 2^-18: truncation 1e-11 of the curvature, rounding 1e-19 * 2^18.
          EXPECT_LE(std::abs(value - truth), 1e-8 * std::abs(truth) + 1e-10 * std::abs(base) / chain.phi[r])
              << chain.name << " s " << kNodes[i] << " rate " << r << " survival " << is_survival;
        }
      }
    }
  }
}

TEST(Transform, RealAxisDerivativesAndScaledFormAgree) {
  for (const ZooChain& chain : chains()) {
    const Prc prc = eliminate(chain.graph);
    const TransformReplay replay(chain.graph, prc, chain.reward);
    const auto workspace = replay.make_workspace();
    replay.set_particle(chain.phi, *workspace);
    const std::vector<double> s{0.5, 3.0};
    std::vector<double> value(2), first(2), second(2);
    for (const bool survival : {false, true}) {
      replay.evaluate_real(survival, s, value, first, second, *workspace);
      for (std::size_t i = 0; i < s.size(); ++i) {
        ScaledValue v, d, dd;
        replay.evaluate_real_scaled(survival, s[i], v, d, dd, *workspace);
        const auto plain = [](const ScaledValue& x) { return std::ldexp(x.mantissa, static_cast<int>(x.exponent)); };
        EXPECT_NEAR(plain(v), value[i], 1e-12 * value[i]) << chain.name;
        EXPECT_NEAR(plain(d), first[i], 1e-12 * std::abs(first[i])) << chain.name;
        EXPECT_NEAR(plain(dd), second[i], 1e-12 * second[i]) << chain.name;
        ScaledComplexValue c;
        replay.evaluate_scaled({s[i], 0.0}, survival, c, {}, *workspace);
        EXPECT_NEAR(std::ldexp(c.mantissa.real(), static_cast<int>(c.exponent)), value[i], 1e-12 * value[i]);
        if (value[i] == 0) continue;
        const long double h = 1e-4L * s[i];
        const long double up = dense_transform(chain, chain.phi, s[i] + h, survival).real();
        const long double down = dense_transform(chain, chain.phi, s[i] - h, survival).real();
        const long double mid = dense_transform(chain, chain.phi, s[i], survival).real();
        // Central differences of relative step 1e-4: truncation 1e-8 of the third and fourth derivative.
        EXPECT_NEAR(first[i] / static_cast<double>((up - down) / (2 * h)), 1, 1e-4) << chain.name;
        EXPECT_NEAR(second[i] / static_cast<double>((up - 2 * mid + down) / (h * h)), 1, 1e-3) << chain.name;
      }
    }
  }
}

TEST(Transform, LeftOfTheSpectrumIsNotANumber) {
  const ZooChain chain = oracle::zoo_coalescent(4, 1.0);  // eigenvalues -1, -3, -6
  const Prc prc = eliminate(chain.graph);
  const TransformReplay replay(chain.graph, prc, chain.reward);
  const auto workspace = replay.make_workspace();
  replay.set_particle(chain.phi, *workspace);
  const std::vector<double> s{-0.999, -1.001};
  std::vector<double> value(2), first(2), second(2);
  replay.evaluate_real(true, s, value, first, second, *workspace);
  EXPECT_GT(value[0], 100);
  EXPECT_TRUE(std::isnan(value[1]));
}

/// 50 stages at s = 1e30: (2 / s)^50 is far below the range of double.
TEST(Transform, ScaledFormReachesFarBelowDouble) {
  const ZooChain chain = oracle::zoo_erlang(50, 2.0);
  const Prc prc = eliminate(chain.graph);
  const TransformReplay replay(chain.graph, prc, chain.reward);
  const auto workspace = replay.make_workspace();
  replay.set_particle(chain.phi, *workspace);
  ScaledValue value, first, second;
  replay.evaluate_real_scaled(false, 1e30, value, first, second, *workspace);
  const double log_value = std::log(value.mantissa) + static_cast<double>(value.exponent) * std::log(2.0);
  EXPECT_NEAR(log_value, 50 * (std::log(2.0) - std::log(1e30)), 1e-11 * 3400);
}

/// f(0+) of a mixture of exponentials is the mean of its rates.
TEST(Transform, DensityAtZeroWithGradient) {
  const ZooChain chain = oracle::zoo_hyperexponential();
  const double first = chain.graph.initial()[0].probability, second = chain.graph.initial()[1].probability;
  const Prc prc = eliminate(chain.graph);
  const TransformReplay replay(chain.graph, prc, chain.reward);
  const auto workspace = replay.make_workspace();
  replay.set_particle(chain.phi, *workspace);
  std::vector<double> gradient(2);
  const double truth = first * chain.phi[0] + second * chain.phi[1];
  EXPECT_NEAR(replay.density_at_zero(*workspace, gradient), truth, 1e-15 * truth);
  EXPECT_NEAR(gradient[0], first, 1e-13);
  EXPECT_NEAR(gradient[1], second, 1e-13);
}

}  // namespace
}  // namespace sojourn
