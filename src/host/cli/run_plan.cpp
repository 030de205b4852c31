#include "cli/run_plan.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cli/json_writer.hpp"
#include "cli/slurm_script.hpp"
#include "cli/text_table.hpp"
#include "comm/launcher.hpp"
#include "expects.hpp"
#include "sojourn/memory.hpp"

namespace sojourn::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Steps of the search for the mode, each an evaluation of a few points.
constexpr double kStartEvaluations = 100;
/// Seconds up to which a measurement is repeated, or made with more particles.
constexpr double kShortMeasurement = 0.25;
/// Assumed of the network between ranks.
constexpr double kSecondsPerDoubling = 1e-4, kBytesPerSecond = 1e9;
/// Least efficiency of ranks that are advised, and most ranks.
constexpr double kWorthwhile = 0.9;
constexpr std::int64_t kMostRanksAdvised = 1024;
constexpr double kFewMilliseconds = 2e-3;
/// Seconds that a run may take before ranks are worth a thought.
constexpr double kShortRun = 60;

double time_scores(const Posterior& posterior, std::int64_t num_particles, std::uint64_t seed) {
  const auto n = static_cast<std::size_t>(num_particles);
  const auto d = static_cast<std::size_t>(posterior.dimension());
  Matrix<double> z(n, d), score(n, d);
  std::vector<double> log_density(n);
  std::vector<std::string> status(n);
  posterior.sample_prior(seed, z.view());
  const auto start = Clock::now();
  posterior.evaluate(z.view(), log_density, score.view(), status);
  return seconds_since(start);
}

double time_kernel(std::int64_t num_particles, std::int64_t dimension, Kernel kernel, int num_threads) {
  const auto n = static_cast<std::size_t>(num_particles), d = static_cast<std::size_t>(dimension);
  Matrix<double> particles(n, d), scores(n, d, 1.0), direction(n, d);
  for (std::size_t i = 0; i < n * d; ++i) particles.values()[i] = std::sin(static_cast<double>(i));
  const auto start = Clock::now();
  svgd_direction(kernel, 1.0, {}, particles.view(), scores.view(), direction.view(), num_threads);
  return seconds_since(start);
}

}  // namespace

double iteration_seconds(const RunPlan& plan, std::int64_t num_ranks) {
  const auto n = static_cast<double>(plan.num_particles), ranks = static_cast<double>(num_ranks);
  const double alone = (plan.seconds_scores + plan.seconds_kernel) / static_cast<double>(plan.num_iterations);
  const double work = alone * std::ceil(n / ranks) / n;
  if (num_ranks == 1) return work;
  const double bytes = 8 * n * (1 + 2 * static_cast<double>(plan.dimension));
  return work + kSecondsPerDoubling * std::log2(ranks) + bytes / kBytesPerSecond;
}

RankAdvice advise_ranks(const RunPlan& plan) {
  RankAdvice advice;
  const double alone = iteration_seconds(plan, 1);
  const auto efficiency = [&](std::int64_t ranks) {
    return alone / (static_cast<double>(ranks) * iteration_seconds(plan, ranks));
  };
  const bool is_short = plan.seconds_total < kShortRun;
  for (std::int64_t ranks = 2; !is_short && ranks <= std::min(plan.num_particles, kMostRanksAdvised); ++ranks) {
    if (efficiency(ranks) >= kWorthwhile) advice.ranks = ranks;
  }
  const auto total = [&](std::int64_t ranks) {
    return plan.seconds_start + static_cast<double>(plan.num_iterations) * iteration_seconds(plan, ranks);
  };
  advice.efficiency = efficiency(advice.ranks);
  advice.seconds_total = total(advice.ranks);
  advice.seconds_started = total(plan.num_ranks);
  const double likelihood = plan.seconds_per_evaluation * plan.num_threads;
  const std::string cost = fmt::format("one likelihood takes {:.3g} ms of a core", 1e3 * likelihood);
  if (is_short) {
    advice.text = cost + ": the run is too short for more ranks to matter";
  } else if (advice.ranks == 1) {
    advice.text = cost + ": more ranks would wait for each other more than they gain";
  } else {
    advice.text = fmt::format("{}: up to {} ranks of {} thread{} keep {:.0f} % efficiency, about {}", cost,
                              advice.ranks, plan.num_threads, plan.num_threads == 1 ? "" : "s", 100 * advice.efficiency,
                              format_duration(advice.seconds_total));
    advice.text += " (assumed of a network: 0.1 ms for each doubling of the ranks, 1 GB/s)";
    if (likelihood < kFewMilliseconds) advice.text += "; threads of one machine serve a likelihood this cheap as well";
  }
  // A profile has a rank a node.
  const SlurmProfile* profile = &suggested_profile(plan.num_particles);
  while (profile != slurm_profiles().data() && profile->nodes > advice.ranks) --profile;
  advice.profile = profile->name;
  if (plan.num_ranks > plan.num_particles)
    advice.warnings.push_back(fmt::format("{} of {} ranks have none of the {} particles; start at most {}",
                                          plan.num_ranks - plan.num_particles, plan.num_ranks, plan.num_particles,
                                          plan.num_particles));
  if (!is_short && plan.num_ranks > advice.ranks && plan.num_ranks <= plan.num_particles)
    advice.warnings.push_back(fmt::format("{} ranks are predicted to be {:.0f} % efficient; {} would do",
                                          plan.num_ranks, 100 * efficiency(plan.num_ranks), advice.ranks));
  return advice;
}

RunPlan plan_run(const Posterior& posterior, const SvgdOptions& options, int num_threads) {
  RunPlan plan;
  plan.model = posterior.model().name;
  plan.num_particles = options.num_particles;
  plan.num_iterations = options.num_iterations;
  plan.num_threads = num_threads;
  // What a place costs once counts as start: caches, and the cells of one free parameter's line, without which each of
  // its likelihoods would look like those that a cell is made of.
  double once = 0;
  const auto time_again = [&](std::int64_t batch) {
    const double first = time_scores(posterior, batch, options.seed);
    if (first > kShortMeasurement && posterior.dimension() > 1) return first;
    const double again = time_scores(posterior, batch, options.seed);
    once += std::max(first - again, 0.0);
    return again;
  };
  std::int64_t batch = std::min<std::int64_t>(options.num_particles, 2 * num_threads);
  double seconds = time_again(batch);
  const double lone = seconds;
  // A larger batch follows where that costs little.
  while (seconds + once < kShortMeasurement && batch < options.num_particles) {
    batch = std::min(options.num_particles, 4 * batch);
    seconds = time_again(batch);
  }
  plan.seconds_per_evaluation = seconds / static_cast<double>(batch);
  const std::int64_t kernel_batch = std::min<std::int64_t>(options.num_particles, 1000);
  const double pairs = std::pow(static_cast<double>(options.num_particles) / static_cast<double>(kernel_batch), 2);
  const double num_iterations = static_cast<double>(options.num_iterations);
  plan.seconds_kernel =
      num_iterations * pairs * time_kernel(kernel_batch, posterior.dimension(), options.kernel, num_threads);
  plan.seconds_scores = num_iterations * static_cast<double>(options.num_particles) * plan.seconds_per_evaluation;
  plan.seconds_start = once + (options.start == StartKind::kLaplace ? kStartEvaluations * lone : 0);
  plan.seconds_total = plan.seconds_start + plan.seconds_scores + plan.seconds_kernel;
  plan.memory = run_memory(posterior, options, num_threads, true);
  // All threads have evaluated: what they hold is measured, in whatever way the law is computed here.
  plan.process = process_memory();
  plan.bytes = std::max(plan.process.most, plan.process.now + plan.memory.still_to_come());
  plan.dimension = posterior.dimension();
  plan.num_ranks = launcher_rank("start the program without a launcher").size;
  return plan;
}

namespace {

void write_memory(const RunPlan& plan, JsonWriter& json) {
  json.key("memory").begin_object().member("process_bytes", plan.process_bytes);
  json.member("resident_bytes", plan.process.now).member("most_resident_bytes", plan.process.most);
  json.member("bytes_to_come", plan.memory.still_to_come()).key("parts").begin_object();
  for (const auto& [name, bytes] : plan.memory.parts()) json.member(name, bytes);
  json.end_object();
  if (!plan.bytes_of_ranks.empty()) json.key("predicted_bytes_of_ranks").values(plan.bytes_of_ranks);
  json.end_object();
}

std::string memory_text(const RunPlan& plan) {
  std::string parts;
  for (const auto& [name, bytes] : plan.memory.parts())
    if (bytes > 0) parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", name, format_bytes(bytes));
  std::string text = fmt::format(
      "predicted memory    about {} at its most: {} held now, up to {} before, {} still to come\n"
      "  the process       {} before the model was read (measured)\n"
      "  counted           {}\n",
      format_bytes(plan.bytes), format_bytes(plan.process.now), format_bytes(plan.process.most),
      format_bytes(plan.memory.still_to_come()), format_bytes(plan.process_bytes), parts);
  if (plan.bytes_of_ranks.size() < 2) return text;
  double all = 0, largest = 0;
  for (std::size_t k = 0; k < plan.bytes_of_ranks.size(); ++k) {
    all += plan.bytes_of_ranks[k];
    if (k > 0) largest = std::max(largest, plan.bytes_of_ranks[k]);
  }
  return text + fmt::format("  on all ranks      {}; the first {}, the others up to {}\n", format_bytes(all),
                            format_bytes(plan.bytes_of_ranks.front()), format_bytes(largest));
}

}  // namespace

std::string plan_json(const RunPlan& plan, const std::vector<RunPlan>& stages) {
  JsonWriter json;
  json.begin_object().member("particles", plan.num_particles).member("iterations", plan.num_iterations);
  json.member("threads", plan.num_threads).member("seconds_per_evaluation", plan.seconds_per_evaluation);
  json.member("predicted_seconds_start", plan.seconds_start).member("predicted_seconds_scores", plan.seconds_scores);
  json.member("predicted_seconds_kernel", plan.seconds_kernel).member("predicted_seconds", plan.seconds_total);
  json.member("predicted_bytes", plan.bytes);
  write_memory(plan, json);
  // Stages differ in what they are worth spreading; the last one is the most expensive as a rule.
  const RankAdvice advice = advise_ranks(stages.empty() ? plan : stages.back());
  json.member("ranks", plan.num_ranks).member("predicted_seconds_on_ranks", advice.seconds_started);
  json.member("advised_ranks", advice.ranks).member("predicted_efficiency", advice.efficiency);
  json.member("predicted_seconds_on_advised_ranks", advice.seconds_total).member("advice", advice.text);
  json.member("slurm_profile", advice.profile).key("warnings").values(advice.warnings);
  if (plan.device) write_device_plan(*plan.device, json.key("device_plan"));
  if (!stages.empty()) {
    json.key("stages").begin_array();
    for (const RunPlan& stage : stages) {
      json.begin_object().member("particles", stage.num_particles).member("iterations", stage.num_iterations);
      json.member("model", stage.model).member("seconds_per_evaluation", stage.seconds_per_evaluation);
      json.member("predicted_seconds", stage.seconds_total);
      if (stage.device) write_device_plan(*stage.device, json.key("device_plan"));
      json.end_object();
    }
    json.end_array();
  }
  return json.end_object().take();
}

std::string plan_text(const RunPlan& plan, const std::vector<RunPlan>& stages) {
  const RankAdvice advice = advise_ranks(stages.empty() ? plan : stages.back());
  std::string text;
  for (std::size_t k = 0; k < stages.size(); ++k) {
    text += fmt::format("stage {} of {}: {} particles, {} iterations{}, about {}{}\n", k + 1, stages.size(),
                        format_count(stages[k].num_particles), format_count(stages[k].num_iterations),
                        stages[k].model == plan.model ? "" : ", model " + stages[k].model,
                        format_duration(stages[k].seconds_total),
                        stages[k].device ? ", " + format_bytes(stages[k].device->bytes) + " on the device" : "");
  }
  text += fmt::format(
      "{} particles, {} iterations, {} thread{}\n"
      "one evaluation      {:.3g} ms per particle (measured at draws from the prior)\n"
      "predicted time      about {} (start {}, scores {}, kernel {})\n"
      "{}"
      "more ranks          {}\n"
      "on SLURM            sojourn slurm --profile {}\n",
      format_count(plan.num_particles), format_count(plan.num_iterations), plan.num_threads,
      plan.num_threads == 1 ? "" : "s", 1e3 * plan.seconds_per_evaluation, format_duration(plan.seconds_total),
      format_duration(plan.seconds_start), format_duration(plan.seconds_scores), format_duration(plan.seconds_kernel),
      memory_text(plan), advice.text, advice.profile);
  if (plan.num_ranks > 1)
    text += fmt::format("on these {} ranks    about {}\n", plan.num_ranks, format_duration(advice.seconds_started));
  if (plan.device) text += device_plan_text(*plan.device, plan.num_iterations);
  for (const std::string& warning : advice.warnings) text += "warning: " + warning + "\n";
  return text + "nothing was run; leave --plan out to run it\n";
}

}  // namespace sojourn::cli
