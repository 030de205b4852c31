#include "cli/bench_cases.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cli/theta.hpp"
#include "expects.hpp"
#include "model/suggest.hpp"
#include "sojourn/families.hpp"

namespace sojourn::cli {
namespace {

constexpr std::int32_t kGridSide = 100;

struct BuiltIn {
  const char* name;
  const char* description;
  bool quick;
  Model (*make)();
  std::vector<double> centre;
};

const std::vector<BuiltIn>& built_ins() {
  static const std::vector<BuiltIn> cases = {
      {"coalescent_blocks_20",
       "coalescent of 20 samples by block sizes, acyclic",
       true,
       [] { return coalescent_blocks(20); },
       {1.0}},
      {"two_deme_blocks_10",
       "two-deme coalescent of 5 + 5 samples by block sizes, small components",
       true,
       [] {
         const std::vector<std::int32_t> samples{5, 5};
         return structured_coalescent_blocks(samples);
       },
       {1.0, 0.7, 0.5, 0.3}},
      {"coalescent_lineages_10",
       "coalescent of 10 samples by lineage counts, ten states in a row",
       true,
       [] { return coalescent_lineages(10); },
       {1.0}},
      {"coxian_10",
       "Coxian law of 10 stages, 19 parameters",
       true,
       [] { return coxian(10); },
       {2, 2, 2, 2, 2, 2, 2, 2, 2, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1}},
      {"grid_100x100",
       "random walk on a grid of 100 x 100, one large component",
       false,
       [] { return grid_walk(kGridSide); },
       {1.0, 0.5}},
  };
  return cases;
}

bool looks_like_file(const std::string& name) {
  const std::string ending = std::filesystem::path(name).extension().string();
  return name == "-" || name.find('/') != std::string::npos || ending == ".yaml" || ending == ".yml" ||
         ending == ".json";
}

/// A point inside the range a model declares.
double middle(const Parameter& parameter) {
  const bool below = std::isfinite(parameter.lower), above = std::isfinite(parameter.upper);
  if (below && above) return 0.5 * (parameter.lower + parameter.upper);
  if (below) return parameter.lower + 1;
  return above ? parameter.upper - 1 : 1;
}

}  // namespace

std::vector<std::string> bench_case_names(bool quick) {
  std::vector<std::string> names;
  for (const BuiltIn& one : built_ins()) {
    if (one.quick || !quick) names.emplace_back(one.name);
  }
  return names;
}

BenchCase make_bench_case(const std::string& name, const std::string& theta, const ModelLimits& limits) {
  for (const BuiltIn& one : built_ins()) {
    if (name == one.name) return {one.name, one.description, one.make(), one.centre};
  }
  const std::vector<std::string> names = bench_case_names(false);
  SOJOURN_EXPECTS(looks_like_file(name), UsageError,
                  "unknown case '{}'{}; there are: {}; or give a model file, MODEL.yaml", name, suggestion(name, names),
                  list_names(names));
  BenchCase result{name, {}, load_model(name, limits), {}};
  result.description = result.model.name.empty() ? "model file" : "model " + result.model.name;
  if (!theta.empty()) {
    result.centre = parse_theta(result.model, theta);
  } else {
    for (const Parameter& parameter : result.model.parameters) result.centre.push_back(middle(parameter));
  }
  return result;
}

Model grid_walk(std::int32_t side) {
  SOJOURN_EXPECTS(side >= 2 && side <= 1000, UsageError, "grid_walk: side {} must be 2 to 1000", side);
  const std::int32_t num_places = side * side;
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(num_places + 1);
  const RateTerm step{0, 1};
  for (std::int32_t place = 0; place < num_places; ++place) {
    const std::int32_t row = place / side, column = place % side;
    int num_borders = 0;
    const auto go = [&](bool inside, std::int32_t to) {
      if (inside) {
        builder.add_edge(place, to, 0, {&step, 1});
      } else {
        ++num_borders;
      }
    };
    go(row > 0, place - side);
    go(column > 0, place - 1);
    go(column + 1 < side, place + 1);
    go(row + 1 < side, place + side);
    const RateTerm leave{1, static_cast<double>(num_borders)};
    if (num_borders > 0) builder.add_edge(place, num_places, 0, {&leave, 1});
  }
  builder.add_initial(side / 2 * side + side / 2, 1);
  Model model;
  model.name = "grid_walk";
  model.parameters = {{.name = "step"}, {.name = "leave"}};
  model.rates = RateMap::identity(2);
  model.graph = std::move(builder).build();
  return model;
}

}  // namespace sojourn::cli
