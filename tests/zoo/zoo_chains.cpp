#include "zoo/zoo_chains.hpp"

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "oracle/source_folder.hpp"

namespace sojourn::zoo {
namespace {

using json = nlohmann::ordered_json;  // derived rates count in the order they are written

json read(const std::string& file) {
  const std::string path = oracle::source_folder() + "/tests/zoo/" + file;
  std::ifstream stream(path);
  if (!stream) throw std::runtime_error("cannot read " + path);
  return json::parse(stream);
}

const json& models() {
  static const json all = read("models.json");
  return all;
}
const json& references() {
  static const json all = read("references.json");
  return all;
}

std::vector<double> numbers(const json& entry, const char* key, double null) {
  std::vector<double> values;
  if (entry.contains(key))
    for (const json& x : entry[key]) values.push_back(x.is_null() ? null : x.get<double>());
  return values;
}

std::vector<std::vector<double>> rows(const json& entry, const char* key) {
  std::vector<std::vector<double>> values;
  if (!entry.contains(key)) return values;
  for (const json& row : entry[key]) {
    values.emplace_back();
    for (const json& x : row)
      values.back().push_back(x.is_null() ? std::numeric_limits<double>::quiet_NaN() : x.get<double>());
  }
  return values;
}

std::vector<double> reward_of(const StateGraph& graph, const std::string& name) {
  if (name == "time") return graph.unit_reward();
  const auto values = graph.reward(name);
  return {values.begin(), values.end()};
}

References read_references(const json& entry) {
  constexpr double kBeyond = std::numeric_limits<double>::quiet_NaN();
  constexpr double kZero = -std::numeric_limits<double>::infinity();
  References one;
  one.moments = numbers(entry, "moments", kBeyond);
  one.moments_gradient = rows(entry, "moments_gradient");
  one.covariance = numbers(entry, "covariance", kBeyond);
  one.covariance_gradient = rows(entry, "covariance_gradient");
  one.sojourn = numbers(entry, "sojourn", kBeyond);
  one.laplace_s = numbers(entry, "laplace_s", kBeyond);
  one.laplace = numbers(entry, "laplace", kBeyond);
  one.laplace_gradient = rows(entry, "laplace_gradient");
  one.points = numbers(entry, "points", kBeyond);
  one.log_pdf = numbers(entry, "log_pdf", kZero);
  one.log_cdf = numbers(entry, "log_cdf", kZero);
  one.log_survival = numbers(entry, "log_survival", kZero);
  one.log_pdf_gradient = rows(entry, "log_pdf_gradient");
  one.log_cdf_gradient = rows(entry, "log_cdf_gradient");
  one.log_survival_gradient = rows(entry, "log_survival_gradient");
  one.state_times = numbers(entry, "state_times", kBeyond);
  one.state_probability = rows(entry, "state_probability");
  return one;
}

}  // namespace

const std::vector<ChainEntry>& chain_entries() {
  static const std::vector<ChainEntry> entries = [] {
    std::vector<ChainEntry> all;
    for (const json& entry : models()) {
      const json& values = references().at(entry["name"].get<std::string>());
      all.push_back({entry["name"], entry["num_transient"], values.contains("points"), values.contains("state_times")});
    }
    return all;
  }();
  return entries;
}

Chain read_chain(const std::string& name) {
  for (const json& entry : models()) {
    if (entry["name"] != name) continue;
    Chain chain;
    chain.name = name;
    chain.group = entry["group"];
    chain.why = entry["why"];
    chain.model = parse_model(entry["model"].dump(), name);
    chain.theta = entry["theta"].get<std::vector<double>>();
    chain.reward = reward_of(chain.model.graph, entry["reward"]);
    for (const json& reward : entry["together"]) chain.together.push_back(reward_of(chain.model.graph, reward));
    chain.discrete = chain.model.graph.time_kind() == TimeKind::kDiscrete;
    chain.references = read_references(references().at(name));
    return chain;
  }
  throw std::out_of_range("no chain named " + name);
}

}  // namespace sojourn::zoo
