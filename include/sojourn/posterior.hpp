#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sojourn/device_posterior.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/likelihood_device.hpp"
#include "sojourn/model.hpp"
#include "sojourn/parted_target.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {

/// One (merged) observation. Exact: lower == upper == value. Right-censored, Y > lower: upper = +inf.
/// Interval, lower < Y <= upper: lower < upper; with `left_censored` (lower is 0) an atom at zero belongs to it.
struct Observation {
  double lower = 0;
  double upper = 0;
  double entry = 0;            ///< left truncation: seen only because Y > entry (0: none)
  double weight = 1;           ///< multiplicity, > 0
  bool left_censored = false;  ///< nothing is known below `upper`: the probability is P(Y <= upper)
  [[nodiscard]] bool exact() const { return lower == upper; }
  [[nodiscard]] bool right_censored() const { return upper == std::numeric_limits<double>::infinity(); }
};

/// A checked data set. Equal observations are merged and their weights summed.
struct Observations {
  std::vector<Observation> items;
  std::int64_t num_rows = 0;            ///< rows read, before merging
  bool counts = false;                  ///< the column was `count` (discrete time)
  std::string origin;                   ///< file name for messages
  std::vector<std::int64_t> first_row;  ///< 1-based file row of each item's first occurrence
};

/// Reads a data CSV (`time` or `count`; optional weight, lower, upper, event, entry). `-` is stdin.
///
/// A row with a time is exact there, or right-censored where its event is 0. A row without one uses lower and upper:
/// lower < Y <= upper, an empty or infinite upper is right-censored at lower, an empty lower is left-censored (no less
/// than a given entry), equal ones are exact. In discrete time all of these are whole numbers.
/// Rows are counted from 1 with the header as row 1. Cost: O(N log N), about half a second per million rows.
/// @throws IoError, ModelError (file, row, column, value).
Observations load_observations(const std::string& path, TimeKind time_kind);
Observations parse_observations(std::string_view csv, const std::string& origin, TimeKind time_kind);

/// Exact values as a data set, equal ones merged; in discrete time they are counts. Value i is row i + 1 of `origin`.
/// @throws ModelError for none, UsageError unless all are finite and >= 0, in discrete time whole.
Observations exact_observations(std::span<const double> values, TimeKind time_kind, const std::string& origin);

enum class PriorFamily { kNormal, kLognormal, kGamma, kHalfCauchy, kBeta, kUniform, kExponential };
const char* to_string(PriorFamily family);

/// A prior of one parameter. Parameters a and b: normal(mean, sd), lognormal(mean, sd of log), gamma(shape, rate),
/// half_cauchy(scale), beta(a, b), uniform(lower, upper), exponential(rate).
class Prior {
 public:
  /// @throws ModelError for values outside the family's domain.
  Prior(PriorFamily family, double a, double b = 0);
  /// From a run file: family name and its named values. @throws ModelError with a suggestion.
  static Prior from_names(const std::string& family, const std::map<std::string, double>& values);

  [[nodiscard]] PriorFamily family() const { return family_; }
  [[nodiscard]] double a() const { return a_; }
  [[nodiscard]] double b() const { return b_; }
  [[nodiscard]] double lower() const;
  [[nodiscard]] double upper() const;
  /// log p(theta), normalised; -inf outside the support, its limit from inside at the ends.
  [[nodiscard]] double log_density(double theta) const;
  /// d log p / d theta; NaN outside the support.
  [[nodiscard]] double score(double theta) const;
  /// P(theta' <= theta) and P(theta' > theta), each to relative accuracy in its own tail.
  [[nodiscard]] double cdf(double theta) const;
  [[nodiscard]] double survival(double theta) const;
  /// Inverse of the distribution function at p in (0, 1), inside the open support: where the exact value is not a
  /// normal number (a gamma of small shape) the smallest normal number.
  [[nodiscard]] double quantile(double p) const;
  /// Inverse of `survival` at q in (0, 1): keeps the upper tail that 1 - q would round away.
  [[nodiscard]] double upper_quantile(double q) const;
  /// E.g. "lognormal(mean=0, sd=1)".
  [[nodiscard]] std::string describe() const;

 private:
  PriorFamily family_;
  double a_, b_;
};

/// Smooth increasing map from the real line onto a parameter's support (lower, upper):
/// identity, lower + exp(z), upper - exp(-z), or lower + (upper - lower) / (1 + exp(-z)).
/// Values stay inside the open support and finite for |z| <= 700.
class Transform {
 public:
  enum class Kind { kIdentity, kLog, kLogBelow, kLogit };
  /// @throws ModelError unless lower < upper.
  static Transform for_support(double lower, double upper);
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] double lower() const { return lower_; }
  [[nodiscard]] double upper() const { return upper_; }
  [[nodiscard]] double to_natural(double z) const;
  /// @throws UsageError for a theta outside the open support.
  [[nodiscard]] double to_unconstrained(double theta) const;
  /// log |d theta / d z| and its derivative by z.
  [[nodiscard]] double log_jacobian(double z) const;
  [[nodiscard]] double log_jacobian_derivative(double z) const;
  [[nodiscard]] double derivative(double z) const;  ///< d theta / d z
  [[nodiscard]] std::string describe() const;

 private:
  Kind kind_ = Kind::kIdentity;
  double lower_ = -std::numeric_limits<double>::infinity(), upper_ = std::numeric_limits<double>::infinity();
};

/// How many points of a likelihood each route of the law served.
struct RouteCounts {
  std::int64_t contour = 0, saddlepoint = 0, uniformization = 0, stepping = 0, closed = 0;
  double worst_error_bound = 0;
  /// Real multiply-adds of the contours' transforms and of the sums over their nodes, on the CPU and on a device: four
  /// for a complex one, two for a real factor of a complex number. Other routes are not counted.
  double multiply_adds = 0;
};

/// Whether large data sets are read at interpolation nodes, and the likelihood of a single free parameter between
/// values on its line. `kAuto`: wherever an error estimate, made for each parameter vector, stays below the evaluator's
/// `rtol` (default 1e-9) relative to the log likelihood, and exactly elsewhere. `kOff`: at every observation.
enum class DataCompression : std::uint8_t { kOff, kAuto };
const char* to_string(DataCompression mode);
/// @throws UsageError unless "off" or "auto".
DataCompression data_compression_from(const std::string& name);

/// What data compression did. A data set may have several levels, from few nodes to many; a parameter vector takes the
/// first whose error estimate passes. Where one parameter is free, `Posterior` interpolates the log likelihood between
/// values on its line and counts apart what these answer.
struct CompressionReport {
  DataCompression mode = DataCompression::kAuto;
  std::int64_t num_points = 0;             ///< distinct points of the data set
  std::vector<std::int64_t> level_points;  ///< per level: points it evaluates instead; none where nothing is gained
  std::vector<std::int64_t> level_count;   ///< per level: evaluations it served
  std::int64_t num_exact = 0;              ///< evaluations at every point
  double worst_error = 0;  ///< largest estimate accepted, relative to max(|log likelihood|, 1e-3 of the total weight)
  std::int64_t num_line_values = 0;   ///< one free parameter: evaluations made to interpolate between
  std::int64_t num_line_answers = 0;  ///< evaluations that interpolation answered
  double line_error = 0;              ///< largest estimate of theirs, relative, compression's own included
};

/// Memory that a posterior takes on the host, counted from its tables and not measured, in bytes.
struct PosteriorBytes {
  std::int64_t graph = 0;
  std::int64_t program = 0;  ///< of the elimination
  /// Observations, where the law is read for them and the weights with which; compressed ones as well as, where these
  /// are not compressed or the data set is cut into parts, all of them.
  std::int64_t data = 0;
  /// Of each thread that evaluates values with gradients by the shared contour. Uniformization, stepping and
  /// saddlepoints hold more for the moment.
  std::int64_t workspace = 0;
  std::int64_t curve = 0;  ///< of each thread that evaluates survival curves, which values without gradients are
};

class LikelihoodEngine;

/// log p(data | theta) for any theta of the model: no priors, nothing fixed.
class DataLikelihood {
 public:
  /// The reward is [num_states]. Cost: one elimination.
  /// @throws ModelError: no observations, data of the wrong time kind, time zero where the density there is zero;
  ///   ShapeError for the reward.
  DataLikelihood(Model model, Observations observations, std::span<const double> reward,
                 const EvaluatorOptions& options = {}, DataCompression compression = DataCompression::kAuto);
  ~DataLikelihood();
  DataLikelihood(const DataLikelihood&) = delete;
  DataLikelihood& operator=(const DataLikelihood&) = delete;

  /// Value [K] and gradient [K, P] (may be empty) at theta [K, P], natural scale. A theta at which a row has zero
  /// density gives -inf and a status that names the row; one that cannot be evaluated gives NaN and the reason.
  /// `error_bound` [K] (may be empty): how far each value may be off, absolute: what the error bounds of the law add up
  /// to, its sum's roundings, and data compression's estimate; NaN where there is no value.
  void evaluate(MatrixView<const double> theta, std::span<double> value, MatrixView<double> gradient,
                std::vector<std::string>& status, std::span<double> error_bound = {}) const;
  /// As `Posterior::use_device`.
  void use_device(std::shared_ptr<LikelihoodDevice> device);
  [[nodiscard]] DeviceReport device_report() const;
  /// Since construction.
  [[nodiscard]] RouteCounts route_counts() const;
  [[nodiscard]] CompressionReport compression() const;

 private:
  std::unique_ptr<LikelihoodEngine> engine_;
};

/// Which parts of a large data set one rank evaluates where ranks share out observations, and what it has to know of
/// the others, whose observations it need not hold.
struct HeldParts {
  std::int64_t num_shares = 0;        ///< as `PartedTarget::part_shares`
  std::int64_t num_parts = 0;         ///< of the whole data set
  std::int64_t first = 0, last = 0;   ///< the parts [first, last) are this rank's
  std::int64_t num_observations = 0;  ///< distinct ones of the whole data set
  std::int64_t num_points = 0;        ///< their distinct points, for `CompressionReport`
  /// Where part k begins among all observations in the order of parts; the last part ends where part `num_parts` would
  /// begin.
  [[nodiscard]] std::int64_t begin_of(std::int64_t part) const { return num_observations * part / num_parts; }
  [[nodiscard]] std::int64_t num_held() const { return begin_of(last) - begin_of(first); }
};

/// What is known of a posterior before it is made, from another one of the same model, data, reward and priors, here or
/// in another process.
struct PosteriorFacts {
  std::optional<Prc> prc;          ///< the elimination of the model's graph
  bool data_are_possible = false;  ///< no row has zero density for every theta
  /// The observations are those of these parts alone, in the order of parts. None: all observations, in any order.
  std::optional<HeldParts> held;
};

/// log p(data | theta) + log p(theta) + log |d theta/d z| over the free parameters on the unconstrained scale.
///
/// A data set of more than 16,384 distinct observations that is not compressed has parts; of more for a large model.
class Posterior final : public PartedTarget {
 public:
  struct Free {
    std::int32_t parameter;  ///< index in the model
    std::string name;
    Prior prior;
    Transform transform;
    double lower = 0, upper = 0;  ///< support: the prior's within the range the model declares
    double log_prior_mass = 0;    ///< log of the prior's mass there; 0 unless the declared range cuts the prior
    std::string support;          ///< the support in words, and what set it
  };

  /// `priors` by parameter name for every parameter that is not in `fixed`. A prior wider than the parameter's declared
  /// range is cut there and normalised again. A fixed parameter may have a prior too: it only checks the value.
  /// The reward is [num_states]. Cost: one elimination and up to five likelihoods (the check that data are possible);
  /// neither where `known` has it.
  /// @throws ModelError: unknown or missing names, fixed value outside support, nothing free, data of the wrong time
  ///   kind, time zero where the density there is zero. @throws NumericalError: a row with zero density for every
  ///   theta. @throws UsageError where `known` names other parts than the observations are, or parts of data that are
  ///   not known to be possible.
  Posterior(Model model, Observations observations, const std::map<std::string, Prior>& priors,
            const std::map<std::string, double>& fixed, std::span<const double> reward, EvaluatorOptions options = {},
            DataCompression compression = DataCompression::kAuto, const PosteriorFacts& known = {});
  ~Posterior() override;

  [[nodiscard]] const Model& model() const;
  [[nodiscard]] const Prc& prc() const;
  /// All observations; where they are handed out in shares (`held`), on other ranks than the first those of the rank's
  /// own parts.
  [[nodiscard]] const Observations& observations() const;
  [[nodiscard]] const std::vector<Free>& free() const;
  [[nodiscard]] std::vector<double> reward() const;
  /// Cost: O(tables), no evaluation.
  [[nodiscard]] PosteriorBytes bytes() const;
  /// The model's warnings and our own: priors cut by a declared range.
  [[nodiscard]] const std::vector<std::string>& warnings() const;
  /// Full natural parameter vector [P] (fixed ones included) from z [d].
  void to_theta(std::span<const double> z, std::span<double> theta) const;

  [[nodiscard]] std::int32_t dimension() const override;
  void evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                std::vector<std::string>& status) const override;
  void sample_prior(std::uint64_t seed, MatrixView<double> z) const override;

  [[nodiscard]] std::unique_ptr<DeviceCloud> cloud_on_device(const SvgdOptions& options,
                                                             std::string& why_not) const override;

  [[nodiscard]] std::int64_t num_parts() const override;
  [[nodiscard]] std::int64_t part_shares() const override;
  /// Which parts this rank evaluates; none where observations are not handed out. A posterior that holds no others
  /// has terms of these alone: `evaluate` and `log_likelihood` throw UsageError.
  [[nodiscard]] const std::optional<HeldParts>& held() const;
  /// Observations of one part as indices of `observations`, in the part's order; of the only part: empty.
  [[nodiscard]] std::span<const std::int64_t> items_of_part(std::int64_t part) const;
  /// From now on this rank evaluates these parts, and lets go of what it holds to evaluate others. It keeps all
  /// observations. None: all parts. No evaluation is under way meanwhile.
  /// @throws UsageError where the parts are not this posterior's, or it does not hold all observations.
  void hold_parts(const std::optional<HeldParts>& held);
  void evaluate_parts(MatrixView<const double> z, std::int64_t first, std::int64_t last, MatrixView<double> terms,
                      std::vector<std::string>& status) const override;
  void join_parts(MatrixView<const double> z, MatrixView<const double> terms, std::span<const std::string> part_status,
                  std::span<double> log_density, MatrixView<double> score,
                  std::vector<std::string>& status) const override;

  /// As `DataLikelihood::evaluate`.
  void log_likelihood(MatrixView<const double> theta, std::span<double> value, MatrixView<double> gradient,
                      std::vector<std::string>& status) const;
  /// Evaluates likelihoods on `device` from now on, whole batches at a time. What the device cannot answer for one
  /// parameter vector (values not certified there, gradients in doubt, too many steps) the CPU does; `device_report`
  /// counts both. Values agree with the CPU's to about 1e-12 where both take one route; laws of counts go by steps.
  /// @throws DeviceError where nothing of this likelihood can be evaluated there, with the reason: states without
  /// reward (in discrete time other than 1 a step), continuous observations at zero, a method that is the CPU's alone.
  void use_device(std::shared_ptr<LikelihoodDevice> device);
  [[nodiscard]] DeviceReport device_report() const;
  /// This posterior for up to `most_particles` particles that are in the memory of the device it uses, by the first
  /// level of data compression; it does not outlive this one. @throws DeviceError where no device is used.
  [[nodiscard]] std::unique_ptr<DevicePosterior> on_device(std::int64_t most_particles) const;
  using RouteCounts = sojourn::RouteCounts;
  /// Since construction.
  [[nodiscard]] RouteCounts route_counts() const;
  /// Since construction.
  [[nodiscard]] CompressionReport compression() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sojourn
