#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sojourn/matrix_view.hpp"
#include "sojourn/model.hpp"
#include "sojourn/moment_device.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {

/// Routes to a transient law. `kAuto` takes the cheapest one that certifies its answer.
enum class LawMethod : std::uint8_t { kAuto, kContour, kSaddlepoint, kUniformization, kStepping, kClosed, kMulti };
const char* to_string(LawMethod method);

/// Double precision; as many digits as asked for, which serves moments, Laplace transforms and transient laws; or
/// single precision with an error bound for moments alone, which answers in double where it cannot answer.
enum class Precision : std::uint8_t { kDouble, kMulti, kSingle };
/// "fp64", "multi", "fp32".
const char* to_string(Precision precision);

/// What the digits of a parameter vector's gradient rest on: double; 60 digits, where double could not be sure of them;
/// or double in doubt, where the model is too large for 60 digits, or the quantity is a law.
enum class GradientDigits : std::uint8_t { kDouble, kMulti, kInDoubt };
/// "fp64", "multi", "fp64 in doubt".
const char* to_string(GradientDigits digits);

struct EvaluatorOptions {
  int num_threads = 0;  ///< 0: what the environment allows
  double rtol = 1e-9;   ///< relative accuracy a transient value must certify
  LawMethod method = LawMethod::kAuto;
  std::int64_t max_terms = 200'000'000;  ///< uniformization steps times edges allowed per evaluation point set
  Precision precision = Precision::kDouble;
  int digits = 20;  ///< of multi precision, 1..500
};

/// Values of one quantity for K parameter vectors, N values each.
struct Quantity {
  Matrix<double> values;                        ///< [K, N]
  std::vector<double> gradient;                 ///< [K, N, P], empty unless asked
  Matrix<double> error_bound;                   ///< [K, N] relative, empty where the quantity is exact to rounding
  std::vector<LawMethod> method;                ///< [K * N], transient laws only
  std::vector<std::string> status;              ///< [K]: "ok" or what went wrong with this theta
  std::vector<std::string> text;                ///< [K * N] values to all digits, multi precision only
  std::vector<double> gradient_error_bound;     ///< [K, N, P] relative, single precision only
  std::vector<Precision> precision;             ///< [K] what answered where single precision was asked for
  std::vector<GradientDigits> gradient_digits;  ///< [K], empty where double was sure of all
};

enum class LawKind : std::uint8_t { kPdf, kLogPdf, kCdf, kLogCdf, kSurvival, kLogSurvival };

/// Evaluates a model's laws for batches of parameters on the CPU (OpenMP; values do not depend on the thread count),
/// moments on a device where it is given one.
///
/// Every `theta` is [K, P] row-major on the natural scale. Every `reward` is [num_states], the variable being the
/// reward gathered until absorption; `graph.unit_reward()` is time. In discrete time kPdf is the probability mass at
/// whole numbers. All methods: @throws UsageError for a non-finite theta or point, ShapeError for extents,
/// NumericalError naming edge and theta for a negative weight.
class Evaluator {
 public:
  explicit Evaluator(Model model, EvaluatorOptions options = {});

  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const Prc& prc() const { return prc_; }
  [[nodiscard]] const EvaluatorOptions& options() const { return options_; }

  /// E[Y^k], k = 1..order. [K, order]. Cost: order solves (twice that with gradient) per lane. In single precision with
  /// relative error bounds of at most 1e-3; parameter vectors that this cannot be promised for, or whose numbers leave
  /// the range of single precision, are answered in double, as `precision` says.
  Quantity moments(MatrixView<const double> theta, std::span<const double> reward, int order, bool gradient) const;
  /// Cov[Y_a, Y_b] of all pairs of rewards, [K, R * R].
  Quantity covariance(MatrixView<const double> theta, const std::vector<std::span<const double>>& rewards,
                      bool gradient) const;
  /// E[Y_a Y_b], [K, R * R].
  Quantity cross_moments(MatrixView<const double> theta, const std::vector<std::span<const double>>& rewards,
                         bool gradient) const;
  /// E[exp(-s Y)] at s >= 0, [K, S]; in discrete time the same with whole Y.
  Quantity laplace(MatrixView<const double> theta, std::span<const double> reward, std::span<const double> s,
                   bool gradient) const;
  /// Expected time (or steps) in each state before absorption, [K, num_states].
  Quantity expected_sojourn(MatrixView<const double> theta, bool gradient) const;
  /// A transient law at points >= 0, [K, N], each value certified to `rtol` or flagged in `status`.
  Quantity law(MatrixView<const double> theta, std::span<const double> reward, LawKind kind,
               std::span<const double> points, bool gradient) const;
  /// Quantiles at probabilities in (0, 1), [K, N].
  Quantity quantile(MatrixView<const double> theta, std::span<const double> reward,
                    std::span<const double> probabilities, bool gradient) const;
  /// P(chain in state at time t), [K, num_states] (absorbing states included).
  Quantity state_probability(MatrixView<const double> theta, double time, bool gradient) const;

  /// Evaluates moments on `device` from now on, in double precision or in single, whole batches at a time. What the
  /// device cannot answer for one parameter vector (gradients in doubt, numbers beyond double precision on the way) the
  /// CPU does; `moment_report` counts both. Values agree with the CPU's to about 1e-12, in single precision within
  /// their error bounds; what leaves the range of single precision there is evaluated there in double.
  /// @throws DeviceError where this evaluator's moments are not evaluated there, with the reason: discrete time, multi
  /// precision. Orders that are not, and gradients in single precision, end in a DeviceError when they are asked for.
  void use_device(std::shared_ptr<MomentDevice> device);
  [[nodiscard]] MomentReport moment_report() const;
  /// Moments of up to `most_vectors` vectors of rates at once that are in the device's memory, in double precision. May
  /// outlive this evaluator. Memory: rates, moments and derivatives of so many vectors, and slots of those in work.
  /// @throws UsageError without a device, ShapeError for the reward, DeviceError as `moments` on a device and where
  /// memory is short.
  [[nodiscard]] std::unique_ptr<TensorMoments> tensor_moments(std::span<const double> reward, int order, bool gradient,
                                                              std::int64_t most_vectors) const;

 private:
  struct OnDevice;
  /// As `replay_moments` with its outputs.
  void moments_on_device(MatrixView<const double> phi, std::span<const double> reward, int order,
                         std::span<double> values, std::span<double> by_rate, std::span<char> in_doubt) const;
  /// Values of single precision, those of double where it has none.
  void single_moments_on_device(MatrixView<const double> phi, std::span<const double> reward, int order,
                                Quantity& quantity) const;
  Model model_;
  Prc prc_;
  EvaluatorOptions options_;
  std::shared_ptr<OnDevice> on_device_;  ///< null: moments on the CPU
};

}  // namespace sojourn
