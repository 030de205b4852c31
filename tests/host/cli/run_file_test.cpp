#include "cli/run_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "cli/stages.hpp"
#include "sojourn/error.hpp"

namespace sojourn::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kHead[] = "schema: sojourn/run/1\nmodel: kingman.yaml\n";

RunFile parse(const std::string& rest) { return parse_run_file(kHead + rest, "folder/run.yaml"); }

template <class ErrorType>
std::string message_of(const std::string& rest) {
  try {
    parse(rest);
  } catch (const ErrorType& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error of the kind expected";
  return "";
}

TEST(RunFile, ReadsEveryKey) {
  const RunFile run = parse(
      "name: mine\ndata: {file: times.csv}\nrewards: length\n"
      "priors: {theta: {lognormal: {mean: 0, sd: 1}}}\nfixed: {m: 0.5}\n"
      "sampler: {method: svgd, particles: 64, iterations: 9, kernel: rbf, bandwidth: 0.7, optimizer: gradient,\n"
      "  learning_rate: 0.2, schedule: warmup, warmup_iterations: 3, history_every: 2, whiten: false, start: prior,\n"
      "  precision: mixed}\n"
      "checkpoint: {every_seconds: 60}\nseed: 18446744073709551615\n");
  EXPECT_EQ(run.name, "mine");
  EXPECT_EQ(run.problem.model_path, "folder/kingman.yaml");
  EXPECT_EQ(run.problem.data_path, "folder/times.csv");
  EXPECT_EQ(run.problem.reward, "length");
  EXPECT_EQ(run.prior_map().at("theta").describe(), "lognormal(mean=0, sd=1)");
  EXPECT_EQ(run.fixed_map().at("m"), 0.5);
  EXPECT_EQ(run.sampler.num_particles, 64);
  EXPECT_TRUE(run.particles_given);
  EXPECT_EQ(run.sampler.num_iterations, 9);
  EXPECT_EQ(run.sampler.kernel, Kernel::kRbf);
  EXPECT_EQ(run.sampler.bandwidth_rule, BandwidthRule::kFixed);
  EXPECT_EQ(run.sampler.bandwidth, 0.7);
  EXPECT_EQ(run.sampler.optimizer, Optimizer::kGradient);
  EXPECT_EQ(run.sampler.learning_rate, 0.2);
  EXPECT_EQ(run.sampler.schedule, ScheduleKind::kWarmup);
  EXPECT_EQ(run.sampler.warmup_iterations, 3);
  EXPECT_EQ(run.sampler.precision, DirectionPrecision::kMixed);
  EXPECT_EQ(run.sampler.history_every, 2);
  EXPECT_FALSE(run.sampler.whiten);
  EXPECT_EQ(run.sampler.start, StartKind::kPrior);
  EXPECT_EQ(run.checkpoint.every_seconds, 60);
  EXPECT_EQ(run.checkpoint.every_iterations, 0);
  EXPECT_EQ(run.sampler.seed, 18446744073709551615ULL);
}

TEST(RunFile, DefaultsAndPaths) {
  const RunFile run = parse("data: {file: /absolute/times.csv}\nsampler: {initial: start.csv}\n");
  EXPECT_EQ(run.name, "run");
  EXPECT_EQ(run.problem.data_path, "/absolute/times.csv");
  EXPECT_EQ(run.initial_path, "folder/start.csv");
  EXPECT_EQ(run.sampler.start, StartKind::kGiven);
  EXPECT_FALSE(run.particles_given);
  EXPECT_EQ(parse("sampler: {bandwidth: median}\n").sampler.bandwidth_rule, BandwidthRule::kMedian);
}

TEST(RunFile, DataCompression) {
  EXPECT_EQ(parse("seed: 1\n").data_compression, DataCompression::kAuto);
  EXPECT_EQ(parse("data_compression: off\n").data_compression, DataCompression::kOff);
  EXPECT_EQ(parse("data_compression: auto\n").data_compression, DataCompression::kAuto);
  EXPECT_THAT(message_of<ModelError>("data_compression: on\n"),
              testing::AllOf(StartsWith("folder/run.yaml:3:"), HasSubstr("'on' is unknown; it is auto or off")));
}

TEST(RunFile, Checkpoints) {
  EXPECT_EQ(parse("seed: 1\n").checkpoint.every_seconds, 60);
  EXPECT_EQ(parse("checkpoint: {}\n").checkpoint.every_seconds, 60);
  EXPECT_EQ(parse("checkpoint: {every_seconds: 0}\n").checkpoint.every_seconds, 0);
  const CheckpointPolicy counted = parse("checkpoint: {every_iterations: 50}\n").checkpoint;
  EXPECT_EQ(counted.every_iterations, 50);
  EXPECT_TRUE(std::isinf(counted.every_seconds));
  EXPECT_EQ(parse("checkpoint: {every_iterations: 50, every_seconds: 9}\n").checkpoint.every_seconds, 9);
  EXPECT_THAT(message_of<ModelError>("checkpoint: {every_seconds: -1}\n"), HasSubstr("every_seconds"));
  EXPECT_THAT(message_of<UsageError>("checkpoint: {every_iterations: 0}\n"), HasSubstr("checkpoint.every_iterations"));
}

TEST(RunFile, Stages) {
  const RunFile run = parse(
      "data_compression: off\n"
      "sampler:\n  particles: 200\n  iterations: 500\n  tolerance: 1.0e-10\n"
      "  stages:\n    - {particles: 50, iterations: 100, learning_rate: 0.1, tolerance: 1.0e-4, data_compression: "
      "auto}\n"
      "    - {iterations: 30}\n    - {}\n");
  const std::vector<Stage> stages = stages_of(run);
  ASSERT_EQ(stages.size(), 3u);
  EXPECT_EQ(stages[0].sampler.num_particles, 50);
  EXPECT_EQ(stages[0].sampler.num_iterations, 100);
  EXPECT_EQ(stages[0].sampler.learning_rate, 0.1);
  EXPECT_EQ(stages[0].tolerance, 1e-4);
  EXPECT_EQ(stages[0].compression, DataCompression::kAuto);
  EXPECT_EQ(stages[1].sampler.num_particles, 200);
  EXPECT_EQ(stages[1].sampler.num_iterations, 30);
  EXPECT_EQ(stages[2].sampler.num_iterations, 500);
  EXPECT_EQ(stages[2].sampler.learning_rate, 0.05);
  EXPECT_EQ(stages[2].tolerance, 1e-10);
  EXPECT_EQ(stages[2].compression, DataCompression::kOff);
  EXPECT_EQ(stages_of(parse("sampler: {particles: 7}\n")).size(), 1u);
  EXPECT_EQ(stages_of(parse("sampler: {particles: 7}\n"))[0].sampler.num_particles, 7);

  EXPECT_THAT(message_of<ModelError>("sampler: {stages: []}\n"), HasSubstr("name at least one"));
  EXPECT_THAT(message_of<ModelError>("sampler: {stages: {particles: 3}}\n"), HasSubstr("a list"));
  EXPECT_THAT(message_of<ModelError>("sampler: {stages: [{partikles: 3}]}\n"), HasSubstr("did you mean 'particles'"));
  EXPECT_THAT(message_of<UsageError>("sampler: {stages: [{particles: 1}]}\n"),
              HasSubstr("sampler.stages[0].particles"));
  EXPECT_THAT(message_of<UsageError>("sampler: {stages: [{}, {tolerance: 0}]}\n"),
              HasSubstr("sampler.stages[1].tolerance"));
  EXPECT_THAT(message_of<UsageError>("sampler: {tolerance: 2}\n"), HasSubstr("sampler.tolerance"));
}

TEST(RunFile, StagesWithAModelDataOrRewardOfTheirOwn) {
  const RunFile run = parse(
      "data: {file: times.csv}\nrewards: whole\nsampler:\n  stages:\n    - {model: coarse.yaml, data: {file: "
      "/few.csv}}\n"
      "    - {model: coarse.yaml, data: {file: /few.csv}, particles: 9}\n    - {rewards: first}\n"
      "    - {model: {name: inside}}\n    - {}\n    - {particles: 7}\n");
  const std::vector<Stage> stages = stages_of(run);
  ASSERT_EQ(stages.size(), 6u);
  EXPECT_EQ(stages[0].source.model_path, "folder/coarse.yaml");
  EXPECT_EQ(stages[0].source.data_path, "/few.csv");
  EXPECT_EQ(stages[0].source.reward, "whole");
  EXPECT_EQ(stages[2].source.model_path, "folder/kingman.yaml");
  EXPECT_EQ(stages[2].source.data_path, "folder/times.csv");
  EXPECT_EQ(stages[2].source.reward, "first");
  EXPECT_TRUE(stages[3].source.inline_model.has_value());
  EXPECT_TRUE(stages[3].source.model_path.empty());
  EXPECT_EQ(stages[5].source.model_path, "folder/kingman.yaml");
  std::vector<std::size_t> problems;
  std::vector<bool> reduced;
  for (const Stage& stage : stages) {
    problems.push_back(stage.problem);
    reduced.push_back(stage.is_reduced);
  }
  EXPECT_THAT(problems, testing::ElementsAre(0, 0, 1, 2, 3, 3));
  EXPECT_THAT(reduced, testing::ElementsAre(true, true, true, true, false, false));
  EXPECT_THAT(message_of<UsageError>("sampler: {stages: [{}, {model: a.yaml}]}\n"),
              HasSubstr("sampler.stages[1].model: the last stage is the run itself"));
}

TEST(RunFile, StartingParticlesAreThoseOfTheFirstStage) {
  RunFile run = parse("sampler: {initial: start.csv, stages: [{particles: 5}, {particles: 9}]}\n");
  run.sampler.given = Matrix<double>(5, 1);
  EXPECT_EQ(stages_of(run).back().sampler.num_particles, 9);
  run.sampler.given = Matrix<double>(6, 1);
  EXPECT_THROW((void)stages_of(run), ModelError);
}

TEST(RunFile, InlineModel) {
  const RunFile run = parse_run_file(
      "schema: sojourn/run/1\n"
      "model:\n  name: two\n  parameters: [a]\n  states: 2\n  initial: [[0, 1]]\n  edges: [[0, 1, 0, [1]]]\n",
      "run.yaml");
  const Model model = load_run_model(run.problem, {});
  EXPECT_EQ(model.name, "two");
  EXPECT_EQ(model.graph.num_states(), 2);
}

TEST(RunFile, UnknownKeysNameTheNearest) {
  EXPECT_THAT(message_of<ModelError>("sampler: {partikles: 3}\n"),
              testing::AllOf(StartsWith("folder/run.yaml:3:"), HasSubstr("did you mean 'particles'")));
  EXPECT_THAT(message_of<ModelError>("sead: 3\n"), HasSubstr("did you mean 'seed'"));
  EXPECT_THAT(message_of<ModelError>("sampler: {kernel: imk}\n"), HasSubstr("imq"));
  EXPECT_THAT(message_of<ModelError>("checkpoint: {every: 3}\n"), HasSubstr("every"));
  EXPECT_THAT(message_of<ModelError>("data: {path: x}\n"), HasSubstr("path"));
}

TEST(RunFile, SamplerValuesOutOfRangeAreUsageErrors) {
  for (const char* text :
       {"particles: 0", "particles: 1", "particles: -3", "particles: 1000000000", "particles: 1e3", "particles: 2.5",
        "iterations: 0", "learning_rate: 0", "learning_rate: -1", "learning_rate: .nan", "learning_rate: abc",
        "bandwidth: 0", "bandwidth: -1", "bandwidth: .nan", "decay: 1.5", "history_every: -1"}) {
    const std::string message = message_of<UsageError>(std::string("sampler: {") + text + "}\n");
    EXPECT_THAT(message, StartsWith("folder/run.yaml:3:")) << text;
  }
}

TEST(RunFile, SeedsOutOfRangeAreUsageErrors) {
  for (const char* text : {"-1", "1.5", "18446744073709551616", "abc", "1e3"}) {
    EXPECT_THAT(message_of<UsageError>(std::string("seed: ") + text + "\n"), HasSubstr("seed")) << text;
  }
}

TEST(RunFile, BadPriorsSayWhere) {
  for (const char* text :
       {"{normal: {mean: 0, sd: 0}}", "{normal: {mean: 0, sd: -1}}", "{uniform: {lower: 2, upper: 1}}",
        "{normla: {mean: 0, sd: 1}}", "{normal: {mean: 0}}", "{normal: {mean: 0, sd: 1, x: 2}}",
        "{normal: {mean: 0, sd: 1}, gamma: {shape: 1, rate: 1}}", "3"}) {
    EXPECT_THAT(message_of<ModelError>(std::string("priors: {theta: ") + text + "}\n"),
                testing::AllOf(StartsWith("folder/run.yaml:3:"), HasSubstr("priors.theta")))
        << text;
  }
}

TEST(RunFile, SchemaIsCheckedFirst) {
  const auto message = [](const char* text) -> std::string {
    try {
      parse_run_file(text, "run.yaml");
    } catch (const ModelError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message("schema: sojourn/run/7\nfoo: 1\n"), HasSubstr("schema 7 is newer than 1; upgrade"));
  EXPECT_THAT(message("schema: sojourn/run/0\n"), HasSubstr("schema version '0' is unknown"));
  EXPECT_THAT(message("schema: sojourn/model/1\n"), HasSubstr("is a model file"));
  EXPECT_THAT(message("model: x\n"), HasSubstr("missing key 'schema'"));
  EXPECT_THAT(message(""), HasSubstr("empty"));
  EXPECT_THAT(message("schema: sojourn/run/1\n"), HasSubstr("missing key 'model'"));
}

TEST(RunFile, StartAndInitialExcludeEachOther) {
  EXPECT_THAT(message_of<ModelError>("sampler: {start: prior, initial: x.csv}\n"), HasSubstr("exclude each other"));
}

TEST(RunFile, NamesThatTheModelLacks) {
  const RunFile run = parse_run_file(
      "schema: sojourn/run/1\nmodel: {name: m, parameters: [alpha], states: 2, initial: [[0, 1]], edges: [[0, 1, 0, "
      "[1]]]}\n"
      "priors: {alpa: {exponential: {rate: 1}}}\nrewards: nothing\n",
      "run.yaml");
  const Model model = load_run_model(run.problem, {});
  try {
    check_parameter_names(run, model);
    FAIL();
  } catch (const ModelError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(StartsWith("run.yaml:3:"), HasSubstr("did you mean 'alpha'")));
  }
  EXPECT_THROW(observed_reward(run.problem, model), ModelError);
}

}  // namespace
}  // namespace sojourn::cli
