#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>

#include "cli/elimination_options.hpp"
#include "cli/evaluate_output.hpp"
#include "cli/json_writer.hpp"
#include "cli/memory_check.hpp"
#include "cli/numbers.hpp"
#include "cli/streams.hpp"
#include "cli/theta.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"
#include "model/suggest.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/result.hpp"

namespace sojourn::cli {
namespace {

constexpr std::int64_t kMaxMoment = 100;
constexpr std::int64_t kMaxDigits = 500;

struct EvaluateOptions {
  CommonOptions common;
  std::string model, theta_file, moments, pdf, cdf, pmf, logpdf, laplace, quantile, loglik, state_probability;
  std::vector<std::string> thetas, rewards;
  std::string method = "auto", rtol = "1e-9", max_terms = "2e8", precision = "fp64", digits = "20",
              data_compression = "auto";
  bool covariance = false, sojourn = false, gradient = false, json = false;

  [[nodiscard]] bool asks_others_than_moments() const {
    for (const std::string* text : {&pdf, &cdf, &pmf, &logpdf, &laplace, &quantile, &loglik, &state_probability}) {
      if (!text->empty()) return true;
    }
    return covariance || sojourn;
  }
  /// Other quantities than devices compute.
  [[nodiscard]] bool asks_for_the_cpu() const {
    EvaluateOptions others = *this;
    others.loglik.clear();
    return others.asks_others_than_moments();
  }
  [[nodiscard]] bool asks_anything() const { return !moments.empty() || asks_others_than_moments(); }
};

std::string one_of(const std::string& flag, const std::string& text, const std::vector<std::string>& allowed) {
  for (const std::string& name : allowed) {
    if (text == name) return text;
  }
  throw UsageError(
      fmt::format("{}: unknown value '{}'{}; allowed: {}", flag, text, suggestion(text, allowed), list_names(allowed)));
}

EvaluatorOptions evaluator_options(const EvaluateOptions& options) {
  const std::string precision = one_of("--precision", options.precision, {"fp64", "fp32", "multi"});
  const std::string method =
      one_of("--method", options.method, {"auto", "contour", "saddlepoint", "uniformization", "stepping"});
  EvaluatorOptions evaluator;
  evaluator.num_threads = options.common.num_threads();
  evaluator.rtol = parse_number("--rtol", options.rtol, 1e-14, 0.1);
  evaluator.max_terms = static_cast<std::int64_t>(parse_number("--max-terms", options.max_terms, 1, 1e18));
  if (precision == "fp32") {
    evaluator.precision = Precision::kSingle;
    SOJOURN_EXPECTS(!options.asks_others_than_moments(), UsageError,
                    "--precision fp32 serves --moments alone (with --gradient); ask for the other quantities in fp64");
    SOJOURN_EXPECTS(method == "auto", UsageError, "--method {}: moments have one method; leave it out in fp32", method);
  }
  if (precision == "multi") {
    evaluator.precision = Precision::kMulti;
    evaluator.digits = static_cast<int>(parse_whole("--digits", options.digits, 1, kMaxDigits));
    SOJOURN_EXPECTS(method == "auto", UsageError,
                    "--method {}: multi precision has one method of its own; leave it out", method);
    SOJOURN_EXPECTS(options.loglik.empty(), UsageError,
                    "--loglik: not in multi precision; use fp64, or --logpdf at the data's times in multi");
  }
  if (method == "contour") evaluator.method = LawMethod::kContour;
  if (method == "saddlepoint") evaluator.method = LawMethod::kSaddlepoint;
  if (method == "uniformization") evaluator.method = LawMethod::kUniformization;
  if (method == "stepping") evaluator.method = LawMethod::kStepping;
  return evaluator;
}

/// Computes the quantities asked for, in a fixed order, and gathers what went wrong with each theta.
class EvaluationBuilder {
 public:
  EvaluationBuilder(const EvaluateOptions& options, Evaluator evaluator)
      : options_(options), evaluator_(std::move(evaluator)), rewards_(choose_rewards(model(), options.rewards)) {
    result_.variable = rewards_.front().name;
    result_.thetas = read_thetas(model(), options.thetas, options.theta_file);
    result_.status.assign(result_.thetas.num_rows(), "ok");
    expect_replays_fit(evaluator_.prc().cost(), static_cast<std::int64_t>(result_.thetas.num_rows()), options.gradient,
                       options.common.num_threads());
  }

  /// `device`: null for the CPU.
  void add_moments(const std::shared_ptr<MomentDevice>& device) {
    if (options_.moments.empty()) return;
    if (device) evaluator_.use_device(device);
    const int order = static_cast<int>(parse_whole("--moments", options_.moments, 1, kMaxMoment));
    std::vector<std::string> labels;
    for (int k = 1; k <= order; ++k) labels.push_back(std::to_string(k));
    add("moments", {static_cast<std::size_t>(order)}, std::move(labels),
        evaluator_.moments(thetas(), reward(), order, options_.gradient));
    if (const std::string text = device_text(evaluator_.moment_report()); !text.empty()) write_stderr(text + '\n');
  }

  void add_law(const char* key, const std::string& text, LawKind kind) {
    if (text.empty()) return;
    const std::string flag = std::string("--") + key;
    const bool whole = discrete() && kind != LawKind::kCdf;
    std::vector<double> points = parse_points(flag, text, whole ? PointRule::kCount : PointRule::kNonNegative);
    result_.points.emplace_back(key, points);
    const auto labels = point_labels(discrete() ? "n" : "t", points);
    // P(Y <= 2.7) of a discrete law is P(Y <= 2).
    if (discrete()) {
      for (double& point : points) point = std::floor(point);
    }
    add(key, {points.size()}, labels, evaluator_.law(thetas(), reward(), kind, points, options_.gradient));
  }

  void add_laplace() {
    if (options_.laplace.empty()) return;
    const std::vector<double> points = parse_points("--laplace", options_.laplace, PointRule::kNonNegative);
    result_.points.emplace_back("laplace", points);
    add("laplace", {points.size()}, point_labels("s", points),
        evaluator_.laplace(thetas(), reward(), points, options_.gradient));
  }

  void add_quantile() {
    if (options_.quantile.empty()) return;
    const std::vector<double> points = parse_points("--quantile", options_.quantile, PointRule::kProbability);
    result_.points.emplace_back("quantile", points);
    add("quantile", {points.size()}, point_labels("p", points),
        evaluator_.quantile(thetas(), reward(), points, options_.gradient));
  }

  void add_covariance() {
    if (!options_.covariance) return;
    const std::vector<NamedReward> chosen = options_.rewards.empty() ? all_rewards(model()) : rewards_;
    std::vector<std::span<const double>> vectors;
    std::vector<std::string> labels;
    for (const NamedReward& a : chosen) {
      vectors.emplace_back(a.values);
      result_.covariance_rewards.push_back(a.name);
      for (const NamedReward& b : chosen) labels.push_back(a.name + ", " + b.name);
    }
    add("covariance", {chosen.size(), chosen.size()}, std::move(labels),
        evaluator_.covariance(thetas(), vectors, options_.gradient));
  }

  void add_state_quantities() {
    const auto num_states = static_cast<std::size_t>(model().graph.num_states());
    std::vector<std::string> labels;
    for (std::size_t i = 0; i < num_states; ++i) labels.push_back("state " + std::to_string(i));
    if (options_.sojourn)
      add("sojourn", {num_states}, labels, evaluator_.expected_sojourn(thetas(), options_.gradient));
    if (options_.state_probability.empty()) return;
    const std::vector<double> times = parse_points("--state-probability", options_.state_probability,
                                                   discrete() ? PointRule::kCount : PointRule::kNonNegative);
    SOJOURN_EXPECTS(times.size() == 1, UsageError, "--state-probability takes one time, got {}", times.size());
    result_.points.emplace_back("state_probability", times);
    add("state_probability", {num_states}, labels,
        evaluator_.state_probability(thetas(), times.front(), options_.gradient));
  }

  /// `device`: null for the CPU.
  void add_log_likelihood(const std::shared_ptr<LikelihoodDevice>& device) {
    if (options_.loglik.empty()) return;
    DataLikelihood likelihood(model(), load_observations(options_.loglik, model().graph.time_kind()), reward(),
                              evaluator_.options(), data_compression_from(options_.data_compression));
    if (device) likelihood.use_device(device);
    const std::size_t num_thetas = result_.thetas.num_rows(), num_parameters = model().parameters.size();
    Quantity quantity;
    quantity.values = Matrix<double>(num_thetas, 1);
    Matrix<double> gradient(options_.gradient ? num_thetas : 0, options_.gradient ? num_parameters : 0);
    std::vector<double> error(num_thetas);
    likelihood.evaluate(thetas(), quantity.values.values(), gradient.view(), quantity.status, error);
    for (std::string& status : quantity.status) {
      if (status.empty()) status = "ok";
    }
    quantity.gradient = std::move(gradient.values());
    if (const std::string text = device_text(likelihood.device_report()); !text.empty()) write_stderr(text + '\n');
    const RouteCounts counts = likelihood.route_counts();
    quantity.error_bound = Matrix<double>(num_thetas, 1);
    for (std::size_t k = 0; k < num_thetas; ++k)
      quantity.error_bound(k, 0) = error[k] == 0 ? 0 : error[k] / std::abs(quantity.values(k, 0));
    result_.compression = likelihood.compression();
    if (const std::string text = compression_text(*result_.compression); !text.empty())
      write_stderr("data compression: " + text + '\n');
    add("log_likelihood", {}, {options_.loglik}, std::move(quantity));
    result_.blocks.back().route_counts = {counts.contour, counts.saddlepoint, counts.uniformization, counts.stepping,
                                          counts.closed};
  }

  [[nodiscard]] const Evaluation& result() const { return result_; }
  [[nodiscard]] const Model& model() const { return evaluator_.model(); }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool discrete() const { return model().graph.time_kind() == TimeKind::kDiscrete; }

 private:
  [[nodiscard]] MatrixView<const double> thetas() const { return result_.thetas.view(); }
  [[nodiscard]] std::span<const double> reward() const { return rewards_.front().values; }

  static std::vector<std::string> point_labels(const char* letter, std::span<const double> points) {
    std::vector<std::string> labels;
    for (const double point : points) labels.push_back(fmt::format("{}={}", letter, format_number(point)));
    return labels;
  }

  void note(std::size_t k, const std::string& text) {
    std::string& status = result_.status[k];
    status = status == "ok" ? text : status + "; " + text;
  }

  void add(const std::string& key, std::vector<std::size_t> extents, std::vector<std::string> labels,
           Quantity quantity) {
    for (std::size_t k = 0; k < quantity.values.num_rows(); ++k) {
      const bool ok = k >= quantity.status.size() || quantity.status[k] == "ok";
      if (!ok) {
        failed_ = true;
        note(k, key + ": " + quantity.status[k]);
        continue;
      }
      // A null in the JSON always has its reason in the status.
      for (std::size_t n = 0; n < quantity.values.num_cols(); ++n) {
        const double value = quantity.values(k, n);
        if (std::isfinite(value)) continue;
        note(k, fmt::format("{}: {} is {}", key, labels[n], format_number(value)));
        break;
      }
    }
    result_.blocks.push_back({key, std::move(extents), std::move(labels), std::move(quantity), {}});
  }

  const EvaluateOptions& options_;
  Evaluator evaluator_;
  std::vector<NamedReward> rewards_;
  Evaluation result_;
  bool failed_ = false;
};

ExitCode evaluate(const EvaluateOptions& options) {
  SOJOURN_EXPECTS(
      options.asks_anything(), UsageError,
      "nothing to compute: add a quantity, for example --moments 2 or --pdf 0.5,1,2; see sojourn evaluate --help");
  if (options.asks_for_the_cpu()) expect_cpu(options.common.device, "quantities other than --moments and --loglik are");
  const Device device = open_device(options.common.device);
  const EvaluatorOptions evaluator = evaluator_options(options);
  Model model = load_model(options.model, options.common.limits());
  print_warnings(model);
  const bool discrete = model.graph.time_kind() == TimeKind::kDiscrete;
  SOJOURN_EXPECTS(!discrete || options.pdf.empty(), UsageError,
                  "--pdf: the model is in discrete time and has no density; use --pmf with whole numbers");
  SOJOURN_EXPECTS(discrete || options.pmf.empty(), UsageError,
                  "--pmf: the model is in continuous time; use --pdf for its density");
  EvaluationBuilder builder(options, Evaluator(std::move(model), evaluator));
  builder.add_moments(device.moments);
  builder.add_law("pdf", options.pdf, LawKind::kPdf);
  builder.add_law("pmf", options.pmf, LawKind::kPdf);
  builder.add_law("cdf", options.cdf, LawKind::kCdf);
  builder.add_law("logpdf", options.logpdf, LawKind::kLogPdf);
  builder.add_laplace();
  builder.add_quantile();
  builder.add_covariance();
  builder.add_state_quantities();
  builder.add_log_likelihood(device.likelihood);
  write_stdout(options.json ? evaluation_json(builder.model(), builder.result())
                            : evaluation_table(builder.model(), builder.result()));
  if (!builder.failed()) return ExitCode::kDone;
  for (std::size_t k = 0; k < builder.result().status.size(); ++k) {
    if (builder.result().status[k] == "ok") continue;
    write_stderr(fmt::format("error: {}: {}\n", describe_theta(builder.model(), builder.result().thetas.row(k)),
                             builder.result().status[k]));
  }
  return ExitCode::kNumerical;
}

}  // namespace

Action add_evaluate(CLI::App& app) {
  const auto options = std::make_shared<EvaluateOptions>();
  app.add_option("MODEL", options->model, "Model file (schema sojourn/model/1); - is standard input")->required();

  const auto add = [&app](const char* flag, std::string& target, const char* type, const char* help,
                          const char* group) {
    return app.add_option(flag, target, help)->type_name(type)->group(group);
  };
  add_repeatable(app, "--theta", options->thetas, "A,B,...",
                 "One value per parameter, in the model's order; repeatable")
      ->group("Parameters");
  add("--theta-file", options->theta_file, "CSV",
      "One row per parameter vector; columns go by name where the file has a header", "Parameters");
  add_repeatable(app, "--rewards", options->rewards, "NAME",
                 "The reward whose sum is the variable [time]; repeatable: the first is the variable, --covariance "
                 "takes all")
      ->group("Parameters");

  const char* quantities = "Quantities (any number of them)";
  add("--moments", options->moments, "K", "E[Y], ..., E[Y^K]", quantities);
  add("--pdf", options->pdf, "POINTS", "Density at points 0.5,1,2 or lo:hi:n (n points from lo to hi)", quantities);
  add("--cdf", options->cdf, "POINTS", "P(Y <= t)", quantities);
  add("--pmf", options->pmf, "POINTS", "P(Y = n), in discrete time", quantities);
  add("--logpdf", options->logpdf, "POINTS",
      "Log density (log P(Y = n) in discrete time); finite where the density underflows", quantities);
  add("--laplace", options->laplace, "POINTS", "E[exp(-s Y)]", quantities);
  add("--quantile", options->quantile, "P,...", "Quantiles at probabilities between 0 and 1", quantities);
  app.add_flag("--covariance", options->covariance, "Covariance matrix of all rewards, or of those named by --rewards")
      ->group(quantities);
  add("--loglik", options->loglik, "CSV", "Log-likelihood of a data file", quantities);
  add("--state-probability", options->state_probability, "T", "P(chain is in each state at time T)", quantities);
  app.add_flag("--sojourn", options->sojourn, "Expected time in each state before absorption")->group(quantities);
  app.add_flag("--gradient", options->gradient, "Add the derivative of every quantity by every parameter")
      ->group(quantities);

  add("--method", options->method, "NAME",
      "auto, contour, saddlepoint, uniformization; in discrete time stepping in the place of uniformization",
      "Accuracy")
      ->default_str("auto");
  add("--rtol", options->rtol, "X", "Relative accuracy that densities must certify", "Accuracy")->default_str("1e-9");
  add("--max-terms", options->max_terms, "N",
      "Multiply-adds that uniformization or stepping may take before they are refused; 1e9 take about a second",
      "Accuracy")
      ->default_str("2e8");
  add("--data-compression", options->data_compression, "MODE",
      "Of --loglik. auto: read large data sets at interpolation nodes where the error is estimated below --rtol; off: "
      "at every observation",
      "Accuracy")
      ->check(CLI::IsMember({"auto", "off"}))
      ->default_str("auto");
  add("--precision", options->precision, "NAME",
      "fp64, or multi: moments, laplace, pdf, cdf, pmf and logpdf to --digits; fp32: moments, twice as fast, within "
      "1e-3 or answered in fp64",
      "Accuracy")
      ->default_str("fp64");
  add("--digits", options->digits, "N", "Digits of --precision multi, up to 500", "Accuracy")->default_str("20");
  add_device_option(app, options->common);
  add_thread_option(app, options->common);
  add_cache_option(app);
  add_limit_options(app, options->common);
  app.add_flag("--json", options->json, "Print one JSON object (17 significant digits) instead of a table");
  app.footer(
      "Values without an error bound are exact to rounding. A value that cannot be certified is null in\n"
      "the JSON and nan in the table, `status` says why, and the exit status is 4.\n\n"
      "Examples:\n"
      "  sojourn evaluate kingman.yaml --theta 1.5 --moments 2 --pdf 0.5,1,2 --gradient\n"
      "  sojourn evaluate mix.yaml --theta 1,2 --theta 1.1,2 --cdf 0:10:101 --json\n"
      "  sojourn evaluate mix.yaml --theta 1,2 --pdf 0.5 --precision multi --digits 40\n"
      "  sojourn evaluate kingman.yaml --theta 1.5 --loglik times.csv\n"
      "  sojourn evaluate kingman.yaml --theta-file thetas.csv --moments 2 --gradient --device cuda");
  return [options] { return evaluate(*options); };
}

}  // namespace sojourn::cli
