#include "cli/infer_options.hpp"

#include <CLI/CLI.hpp>

#include "cli/elimination_options.hpp"
#include "cli/failed_run.hpp"
#include "cli/numbers.hpp"
#include "cli/sampler_block.hpp"
#include "comm/launcher.hpp"
#include "expects.hpp"

namespace sojourn::cli {

void add_infer_options(CLI::App& app, InferOptions& options) {
  app.add_option("RUN", options.run, "Run file (schema sojourn/run/1); - is standard input")->required();
  app.add_option("--output", options.output, "Folder for the results, made by the run")
      ->type_name("DIR")
      ->default_str("sojourn-result");
  app.add_flag("--overwrite", options.overwrite, "Replace the results that are in the folder");
  app.add_flag("--plan", options.plan, "Print predicted time and memory, run nothing");
  app.add_option(
         "--assume-device", options.assume_device,
         "With --plan: for a device that is not here, h200 or the size of its memory such as 80GiB; --device cuda "
         "assumes an H200 where none is")
      ->type_name("DEVICE");
  app.add_option("--max-seconds", options.max_seconds,
                 "Stop after this time in seconds at a checkpoint, write the results reached so far too and say so in "
                 "them; the exit status is 75, and --resume goes on")
      ->type_name("T");
  app.add_flag("--strict", options.strict, "Exit with status 4 if a diagnostic fails; the results are written");
  app.add_flag("--resume", options.resume,
               "Go on from the newest checkpoint in the folder, with the particles of a run that was never stopped; "
               "from the beginning where there is none yet. Implied where SLURM starts a job again");
  app.add_flag("--keep-going", options.keep_going,
               "Go on without checkpoints where none can be written, instead of ending with status 5");
  app.add_flag("--json", options.json, "Print summary.json at the end instead of a table");
  app.add_flag("--quiet", options.quiet, "No progress on standard error");

  const char* sampler = "In place of what the run file says";
  app.add_option("--particles", options.particles,
                 "Number of particles, at least 2; of the last stage where there are several")
      ->type_name("N")
      ->group(sampler);
  app.add_option("--iterations", options.iterations, "Number of iterations; of the last stage where there are several")
      ->type_name("N")
      ->group(sampler);
  app.add_option("--seed", options.seed, "Whole number; the same seed gives the same particles")
      ->type_name("S")
      ->group(sampler);
  app.add_option("--data-compression", options.data_compression,
                 "auto: read large data sets at interpolation nodes where the error is estimated below 1e-9; off: at "
                 "every observation")
      ->type_name("MODE")
      ->check(CLI::IsMember({"auto", "off"}))
      ->group(sampler);
  app.add_option("--observation-shares", options.observation_shares,
                 "How many ranks share out the observations of the same particles: auto, or a divisor of the ranks "
                 "(1: each rank has its particles to itself). Matters for data that are not compressed; the particles "
                 "are the same for any")
      ->type_name("N")
      ->group(sampler);
  app.add_option(
         "--strategy", options.strategy,
         "auto, devices, batch or sequential: share the particles out over ranks; evaluate them together on the "
         "cores of one process; or one after another on one thread. The particles are the same for any [auto]")
      ->type_name("NAME")
      ->group(sampler);
  app.add_option("--n-devices", options.n_devices,
                 "How many of this process's devices to use: cores on a CPU, at most the threads; a process drives one "
                 "GPU [0: all]")
      ->type_name("N")
      ->group(sampler);
  add_device_option(app, options.common);
  add_thread_option(app, options.common);
  add_cache_option(app);
  add_limit_options(app, options.common);
  app.footer(
      "Ctrl-C stops after the current iteration at a checkpoint, writes the results reached so far and\n"
      "exits with status 130; a second Ctrl-C leaves at once. SIGTERM and SIGUSR1 do the same with status\n"
      "75. A stop before the first iteration leaves particles that have not moved, and a failed diagnostic\n"
      "that says so. If a particle cannot be evaluated and no shorter step helps, the run ends with status\n"
      "4 and writes failure.json: where the particle is and how to look at it again.\n\n"
      "Example:\n"
      "  cat > run.yaml <<END\n"
      "  schema: sojourn/run/1\n"
      "  model: kingman.yaml\n"
      "  data: {file: times.csv}\n"
      "  priors: {theta: {lognormal: {mean: 0, sd: 1}}}\n"
      "  sampler: {particles: 200, iterations: 500, kernel: imq, learning_rate: 0.05}\n"
      "  seed: 1\n"
      "  END\n"
      "  sojourn infer run.yaml --output result\n\n"
      "On a GPU, all particles at once:\n"
      "  sojourn infer run.yaml --output result --device cuda\n\n"
      "Stop and go on: by time, Ctrl-C, or what a scheduler sends (SIGTERM, SIGUSR1)\n"
      "  sojourn infer run.yaml --output result --max-seconds 3000\n"
      "  sojourn infer run.yaml --output result --resume");
}

RunFile read_run(const InferOptions& options) {
  RunFile run = load_run_file(options.run);
  if (!options.particles.empty()) {
    const std::int64_t number = parse_whole("--particles", options.particles, 2, kMaxParticles);
    if (run.stages.empty()) {
      run.sampler.num_particles = number;
      run.particles_given = true;
    } else {
      run.stages.back().particles = number;
    }
  }
  if (!options.iterations.empty()) {
    const std::int64_t number = parse_whole("--iterations", options.iterations, 1, kMaxIterations);
    if (run.stages.empty()) {
      run.sampler.num_iterations = number;
    } else {
      run.stages.back().iterations = number;
    }
  }
  if (!options.data_compression.empty()) {
    run.data_compression = data_compression_from(options.data_compression);
    for (StageEntry& stage : run.stages) stage.data_compression.reset();
  }
  if (!options.observation_shares.empty())
    run.observation_shares = parse_shares("--observation-shares", options.observation_shares);
  if (!options.strategy.empty()) run.strategy = strategy_from(options.strategy);
  if (!options.n_devices.empty()) run.n_devices = parse_whole("--n-devices", options.n_devices, 0, kMostProcesses);
  if (!options.seed.empty()) run.sampler.seed = parse_seed("--seed", options.seed);
  return run;
}

std::string command_text(const InferOptions& options) {
  std::string text = "sojourn infer " + shell_word(options.run);
  const auto add = [&text](const char* flag, const std::string& value) {
    if (!value.empty()) text += fmt::format(" {} {}", flag, shell_word(value));
  };
  add("--output", options.output);
  add("--particles", options.particles);
  add("--iterations", options.iterations);
  add("--seed", options.seed);
  add("--data-compression", options.data_compression);
  add("--observation-shares", options.observation_shares);
  add("--strategy", options.strategy);
  add("--n-devices", options.n_devices);
  add("--threads", options.common.threads);
  add("--device", options.common.device);
  add("--max-seconds", options.max_seconds);
  if (options.overwrite) text += " --overwrite";
  if (options.strict) text += " --strict";
  if (options.keep_going) text += " --keep-going";
  if (options.resume) text += " --resume";
  return text;
}

std::string resuming_command(InferOptions options) {
  options.overwrite = false;
  options.resume = true;
  return command_text(options);
}

}  // namespace sojourn::cli
