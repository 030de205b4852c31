#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "sojourn/rate_map.hpp"
#include "sojourn/state_graph.hpp"

namespace sojourn {

/// A parameter's name and the range a caller may put it in.
struct Parameter {
  std::string name;
  double lower = 0;
  double upper = std::numeric_limits<double>::infinity();
};

/// A checked model: what `sojourn/model/1` files, families and callbacks all become.
struct Model {
  std::string name;
  std::vector<Parameter> parameters;  ///< theta, in order
  RateMap rates;                      ///< theta -> phi
  StateGraph graph;
  std::vector<std::string> warnings;  ///< e.g. an unused parameter; callers print them
  [[nodiscard]] std::int32_t num_parameters() const { return static_cast<std::int32_t>(parameters.size()); }
};

struct ModelLimits {
  std::int64_t max_bytes = 64LL << 20;  ///< size of a model file
  std::int64_t max_states = 10'000'000;
};

/// Reads and checks a model file; `-` is stdin. @throws IoError, ModelError (file:line:column, value, way out).
Model load_model(const std::string& path, const ModelLimits& limits = {});

/// The same from text; `origin` stands for the file name in messages.
Model parse_model(std::string_view text, const std::string& origin, const ModelLimits& limits = {});

/// 128-bit content digest (32 hex digits) of what decides the law: time kind, edges, start, rewards, rates, parameter
/// names and ranges. Neither the model's name nor the source text enters. Cost: O(edges).
std::string digest(const Model& model);

}  // namespace sojourn
