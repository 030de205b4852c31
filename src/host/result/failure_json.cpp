#include "result/failure_json.hpp"

#include <fmt/format.h>

#include <cmath>

namespace sojourn {

namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

class Writer {
 public:
  explicit Writer(const RunFailure& failure) : failure_(failure) {}

  Json by_name(const std::string& key, const std::vector<double>& theta) {
    if (theta.empty()) return nullptr;
    Json json = Json::object();
    for (std::size_t p = 0; p < theta.size(); ++p)
      json[failure_.parameters[p]] = number(key + "." + failure_.parameters[p], theta[p]);
    return json;
  }

  Json in_order(const std::string& key, const std::vector<double>& position) {
    if (position.empty()) return nullptr;
    Json json = Json::array();
    for (std::size_t c = 0; c < position.size(); ++c)
      json.push_back(number(fmt::format("{}[{}]", key, c), position[c]));
    return json;
  }

  [[nodiscard]] const Json& not_finite() const { return not_finite_; }

 private:
  Json number(const std::string& place, double value) {
    if (std::isfinite(value)) return value;
    not_finite_[place] = fmt::format("{}", value);
    return nullptr;
  }

  const RunFailure& failure_;
  Json not_finite_ = Json::object();
};

}  // namespace

Json failure_json(const RunFailure& failure) {
  Writer writer(failure);
  Json json;
  json["schema"] = "sojourn/failure/1";
  json["message"] = failure.message;
  json["reason"] = failure.reason;
  json["particle"] = failure.particle;
  json["iteration"] = failure.iteration;
  json["seed"] = failure.seed;
  json["theta"] = writer.by_name("theta", failure.theta);
  json["previous_theta"] = writer.by_name("previous_theta", failure.previous_theta);
  json["unconstrained"] = writer.in_order("unconstrained", failure.position);
  json["previous_unconstrained"] = writer.in_order("previous_unconstrained", failure.previous_position);
  json["not_finite"] = writer.not_finite();
  json["model"] = {{"name", failure.model_name}, {"digest", failure.model_digest}};
  json["data"] = {{"digest", failure.data_digest}};
  json["command"] = failure.command;
  json["replay"] = text_or_null(failure.replay);
  json["note"] = text_or_null(failure.note);
  return json;
}

}  // namespace sojourn
