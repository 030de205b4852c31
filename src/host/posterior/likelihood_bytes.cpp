#include <algorithm>
#include <limits>

#include "posterior/likelihood_engine.hpp"

namespace sojourn {

PosteriorBytes LikelihoodEngine::bytes() const {
  PosteriorBytes bytes{.graph = model.graph.num_bytes(), .program = prc.cost().bytes};
  const std::size_t num_items = observations.items.size();
  bytes.data = static_cast<std::int64_t>((sizeof(Observation) + sizeof(std::int64_t)) * num_items);
  if (whole_) bytes.data += whole().num_bytes();
  const LawPlan curve(model.graph, prc, reward, {{.value = 1, .survival = true}}, options);
  bytes.curve = curve.workspace_bytes(false);
  for (const Level& level : levels_) {
    bytes.data += level.plan.num_bytes() + level.data.likelihood().num_bytes();
    bytes.workspace = std::max(bytes.workspace, level.plan.workspace_bytes(true));
  }
  if (!levels_.empty()) return bytes;  // the exact plan is made where no level passes

  // Parts are planned when they are first evaluated; what they will take follows from the values' range.
  double unplanned = 0;
  std::int64_t num_unplanned = 0;
  for (const std::unique_ptr<Part>& part : parts_) {
    if (!part) continue;
    bytes.data += static_cast<std::int64_t>(sizeof(std::int64_t) * part->items.size());
    if (part->plan) {
      bytes.data += part->plan->num_bytes() + (part->own ? part->own->num_bytes() : 0);
      bytes.workspace += part->plan->workspace_bytes(true);  // a thread keeps one for each part
      continue;
    }
    double smallest = std::numeric_limits<double>::infinity(), largest = 0;
    for (const std::int64_t item : part->items) {
      const double value = observations.items[item].lower;
      if (value > 0) smallest = std::min(smallest, value);
      largest = std::max(largest, value);
    }
    const auto count = static_cast<double>(part->items.size());
    ++num_unplanned;
    unplanned += count * LawPlan::bytes_per_point(std::min(smallest, largest), largest, options.rtol);
  }
  bytes.data += static_cast<std::int64_t>(unplanned);
  // No workspace can be asked for without a plan: one for a single point has the same replay, which is nearly all of
  // it.
  if (num_unplanned > 0) {
    const LawPlan one(model.graph, prc, reward, {{.value = 1, .density = true}}, options);
    bytes.workspace += num_unplanned * one.workspace_bytes(true);
  }
  return bytes;
}

}  // namespace sojourn
