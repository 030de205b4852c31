#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/likelihood_terms.hpp"
#include "evaluation/law.hpp"
#include "posterior/compression.hpp"
#include "posterior/likelihood.hpp"
#include "sojourn/likelihood_device.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {

/// One data set under one model, eliminated and planned once: what `Posterior` and `DataLikelihood` evaluate with.
///
/// Beside the plan for every observation there may be compressed ones (`CompressedLikelihood`), from few points to
/// many. A parameter vector takes the first whose error estimate passes; which one that is depends on it alone.
class LikelihoodEngine {
 public:
  static constexpr double kLeastScale = kLeastLikelihoodScale;
  /// A larger data set that is not compressed is cut into parts of so many observations, and of more where the model is
  /// large: each part pays for the contour of its own times, which takes as long as 0.7 observations for each
  /// multiply-add of the model (measured on 479 states), and is held to a tenth.
  static constexpr std::int64_t kItemsPerPart = 16384, kItemsPerMultiplyAdd = 7;

  /// @throws as `check_observations` does; UsageError where `known.held` is not of these observations. Cost: one
  /// elimination, unless `known` has that of the model's graph.
  LikelihoodEngine(Model model_in, Observations observations_in, std::span<const double> reward_in,
                   const EvaluatorOptions& options_in, DataCompression compression_in,
                   const PosteriorFacts& known = {});

  /// What one thread evaluates with.
  struct Workspace {
    std::vector<LawPlan::WorkspacePtr> law;  ///< of each level, then of each part's exact plan; made on first use
    std::vector<double> phi, by_phi, by_phi_part, theta, by_theta, by_z;
  };
  /// What became of one parameter vector.
  struct Outcome {
    LawOutcome law;
    std::int32_t level = kNotEvaluated;  ///< the level that served it; the number of levels: the exact plan
    double compression_error = 0;        ///< relative
    double multiply_adds = 0;            ///< as in `RouteCounts`, of levels that did not pass as well
    double error = std::numeric_limits<double>::quiet_NaN();  ///< absolute, of the log likelihood; where asked for
  };
  static constexpr std::int32_t kNotEvaluated = -1;

  /// A workspace of the caller's own, kept for the next caller.
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
    Workspace& get() {
      if (!workspace_) workspace_ = engine_.make_workspace();
      return *workspace_;
    }

   private:
    const LikelihoodEngine& engine_;
    std::unique_ptr<Workspace> workspace_;
  };

  using Body = std::function<void(std::size_t particle, Workspace& workspace, Outcome& outcome)>;
  /// Calls `body` for every particle, in parallel, and books the routes taken.
  void for_particles(std::size_t num_particles, const Body& body) const;
  /// Log likelihood and its gradient by theta [P] (may be empty); never throws. `status` stays empty where all is well.
  double at(std::span<const double> theta, std::span<double> gradient, Workspace& workspace, Outcome& outcome,
            std::string& status, bool bounds_error = false) const;
  /// Parts of the data set whose terms can be evaluated apart; they depend on the data alone. 1 unless the data set
  /// is large and not compressed.
  [[nodiscard]] std::int64_t num_parts() const { return static_cast<std::int64_t>(parts_.size()); }
  /// As in `Posterior`.
  [[nodiscard]] const std::optional<HeldParts>& held() const { return held_; }
  [[nodiscard]] std::span<const std::int64_t> items_of_part(std::int64_t part) const;
  void hold_parts(const std::optional<HeldParts>& held);
  /// @throws UsageError where the observations of one of the parts [first, last) are not here.
  void expect_parts(std::int64_t first, std::int64_t last) const;
  /// The term of parts [first, last), summed in this order.
  double at(std::span<const double> theta, std::int64_t first, std::int64_t last, std::span<double> gradient,
            Workspace& workspace, Outcome& outcome, std::string& status, bool bounds_error = false) const;
  /// `at` for the rows of theta [K, P]; gradient [K, P] may be empty. @throws ShapeError.
  void evaluate(MatrixView<const double> theta, std::span<double> value, MatrixView<double> gradient,
                std::vector<std::string>& status, std::span<double> error = {}) const;
  /// possible[i] = 1 where observation i has positive probability at phi; false where the law cannot be computed.
  bool mark_possible(std::span<const double> phi, std::span<char> possible, Workspace& workspace) const;
  /// As `Posterior::bytes`.
  [[nodiscard]] PosteriorBytes bytes() const;
  [[nodiscard]] RouteCounts route_counts() const;
  [[nodiscard]] CompressionReport compression() const;

  /// As `Posterior::use_device`.
  void use_device(std::shared_ptr<LikelihoodDevice> device);
  /// As `Target::cloud_on_device`, of the first level; particles that need another are left open.
  [[nodiscard]] std::unique_ptr<DeviceCloud> make_cloud(const ParameterTables& parameters, const SvgdOptions& options,
                                                        std::string& why_not) const;
  /// As `Posterior::on_device`.
  [[nodiscard]] std::unique_ptr<DevicePosterior> make_posterior(const ParameterTables& parameters,
                                                                std::int64_t most_particles) const;
  [[nodiscard]] bool has_device() const { return device_ != nullptr; }
  [[nodiscard]] DeviceReport device_report() const;
  /// Value and gradient [K, P] (may be empty) of those rows of theta [K, P] that the device can answer, with
  /// `answered` 1, with their compression errors, relative, and what the values may be off in all, absolute [K] each
  /// (may be empty); other rows are left as they are. Needs a device.
  /// @throws DeviceError.
  void answer_on_device(MatrixView<const double> theta, std::span<double> value, MatrixView<double> gradient,
                        std::span<double> compression_error, std::span<double> error, std::span<char> answered) const;

  Model model;
  Observations observations;
  std::vector<double> reward;
  EvaluatorOptions options;
  Prc prc;

 private:
  static constexpr double kUnitRoundoff = 0x1p-53;
  /// Of a log value, its weight and their product, at most; interpolation weights are rounded sums themselves.
  static constexpr double kRoundings = 16;

  struct Level {
    CompressedLikelihood data;
    LawPlan plan;
  };
  /// Observations whose law is evaluated together and exactly: all, or such as lie close by.
  struct Part {
    std::vector<std::int64_t> items;  ///< of `observations`; none: all
    /// Made when first asked for: for millions of observations they are large, and rarely used beside compressed ones;
    /// a rank that shares parts with others needs only its own.
    std::once_flag made;
    std::optional<Likelihood> own;  ///< of these items; none: the whole one
    std::optional<LawPlan> plan;
  };
  /// A likelihood read from one plan's values.
  struct Reading {
    const LikelihoodEngine* engine;
    const CompressedLikelihood* compressed;  ///< null: exact
    const Likelihood* exact;                 ///< of the part; null: compressed
    bool bounds_error = false;
    LikelihoodReport report;
    double compression_error = 0;              ///< absolute
    double num_relative = 0, num_rounded = 0;  ///< what one relative error of the law, and one rounding, add up to
    double operator()(std::span<const double> log_density, std::span<const double> log_survival,
                      std::span<const double> log_cdf, std::span<double> by_density, std::span<double> by_survival,
                      std::span<double> by_cdf);
    /// Of the log likelihood `value`, absolute, where the law's values err by `law_error` at most, relative.
    [[nodiscard]] double error(double value, double law_error) const;
  };
  [[nodiscard]] std::unique_ptr<Workspace> make_workspace() const;
  void make_parts();
  void make_held_parts();
  [[nodiscard]] Likelihood likelihood_of_items(std::span<const std::int64_t> items) const;
  /// Of all observations, where they are not cut into parts, or a device reads them.
  [[nodiscard]] const Likelihood& whole() const { return *whole_; }
  [[nodiscard]] LawPlan plan_of(const Likelihood& likelihood) const;
  [[nodiscard]] const LawPlan& exact_plan(Part& part) const;
  /// Plan number `index`, of the levels and then of the parts, with its workspace.
  const LawPlan& plan(std::size_t index, Workspace& workspace, LawPlan::Workspace*& law) const;
  /// The value from the first level that passes, else of the parts [first, last); by_phi [num_rates] or empty.
  double likelihood_at(std::int64_t first, std::int64_t last, std::span<double> by_phi, Workspace& workspace,
                       Outcome& outcome, LikelihoodReport& report, bool bounds_error) const;
  double exact_at(std::int64_t first, std::int64_t last, std::span<double> by_phi, Workspace& workspace,
                  Outcome& outcome, LikelihoodReport& report, bool bounds_error) const;

  struct LoadedLevel {
    std::unique_ptr<DeviceLevel> level;
    double multiply_adds[2] = {0, 0};  ///< of one particle; with gradient
  };
  class BookedCloud;
  /// Compares the first answers of a device with the CPU's. @throws DeviceError where they differ by more than both
  /// may be off.
  void check_device(MatrixView<const double> theta, std::span<const double> value, MatrixView<double> gradient,
                    std::span<const char> answered) const;
  /// What level number `level` reads; beyond the last all observations.
  [[nodiscard]] const Likelihood& likelihood_of(std::size_t level) const;
  /// Sums of a level's weights, which the error of a device's log likelihood follows from.
  struct LevelWeights {
    double linear = 0;     ///< of log densities, survivals and cumulative probabilities
    double intervals = 0;  ///< of differences, which magnify relative errors
  };
  [[nodiscard]] LevelWeights level_weights(std::size_t level) const;
  /// Absolute error of a device's log likelihood, from above: it does not tell which intervals magnify what.
  [[nodiscard]] double error_on_device(std::size_t level, const LevelWeights& weights, double value, double law_error,
                                       double compression_error) const;
  /// Level number `level` on the device, uploaded when first asked for; null where it is too large.
  LoadedLevel* device_level(std::size_t level) const;

  DataCompression mode_;
  std::optional<Likelihood> whole_;
  std::vector<Level> levels_;
  std::vector<std::unique_ptr<Part>> parts_;  ///< null where their observations are not here
  std::optional<HeldParts> held_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> idle_;
  mutable RouteCounts routes_;
  mutable CompressionReport report_;

  std::shared_ptr<LikelihoodDevice> device_;
  mutable std::mutex device_mutex_;                 ///< one batch at a time
  mutable std::vector<LoadedLevel> device_levels_;  ///< as `levels_`, then the exact one
  mutable DeviceReport device_report_;
  mutable DeviceValues device_values_;
  mutable bool device_checked_ = false;
  bool device_by_contour_ = true;  ///< the shared contour may hold for some particles
};

}  // namespace sojourn
