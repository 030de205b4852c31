#include "evaluation/particle_batch.hpp"

#include <cmath>

#include "expects.hpp"

namespace sojourn {
namespace {

std::string describe(std::span<const double> theta) { return fmt::format("[{}]", fmt::join(theta, ", ")); }

}  // namespace

void expect_valid_weights(const Model& model, std::span<const double> theta, std::span<const double> phi) {
  const StateGraph& graph = model.graph;
  const std::int64_t bad = first_bad_edge(graph, phi);
  if (bad >= 0) {
    throw NumericalError(fmt::format(
        "edge {} -> {} (number {}): weight {} at theta = {} must be finite and >= 0; keep theta where every weight is",
        graph.edge_from(bad), graph.edge_to(bad), bad, graph.weight(bad, phi), describe(theta)));
  }
  if (graph.time_kind() != TimeKind::kDiscrete) return;
  constexpr double kTolerance = 1e-12;  // rows written as decimal fractions sum to 1 only this closely
  for (std::int32_t state = 0; state < graph.num_states(); ++state) {
    double sum = 0;
    for (std::int64_t e = graph.edge_begin(state); e < graph.edge_end(state); ++e) sum += graph.weight(e, phi);
    SOJOURN_EXPECTS(sum <= 1 + kTolerance, NumericalError,
                    "state {}: the probabilities of its edges sum to {} at theta = {}; allowed is at most 1", state,
                    sum, describe(theta));
  }
}

ParticleBatch::ParticleBatch(const Model& model, MatrixView<const double> theta) : model_(model), theta_(theta) {
  SOJOURN_EXPECTS(std::cmp_equal(theta.num_cols(), model.num_parameters()), ShapeError,
                  "theta: {} values per vector; the model '{}' has {} parameters", theta.num_cols(), model.name,
                  model.num_parameters());
  SOJOURN_EXPECTS(theta.num_rows() > 0, ShapeError, "theta: no parameter vector given; at least one is needed");
  phi_ = Matrix<double>(theta.num_rows(), model.rates.num_rates());
  for (std::size_t k = 0; k < theta.num_rows(); ++k) {
    for (std::size_t p = 0; p < theta.num_cols(); ++p) {
      SOJOURN_EXPECTS(std::isfinite(theta(k, p)), UsageError, "theta {}: {} = {} must be finite", k + 1,
                      model.parameters[p].name, theta(k, p));
    }
    model.rates.evaluate(theta.row(k), phi_.row(k));
    expect_valid_weights(model, theta.row(k), phi_.row(k));
  }
}

std::vector<double> ParticleBatch::pull_back(std::vector<double> by_rate, std::size_t num_values) const {
  if (by_rate.empty() || model_.rates.is_identity()) return by_rate;
  const std::size_t num_rates = phi_.num_cols();
  const std::size_t num_parameters = theta_.num_cols();
  std::vector<double> by_parameter(size() * num_values * num_parameters);
  for (std::size_t i = 0; i < size() * num_values; ++i) {
    model_.rates.pull_back(theta_.row(i / num_values), {by_rate.data() + i * num_rates, num_rates},
                           {by_parameter.data() + i * num_parameters, num_parameters});
  }
  return by_parameter;
}

std::vector<std::string> finite_status(const Matrix<double>& values) {
  std::vector<std::string> status(values.num_rows(), "ok");
  for (std::size_t k = 0; k < values.num_rows(); ++k) {
    for (std::size_t n = 0; n < values.num_cols(); ++n) {
      if (std::isfinite(values(k, n))) continue;
      status[k] = std::isinf(values(k, n)) ? "a value exceeds the range of double, or absorption is impossible here"
                                           : "absorption is impossible here: a state has no weight leaving it";
      break;
    }
  }
  return status;
}

}  // namespace sojourn
