#include "cli/run_file.hpp"

#include <filesystem>
#include <limits>

#include "cli/numbers.hpp"
#include "cli/sampler_block.hpp"
#include "cli/theta.hpp"
#include "comm/launcher.hpp"
#include "expects.hpp"
#include "graph/load_model.hpp"
#include "model/suggest.hpp"

namespace sojourn::cli {
namespace {

constexpr int kSchemaVersion = 1;

DocumentLimits run_file_limits() {
  DocumentLimits limits;
  limits.what = "run file";
  return limits;
}

void check_schema(const Document::Value& root) {
  if (!root.find("schema")) root.fail("missing key 'schema'; add 'schema: sojourn/run/1'");
  const Document::Value schema = root.at("schema");
  const std::string text = schema.as_string();
  const std::string prefix = "sojourn/run/";
  if (text.rfind("sojourn/model/", 0) == 0) {
    schema.fail(
        fmt::format("'{}' is a model file; this verb wants a run file (schema sojourn/run/1) that names it", text));
  }
  if (text.rfind(prefix, 0) != 0) schema.fail(fmt::format("schema '{}' is unknown; write sojourn/run/1", text));
  const std::string version = text.substr(prefix.size());
  if (version == std::to_string(kSchemaVersion)) return;
  const bool digits =
      !version.empty() && version.size() < 10 && version.find_first_not_of("0123456789") == std::string::npos;
  if (digits && std::stol(version) > kSchemaVersion) {
    schema.fail(
        fmt::format("schema {} is newer than {}; upgrade sojourn, or write sojourn/run/1", version, kSchemaVersion));
  }
  schema.fail(fmt::format("schema version '{}' is unknown; write sojourn/run/1", version));
}

std::string beside(const std::string& run_path, const std::string& path) {
  const std::filesystem::path target(path);
  if (target.is_absolute() || run_path == "-") return path;
  return (std::filesystem::path(run_path).parent_path() / target).string();
}

void read_priors(const Document::Value& block, RunFile& run) {
  block.expect(ValueKind::kMapping);
  for (std::size_t i = 0; i < block.size(); ++i) {
    const Document::Value entry = block[i];
    entry.expect(ValueKind::kMapping);
    if (entry.size() != 1) {
      entry.fail(fmt::format("a prior is one family with its values, as {{lognormal: {{mean: 0, sd: 1}}}}; got {} keys",
                             entry.size()));
    }
    const Document::Value family = entry[0];
    family.expect(ValueKind::kMapping);
    std::map<std::string, double> values;
    for (std::size_t j = 0; j < family.size(); ++j) values.emplace(family[j].key(), family[j].as_any_double());
    try {
      run.priors.push_back({std::string(entry.key()), Prior::from_names(std::string(family.key()), values), entry});
    } catch (const ModelError& error) {
      entry.fail(error.what());
    }
  }
}

void read_fixed(const Document::Value& block, RunFile& run) {
  block.expect(ValueKind::kMapping);
  for (std::size_t i = 0; i < block.size(); ++i) {
    run.fixed.push_back({std::string(block[i].key()), block[i].as_double(), block[i]});
  }
}

void read_checkpoint(const Document::Value& block, CheckpointPolicy& policy) {
  block.expect(ValueKind::kMapping);
  block.expect_keys({"every_seconds", "every_iterations"});
  const auto seconds = block.find("every_seconds"), iterations = block.find("every_iterations");
  if (iterations) {
    iterations->expect(ValueKind::kScalar);
    policy.every_iterations = parse_whole(iterations->where() + ": " + iterations->path(), iterations->text(), 1);
    // Who counts iterations alone means these alone.
    policy.every_seconds = std::numeric_limits<double>::infinity();
  }
  if (seconds) policy.every_seconds = seconds->as_double(0, 1e9);
}

}  // namespace

std::int64_t parse_shares(const std::string& name, const std::string& text) {
  return text == "auto" ? 0 : parse_whole(name, text, 1, kMostProcesses);
}

namespace {

RunFile read_run(const Document& document, const std::string& path) {
  const Document::Value root = document.root();
  root.expect(ValueKind::kMapping);
  check_schema(root);
  root.expect_keys({"schema", "name", "model", "data", "rewards", "priors", "fixed", "sampler", "checkpoint", "seed",
                    "data_compression", "observation_shares", "strategy", "n_devices"});
  RunFile run;
  run.path = path;
  run.name = path == "-" ? "run" : std::filesystem::path(path).stem().string();
  if (const auto name = root.find("name")) run.name = name->as_string();
  (void)root.at("model");
  run.problem.where = path;
  read_problem(root, path, run.problem);
  if (const auto priors = root.find("priors")) read_priors(*priors, run);
  if (const auto fixed = root.find("fixed")) read_fixed(*fixed, run);
  if (const auto sampler = root.find("sampler")) read_sampler(*sampler, run);
  if (const auto mode = root.find("data_compression")) {
    const std::string name = mode->as_string();
    if (name != "off" && name != "auto") mode->fail(fmt::format("'{}' is unknown; it is auto or off", name));
    run.data_compression = data_compression_from(name);
  }
  if (const auto shares = root.find("observation_shares")) {
    shares->expect(ValueKind::kScalar);
    run.observation_shares = parse_shares(shares->where() + ": " + shares->path(), std::string(shares->text()));
  }
  if (const auto strategy = root.find("strategy")) {
    try {
      run.strategy = strategy_from(strategy->as_string());
    } catch (const UsageError& error) {
      strategy->fail(error.what());
    }
  }
  if (const auto count = root.find("n_devices")) {
    count->expect(ValueKind::kScalar);
    run.n_devices = parse_whole(count->where() + ": " + count->path(), std::string(count->text()), 0, kMostProcesses);
  }
  if (!run.initial_path.empty()) run.initial_path = beside(path, run.initial_path);
  if (const auto checkpoint = root.find("checkpoint")) read_checkpoint(*checkpoint, run.checkpoint);
  if (const auto seed = root.find("seed")) run.sampler.seed = read_seed(*seed);
  return run;
}

std::string known_names(const Model& model) { return list_names(parameter_names(model)); }

}  // namespace

std::map<std::string, Prior> RunFile::prior_map() const {
  std::map<std::string, Prior> map;
  for (const PriorEntry& entry : priors) map.emplace(entry.parameter, entry.prior);
  return map;
}

std::map<std::string, double> RunFile::fixed_map() const {
  std::map<std::string, double> map;
  for (const FixedEntry& entry : fixed) map.emplace(entry.parameter, entry.value);
  return map;
}

RunFile load_run_file(const std::string& path) { return read_run(Document::load(path, run_file_limits()), path); }

RunFile parse_run_file(std::string_view text, const std::string& path) {
  return read_run(Document::parse(text, path, run_file_limits()), path);
}

void read_problem(const Document::Value& block, const std::string& run_path, ProblemSource& problem) {
  if (const auto model = block.find("model")) {
    problem.model_path.clear();
    problem.inline_model.reset();
    if (model->is_mapping()) {
      problem.inline_model = *model;
    } else {
      model->expect(ValueKind::kScalar);
      problem.model_path = beside(run_path, model->as_string());
    }
  }
  if (const auto data = block.find("data")) {
    data->expect(ValueKind::kMapping);
    data->expect_keys({"file"});
    problem.data_path = beside(run_path, data->at("file").as_string());
  }
  if (const auto reward = block.find("rewards")) problem.reward = reward->as_string();
}

Model load_run_model(const ProblemSource& problem, const ModelLimits& limits) {
  if (!problem.inline_model) return load_model(problem.model_path, limits);
  return model_from_document(*problem.inline_model, limits, false);
}

void check_parameter_names(const RunFile& run, const Model& model) {
  const std::vector<std::string> names = parameter_names(model);
  const auto check = [&](const std::string& name, const Document::Value& place) {
    for (const std::string& known : names) {
      if (known == name) return;
    }
    place.fail(fmt::format("the model has no parameter '{}'{}; it has: {}", name, suggestion(name, names),
                           known_names(model)));
  };
  for (const PriorEntry& entry : run.priors) check(entry.parameter, entry.place);
  for (const FixedEntry& entry : run.fixed) check(entry.parameter, entry.place);
}

std::vector<double> observed_reward(const ProblemSource& problem, const Model& model) {
  if (problem.reward.empty()) return model.graph.unit_reward();
  try {
    return choose_rewards(model, {problem.reward}, "rewards").front().values;
  } catch (const UsageError& error) {
    throw ModelError(fmt::format("{}: {}", problem.where, error.what()));
  }
}

}  // namespace sojourn::cli
