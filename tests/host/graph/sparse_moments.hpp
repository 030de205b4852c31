#pragma once

#include <Eigen/SparseLU>
#include <span>
#include <vector>

#include "sojourn/state_graph.hpp"

namespace sojourn {

/// Moments of gathered rewards by a direct sparse solve of A x = r, an oracle that shares no code with the library.
/// A = -S in continuous time and I - P in discrete time, restricted to transient states that the start reaches.
class SparseMoments {
 public:
  SparseMoments(const StateGraph& graph, const std::vector<double>& phi) : graph_(graph), row_(graph.num_states(), -1) {
    std::vector<std::int32_t> queue;
    const auto push = [&](std::int32_t s) {
      if (row_[s] >= 0 || graph.is_absorbing(s)) return;
      row_[s] = static_cast<std::int32_t>(queue.size());
      queue.push_back(s);
    };
    for (const InitialMass& mass : graph.initial()) push(mass.state);
    std::vector<Eigen::Triplet<double>> entries;
    for (std::size_t head = 0; head < queue.size(); ++head) {
      const std::int32_t s = queue[head];
      double exit = 0;
      for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e) {
        push(graph.edge_to(e));
        exit += graph.weight(e, phi);
        if (row_[graph.edge_to(e)] >= 0) entries.emplace_back(row_[s], row_[graph.edge_to(e)], -graph.weight(e, phi));
      }
      entries.emplace_back(row_[s], row_[s], exit);
    }
    size_ = static_cast<Eigen::Index>(queue.size());
    Eigen::SparseMatrix<double> matrix(size_, size_);
    matrix.setFromTriplets(entries.begin(), entries.end());
    solver_.compute(matrix);
    alpha_ = Eigen::VectorXd::Zero(size_);
    for (const InitialMass& mass : graph.initial())
      if (row_[mass.state] >= 0) alpha_[row_[mass.state]] += mass.probability;
  }

  [[nodiscard]] double mean(std::span<const double> reward) { return alpha_.dot(solve(vector(reward))); }
  /// E[Y_a Y_b]; continuous time only, where no step earns twice.
  [[nodiscard]] double cross(std::span<const double> a, std::span<const double> b) {
    const Eigen::VectorXd ra = vector(a), rb = vector(b);
    return alpha_.dot(solve(ra.cwiseProduct(solve(rb)))) + alpha_.dot(solve(rb.cwiseProduct(solve(ra))));
  }
  [[nodiscard]] double covariance(std::span<const double> a, std::span<const double> b) {
    return cross(a, b) - mean(a) * mean(b);
  }

 private:
  [[nodiscard]] Eigen::VectorXd vector(std::span<const double> reward) const {
    Eigen::VectorXd values(size_);
    for (std::int32_t s = 0; s < graph_.num_states(); ++s)
      if (row_[s] >= 0) values[row_[s]] = reward[s];
    return values;
  }
  [[nodiscard]] Eigen::VectorXd solve(const Eigen::VectorXd& values) { return solver_.solve(values); }

  const StateGraph& graph_;
  std::vector<std::int32_t> row_;
  Eigen::Index size_ = 0;
  Eigen::SparseLU<Eigen::SparseMatrix<double>> solver_;
  Eigen::VectorXd alpha_;
};

}  // namespace sojourn
