#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "common/prc_differences.hpp"
#include "elimination/prc_arrays.hpp"
#include "evaluation/difference_program.hpp"
#include "evaluation/moment_replay.hpp"
#include "oracle/visited_chains.hpp"
#include "oracle/wide_number.hpp"
#include "oracle/zoo.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/families.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

using oracle::Wide;
using oracle::ZooChain;

double narrow(const Wide& a) { return static_cast<double>(a.v); }

/// Which solution: the mean's or the survival function's transform (s R + A)^-1 r, or the density's.
enum class Law { kSurvival, kDensity };

template <class Real>
struct Solved {
  Real value{0.0};
  std::vector<Real> gradient, size;  // by extended rate
  std::vector<Real> rise;            // of the last component: the first rows are its own
};

/// One lane of the replay's templates, with the sizes of what the gradient was made from.
template <class Real>
Solved<Real> solve(const Prc& prc, const DifferenceProgram& program, const ZooChain& chain, double s, Law law) {
  const PrcView view = prc.arrays().view();
  const std::size_t num_rates = 1 + view.num_rates + view.num_forms, num_rows = view.num_rows;
  std::vector<Real> phi, rate(num_rates);
  for (const double p : chain.phi) phi.push_back(Real(p));
  extend_rates(view, phi, rate);
  const auto reward = [&](std::int32_t v) { return chain.reward[prc.arrays().state_of_row[v]]; };
  const auto kill = [&](std::int32_t v) { return Real(s * reward(v)); };
  const auto rhs = [&](std::int32_t v) {
    if (law == Law::kSurvival) return Real(reward(v));
    Real sum(0.0);
    for (std::int64_t g = view.rows[v].group_begin; g < view.rows[v].group_middle; ++g) {
      add_product(sum, view.groups[g].absorbing, rate[view.groups[g].rate]);
    }
    return sum;
  };
  std::vector<Real> entry(prc.arrays().entry_column.size()), exit(num_rows), inverse(num_rows), x(num_rows),
      shifted(num_rows), y(num_rows), slope(prc.arrays().groups.size()), slope_size(slope.size()),
      rise(program.most_pairs()), rise_size(rise.size()), shifted_size(program.most_rows());
  const Differences<Real*> solution{x.data(), shifted.data(), slope.data()};
  const ComponentRises<Real*> rises{program.view(), rise.data()};
  const DifferenceSizes<Real*> sizes{slope_size.data(), rise_size.data(), shifted_size.data()};
  for (std::int32_t c = 0; c < view.num_components; ++c) {
    const PrcComponent& component = view.components[c];
    Real* const own_entry = entry.data() + component.entry_begin;
    Real* const own_exit = exit.data() + component.row_begin;
    Real* const own_inverse = inverse.data() + component.row_begin;
    factor_component<Real>(view, component, rate, kill, own_entry, own_exit, own_inverse, IgnorePivots{});
    solve_differences_component<Real>(view, component, rate, own_entry, own_exit, own_inverse, rhs, kill,
                                      law == Law::kDensity ? 1 : 0, solution, rises, sizes);
  }
  Solved<Real> solved;
  for (std::size_t v = 0; v < num_rows; ++v) {
    y[v] = Real(view.alpha[v]);
    add_product(solved.value, view.alpha[v], x[v]);
  }
  for (std::int32_t c = view.num_components - 1; c >= 0; --c) {
    const PrcComponent& component = view.components[c];
    transposed_solve_component<Real>(view, component, rate, entry.data() + component.entry_begin,
                                     inverse.data() + component.row_begin, y);
  }
  solved.gradient.assign(num_rates, Real(0.0));
  solved.size.assign(num_rates, Real(0.0));
  add_gradient<Real>(view, slope, y, solved.gradient);
  add_gradient<Real>(view, slope_size, y, solved.size);
  fold_forms(view, solved.gradient);
  fold_forms(view, GradientSums<Real*>{solved.size.data(), solved.size.data()});
  solved.rise = rise;
  return solved;
}

/// A walk on a square with an exit in the far corner.
ZooChain square_walk(std::int32_t width) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(width * width + 1);
  for (std::int32_t i = 0; i < width; ++i) {
    for (std::int32_t j = 0; j < width; ++j) {
      const std::int32_t here = i * width + j;
      if (i + 1 < width) oracle::edge(builder, here, here + width, 0, {{0, 1}});
      if (i > 0) oracle::edge(builder, here, here - width, 0, {{1, 1}});
      if (j + 1 < width) oracle::edge(builder, here, here + 1, 0, {{0, 1}});
      if (j > 0) oracle::edge(builder, here, here - 1, 0, {{1, 1}});
    }
  }
  oracle::edge(builder, width * width - 1, width * width, 1);
  builder.add_initial(0, 1);
  return oracle::finish("square_" + std::to_string(width), std::move(builder), {1.0, 0.8});
}

/// Errors against 64 bits of mantissa, as a share of what `GradientJudge` allows.
void expect_within(const ZooChain& chain, double s, Law law, double share, double* largest_loss = nullptr) {
  const Prc prc = eliminate(chain.graph);
  const DifferenceProgram program(prc.arrays());
  const Solved<double> got = solve<double>(prc, program, chain, s, law);
  const Solved<Wide> want = solve<Wide>(prc, program, chain, s, law);
  const GradientJudge judge(prc.arrays(), 1);
  for (std::size_t r = 1; r <= chain.phi.size(); ++r) {
    const double error = std::abs(narrow(Wide(got.gradient[r]) - want.gradient[r]));
    EXPECT_LE(error, share * judge.share() * got.size[r]) << chain.name << " s " << s << " rate " << r;
    EXPECT_LE(std::abs(got.gradient[r]), 1.001 * got.size[r]) << chain.name << " s " << s << " rate " << r;
    const double elasticity = error * chain.phi[r - 1] / narrow(want.value);
    const double relative = error == 0 ? 0 : error / std::abs(narrow(want.gradient[r]));
    if (largest_loss != nullptr) *largest_loss = std::max(*largest_loss, std::min(elasticity, relative));
  }
}

TEST(Differences, RoundWithinAQuarterOfWhatIsAllowed) {
  double largest_loss = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    const ZooChain chain = oracle::visited_chain(seed);
    expect_within(chain, 0, Law::kSurvival, 0.25, &largest_loss);
    expect_within(chain, 0.3, Law::kSurvival, 0.25, &largest_loss);
    expect_within(chain, 0.3, Law::kDensity, 0.25, &largest_loss);
  }
  // No chain loses digits to speak of: every derivative is right in itself, or beside the value.
  EXPECT_LE(largest_loss, 1e-12);
  for (const double load : {0.3, 1.0, 1.5, 5.0}) {
    for (const double s : {1e-6, 1.0}) {
      const ZooChain queue = oracle::zoo_queue(100, 60, load, 1);
      expect_within(queue, s, Law::kSurvival, 0.25);
      expect_within(queue, s, Law::kDensity, 0.25);
    }
  }
  for (const std::int32_t width : {10, 30}) expect_within(square_walk(width), 0, Law::kSurvival, 0.25);
  // Five thousand equal stages round alike, which is the worst case.
  expect_within(oracle::zoo_erlang(5000), 0.01, Law::kDensity, 0.5);
}

/// Each kept difference of one component against the difference of the solutions in 64 bits, where that has digits.
TEST(Differences, AreThoseOfTheSolution) {
  std::size_t num_compared = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const ZooChain chain = oracle::visited_chain(seed);
    const Prc prc = eliminate(chain.graph);
    const DifferenceProgram program(prc.arrays());
    const PrcView view = prc.arrays().view();
    const PrcComponent& last = view.components[view.num_components - 1];
    if (last.row_end - last.row_begin < 3) continue;
    const Solved<double> got = solve<double>(prc, program, chain, 0, Law::kSurvival);
    // Means by dense elimination in 64 bits with partial pivots: A x = r.
    const std::size_t n = view.num_rows;
    std::vector<std::vector<long double>> a(n, std::vector<long double>(n + 1, 0));
    for (std::int32_t state = 0; state < chain.graph.num_states(); ++state) {
      const std::int32_t v = prc.arrays().row_of_state[state];
      if (v < 0) continue;
      a[v][n] = chain.reward[state];
      for (std::int64_t e = chain.graph.edge_begin(state); e < chain.graph.edge_end(state); ++e) {
        const long double weight = chain.graph.weight(e, chain.phi);
        a[v][v] += weight;
        const std::int32_t to = prc.arrays().row_of_state[chain.graph.edge_to(e)];
        if (to >= 0) a[v][to] -= weight;
      }
    }
    for (std::size_t k = 0; k < n; ++k) {
      for (std::size_t i = k + 1; i < n; ++i) {
        if (std::abs(a[i][k]) > std::abs(a[k][k])) std::swap(a[i], a[k]);
      }
      for (std::size_t i = k + 1; i < n; ++i) {
        const long double factor = a[i][k] / a[k][k];
        for (std::size_t j = k; j <= n; ++j) a[i][j] -= factor * a[k][j];
      }
    }
    std::vector<long double> x(n);
    for (std::size_t k = n; k-- > 0;) {
      long double sum = a[k][n];
      for (std::size_t j = k + 1; j < n; ++j) sum -= a[k][j] * x[j];
      x[k] = sum / a[k][k];
    }
    const PrcDifferences pairs = program.view();
    const std::int64_t first = pairs.row_begin[last.row_begin];
    for (std::int32_t v = last.row_begin; v < last.row_end; ++v) {
      for (std::int64_t pair = pairs.row_begin[v]; pair < pairs.row_begin[v + 1]; ++pair) {
        const std::int32_t j = pairs.column[pair];
        // Plain elimination loses what the stiffness is; chains on which it loses more say nothing.
        const long double size = std::max(std::abs(x[v]), std::abs(x[j]));
        if (!(std::abs(x[j] - x[v]) > 1e-3 * size) || size > 1e6) continue;
        ++num_compared;
        EXPECT_NEAR(got.rise[pair - first] / static_cast<double>(x[j] - x[v]), 1, 1e-7) << chain.name;
      }
    }
  }
  EXPECT_GE(num_compared, 1000U);
}

/// The pattern of the differences is closed: the later neighbours of a row are neighbours of its first one.
TEST(Differences, ProgramIsClosed) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const ZooChain chain = oracle::visited_chain(seed);
    const Prc prc = eliminate(chain.graph);
    const DifferenceProgram program(prc.arrays());
    const PrcDifferences pairs = program.view();
    for (const PrcComponent& component : prc.arrays().components) {
      const std::int64_t first = pairs.row_begin[component.row_begin];
      EXPECT_LE(pairs.row_begin[component.row_end] - first, static_cast<std::int64_t>(program.most_pairs()));
      for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
        const PrcRow& row = prc.arrays().rows[v];
        const std::int32_t* const begin = pairs.column + pairs.row_begin[v];
        const std::int32_t* const end = pairs.column + pairs.row_begin[v + 1];
        EXPECT_TRUE(std::is_sorted(begin, end));
        EXPECT_EQ(begin == end, v + 1 == component.row_end);
        for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) {
          EXPECT_TRUE(std::binary_search(begin, end, prc.arrays().entry_column[e])) << chain.name;
        }
        for (std::int64_t pair = pairs.row_begin[v] + 1; pair < pairs.row_begin[v + 1]; ++pair) {
          const std::int64_t onward = first + pairs.onward[pair];
          EXPECT_EQ(pairs.column[onward], pairs.column[pair]);
          EXPECT_TRUE(onward >= pairs.row_begin[*begin] && onward < pairs.row_begin[*begin + 1]);
        }
      }
    }
  }
}

/// From one customer to none, room for `room`: the density's derivative by the rate of arrivals against differences in
/// 40 digits.
TEST(Differences, LawGradientsKeepTheirDigitsWhereVisitsAreHuge) {
  const ZooChain chain = oracle::zoo_queue(60, 30, 2, 1);
  Model model{"queue", {{"arrival"}, {"service"}}, RateMap::identity(2), chain.graph, {}};
  EvaluatorOptions exact;
  exact.precision = Precision::kMulti;
  exact.digits = 20;
  const std::vector<double> points{1e20};
  const Quantity got = Evaluator(model, {}).law({chain.phi.data(), 1, 2}, chain.reward, LawKind::kLogPdf, points, true);
  const Quantity want =
      Evaluator(model, exact).law({chain.phi.data(), 1, 2}, chain.reward, LawKind::kLogPdf, points, true);
  EXPECT_TRUE(got.gradient_digits.empty());
  for (std::size_t i = 0; i < want.gradient.size(); ++i) {
    // The contour is certified to 1e-9 of the value; elasticities here are some 60 times that.
    EXPECT_NEAR(got.gradient[i] / want.gradient[i], 1, 1e-9) << i;
  }
}

/// Stages of a rate that is no parameter, then a walk on a square whose steps right and left, and down and up where
/// these are parameters too, nearly cancel. So long a way lets nobody be sure of what is left of such steps.
Model long_way_to_square(std::int32_t num_stages, std::int32_t width, bool down_and_up) {
  StateGraphBuilder builder(TimeKind::kContinuous, down_and_up ? 4 : 2);
  builder.ensure_states(num_stages + width * width + 1);
  for (std::int32_t i = 0; i < num_stages; ++i) oracle::edge(builder, i, i + 1, 1e5);
  const auto add = [&](std::int32_t from, std::int32_t to, std::int32_t rate, double fixed) {
    if (rate < 2 || down_and_up) {
      oracle::edge(builder, from, to, 0, {{rate, 1}});
    } else {
      oracle::edge(builder, from, to, fixed);
    }
  };
  for (std::int32_t i = 0; i < width; ++i) {
    for (std::int32_t j = 0; j < width; ++j) {
      const std::int32_t here = num_stages + i * width + j;
      if (j + 1 < width) add(here, here + 1, 0, 0);
      if (j > 0) add(here, here - 1, 1, 0);
      if (i + 1 < width) add(here, here + width, 2, 1.0);
      if (i > 0) add(here, here - width, 3, 0.9);
    }
  }
  const std::int32_t corner = num_stages + width * width - 1;
  oracle::edge(builder, corner, corner + 1, 1);
  builder.add_initial(0, 1);
  std::vector<std::string> names{"right", "left", "down", "up"};
  names.resize(down_and_up ? 4 : 2);
  std::vector<Parameter> parameters;
  for (const std::string& name : names) parameters.push_back({name});
  return {"square", parameters, RateMap::identity(names.size()), std::move(builder).build(), {}};
}

TEST(Differences, GradientsInDoubtAreComputedAgainOrMarked) {
  const Model small = long_way_to_square(60000, 16, false);
  const std::vector<double> two{1.1, 0.8};
  const std::vector<double> shifts{0.01}, reward = small.graph.unit_reward();
  const Evaluator evaluator(small, {});
  const Quantity laplace = evaluator.laplace({two.data(), 1, 2}, reward, shifts, true);
  ASSERT_EQ(laplace.gradient_digits.size(), 1U);
  EXPECT_EQ(laplace.gradient_digits[0], GradientDigits::kMulti);
  // Double had not lost what it could have.
  const Prc prc = eliminate(small.graph);
  std::vector<double> value(1), by_rate(2);
  replay_laplace(small.graph, prc, {two.data(), 1, 2}, reward, shifts, value, by_rate, 1);
  for (std::size_t r = 0; r < 2; ++r) EXPECT_NEAR(laplace.gradient[r] / by_rate[r], 1, 1e-10);

  const Model large = long_way_to_square(60000, 20, true);
  const std::vector<double> four{1.1, 0.8, 1.0, 0.9}, points{100.0};
  EvaluatorOptions by_contour;
  by_contour.method = LawMethod::kContour;
  for (const LawKind kind : {LawKind::kLogPdf, LawKind::kSurvival}) {
    const Quantity law =
        Evaluator(large, by_contour).law({four.data(), 1, 4}, large.graph.unit_reward(), kind, points, true);
    EXPECT_EQ(law.status[0], "ok");
    ASSERT_EQ(law.gradient_digits.size(), 1U);
    EXPECT_EQ(law.gradient_digits[0], GradientDigits::kInDoubt);
  }
}

/// None of these is in doubt: laws of common chains, and moments of a square of 10,000 states.
TEST(Differences, HealthyGradientsAreNotInDoubt) {
  const std::vector<double> points{0.5, 2, 10};
  for (const ZooChain& chain : oracle::zoo()) {
    if (!chain.real_spectrum || chain.graph.time_kind() != TimeKind::kContinuous) continue;
    std::vector<Parameter> parameters;
    for (std::size_t r = 0; r < chain.phi.size(); ++r) parameters.push_back({"r" + std::to_string(r)});
    const Evaluator evaluator({chain.name, parameters, RateMap::identity(chain.phi.size()), chain.graph, {}}, {});
    const MatrixView<const double> theta{chain.phi.data(), 1, chain.phi.size()};
    EXPECT_TRUE(evaluator.law(theta, chain.reward, LawKind::kLogPdf, points, true).gradient_digits.empty())
        << chain.name;
    EXPECT_TRUE(evaluator.moments(theta, chain.reward, 2, true).gradient_digits.empty()) << chain.name;
  }
  const Model square = long_way_to_square(0, 100, true);
  const std::vector<double> four{1.1, 0.8, 1.0, 0.9};
  const Quantity mean = Evaluator(square, {}).moments({four.data(), 1, 4}, square.graph.unit_reward(), 1, true);
  EXPECT_TRUE(mean.gradient_digits.empty());
}

}  // namespace
}  // namespace sojourn
