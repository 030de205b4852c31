
#include "expects.hpp"
#include "graph/family_build.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

constexpr std::int32_t kLargestOrder = 1000;

/// Stages 0 .. m-1 and the absorbing state m, named by the variable `stage`.
StateGraphBuilder stage_builder(std::int32_t stages, std::int32_t num_rates) {
  StateGraphBuilder builder(TimeKind::kContinuous, num_rates);
  IntegerRows stage(1);
  for (std::int32_t k = 0; k <= stages; ++k) stage.append({&k, 1});
  builder.set_states({"stage"}, std::move(stage));
  return builder;
}

void add_rate(StateGraphBuilder& builder, std::int32_t from, std::int32_t to, std::int32_t rate) {
  const RateTerm term{rate, 1};
  builder.add_edge(from, to, 0, {&term, 1});
}

std::vector<std::string> numbered(const std::string& name, std::int32_t count) {
  std::vector<std::string> names;
  for (std::int32_t i = 0; i < count; ++i) names.push_back(name + "_" + std::to_string(i));
  return names;
}

void expect_stages(const char* family, std::int32_t stages, std::int64_t max_states) {
  expect_at_least(family, "stages", stages, 1);
  expect_state_count(family, stages + 1.0, 1, max_states);
}

}  // namespace

Model erlang(std::int32_t stages, std::int64_t max_states) {
  expect_stages("erlang", stages, max_states);
  StateGraphBuilder builder = stage_builder(stages, 1);
  for (std::int32_t i = 0; i < stages; ++i) add_rate(builder, i, i + 1, 0);
  builder.add_initial(0, 1);
  return family_model("erlang", {"rate"}, std::move(builder).build());
}

Model coxian(std::int32_t stages, std::int64_t max_states) {
  expect_stages("coxian", stages, max_states);
  StateGraphBuilder builder = stage_builder(stages, 2 * stages - 1);
  for (std::int32_t i = 0; i < stages; ++i) {
    if (i + 1 < stages) add_rate(builder, i, i + 1, i);
    add_rate(builder, i, stages, stages - 1 + i);
  }
  builder.add_initial(0, 1);
  std::vector<std::string> names = numbered("on", stages - 1);
  for (std::string& name : numbered("exit", stages)) names.push_back(std::move(name));
  return family_model("coxian", names, std::move(builder).build());
}

Model hypoexponential(std::int32_t stages, std::int64_t max_states) {
  expect_stages("hypoexponential", stages, max_states);
  StateGraphBuilder builder = stage_builder(stages, stages);
  for (std::int32_t i = 0; i < stages; ++i) add_rate(builder, i, i + 1, i);
  builder.add_initial(0, 1);
  return family_model("hypoexponential", numbered("rate", stages), std::move(builder).build());
}

Model hyperexponential(std::span<const double> probabilities) {
  const auto stages = static_cast<std::int32_t>(probabilities.size());
  expect_at_least("hyperexponential", "number of probabilities", stages, 1);
  StateGraphBuilder builder = stage_builder(stages, stages);
  for (std::int32_t i = 0; i < stages; ++i) {
    add_rate(builder, i, stages, i);
    builder.add_initial(i, probabilities[i]);
  }
  return family_model("hyperexponential", numbered("rate", stages), std::move(builder).build());
}

Model phase_type(std::int32_t order, std::span<const double> initial) {
  expect_at_least("phase_type", "order", order, 1);
  SOJOURN_EXPECTS(order <= kLargestOrder, ModelError,
                  "family 'phase_type': order {} has {} rates; must be at most {}; write a sparse chain as an explicit "
                  "model",
                  order, static_cast<std::int64_t>(order) * order, kLargestOrder);
  SOJOURN_EXPECTS(std::ssize(initial) == order, ModelError,
                  "family 'phase_type': initial has {} values; must be one per state, {}", initial.size(), order);
  StateGraphBuilder builder = stage_builder(order, order * order);
  std::vector<std::string> names;
  for (std::int32_t i = 0; i < order; ++i) {
    for (std::int32_t j = 0; j < order; ++j) {
      if (i == j) continue;
      add_rate(builder, i, j, static_cast<std::int32_t>(names.size()));
      names.push_back("rate_" + std::to_string(i) + "_" + std::to_string(j));
    }
    add_rate(builder, i, order, order * (order - 1) + i);
    builder.add_initial(i, initial[i]);
  }
  for (std::string& name : numbered("exit", order)) names.push_back(std::move(name));
  return family_model("phase_type", names, std::move(builder).build());
}

}  // namespace sojourn
