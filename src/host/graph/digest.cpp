#include <fmt/format.h>

#include "graph/content_hash.hpp"
#include "sojourn/model.hpp"

namespace sojourn {

std::string digest(const Model& model) {
  const StateGraph& graph = model.graph;
  ContentHash hash;
  hash.add("sojourn/digest/1");
  hash.add(std::int64_t{graph.time_kind() == TimeKind::kDiscrete});
  hash.add(std::int64_t{model.num_parameters()});
  for (const Parameter& parameter : model.parameters) {
    hash.add(parameter.name);
    hash.add(parameter.lower);
    hash.add(parameter.upper);
  }
  hash.add(model.rates.fingerprint());
  hash.add_chain(graph);
  hash.add(std::ssize(graph.rewards()));
  for (const Reward& reward : graph.rewards()) {
    hash.add(reward.name);
    for (const double value : reward.values) hash.add(value);
  }
  const XXH128_hash_t sum = hash.digest();
  return fmt::format("{:016x}{:016x}", sum.high64, sum.low64);
}

}  // namespace sojourn
