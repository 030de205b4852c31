#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "evaluation/stepping.hpp"
#include "evaluation/transform.hpp"
#include "sojourn/evaluator.hpp"

namespace sojourn {

/// A log-likelihood as a function of the law's log values at the plan's points: returns the value and writes its
/// partial derivatives by log density, log survival and log cdf, each [N] (entries not asked for are ignored).
using LawObjective = std::function<double(std::span<const double> log_density, std::span<const double> log_survival,
                                          std::span<const double> log_cdf, std::span<double> by_density,
                                          std::span<double> by_survival, std::span<double> by_cdf)>;

/// What became of one particle.
struct LawOutcome {
  bool ok = true;
  std::string message;     ///< why not, when !ok
  double error_bound = 0;  ///< largest relative error bound over the points
  std::int32_t num_contour = 0, num_saddlepoint = 0, num_uniformization = 0, num_stepping = 0,
               num_closed = 0;  ///< points by route
  double multiply_adds = 0;     ///< as in `RouteCounts`
};

/// The transient law of one reward at a fixed set of points: planned once, evaluated for many particles.
///
/// Routes: shared hyperbola contour for the bulk (one set of transform nodes serves all points of a 50-fold window),
/// saddlepoint contour for tails, uniformization for chains whose spectrum is not known to be real and wherever the
/// others fail their check; stepping in discrete time; closed forms at zero. A value that no route certifies to `rtol`
/// makes the outcome not ok. Results depend on the particle and the plan alone, never on thread or batch.
class LawPlan {
 public:
  struct Workspace;
  struct WorkspaceDelete {
    void operator()(Workspace* workspace) const;
  };
  using WorkspacePtr = std::unique_ptr<Workspace, WorkspaceDelete>;

  /// The plan keeps references to graph and prc. `points` need not be sorted.
  LawPlan(const StateGraph& graph, const Prc& prc, std::span<const double> reward, std::vector<LawPoint> points,
          const EvaluatorOptions& options);
  ~LawPlan();
  LawPlan(LawPlan&&) noexcept;

  [[nodiscard]] WorkspacePtr make_workspace() const;
  /// Bytes of the plan's tables, and of a workspace that the shared contour has filled. Other routes
  /// take more for the moment: in discrete time and by uniformization a chain with its slopes.
  [[nodiscard]] std::int64_t num_bytes() const;
  [[nodiscard]] std::int64_t workspace_bytes(bool gradient) const;
  /// Bytes of a plan's tables for each of `num_points` points within [smallest, largest], without making it.
  static double bytes_per_point(double smallest, double largest, double rtol);
  [[nodiscard]] const std::vector<LawPoint>& points() const;

  /// Log values (and gradients by phi) at every point for one particle. `methods` [N] may be empty.
  LawOutcome values(std::span<const double> phi, bool gradient, LawValues& values, std::span<LawMethod> methods,
                    Workspace& workspace) const;

  /// Value of an objective and its gradient by phi [num_rates] (empty: value alone) for one particle. The gradient
  /// costs one transposed solve per node, whatever the number of points.
  LawOutcome objective(std::span<const double> phi, const LawObjective& objective, double& value,
                       std::span<double> gradient, Workspace& workspace) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sojourn
