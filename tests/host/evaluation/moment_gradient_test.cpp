#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "common/prc_replay.hpp"
#include "elimination/prc_arrays.hpp"
#include "evaluation/difference_program.hpp"
#include "evaluation/moment_replay.hpp"
#include "oracle/golden.hpp"
#include "oracle/wide_number.hpp"
#include "oracle/zoo.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/families.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

using oracle::Wide;
using oracle::ZooChain;

template <class Real>
struct Sums {
  std::vector<Real> gained, lost;
};

/// The sums of the gradient of E[Y], by one lane of the replay's templates.
template <class Real>
Sums<Real> mean_gradient_sums(const Prc& prc, const ZooChain& chain) {
  const PrcView view = prc.arrays().view();
  const std::size_t num_rates = 1 + view.num_rates + view.num_forms;
  std::vector<Real> phi, rate(num_rates), inverse_rate;
  for (const double p : chain.phi) phi.push_back(Real(p));
  extend_rates(view, phi, rate);
  for (const Real& r : rate) inverse_rate.push_back(reciprocal(r));
  std::vector<Real> entry(prc.arrays().entry_column.size()), exit(view.num_rows), inverse(view.num_rows),
      x(view.num_rows), y(view.num_rows);
  const auto rhs = [&](std::int32_t v) { return Real(chain.reward[prc.arrays().state_of_row[v]]); };
  for (std::int32_t c = 0; c < view.num_components; ++c) {
    const PrcComponent& component = view.components[c];
    const auto no_kill = [](std::int32_t) { return Real(0.0); };
    factor_component<Real>(view, component, rate, no_kill, entry.data() + component.entry_begin,
                           exit.data() + component.row_begin, inverse.data() + component.row_begin, IgnorePivots{});
    solve_component<OwnSlots, Real>(view, component, rate, entry.data() + component.entry_begin,
                                    inverse.data() + component.row_begin, rhs, x);
  }
  for (std::int32_t v = 0; v < view.num_rows; ++v) y[v] = Real(view.alpha[v]);
  Sums<Real> sums{std::vector<Real>(num_rates, Real(0.0)), std::vector<Real>(num_rates, Real(0.0))};
  const GradientSums<Real*> into{sums.gained.data(), sums.lost.data()};
  for (std::int32_t c = view.num_components - 1; c >= 0; --c) {
    const PrcComponent& component = view.components[c];
    transposed_solve_component<Real>(view, component, rate, entry.data() + component.entry_begin,
                                     inverse.data() + component.row_begin, y);
    add_gradient_sums<Real>(view, component, inverse_rate, rhs, x, 1.0, y, into);
  }
  fold_forms(view, into);
  return sums;
}

/// Chains with 1..4 rates drawn as 10^U(-spread, spread): dense, sparse with long paths, or without cycles.
ZooChain random_chain(std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  const auto uniform = [&] { return static_cast<double>(bits() >> 11) * 0x1p-53; };
  const auto num_states = static_cast<std::int32_t>(3 + 40 * uniform());
  const auto num_rates = static_cast<std::int32_t>(1 + 4 * uniform());
  const double spread = 4 * uniform();
  const double density = 0.05 + 0.95 * uniform() * uniform();
  const bool acyclic = uniform() < 0.3;
  StateGraphBuilder builder(TimeKind::kContinuous, num_rates);
  builder.ensure_states(num_states + 1);
  const auto add = [&](std::int32_t from, std::int32_t to) {
    const double coefficient = std::pow(10.0, spread * (2 * uniform() - 1));
    oracle::edge(builder, from, to, 0, {{static_cast<std::int32_t>(num_rates * uniform()), coefficient}});
  };
  for (std::int32_t i = 0; i < num_states; ++i) {
    add(i, i + 1);
    for (std::int32_t j = acyclic ? i + 2 : 0; j <= num_states; ++j) {
      if (j != i && j != i + 1 && uniform() < density) add(i, j);
    }
  }
  builder.add_initial(0, 1);
  std::vector<double> phi;
  for (std::int32_t r = 0; r < num_rates; ++r) phi.push_back(std::pow(10.0, spread * (2 * uniform() - 1)));
  return oracle::finish("random_" + std::to_string(seed), std::move(builder), std::move(phi), false);
}

struct Result {
  std::vector<double> values, gradient;
  std::size_t num_differences;
};

Result moments(const ZooChain& chain, const std::vector<double>& phi, int order, GradientRoute route, int threads = 1) {
  const Prc prc = eliminate(chain.graph);
  const std::size_t num_rates = chain.phi.size(), num_lanes = phi.size() / num_rates;
  Result result{std::vector<double>(num_lanes * order), std::vector<double>(num_lanes * order * num_rates), 0};
  result.num_differences = replay_moments(chain.graph, prc, {phi.data(), num_lanes, num_rates}, chain.reward, order,
                                          result.values, result.gradient, threads, route);
  return result;
}
Result moments(const ZooChain& chain, int order, GradientRoute route) {
  return moments(chain, chain.phi, order, route);
}

ZooChain family(const std::string& name, Model model, std::vector<double> phi) {
  std::vector<double> reward = model.graph.unit_reward();
  return {name, std::move(model.graph), std::move(phi), std::move(reward)};
}

/// What the certificate of a lane rests on: the sums' rounding errors, against 64 bits of mantissa.
TEST(MomentGradient, SumsRoundWithinAQuarterOfTheCertificate) {
  std::vector<ZooChain> chains;
  for (ZooChain& chain : oracle::zoo()) {
    if (chain.graph.time_kind() == TimeKind::kContinuous) chains.push_back(std::move(chain));
  }
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) chains.push_back(random_chain(seed));
  chains.push_back(oracle::zoo_erlang(5000));
  chains.push_back(family("blocks", coalescent_blocks(14), {0.7}));
  const std::vector<std::int32_t> samples{4, 4};
  chains.push_back(family("demes", structured_coalescent_blocks(samples), {1.0, 0.7, 0.5, 0.3}));
  for (const ZooChain& chain : chains) {
    const Prc prc = eliminate(chain.graph);
    const auto narrow = mean_gradient_sums<double>(prc, chain);
    const auto wide = mean_gradient_sums<Wide>(prc, chain);
    for (std::size_t r = 1; r <= chain.phi.size(); ++r) {
      const long double sum = wide.gained[r].v + wide.lost[r].v;
      const long double error = (narrow.gained[r] - narrow.lost[r]) - (wide.gained[r].v - wide.lost[r].v);
      EXPECT_LE(std::abs(error), 0.25 * GradientJudge(prc.arrays(), 1).share() * sum) << chain.name << " rate " << r;
    }
  }
}

TEST(MomentGradient, RoutesAgreeOnRandomChains) {
  constexpr int kOrder = 3;
  std::size_t num_certified = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    const ZooChain chain = random_chain(seed);
    const Result certified = moments(chain, kOrder, GradientRoute::kCertified);
    const Result differences = moments(chain, kOrder, GradientRoute::kDifferences);
    EXPECT_EQ(differences.num_differences, 1U);
    if (certified.num_differences == 1) {
      EXPECT_EQ(certified.values, differences.values) << chain.name;
      EXPECT_EQ(certified.gradient, differences.gradient) << chain.name;
      continue;
    }
    ++num_certified;
    for (std::size_t i = 0; i < certified.gradient.size(); ++i) {
      // The tolerance of the certificate.
      EXPECT_NEAR(certified.gradient[i], differences.gradient[i], 1e-9 * std::abs(differences.gradient[i]))
          << chain.name << " at " << i;
    }
    // Two forms of the same positive sums.
    for (int k = 0; k < kOrder; ++k) EXPECT_NEAR(certified.values[k] / differences.values[k], 1, 1e-13) << chain.name;
  }
  EXPECT_GE(num_certified, 200U);  // the quick route is the common one, and the other occurs too
  EXPECT_LT(num_certified, 400U);
}

TEST(MomentGradient, StiffChainsFallBackToDifferences) {
  for (const std::string name : {"dense_random_6", "dense_random_20", "ring_slow", "two_deme_4_stiff"}) {
    const ZooChain chain = oracle::zoo_by_name(name);
    const std::vector<double>& truth = oracle::golden().at(name).moments_gradient.at(0);
    const Result certified = moments(chain, 1, GradientRoute::kCertified);
    const Result products = moments(chain, 1, GradientRoute::kProducts);
    EXPECT_EQ(certified.num_differences, 1U) << name;
    EXPECT_EQ(products.num_differences, 0U) << name;
    double worst = 0;
    for (std::size_t r = 0; r < truth.size(); ++r) {
      // Derivatives that vanish by symmetry have the floor of the golden test.
      const double floor = 4e-16 * certified.values[0] / chain.phi[r];
      EXPECT_NEAR(certified.gradient[r], truth[r], 1e-8 * std::abs(truth[r]) + floor) << name << " rate " << r;
      worst = std::max(worst, std::abs(products.gradient[r] - truth[r]) / (1e-8 * std::abs(truth[r]) + floor));
    }
    // The demes lose no more than eight digits.
    if (name != "two_deme_4_stiff") {
      EXPECT_GT(worst, 1) << name << ": products alone would do";
    }
  }
}

/// A stiff lane among benign ones is the only one to fall back, and no lane's bits know of the others: one lane alone
/// runs in the narrow width, many in the wide one.
TEST(MomentGradient, BitsOfALaneDependOnItAlone) {
  const ZooChain chain = oracle::zoo_two_deme(6);
  constexpr std::size_t kLanes = 75;
  constexpr int kOrder = 2;
  std::vector<double> phi;
  std::size_t num_stiff = 0;
  for (std::size_t k = 0; k < kLanes; ++k) {
    const bool stiff = k % 9 == 4;
    num_stiff += stiff ? 1 : 0;
    const double migration = (stiff ? 1e9 : 0.5) * (1 + 0.01 * static_cast<double>(k));
    phi.insert(phi.end(), {1.0, 0.6, migration, 0.8 * migration});
  }
  const Result together = moments(chain, phi, kOrder, GradientRoute::kCertified);
  EXPECT_EQ(together.num_differences, num_stiff);
  for (const int threads : {2, 5}) {
    const Result again = moments(chain, phi, kOrder, GradientRoute::kCertified, threads);
    EXPECT_EQ(again.values, together.values) << threads;
    EXPECT_EQ(again.gradient, together.gradient) << threads;
  }
  const std::size_t num_rates = chain.phi.size();
  for (std::size_t k = 0; k < kLanes; ++k) {
    const std::vector<double> own(phi.begin() + k * num_rates, phi.begin() + (k + 1) * num_rates);
    const Result alone = moments(chain, own, kOrder, GradientRoute::kCertified);
    EXPECT_TRUE(std::equal(alone.values.begin(), alone.values.end(), together.values.begin() + k * kOrder)) << k;
    EXPECT_TRUE(
        std::equal(alone.gradient.begin(), alone.gradient.end(), together.gradient.begin() + k * kOrder * num_rates))
        << k;
  }
}

/// Rows of one rate and orders above the scaled ones: E[Y^k] = k! / rate^k and its derivative.
TEST(MomentGradient, RowsOfOneRateAreExact) {
  ZooChain chain = oracle::zoo_exponential();
  const Result result = moments(chain, 9, GradientRoute::kProducts);
  double truth = 1;
  for (int k = 1; k <= 9; ++k) {
    truth *= k / chain.phi[0];
    EXPECT_DOUBLE_EQ(result.values[k - 1], truth);
    EXPECT_NEAR(result.gradient[k - 1], -k * truth / chain.phi[0], 4e-15 * k * truth / chain.phi[0]);
  }
}

/// A weight 3 - phi_0 is a form; phi_1 occurs nowhere, and its derivative is an exact zero that needs no fallback.
TEST(MomentGradient, FormsFoldAndAbsentRatesAreZero) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(3);
  oracle::edge(builder, 0, 1, 3, {{0, -1}});
  oracle::edge(builder, 1, 0, 0, {{0, 1}});
  oracle::edge(builder, 1, 2, 0.5);
  builder.add_initial(0, 1);
  const ZooChain chain = oracle::finish("form", std::move(builder), {1.25, 2.0});
  const Result result = moments(chain, 1, GradientRoute::kCertified);
  // x_1 = 2 (1 + p / (3 - p)) = 6 / (3 - p) and x_0 = x_1 + 1 / (3 - p).
  const double rest = 3 - 1.25;
  EXPECT_EQ(result.num_differences, 0U);
  EXPECT_NEAR(result.values[0], 7 / rest, 1e-14);
  EXPECT_NEAR(result.gradient[0], 7 / (rest * rest), 1e-13);
  EXPECT_EQ(result.gradient[1], 0);
}

/// Time to empty a queue of one customer and room for 60, arrivals the quicker the fuller it stays: T = sum over k < 60
/// of arrival^k / service^(k + 1), all terms positive, and so are those of its derivatives.
TEST(MomentGradient, KeepsItsDigitsWhereVisitsAreHuge) {
  constexpr std::int32_t kRoom = 60;
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(kRoom + 1);
  const RateTerm arrival{0, 1.0}, service{1, 1.0};
  for (std::int32_t i = 1; i <= kRoom; ++i) {
    if (i < kRoom) builder.add_edge(i, i + 1, 0, {&arrival, 1});
    builder.add_edge(i, i - 1, 0, {&service, 1});
  }
  builder.add_initial(1, 1);
  Model model{"queue", {{"arrival"}, {"service"}}, RateMap::identity(2), std::move(builder).build(), {}};
  const std::vector<double> reward = model.graph.unit_reward();
  const Evaluator evaluator(std::move(model), {});
  for (const double load : {0.5, 1.0, 2.0}) {
    long double mean = 0, by_arrival = 0, by_service = 0;
    for (std::int32_t k = 0; k < kRoom; ++k) {
      const long double term = std::pow(static_cast<long double>(load), k);
      mean += term;
      by_arrival += k * term / load;
      by_service -= (k + 1) * term;
    }
    const std::vector<double> theta{load, 1};
    const Quantity moments = evaluator.moments({theta.data(), 1, 2}, reward, 1, true);
    EXPECT_NEAR(moments.values(0, 0) / static_cast<double>(mean), 1, 1e-13);
    EXPECT_NEAR(moments.gradient[0] / static_cast<double>(by_arrival), 1, 1e-9) << load;
    EXPECT_NEAR(moments.gradient[1] / static_cast<double>(by_service), 1, 1e-9) << load;
    // Double precision is enough, and nothing slow may happen.
    EXPECT_TRUE(moments.gradient_digits.empty()) << load;
  }
}

}  // namespace
}  // namespace sojourn
