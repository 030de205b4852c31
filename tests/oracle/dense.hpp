#pragma once

#include <Eigen/Dense>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "oracle/zoo.hpp"

/// Dense references, independent of the library's own evaluation: partial-pivot LU and squaring in long double.
namespace sojourn::oracle {

using DenseMatrix = Eigen::Matrix<long double, Eigen::Dynamic, Eigen::Dynamic>;
using DenseVector = Eigen::Matrix<long double, Eigen::Dynamic, 1>;

/// A law with unit rewards: sub-intensity S (continuous) or one-step matrix (discrete) over the rewarded transient
/// states, start alpha, exit vector b, atom P(Y = 0).
struct DenseChain {
  TimeKind time_kind = TimeKind::kContinuous;
  DenseMatrix matrix;
  DenseVector alpha, exit;
  long double atom = 0;
};

/// Zero-reward states are eliminated by a dense solve and rows divided by their rewards. Any number of rates.
inline DenseChain dense_chain(const StateGraph& graph, std::span<const double> phi, std::span<const double> reward) {
  std::vector<std::int32_t> index(graph.num_states(), -1), kept, zero;
  for (std::int32_t i = 0; i < graph.num_states(); ++i) {
    if (!graph.is_absorbing(i)) (reward[i] > 0 ? kept : zero).push_back(i);
  }
  std::int32_t next = 0;
  for (const std::int32_t i : kept) index[i] = next++;
  for (const std::int32_t i : zero) index[i] = next++;
  const auto size = static_cast<Eigen::Index>(next);
  const auto num_kept = static_cast<Eigen::Index>(kept.size());
  DenseMatrix full = DenseMatrix::Zero(size, size);
  DenseVector out = DenseVector::Zero(size), start = DenseVector::Zero(size);
  for (std::int32_t i = 0; i < graph.num_states(); ++i) {
    for (std::int64_t e = graph.edge_begin(i); e < graph.edge_end(i); ++e) {
      long double weight = graph.base(e);
      for (const RateTerm& term : graph.terms(e)) weight += static_cast<long double>(term.coefficient) * phi[term.rate];
      const std::int32_t to = graph.edge_to(e);
      if (to == i) continue;
      full(index[i], index[i]) -= weight;
      (graph.is_absorbing(to) ? out(index[i]) : full(index[i], index[to])) += weight;
    }
  }
  for (const InitialMass& mass : graph.initial()) {
    if (!graph.is_absorbing(mass.state)) start(index[mass.state]) += mass.probability;
  }
  DenseChain chain;
  chain.time_kind = graph.time_kind();
  chain.matrix = full.topLeftCorner(num_kept, num_kept);
  chain.exit = out.head(num_kept);
  chain.alpha = start.head(num_kept);
  if (size > num_kept) {
    const Eigen::Index num_zero = size - num_kept;
    const Eigen::PartialPivLU<DenseMatrix> lu(-full.bottomRightCorner(num_zero, num_zero));
    const DenseMatrix onward = lu.solve(full.bottomLeftCorner(num_zero, num_kept));
    const DenseVector absorbed = lu.solve(out.tail(num_zero));
    chain.matrix += full.topRightCorner(num_kept, num_zero) * onward;
    chain.exit += full.topRightCorner(num_kept, num_zero) * absorbed;
    chain.alpha += onward.transpose() * start.tail(num_zero);
  }
  chain.atom = 1 - chain.alpha.sum();
  for (Eigen::Index i = 0; i < num_kept; ++i) {
    const long double scale =
        chain.time_kind == TimeKind::kContinuous ? 1 / static_cast<long double>(reward[kept[i]]) : 1;
    chain.matrix.row(i) *= scale;
    chain.exit(i) *= scale;
    if (chain.time_kind == TimeKind::kDiscrete) chain.matrix(i, i) += 1;
  }
  return chain;
}
inline DenseChain dense_chain(const ZooChain& chain) { return dense_chain(chain.graph, chain.phi, chain.reward); }

/// exp(matrix) for a matrix with non-negative off-diagonal entries: the diagonal is shifted away, so that the Taylor
/// series and the squarings add non-negative numbers only and every entry keeps its relative accuracy.
inline DenseMatrix dense_exp(const DenseMatrix& matrix) {
  const Eigen::Index size = matrix.rows();
  const long double shift = size > 0 ? -matrix.diagonal().minCoeff() : 0;
  const int squarings = shift > 0.5L ? static_cast<int>(std::ceil(std::log2(shift))) + 1 : 0;
  const long double scale = std::ldexp(1.0L, -squarings);
  DenseMatrix positive = matrix * scale;
  positive.diagonal().array() += shift * scale;
  DenseMatrix term = DenseMatrix::Identity(size, size), sum = term;
  for (int k = 1; k <= 40 + size; ++k) {
    term = (term * positive / static_cast<long double>(k)).eval();
    sum += term;
  }
  sum *= std::exp(-shift * scale);
  for (int k = 0; k < squarings; ++k) sum = (sum * sum).eval();
  return sum;
}

struct DenseLaw {
  long double density = 0, survival = 0, cdf = 0;
};

/// Density (mass), survival and cdf at t (a whole number in discrete time). Right to about 1e-15 relative where no
/// value leaves the range of long double; the cost is O(states^3 log(rate * t)).
inline DenseLaw dense_law(const DenseChain& chain, double t) {
  const Eigen::Index size = chain.matrix.rows();
  DenseLaw law;
  DenseMatrix augmented = DenseMatrix::Zero(size + 1, size + 1);
  augmented.topLeftCorner(size, size) = chain.matrix;
  augmented.topRightCorner(size, 1) = chain.exit;
  DenseMatrix power = DenseMatrix::Identity(size + 1, size + 1);
  if (chain.time_kind == TimeKind::kContinuous) {
    power = dense_exp(augmented * static_cast<long double>(t));
    law.density = chain.alpha.dot(power.topLeftCorner(size, size) * chain.exit);
  } else {
    augmented(size, size) = 1;
    DenseMatrix last = power;
    DenseMatrix square = augmented;
    for (auto n = static_cast<std::int64_t>(t) - 1; n > 0; n /= 2) {
      if (n % 2 == 1) last = (last * square).eval();
      square = (square * square).eval();
    }
    if (t >= 1) {
      law.density = chain.alpha.dot(last.topLeftCorner(size, size) * chain.exit);
      power = last * augmented;
    } else {
      law.density = chain.atom;
    }
  }
  law.survival = chain.alpha.dot(power.topLeftCorner(size, size).rowwise().sum());
  law.cdf = chain.atom + chain.alpha.dot(power.topRightCorner(size, 1).col(0));
  return law;
}

}  // namespace sojourn::oracle
