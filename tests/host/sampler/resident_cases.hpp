#pragma once

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "host/posterior/posterior_cases.hpp"
#include "sojourn/families.hpp"
#include "sojourn/svgd.hpp"

/// Models, data and options of runs whose particles stay on a device.
namespace sojourn::testing {

inline Observations drawn_times(std::size_t count, double middle = 1.3) {
  std::mt19937 random(2);
  std::lognormal_distribution<double> factor(0, 0.5);
  std::vector<double> values(count);
  for (double& value : values) value = middle * factor(random);
  return exact_observations(values, TimeKind::kContinuous, "drawn");
}

struct ResidentCase {
  Model model;
  std::map<std::string, Prior> priors;
  Observations data;
};

inline ResidentCase two_demes() {
  const std::int32_t samples[] = {2, 2};
  ResidentCase one{structured_coalescent_blocks(samples), {}, drawn_times(150)};
  for (const Parameter& parameter : one.model.parameters)
    one.priors.emplace(parameter.name, Prior(PriorFamily::kLognormal, 0, 0.5));
  return one;
}

/// Reversible where a == b: elsewhere no particle's poles are proved real.
inline ResidentCase triangle_of_pairs() {
  const RateTerm a{0, 1.0}, b{1, 1.0};
  return {cases::make_model(TimeKind::kContinuous, 4, {{0, 1.0}},
                            {{0, 1, 0, {a}},
                             {1, 0, 0, {a}},
                             {1, 2, 0, {a}},
                             {2, 1, 0, {a}},
                             {2, 0, 0, {b}},
                             {0, 2, 0, {a}},
                             {1, 3, 0.5, {}}},
                            {{"a"}, {"b"}}, RateMap::identity(2)),
          {{"a", Prior(PriorFamily::kLognormal, 0, 0.3)}, {"b", Prior(PriorFamily::kLognormal, 0, 0.3)}},
          drawn_times(20)};
}

/// A rate that is negative where b > a: steps that end there are shortened.
inline ResidentCase narrow_support() {
  const RateTerm first{0, 1.0}, second{1, 1.0};
  return {cases::make_model(TimeKind::kContinuous, 3, {{0, 1.0}}, {{0, 1, 0, {first}}, {1, 2, 0, {second}}},
                            {{"a"}, {"b"}}, RateMap::derived({"a", "b"}, {"r", "s"}, {"a - b", "a"})),
          {{"a", Prior(PriorFamily::kNormal, 3, 0.5)}, {"b", Prior(PriorFamily::kNormal, 0, 1)}},
          drawn_times(12, 3)};
}

/// Models of one parameter.
inline std::vector<ResidentCase> on_a_line() {
  const Model chain = erlang(3), kingman = coalescent_blocks(7);
  return {{chain, {{chain.parameters[0].name, Prior(PriorFamily::kLognormal, 0, 0.5)}}, drawn_times(60)},
          {kingman, {{kingman.parameters[0].name, Prior(PriorFamily::kGamma, 20, 20)}}, drawn_times(60)}};
}

inline SvgdOptions fifty_iterations(std::int64_t num_particles = 40) {
  SvgdOptions options;
  options.num_particles = num_particles;
  options.num_iterations = 50;
  options.num_threads = 1;
  options.start = StartKind::kPrior;
  return options;
}

}  // namespace sojourn::testing
