#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "evaluation/law.hpp"
#include "posterior/likelihood.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {

/// One data set under one model, eliminated and planned once: what `Posterior` and `DataLikelihood` evaluate with.
class LikelihoodEngine {
 public:
  /// @throws as `checked_likelihood` does. Cost: one elimination.
  LikelihoodEngine(Model model_in, Observations observations_in, std::span<const double> reward_in,
                   const EvaluatorOptions& options_in);

  /// A law workspace of the caller's own, kept for the next caller.
  class Lease {
   public:
    explicit Lease(const LikelihoodEngine& engine) : engine_(engine) {
      const std::scoped_lock lock(engine_.mutex_);
      if (engine_.idle_.empty()) return;
      workspace_ = std::move(engine_.idle_.back());
      engine_.idle_.pop_back();
    }
    ~Lease() {
      if (!workspace_) return;
      const std::scoped_lock lock(engine_.mutex_);
      engine_.idle_.push_back(std::move(workspace_));
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    LawPlan::Workspace& get() {
      if (!workspace_) workspace_ = engine_.plan.make_workspace();
      return *workspace_;
    }

   private:
    const LikelihoodEngine& engine_;
    LawPlan::WorkspacePtr workspace_;
  };

  using Body = std::function<void(std::size_t particle, LawPlan::Workspace& workspace, LawOutcome& outcome)>;
  /// Calls `body` for every particle, in parallel, and books the routes taken.
  void for_particles(std::size_t num_particles, const Body& body) const;
  /// Log likelihood and its gradient by theta [P] (may be empty); never throws. `status` stays empty where all is well.
  double at(std::span<const double> theta, std::span<double> gradient, LawPlan::Workspace& workspace,
            LawOutcome& outcome, std::string& status) const;
  /// `at` for the rows of theta [K, P]; gradient [K, P] may be empty. @throws ShapeError.
  void evaluate(MatrixView<const double> theta, std::span<double> value, MatrixView<double> gradient,
                std::vector<std::string>& status) const;
  [[nodiscard]] RouteCounts route_counts() const;

  Model model;
  Observations observations;
  std::vector<double> reward;
  EvaluatorOptions options;
  Likelihood likelihood;
  Prc prc;
  LawPlan plan;

 private:
  mutable std::mutex mutex_;
  mutable std::vector<LawPlan::WorkspacePtr> idle_;
  mutable RouteCounts routes_;
};

}  // namespace sojourn
