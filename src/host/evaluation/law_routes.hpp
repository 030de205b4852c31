#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluation/contour.hpp"
#include "evaluation/law.hpp"
#include "evaluation/law_cost.hpp"
#include "evaluation/saddlepoint.hpp"
#include "evaluation/spectrum.hpp"
#include "evaluation/tilted_contour.hpp"

namespace sojourn {

/// Poles within this distance of the real axis, in units of 1 / t, turn the integrand by no more than this.
inline constexpr double kLargestTurn = 1e-4;

/// What is known of one asked value, numbered kind * num_points + point with kinds in the order of `LawSide`.
struct LawEntry {
  double log_value = 0;
  double error = 0;         ///< bound on the value's relative error
  double slope_factor = 0;  ///< shared contour: d log value / d (inverted transform)
  std::int32_t row = -1;    ///< place of the gradient in `Workspace::rows`, -1: none, or by the shared contour
  bool shared = false;      ///< value and gradient by the shared contour
  LawMethod method = LawMethod::kClosed;
};

struct LawPlan::Workspace {
  TransformReplay::WorkspacePtr replay;
  std::vector<double> spectrum_scratch, contour_scratch;
  std::vector<std::complex<double>> density, survival, density_gradient, survival_gradient;  // at the contour's nodes
  std::vector<std::complex<double>> density_check, survival_check;
  std::vector<std::complex<double>> nodes, check_nodes;  // the contour's, tilted
  std::vector<double> tilts;                             // [contour windows]
  std::vector<double> trial_shifts, trial_values;
  std::unique_ptr<bool[]> proved;                // [contour windows]
  std::vector<double> inverted, inverted_error;  // [contour times]
  std::vector<LawEntry> entries;
  std::vector<LawMethod> routes;                  // per point: the last route any of its values took
  std::vector<double> rows;                       // [rows, num_rates]
  std::vector<std::size_t> pending;               // entries without a certified value
  std::vector<double> by_time;                    // adjoint weights of the contour's times
  LawValues values;                               // of the stepping routes
  std::vector<double> log_values, by_log_values;  // [3 N] of the objective
  double sum_multiply_adds = 0;                   // of the shared contour's sums over its nodes
  bool gradient = false;
  bool sums_logarithms = false;  ///< an objective's: see `LawPlan::Impl::holds`
};

struct LawPlan::Impl {
  Impl(const StateGraph& graph, const Prc& prc, std::span<const double> reward, std::vector<LawPoint> points,
       const EvaluatorOptions& options);

  const StateGraph& graph;
  std::vector<double> reward;
  std::vector<LawPoint> points;
  EvaluatorOptions options;
  std::size_t num_rates;
  std::vector<std::size_t> asked;    ///< all entries asked for
  std::vector<std::size_t> times;    ///< the contour's times: points after zero, in discrete time large enough ones
  std::vector<std::size_t> time_of;  ///< per point: its contour time
  std::vector<char> on_contour;      ///< per point: whether it has one
  bool counts_time = false;          ///< discrete time, and rewards 0 or 1: Y counts steps
  double largest_value = 0;
  bool wants_density = false, wants_survival = false;  ///< after zero: D, or G (survival and cdf)
  std::optional<TransformReplay> replay;
  std::optional<Spectrum> spectrum;
  SharedContour contour;
  std::optional<LawCost> cost;

  [[nodiscard]] bool discrete() const { return graph.time_kind() == TimeKind::kDiscrete; }
  [[nodiscard]] std::size_t kind(std::size_t entry) const { return entry / points.size(); }
  [[nodiscard]] std::size_t point(std::size_t entry) const { return entry % points.size(); }

  /// Whether an entry is as certain as it has to be: to rtol. Where logarithms are summed that of 1e-500,000 cannot be,
  /// nor need it be: there a few roundings of the logarithm will do.
  [[nodiscard]] bool holds(const LawEntry& entry, const Workspace& workspace) const;
  /// Fills `workspace.entries` for one particle.
  LawOutcome solve(std::span<const double> phi, bool gradient, Workspace& workspace) const;
  /// gradient[p] += factor * d log value / d phi_p.
  void add_gradient(std::size_t entry, double factor, std::span<double> gradient, const Workspace& workspace) const;

 private:
  void solve_at_zero(Workspace& workspace) const;
  /// A tilt for each of the contour's windows.
  void choose_tilts(Workspace& workspace) const;
  void solve_by_contour(Workspace& workspace) const;
  /// Discrete time: the contours on the generating function for large counts, where they are valid and cheaper than
  /// stepping. Returns why what is pending was left.
  std::string solve_counts_by_contour(std::span<const double> phi, Workspace& workspace) const;
  /// The same by a saddlepoint contour for each value, whatever it costs.
  std::string solve_counts_by_saddles(std::span<const double> phi, Workspace& workspace) const;
  /// Whether the generating function's poles are proved real and positive.
  [[nodiscard]] bool has_positive_poles(std::span<const double> phi, double largest, Workspace& workspace) const;
  /// Closed values where no mass lies above zero; true if so.
  bool solve_all_atom(Workspace& workspace) const;
  /// What is pending from saddlepoints: by tilted contours (method kContour) or by a contour each (kSaddlepoint).
  void solve_from_saddles(LawMethod method, Workspace& workspace) const;
  /// Windows that tilted contours need for what is pending, were it all of one side.
  std::size_t count_tilted_windows(Workspace& workspace) const;
  /// Stores a saddlepoint answer for `side` as the value of an entry; false where `side` is the complement of what the
  /// entry asks for and not small. `mass` is 1 - atom.
  bool settle_saddle(std::size_t entry, LawSide side, const SaddleAnswer& answer, std::span<const double> slope,
                     double mass, LawMethod method, Workspace& workspace) const;
  /// Values that saddlepoints have settled but not to rtol, and uniformization cannot either, by the roundings of the
  /// steps it takes at least.
  [[nodiscard]] bool is_beyond_steps(std::size_t entry, double rate, const Workspace& workspace) const;
  /// Uniformization or stepping of what is pending; returns a message where it would cost too much.
  std::string solve_by_steps(std::span<const double> phi, Workspace& workspace) const;
  void count_routes(LawOutcome& outcome, Workspace& workspace) const;
  std::span<double> new_row(LawEntry& entry, Workspace& workspace) const;
  std::string describe_failure(std::size_t entry, const LawEntry& reached, const std::string& why) const;
};

}  // namespace sojourn
