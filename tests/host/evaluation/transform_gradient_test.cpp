#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <random>
#include <span>
#include <vector>

#include "evaluation/transform.hpp"
#include "oracle/quad_complex.hpp"
#include "oracle/visited_chains.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

using Complex = std::complex<double>;
using oracle::QuadComplex;
using oracle::ZooChain;

struct NodeTruth {
  Complex value;
  std::vector<Complex> gradient;  // by rate
  double lost = 0;                // the size of what cancels in a derivative by products over the derivative, the worst
};

/// Transform and gradient at one node from the edges themselves: dense solves and products in 113 bits, of which
/// cancellation by 1e20 leaves 1e-14.
NodeTruth node_truth(const ZooChain& chain, Complex s, bool survival) {
  const StateGraph& graph = chain.graph;
  std::vector<std::int32_t> row(graph.num_states(), -1);
  std::int32_t size = 0;
  for (std::int32_t i = 0; i < graph.num_states(); ++i) {
    if (!graph.is_absorbing(i)) row[i] = size++;
  }
  std::vector<QuadComplex> matrix(static_cast<std::size_t>(size) * size), transposed(matrix.size()), rhs(size),
      start(size);
  const auto for_each_edge = [&](auto&& visit) {
    for (std::int32_t i = 0; i < graph.num_states(); ++i) {
      for (std::int64_t e = graph.edge_begin(i); e < graph.edge_end(i); ++e) visit(row[i], row[graph.edge_to(e)], e);
    }
  };
  for_each_edge([&](std::int32_t from, std::int32_t to, std::int64_t e) {
    QuadComplex weight(graph.base(e));
    for (const RateTerm& term : graph.terms(e))
      weight += QuadComplex(term.coefficient) * QuadComplex(chain.phi[term.rate]);
    matrix[from * size + from] += weight;
    if (to >= 0) matrix[from * size + to] -= weight;
    if (to < 0 && !survival) rhs[from] += weight;
  });
  for (std::int32_t i = 0; i < graph.num_states(); ++i) {
    if (row[i] < 0) continue;
    matrix[row[i] * size + row[i]] += QuadComplex(chain.reward[i]) * QuadComplex(s);
    if (survival) rhs[row[i]] = QuadComplex(chain.reward[i]);
  }
  for (std::int32_t i = 0; i < size; ++i) {
    for (std::int32_t j = 0; j < size; ++j) transposed[j * size + i] = matrix[i * size + j];
  }
  for (const InitialMass& mass : graph.initial()) start[row[mass.state]] += QuadComplex(mass.probability);
  const std::vector<QuadComplex> x = oracle::dense_solve(std::move(matrix), std::move(rhs));
  const std::vector<QuadComplex> y = oracle::dense_solve(std::move(transposed), start);
  QuadComplex value;
  for (std::int32_t i = 0; i < size; ++i) value += start[i] * x[i];
  std::vector<QuadComplex> gradient(chain.phi.size());
  std::vector<double> sizes(chain.phi.size(), 0.0);
  const QuadComplex absorbed(survival ? 0.0 : 1.0);
  for_each_edge([&](std::int32_t from, std::int32_t to, std::int64_t e) {
    const QuadComplex& target = to < 0 ? absorbed : x[to];
    for (const RateTerm& term : graph.terms(e)) {
      const QuadComplex flow = QuadComplex(term.coefficient) * y[from];
      gradient[term.rate] += flow * (target - x[from]);
      sizes[term.rate] += std::abs(Complex(flow * x[from]));
    }
  });
  NodeTruth truth{Complex(value), {}, 0};
  for (std::size_t r = 0; r < chain.phi.size(); ++r) {
    truth.gradient.emplace_back(gradient[r]);
    if (sizes[r] > 0) truth.lost = std::max(truth.lost, sizes[r] / std::abs(truth.gradient[r]));
  }
  return truth;
}

/// Nodes as contours have them, from far below the rates, where visits are as many as they get, to far above.
std::vector<Complex> nodes(std::uint64_t seed, int count) {
  std::mt19937_64 bits(seed);
  const auto uniform = [&] { return static_cast<double>(bits() >> 11) * 0x1p-53; };
  std::vector<Complex> list;
  for (int n = 0; n < count; ++n) list.push_back(std::polar(std::pow(10.0, 15 * uniform() - 12), 1.57 * uniform()));
  return list;
}

/// The larger error of a node's derivatives, each relative to itself or as an elasticity, whichever forgives more.
double node_error(const NodeTruth& truth, std::span<const Complex> gradient, std::span<const double> phi) {
  double error = 0;
  for (std::size_t r = 0; r < phi.size(); ++r) {
    const double off = std::abs(gradient[r] - truth.gradient[r]);
    if (off > 0)
      error = std::max(error, std::min(off / std::abs(truth.gradient[r]), off * phi[r] / std::abs(truth.value)));
  }
  return error;
}

TEST(TransformGradient, KeepsItsDigitsWhetherProductsDoOrNot) {
  int num_kept = 0, num_lost = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    const ZooChain chain = oracle::visited_chain(seed);
    const Prc prc = eliminate(chain.graph);
    const TransformReplay replay(chain.graph, prc, chain.reward);
    const auto workspace = replay.make_workspace();
    replay.set_particle(chain.phi, *workspace);
    // Packs of both widths, and some that are not full.
    const std::vector<Complex> s = nodes(seed, 3 + static_cast<int>(seed % 7));
    const std::size_t num_rates = chain.phi.size();
    std::vector<Complex> value[2] = {std::vector<Complex>(s.size()), std::vector<Complex>(s.size())};
    std::vector<Complex> gradient[2] = {std::vector<Complex>(s.size() * num_rates),
                                        std::vector<Complex>(s.size() * num_rates)};
    replay.evaluate(s, value[0], value[1], gradient[0], gradient[1], *workspace);
    for (std::size_t n = 0; n < s.size(); ++n) {
      for (const bool survival : {false, true}) {
        const NodeTruth truth = node_truth(chain, s[n], survival);
        // Far above the rates the pivots themselves may cancel, and the value with them.
        if (std::abs(value[survival][n] - truth.value) > 1e-13 * std::abs(truth.value)) continue;
        const double error =
            node_error(truth, std::span(gradient[survival]).subspan(n * num_rates, num_rates), chain.phi);
        // Products are kept where they lose less than 1e-10 by the judge's bound, of which a hundredth occurs.
        // Differences keep all but a digit or two.
        const bool products_do = truth.lost < 1e5;
        (products_do ? num_kept : num_lost) += 1;
        EXPECT_LT(error, products_do ? 2e-12 : 5e-14) << chain.name << " s " << s[n] << " lost " << truth.lost;
      }
    }
  }
  EXPECT_GT(num_kept, 500);
  EXPECT_GT(num_lost, 500);
}

}  // namespace
}  // namespace sojourn
