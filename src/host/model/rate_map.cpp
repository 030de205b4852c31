#include "sojourn/rate_map.hpp"

#include <algorithm>

#include "expects.hpp"
#include "model/expression_program.hpp"

namespace sojourn {
namespace {

/// Scratch of the calling thread, so that evaluation allocates nothing after the first call.
std::span<double> thread_scratch(std::size_t size) {
  thread_local std::vector<double> scratch;
  if (scratch.size() < size) scratch.resize(size);
  return {scratch.data(), size};
}

const std::vector<std::string>& no_texts() {
  static const std::vector<std::string> none;
  return none;
}

/// First non-smooth operation that `node` needs and that depends on an input, or null.
const char* first_kink(const ExpressionTape& tape, std::int32_t node) {
  const std::vector<bool> depends = tape.depends_on(0, tape.num_inputs());
  std::vector<bool> needed(static_cast<std::size_t>(node) + 1, false);
  needed[node] = true;
  const char* found = nullptr;
  for (std::int32_t i = node; i >= 0; --i) {
    const TapeNode& step = tape.node(i);
    if (!needed[i] || num_operands(step.op) == 0) continue;
    if (!is_smooth(step.op) && depends[i]) found = to_string(step.op);
    needed[step.a] = true;
    if (step.b >= 0) needed[step.b] = true;
  }
  return found;
}

}  // namespace

struct RateMap::Program {
  ExpressionProgram program;
  std::vector<std::string> names, expressions;

  /// Values of all slots at theta, followed by as many free slots.
  [[nodiscard]] std::span<double> run(std::span<const double> theta) const {
    const std::span<double> scratch = thread_scratch(2 * program.num_slots());
    const std::span<double> values = scratch.first(program.num_slots());
    std::copy(theta.begin(), theta.end(), values.begin());
    program.load_constants<double>(values);
    program.run<double>(values);
    return scratch;
  }
};

RateMap RateMap::identity(std::int32_t num_parameters) {
  SOJOURN_EXPECTS(num_parameters >= 0, UsageError, "number of parameters {} must be >= 0", num_parameters);
  RateMap map;
  map.num_parameters_ = map.num_rates_ = num_parameters;
  return map;
}

RateMap RateMap::derived(const std::vector<std::string>& parameter_names, const std::vector<std::string>& rate_names,
                         const std::vector<std::string>& expressions) {
  SOJOURN_EXPECTS(rate_names.size() == expressions.size(), ShapeError,
                  "{} names of derived rates for {} expressions; give one each", rate_names.size(), expressions.size());
  ExpressionTape tape;
  std::vector<std::int32_t> parameters, rates;
  for (const std::string& name : parameter_names) parameters.push_back(tape.add_input(name));
  for (std::size_t r = 0; r < rate_names.size(); ++r) {
    try {
      const std::int32_t node = tape.parse(expressions[r]);
      const char* kink = first_kink(tape, node);
      SOJOURN_EXPECTS(kink == nullptr, ModelError,
                      "'{}' in '{}' is not smooth; a derived rate needs a derivative everywhere, use + - * / ^, exp, "
                      "expm1, log, log1p, pow, sqrt, sin, cos, tanh",
                      kink, expressions[r]);
      const auto same = std::find(parameter_names.begin(), parameter_names.end(), rate_names[r]);
      if (same == parameter_names.end())
        tape.define(rate_names[r], node);
      else
        SOJOURN_EXPECTS(parameters[same - parameter_names.begin()] == node, ModelError,
                        "it has the name of a parameter but another value; rename the rate");
      rates.push_back(node);
    } catch (const ModelError& error) {
      throw ModelError(fmt::format("derived rate '{}': {}", rate_names[r], error.what()));
    }
  }
  RateMap map;
  map.num_parameters_ = static_cast<std::int32_t>(parameter_names.size());
  map.num_rates_ = static_cast<std::int32_t>(rate_names.size());
  map.program_ = std::make_shared<const Program>(Program{ExpressionProgram(tape, rates), rate_names, expressions});
  return map;
}

const std::vector<std::string>& RateMap::names() const { return is_identity() ? no_texts() : program_->names; }
const std::vector<std::string>& RateMap::expressions() const {
  return is_identity() ? no_texts() : program_->expressions;
}

void RateMap::evaluate(std::span<const double> theta, std::span<double> phi) const {
  SOJOURN_EXPECTS(std::ssize(theta) == num_parameters_ && std::ssize(phi) == num_rates_, ShapeError,
                  "{} parameters and {} rates given, {} and {} expected", theta.size(), phi.size(), num_parameters_,
                  num_rates_);
  if (is_identity()) {
    std::copy(theta.begin(), theta.end(), phi.begin());
    return;
  }
  const std::span<double> values = program_->run(theta);
  for (std::int32_t r = 0; r < num_rates_; ++r) phi[r] = values[program_->program.output_slot(r)];
}

void RateMap::jacobian(std::span<const double> theta, MatrixView<double> jacobian) const {
  SOJOURN_EXPECTS(
      std::ssize(theta) == num_parameters_ &&
          std::ssize(std::span(jacobian.data(), jacobian.size())) == std::int64_t{num_rates_} * num_parameters_ &&
          jacobian.num_rows() == static_cast<std::size_t>(num_rates_),
      ShapeError, "{} parameters and a jacobian [{}, {}] given, {} and [{}, {}] expected", theta.size(),
      jacobian.num_rows(), jacobian.num_cols(), num_parameters_, num_rates_, num_parameters_);
  if (is_identity()) {
    for (std::int32_t r = 0; r < num_rates_; ++r)
      for (std::int32_t p = 0; p < num_parameters_; ++p) jacobian(r, p) = r == p ? 1 : 0;
    return;
  }
  const ExpressionProgram& program = program_->program;
  const std::span<double> scratch = program_->run(theta);
  const std::span<double> values = scratch.first(program.num_slots());
  const std::span<double> tangent = scratch.subspan(program.num_slots());
  for (std::int32_t p = 0; p < num_parameters_; ++p) {
    std::fill_n(tangent.begin(), num_parameters_, 0.0);
    tangent[p] = 1;
    program.run_tangent(values, tangent);
    for (std::int32_t r = 0; r < num_rates_; ++r) jacobian(r, p) = tangent[program.output_slot(r)];
  }
}

void RateMap::pull_back(std::span<const double> theta, std::span<const double> gradient_phi,
                        std::span<double> gradient_theta) const {
  SOJOURN_EXPECTS(std::ssize(theta) == num_parameters_ && std::ssize(gradient_phi) == num_rates_ &&
                      std::ssize(gradient_theta) == num_parameters_,
                  ShapeError, "{} parameters, gradients by {} rates and {} parameters given, {}, {} and {} expected",
                  theta.size(), gradient_phi.size(), gradient_theta.size(), num_parameters_, num_rates_,
                  num_parameters_);
  if (is_identity()) {
    std::copy(gradient_phi.begin(), gradient_phi.end(), gradient_theta.begin());
    return;
  }
  const ExpressionProgram& program = program_->program;
  const std::span<double> scratch = program_->run(theta);
  const std::span<double> adjoint = scratch.subspan(program.num_slots());
  std::fill(adjoint.begin(), adjoint.end(), 0.0);
  for (std::int32_t r = 0; r < num_rates_; ++r) adjoint[program.output_slot(r)] += gradient_phi[r];
  program.run_adjoint(scratch.first(program.num_slots()), adjoint);
  std::copy_n(adjoint.begin(), num_parameters_, gradient_theta.begin());
}

bool RateMap::depends(std::int32_t rate, std::int32_t parameter) const {
  SOJOURN_EXPECTS(rate >= 0 && rate < num_rates_ && parameter >= 0 && parameter < num_parameters_, UsageError,
                  "rate {} or parameter {} does not exist; there are {} rates and {} parameters", rate, parameter,
                  num_rates_, num_parameters_);
  return is_identity() ? rate == parameter : program_->program.depends(rate, parameter);
}

const ExpressionProgram* RateMap::program() const { return is_identity() ? nullptr : &program_->program; }

std::string RateMap::fingerprint() const {
  return is_identity() ? fmt::format("identity {}", num_parameters_) : program_->program.fingerprint();
}

}  // namespace sojourn
