#include "result/summary_json.hpp"

#include <cmath>
#include <initializer_list>

#include "result/build_facts.hpp"
#include "result/efficiency_class.hpp"

namespace sojourn {

namespace {

using Json = nlohmann::ordered_json;

/// null where not finite, and says so.
Json number(double value, bool& all_finite) {
  if (std::isfinite(value)) return value;
  all_finite = false;
  return nullptr;
}

double seconds_of(const InferenceResult& result, const char* phase, double otherwise) {
  const auto found = result.seconds.find(phase);
  return found == result.seconds.end() ? otherwise : found->second;
}

/// count / seconds, null where no time was measured.
Json rate(double count, double seconds) { return seconds > 0 ? Json(count / seconds) : Json(nullptr); }

Json parameter_json(const ParameterSummary& s, bool& all_finite) {
  bool finite = true;
  Json json;
  json["mean"] = number(s.mean, finite);
  json["sd"] = number(s.sd, finite);
  Json& quantiles = json["quantiles"];
  quantiles["2.5"] = number(s.q025, finite);
  quantiles["5"] = number(s.q05, finite);
  quantiles["25"] = number(s.q25, finite);
  quantiles["50"] = number(s.q50, finite);
  quantiles["75"] = number(s.q75, finite);
  quantiles["95"] = number(s.q95, finite);
  quantiles["97.5"] = number(s.q975, finite);
  json["prior"] = s.prior;
  json["transform"] = s.transform;
  json["status"] = finite ? "ok" : "not_finite";
  all_finite &= finite;
  return json;
}

Json data_json(const RunFacts& facts) {
  const Observations& observations = *facts.observations;
  double weight = 0, exact = 0, censored = 0, interval = 0, late = 0;
  for (const Observation& item : observations.items) {
    weight += item.weight;
    (item.right_censored() ? censored : item.exact() ? exact : interval) += item.weight;
    if (item.entry > 0) late += item.weight;
  }
  Json json;
  json["file"] = observations.origin;
  json["digest"] = facts.result->data_digest;
  json["time"] = facts.time_kind == TimeKind::kDiscrete ? "discrete" : "continuous";
  json["rows"] = observations.num_rows;
  json["distinct"] = observations.items.size();
  json["weight"] = weight;
  json["exact"] = exact;
  json["right_censored"] = censored;
  json["interval_censored"] = interval;
  json["late_entry"] = late;
  return json;
}

Json routes_json(const Posterior::RouteCounts& routes, bool& finite) {
  Json json;
  json["contour"] = routes.contour;
  json["saddlepoint"] = routes.saddlepoint;
  json["uniformization"] = routes.uniformization;
  json["stepping"] = routes.stepping;
  json["closed"] = routes.closed;
  json["worst_error_bound"] = number(routes.worst_error_bound, finite);
  return json;
}

Json compression_json(const CompressionReport& report, bool& finite) {
  Json json;
  json["mode"] = to_string(report.mode);
  json["points"] = report.num_points;
  Json& levels = json["levels"] = Json::array();
  for (std::size_t i = 0; i < report.level_points.size(); ++i)
    levels.push_back({{"points", report.level_points[i]}, {"evaluations", report.level_count[i]}});
  json["exact_evaluations"] = report.num_exact;
  json["worst_error"] = number(report.worst_error, finite);
  if (report.num_line_answers > 0) {
    json["line"] = {{"values", report.num_line_values},
                    {"answers", report.num_line_answers},
                    {"worst_error", number(report.line_error, finite)}};
  }
  return json;
}

Json device_json(const DeviceReport& report) {
  if (report.name.empty()) return nullptr;
  return {{"served", report.num_served},
          {"by_steps", report.num_by_steps},
          {"on_cpu", report.num_on_cpu()},
          {"on_cpu_because",
           {{"uncertified", report.num_uncertified},
            {"gradient_in_doubt", report.num_in_doubt},
            {"poles_not_real", report.num_not_real},
            {"too_many_steps", report.num_many_steps},
            {"bad_rates", report.num_bad_rates},
            {"narrow_interval", report.num_narrow},
            {"beyond_finest_level", report.num_coarse}}}};
}

Json distributed_json(const DistributedConfig& config) {
  return {{"strategy", to_string(config.strategy.strategy)},
          {"platform", config.platform},
          {"devices", config.local_device_count},
          {"devices_of_all_ranks", config.global_device_count},
          {"processes", config.num_processes},
          {"nodes", config.num_nodes},
          {"launcher", config.launcher},
          {"job_id", config.job_id},
          {"coordinator", config.coordinator_address.empty() ? Json(nullptr) : Json(config.coordinator_address)}};
}

Json device_iterations_json(const DeviceIterations& report) {
  if (report.name.empty()) return nullptr;
  return {{"resident", report.num_resident},
          {"halts", report.num_halts},
          {"why_not_resident", report.why_not_resident},
          {"messages", report.messages},
          {"directions", report.num_directions},
          {"why_no_directions", report.why_no_directions}};
}

/// Null where directions are in double precision.
Json direction_check_json(const DirectionCheck& check, bool& finite) {
  if (check.num_checks == 0) return nullptr;
  return {{"precision", "mixed"},
          {"checks", check.num_checks},
          {"worst_error", number(check.worst_error, finite)},
          {"tolerance", kMixedTolerance}};
}

Json build_json() {
  const BuildInfo build = build_facts();
  const auto version_or_null = [](bool there, const std::string& version) {
    return there ? Json(version) : Json(nullptr);
  };
  Json json;
  json["version"] = build.version;
  json["compiler"] = build.compiler;
  json["type"] = build.build_type;
  json["cuda"] = version_or_null(build.cuda, build.cuda_version);
  json["nccl"] = version_or_null(build.nccl, build.nccl_version);
  json["mpi"] = version_or_null(build.mpi, build.mpi_version);
  json["openmp"] = build.openmp;
  return json;
}

}  // namespace

Json summary_json(const RunFacts& facts) {
  const InferenceResult& result = *facts.result;
  const SvgdResult& svgd = result.svgd;
  const auto num_particles = static_cast<double>(svgd.particles.num_rows());
  const double iterations = static_cast<double>(svgd.iterations_done);
  bool finite = true;

  Json json;
  json["schema"] = "sojourn/summary/1";
  json["status"] = "ok";
  json["verdict"] = overall_verdict(svgd);
  json["model"] = {{"name", result.model_name}, {"digest", result.model_digest}};
  json["data"] = data_json(facts);
  Json& parameters = json["parameters"] = Json::object();
  for (const ParameterFacts& parameter : facts.parameters) {
    parameters[parameter.summary.name] = parameter_json(parameter.summary, finite);
  }
  Json& fixed = json["fixed"] = Json::object();
  for (const auto& [name, value] : facts.fixed) fixed[name] = number(value, finite);

  json["sampler"] = {{"method", "svgd"},
                     {"particles", svgd.particles.num_rows()},
                     {"iterations", svgd.iterations_done},
                     {"interrupted", svgd.interrupted}};
  json["resumes"] = {{"count", result.resumed_at.size()}, {"at_iterations", result.resumed_at}};
  if (!result.stages.empty()) {
    Json& stages = json["stages"] = Json::array();
    for (const StageFacts& stage : result.stages) {
      stages.push_back({{"particles", stage.num_particles},
                        {"iterations", stage.num_iterations},
                        {"learning_rate", number(stage.learning_rate, finite)},
                        {"tolerance", number(stage.tolerance, finite)},
                        {"data_compression", to_string(stage.compression)},
                        {"seconds", number(stage.seconds, finite)},
                        {"model", {{"name", stage.model_name}, {"digest", stage.model_digest}}},
                        {"data", {{"digest", stage.data_digest}}}});
    }
  }
  json["map"] = nullptr;
  if (!svgd.map.empty() && svgd.map.size() == facts.parameters.size()) {
    Json& map = json["map"] = Json::object();
    for (std::size_t k = 0; k < svgd.map.size(); ++k) {
      map[facts.parameters[k].summary.name] = number(facts.parameters[k].to_natural(svgd.map[k]), finite);
    }
  }
  json["laplace_covariance"] = nullptr;
  if (!svgd.laplace_covariance.empty()) {
    Json& covariance = json["laplace_covariance"] = Json::array();
    for (std::size_t row = 0; row < svgd.laplace_covariance.num_rows(); ++row) {
      Json line = Json::array();
      for (const double value : svgd.laplace_covariance.row(row)) line.push_back(number(value, finite));
      covariance.push_back(std::move(line));
    }
  }
  Json& diagnostics = json["diagnostics"] = Json::array();
  for (const Diagnostic& diagnostic : svgd.diagnostics) {
    diagnostics.push_back({{"name", diagnostic.name},
                           {"value", number(diagnostic.value, finite)},
                           {"verdict", diagnostic.verdict},
                           {"explanation", diagnostic.explanation}});
  }
  Json& timings = json["timings_seconds"] = Json::object();
  for (const auto& [phase, seconds] : result.seconds) timings[phase] = number(seconds, finite);

  const double work = num_particles * iterations;
  const double in_scores = seconds_of(result, "scores", svgd.seconds_scores);
  json["throughput"] = {
      {"particle_iterations_per_second", rate(work, svgd.seconds_total)},
      {"particle_likelihoods_per_second", rate(work, in_scores)},
      {"observation_likelihoods_per_second",
       rate(work * static_cast<double>(facts.observations->items.size()), in_scores)},
  };
  json["routes"] = routes_json(result.routes, finite);
  json["data_compression"] = compression_json(result.compression, finite);
  json["predictive"] = {{"particles", result.predictive.num_particles}, {"notes", result.predictive.notes}};
  json["build"] = build_json();
  json["device"] = result.device;
  json["device_likelihoods"] = device_json(result.device_work);
  json["device_iterations"] = device_iterations_json(result.svgd.on_device);
  json["direction_check"] = direction_check_json(result.svgd.direction_check, finite);
  json["instruction_set"] = to_string(instruction_set());
  json["ranks"] = result.num_ranks;
  json["distributed"] = distributed_json(result.distributed);
  json["communication"] = {{"calls", result.communication.num_calls},
                           {"bytes", result.communication.bytes},
                           {"seconds", number(result.communication.seconds, finite)},
                           {"share", number(result.communication_share, finite)}};
  const RankEfficiency& on_ranks = result.svgd.on_ranks;
  const bool measured = on_ranks.seconds_iteration > 0;
  json["scaling"] = {{"iteration_seconds", measured ? number(on_ranks.seconds_iteration, finite) : nullptr},
                     {"iteration_seconds_of_one_rank", measured ? number(on_ranks.seconds_alone, finite) : nullptr},
                     {"mesh", {on_ranks.particle_shares, on_ranks.part_shares}},
                     {"efficiency", measured ? number(on_ranks.efficiency, finite) : nullptr},
                     {"class", measured ? Json(efficiency_class(on_ranks.efficiency)) : nullptr}};
  json["threads"] = result.num_threads;
  json["seed"] = result.seed;
  json["command"] = result.command;
  json["warnings"] = result.warnings;
  json["status"] = !finite ? "not_finite" : svgd.interrupted ? "interrupted" : "ok";
  return json;
}

}  // namespace sojourn
