// The device's thread body for Laplace transforms, run by a host loop: blocks in shuffled order, slots as a block's
// shared memory or as the global memory of resident lanes, filled with NaN so that nothing is read before it is
// written.
#include "common/transform_lane.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <random>

#include "evaluation/difference_program.hpp"
#include "evaluation/transform.hpp"
#include "evaluation/transform_lane_shape.hpp"
#include "host/evaluation/dense_chain.hpp"
#include "host/evaluation/shuffled_lanes.hpp"
#include "sojourn/families.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

using Number = std::complex<double>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Lane-minor, lane = node * particles + particle.
struct Answer {
  std::vector<LaneComplex> values, gradients;
  std::vector<double> sizes;

  [[nodiscard]] bool operator==(const Answer& other) const {
    const auto same = [](const LaneComplex& a, const LaneComplex& b) { return a.re == b.re && a.im == b.im; };
    return std::equal(values.begin(), values.end(), other.values.begin(), other.values.end(), same) &&
           std::equal(gradients.begin(), gradients.end(), other.gradients.begin(), other.gradients.end(), same) &&
           sizes == other.sizes;
  }
};

struct Asked {
  bool density = true, survival = false, gradient = true;
};

/// Nodes as on a hyperbola, of which the last lie left of the origin, in two windows with a tilt a particle each.
struct Nodes {
  std::vector<LaneComplex> nodes{LaneComplex(3.0, 0.0), LaneComplex(2.1, 1.7),  LaneComplex(0.3, 6.0),
                                 LaneComplex(0.2, 0.0), LaneComplex(-0.4, 2.5), LaneComplex(-9.0, 40.0)};
  std::vector<std::int32_t> window{0, 0, 0, 1, 1, 1};
  std::vector<double> tilts;  ///< [2, particles]
  explicit Nodes(std::size_t num_particles) {
    for (std::size_t i = 0; i < 2 * num_particles; ++i) tilts.push_back(1e-3 * static_cast<double>(i % 7) - 2e-3);
  }
  [[nodiscard]] Number at(std::size_t node, std::size_t particle, std::size_t num_particles) const {
    return {nodes[node].re - tilts[window[node] * num_particles + particle], nodes[node].im};
  }
};

template <bool kFronts>
Answer run_lanes(const Prc& prc, MatrixView<const double> phi, std::span<const double> reward_of_state, Asked asked,
                 const Nodes& nodes, Place place, unsigned seed) {
  const PrcArrays& arrays = prc.arrays();
  const PrcView view = arrays.view();
  const TransformLaneShape shape = transform_lane_shape(arrays, asked.density, asked.survival, asked.gradient);
  const TransformLaneSlots slots = shape.slots(view);
  const std::vector<double> reward = arrays.by_row(reward_of_state);
  const auto num_particles = static_cast<std::int64_t>(phi.num_rows());
  const std::int64_t num_lanes = num_particles * static_cast<std::int64_t>(nodes.nodes.size());
  const std::int64_t num_extended = 1 + view.num_rates + view.num_forms;
  std::vector<double> rate(num_extended * num_particles), inverse(rate.size());
  for (std::int64_t i = 0; i < num_particles; ++i) {
    extend_rates(view, phi.row(i).data(), Strided<double>{rate.data() + i, num_particles});
    for (std::int64_t r = 0; r < num_extended; ++r)
      inverse[r * num_particles + i] = reciprocal(rate[r * num_particles + i]);
  }
  const LaneComplex nothing(kNan, kNan);
  Answer answer;
  answer.values.assign(shape.num_transforms() * num_lanes, nothing);
  if (asked.gradient) {
    answer.gradients.assign(answer.values.size() * view.num_rates, nothing);
    answer.sizes.assign(answer.gradients.size(), kNan);
  }
  const TransformLaneOutput output{answer.values.data(), answer.gradients.data(), answer.sizes.data()};
  const LaneNodes lane_nodes{nodes.nodes.data(), nodes.window.data(), nodes.tilts.data()};

  for_each_lane_shuffled(
      num_lanes, slots.total(), slots.factor, place, nothing, seed, [&](std::int64_t lane, auto factor, auto solution) {
        transform_lane<kFronts>(view, shape, reward.data(), {rate.data(), inverse.data()}, lane_nodes, num_particles,
                                num_lanes, lane, factor, solution, output);
      });
  return answer;
}

/// As the kernels are made: those with shared memory know no fronts.
Answer run(const Prc& prc, MatrixView<const double> phi, std::span<const double> reward, Asked asked,
           const Nodes& nodes, Place place, unsigned seed) {
  const bool fronts = transform_lane_shape(prc.arrays(), true, false, false).has_fronts;
  return fronts || place == Place::kGlobal ? run_lanes<true>(prc, phi, reward, asked, nodes, place, seed)
                                           : run_lanes<false>(prc, phi, reward, asked, nodes, place, seed);
}

Number number(const LaneComplex& a) { return {a.re, a.im}; }

/// Every placement gives the same bits in any order of blocks, and the host's numbers.
void compare(const StateGraph& graph, MatrixView<const double> phi, std::span<const double> reward, Asked asked) {
  ASSERT_EQ(why_no_transform_lanes(graph, reward), "");
  const Prc prc = eliminate(graph);
  const std::size_t num_particles = phi.num_rows(), num_rates = phi.num_cols();
  const Nodes nodes(num_particles);
  const std::size_t num_nodes = nodes.nodes.size(), num_lanes = num_nodes * num_particles;
  const Answer first = run(prc, phi, reward, asked, nodes, Place::kShared, 1);
  for (const Place place : {Place::kSharedFactors, Place::kGlobal})
    EXPECT_TRUE(run(prc, phi, reward, asked, nodes, place, 3) == first);
  Asked value_asked = asked;
  value_asked.gradient = false;
  const Answer value_alone = run(prc, phi, reward, value_asked, nodes, Place::kShared, 2);

  const TransformReplay replay(graph, prc, reward);
  const auto workspace = replay.make_workspace();
  const double share = GradientJudge(prc.arrays(), 1).share();
  for (std::size_t i = 0; i < num_particles; ++i) {
    replay.set_particle(phi.row(i), *workspace);
    std::vector<Number> s, density(num_nodes), survival(num_nodes), by_density(num_nodes * num_rates),
        by_survival(num_nodes * num_rates);
    for (std::size_t k = 0; k < num_nodes; ++k) s.push_back(nodes.at(k, i, num_particles));
    replay.evaluate(s, density, survival, by_density, by_survival, *workspace);
    for (std::size_t k = 0; k < num_nodes; ++k) {
      std::size_t t = 0;
      for (const bool is_survival : {false, true}) {
        if (!(is_survival ? asked.survival : asked.density)) continue;
        const std::size_t lane = k * num_particles + i;
        const Number wanted = (is_survival ? survival : density)[k];
        // The same sums in the same order; the compiler may fuse products in one and not in the other.
        EXPECT_LE(std::abs(number(first.values[t * num_lanes + lane]) - wanted), 1e-12 * std::abs(wanted));
        EXPECT_LE(std::abs(number(value_alone.values[t * num_lanes + lane]) - wanted), 1e-12 * std::abs(wanted));
        for (std::size_t r = 0; asked.gradient && r < num_rates; ++r) {
          const std::size_t at = (t * num_rates + r) * num_lanes + lane;
          const Number slope = (is_survival ? by_survival : by_density)[k * num_rates + r];
          const double error = std::abs(number(first.gradients[at]) - slope);
          // Products against differences: within what the sizes say, and that is not much more than the derivative.
          EXPECT_LE(error, share * first.sizes[at]) << "node " << k << " rate " << r << " survival " << is_survival;
          EXPECT_LE(error, 1e-12 * (std::abs(slope) + 0.01 * first.sizes[at])) << "node " << k << " rate " << r;
          EXPECT_LE(std::abs(slope), first.sizes[at] * (1 + 1e-12));
        }
        ++t;
      }
    }
  }
}

TEST(TransformLane, AgreesWithTheHostOnFamilies) {
  const std::int32_t two_demes[] = {3, 2};
  const Model models[] = {coalescent_blocks(8), structured_coalescent_blocks(two_demes), coxian(5),
                          birth_death(12, 1, false)};
  for (const Model& model : models) {
    const Matrix<double> phi = scattered(std::vector<double>(model.rates.num_rates(), 0.7), 23, 0.3, 5);
    std::vector<double> reward = model.graph.unit_reward();
    compare(model.graph, phi.view(), reward, {true, false, true});
    for (std::size_t s = 0; s < reward.size(); s += 3) reward[s] *= 2.5;
    compare(model.graph, phi.view(), reward, {false, true, true});
    compare(model.graph, phi.view(), reward, {true, true, true});
  }
}

TEST(TransformLane, AgreesWithTheHostOnFronts) {
  const StateGraph graph = testing::dense_chain(40);
  ASSERT_FALSE(eliminate(graph).arrays().fronts.empty());
  const Matrix<double> phi = scattered(std::vector<double>(3, 0.7), 11, 0.3, 5);
  compare(graph, phi.view(), graph.unit_reward(), {true, true, true});
}

/// Weights 2 a and b - 0.4 a: a form with a negative coefficient, whose sums fold into both rates.
TEST(TransformLane, AgreesWithTheHostOnForms) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(4);
  const RateTerm twice{0, 2.0}, rest[] = {{0, -0.4}, {1, 1.0}}, b_term{1, 1.0};
  builder.add_edge(0, 1, 0, {&twice, 1});
  builder.add_edge(1, 0, 0, rest);
  builder.add_edge(1, 2, 0.3, {&b_term, 1});
  builder.add_edge(2, 3, 0, rest);
  builder.add_edge(0, 3, 0.1, {});
  builder.add_initial(0, 0.8);
  builder.add_initial(2, 0.2);
  const StateGraph graph = std::move(builder).build();
  ASSERT_GT(eliminate(graph).arrays().forms.size(), 0U);
  const Matrix<double> phi = scattered(std::vector<double>{0.7, 1.9}, 17, 0.3, 5);
  compare(graph, phi.view(), graph.unit_reward(), {true, true, true});
}

struct Closed {
  Number density, survival;
  std::vector<Number> by_density, by_survival;
};

/// `closed(s, phi)` at every node for one particle.
template <class ClosedForm>
void expect_closed_form(const StateGraph& graph, std::vector<double> rates, ClosedForm&& closed) {
  Matrix<double> phi(1, rates.size());
  std::copy(rates.begin(), rates.end(), phi.row(0).begin());
  const Nodes nodes(1);
  const Answer got =
      run(eliminate(graph), phi.view(), graph.unit_reward(), {true, true, true}, nodes, Place::kShared, 1);
  const std::size_t num_nodes = nodes.nodes.size(), num_rates = rates.size();
  // A few roundings a state, each side; a derivative's are of what its terms add up to.
  const auto close = [](const LaneComplex& value, Number wanted, double size) {
    EXPECT_LE(std::abs(number(value) - wanted), 2e-14 * std::max(size, std::abs(wanted)));
  };
  for (std::size_t k = 0; k < num_nodes; ++k) {
    const Closed wanted = closed(nodes.at(k, 0, 1), rates);
    close(got.values[k], wanted.density, 0);
    close(got.values[num_nodes + k], wanted.survival, 0);
    for (std::size_t r = 0; r < num_rates; ++r) {
      const std::size_t first = r * num_nodes + k, second = (num_rates + r) * num_nodes + k;
      close(got.gradients[first], wanted.by_density[r], got.sizes[first]);
      close(got.gradients[second], wanted.by_survival[r], got.sizes[second]);
    }
  }
}

/// D = a b / ((a + s)(b + s)), G = (1 - D) / s written without the subtraction.
TEST(TransformLane, KnowsAHypoexponential) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(3);
  const RateTerm a_term{0, 1.0}, b_term{1, 1.0};
  builder.add_edge(0, 1, 0, {&a_term, 1});
  builder.add_edge(1, 2, 0, {&b_term, 1});
  builder.add_initial(0, 1);
  expect_closed_form(std::move(builder).build(), {1.7, 0.3}, [](Number s, std::span<const double> phi) {
    const double a = phi[0], b = phi[1];
    const Number p = a + s, q = b + s;
    return Closed{a * b / (p * q),
                  (a + b + s) / (p * q),
                  {b * s / (p * p * q), a * s / (p * q * q)},
                  {-b / (p * p * q), -a / (p * q * q)}};
  });
}

/// Six equal stages: D = (a / (a + s))^6, G = sum of the stages' occupations.
TEST(TransformLane, KnowsAnErlang) {
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(7);
  const RateTerm term{0, 1.0};
  for (std::int32_t i = 0; i < 6; ++i) builder.add_edge(i, i + 1, 0, {&term, 1});
  builder.add_initial(0, 1);
  expect_closed_form(std::move(builder).build(), {1.3}, [](Number s, std::span<const double> phi) {
    const double a = phi[0];
    const Number u = a / (a + s), u_a = s / ((a + s) * (a + s));
    Closed closed{std::pow(u, 6), 0, {6.0 * std::pow(u, 5) * u_a}, {0}};
    for (int j = 0; j < 6; ++j) {
      closed.survival += std::pow(u, j) / (a + s);
      closed.by_survival[0] += (j > 0 ? static_cast<double>(j) * std::pow(u, j - 1) * u_a / (a + s) : 0.0) -
                               std::pow(u, j) / ((a + s) * (a + s));
    }
    return closed;
  });
}

/// 0 <-> 1, exit from 1 alone: there a, back b, out c; D = a c / Q, G = (s + a + b + c) / Q,
/// Q = (s + a)(s + b + c) - a b.
TEST(TransformLane, KnowsACycleOfTwoStates) {
  StateGraphBuilder builder(TimeKind::kContinuous, 3);
  builder.ensure_states(3);
  const RateTerm there{0, 1.0}, back{1, 1.0}, out{2, 1.0};
  builder.add_edge(0, 1, 0, {&there, 1});
  builder.add_edge(1, 0, 0, {&back, 1});
  builder.add_edge(1, 2, 0, {&out, 1});
  builder.add_initial(0, 1);
  expect_closed_form(std::move(builder).build(), {0.9, 0.6, 1.1}, [](Number s, std::span<const double> phi) {
    const double a = phi[0], b = phi[1], c = phi[2];
    const Number q = (s + a) * (s + b + c) - a * b, q2 = q * q, top = s + a + b + c;
    const Number by_q[] = {s + c, s, s + a};
    return Closed{a * c / q,
                  top / q,
                  {c / q - a * c * by_q[0] / q2, -a * c * by_q[1] / q2, a / q - a * c * by_q[2] / q2},
                  {1.0 / q - top * by_q[0] / q2, 1.0 / q - top * by_q[1] / q2, 1.0 / q - top * by_q[2] / q2}};
  });
}

TEST(TransformLane, RefusesWhatItDoesNotKnow) {
  const Model model = coalescent_blocks(4);
  std::vector<double> reward = model.graph.unit_reward();
  EXPECT_EQ(why_no_transform_lanes(model.graph, reward), "");
  reward[1] = 0;
  EXPECT_NE(why_no_transform_lanes(model.graph, reward).find("state 1 earns no reward"), std::string::npos);
  StateGraphBuilder builder(TimeKind::kDiscrete, 0);
  builder.ensure_states(2);
  builder.add_edge(0, 1, 0.5, {});
  builder.add_initial(0, 1);
  const StateGraph discrete = std::move(builder).build();
  EXPECT_NE(why_no_transform_lanes(discrete, discrete.unit_reward()).find("discrete time"), std::string::npos);
}

}  // namespace
}  // namespace sojourn
