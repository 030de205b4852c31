#include "cli/sampler_block.hpp"

#include <cmath>
#include <span>

#include "cli/numbers.hpp"
#include "cli/option_names.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

/// What a message calls a value: "run.yaml:9:14: sampler.particles".
std::string label(const Document::Value& value) { return value.where() + ": " + value.path(); }

std::int64_t whole(const Document::Value& value, std::int64_t lower, std::int64_t upper) {
  value.expect(ValueKind::kScalar);
  return parse_whole(label(value), value.text(), lower, upper);
}

/// A finite number above `lower` (or equal, where `closed`).
double number(const Document::Value& value, double lower, bool closed, double upper, const char* allowed) {
  value.expect(ValueKind::kScalar);
  const double result = value.is_number() ? value.as_any_double() : std::nan("");
  SOJOURN_EXPECTS(std::isfinite(result) && (closed ? result >= lower : result > lower) && result <= upper, UsageError,
                  "{}: {} is not allowed; it must be a finite number {}", label(value), value.describe(), allowed);
  return result;
}

template <class Choice>
Choice choose(const Document::Value& value, std::span<const std::pair<const char*, Choice>> choices) {
  std::vector<std::string> names;
  for (const auto& [name, choice] : choices) names.emplace_back(name);
  const std::string chosen = value.as_one_of(names);
  for (const auto& [name, choice] : choices) {
    if (chosen == name) return choice;
  }
  value.fail("unknown choice");
}

template <class Choice>
Choice choose(const Document::Value& value, std::initializer_list<std::pair<const char*, Choice>> choices) {
  return choose<Choice>(value, std::span(choices.begin(), choices.size()));
}

double read_tolerance(const Document::Value& value) {
  value.expect(ValueKind::kScalar);
  return parse_number(label(value), value.text(), 1e-14, 0.1);
}

void read_stages(const Document::Value& list, RunFile& run) {
  list.expect(ValueKind::kSequence);
  if (list.size() == 0) list.fail("no stage is given; name at least one, the last is the run whose results count");
  for (std::size_t k = 0; k < list.size(); ++k) {
    const Document::Value block = list[k];
    block.expect(ValueKind::kMapping);
    block.expect_keys(
        {"particles", "iterations", "learning_rate", "tolerance", "data_compression", "model", "data", "rewards"});
    StageEntry stage;
    for (const char* key : {"model", "data", "rewards"}) {
      const auto own = block.find(key);
      if (!own) continue;
      SOJOURN_EXPECTS(k + 1 < list.size(), UsageError,
                      "{}: the last stage is the run itself, with the run's own {}; leave that out here, or write {{}} "
                      "as a last stage behind this one",
                      label(*own), key);
      if (!stage.problem) stage.problem = run.problem;
    }
    if (stage.problem) {
      stage.problem->where = label(block);
      read_problem(block, run.path, *stage.problem);
    }
    if (const auto value = block.find("particles")) stage.particles = whole(*value, 2, kMaxParticles);
    if (const auto value = block.find("iterations")) stage.iterations = whole(*value, 1, kMaxIterations);
    if (const auto value = block.find("learning_rate")) stage.learning_rate = number(*value, 0, false, 1e300, "> 0");
    if (const auto value = block.find("tolerance")) stage.tolerance = read_tolerance(*value);
    if (const auto value = block.find("data_compression")) {
      stage.data_compression =
          choose<DataCompression>(*value, {{"auto", DataCompression::kAuto}, {"off", DataCompression::kOff}});
    }
    run.stages.push_back(stage);
  }
}

}  // namespace

std::uint64_t read_seed(const Document::Value& value) {
  value.expect(ValueKind::kScalar);
  return parse_seed(label(value), value.text());
}

void read_sampler(const Document::Value& block, RunFile& run) {
  block.expect(ValueKind::kMapping);
  block.expect_keys({"method", "particles", "iterations", "kernel", "bandwidth", "whiten", "linear_weight", "optimizer",
                     "learning_rate", "schedule", "decay", "warmup_iterations", "start", "initial", "history_every",
                     "precision", "tolerance", "stages"});
  SvgdOptions& sampler = run.sampler;
  if (const auto value = block.find("method")) choose<int>(*value, {{"svgd", 0}});
  if (const auto value = block.find("particles")) {
    sampler.num_particles = whole(*value, 2, kMaxParticles);
    run.particles_given = true;
  }
  if (const auto value = block.find("iterations")) sampler.num_iterations = whole(*value, 1, kMaxIterations);
  if (const auto value = block.find("kernel")) {
    sampler.kernel = choose<Kernel>(*value, kKernelNames);
  }
  if (const auto value = block.find("bandwidth")) {
    if (value->is_scalar() && !value->is_number()) {
      choose<int>(*value, {{"median", 0}});
    } else {
      sampler.bandwidth_rule = BandwidthRule::kFixed;
      sampler.bandwidth = number(*value, 0, false, 1e300, "> 0, or the word median");
    }
  }
  if (const auto value = block.find("whiten")) sampler.whiten = value->as_bool();
  if (const auto value = block.find("linear_weight")) sampler.linear_weight = number(*value, 0, true, 1e300, ">= 0");
  if (const auto value = block.find("optimizer")) {
    sampler.optimizer = choose<Optimizer>(*value, kOptimizerNames);
  }
  if (const auto value = block.find("learning_rate")) sampler.learning_rate = number(*value, 0, false, 1e300, "> 0");
  if (const auto value = block.find("schedule")) {
    sampler.schedule = choose<ScheduleKind>(*value, kScheduleNames);
  }
  if (const auto value = block.find("decay")) sampler.decay = number(*value, 0, false, 1, "> 0 and <= 1");
  if (const auto value = block.find("warmup_iterations")) sampler.warmup_iterations = whole(*value, 1, kMaxIterations);
  if (const auto value = block.find("history_every")) sampler.history_every = whole(*value, 0, kMaxIterations);
  if (const auto value = block.find("precision")) {
    sampler.precision = choose<DirectionPrecision>(*value, kDirectionPrecisionNames);
  }
  if (const auto value = block.find("tolerance")) run.tolerance = read_tolerance(*value);
  if (const auto value = block.find("stages")) read_stages(*value, run);
  const auto initial = block.find("initial");
  if (const auto value = block.find("start")) {
    sampler.start = choose<StartKind>(*value, std::span(kStartNames).first(2));
    if (initial) {
      initial->fail(
          "'start' and 'initial' exclude each other; the particles of the file are the start, so drop 'start'");
    }
  }
  if (initial) {
    run.initial_path = initial->as_string();
    sampler.start = StartKind::kGiven;
  }
}

}  // namespace sojourn::cli
