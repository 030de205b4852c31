#include "cli/slurm_script.hpp"

#include <algorithm>
#include <filesystem>

#include "cli/failed_run.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

/// Particles that a core should have, so that packs of them fill its registers.
constexpr std::int64_t kParticlesPerCore = 10;

/// How often a job goes back into the queue by itself: one that never gets further must end some day.
constexpr int kMostRestarts = 100;

/// One word of the shell; what begins with a dash is told apart from a flag by its folder.
std::string path_word(const char* what, const std::string& path) {
  expect_one_line(what, path);
  return shell_word(path.starts_with('-') ? "./" + path : path);
}

std::string words(const std::vector<std::string>& texts) {
  std::string line;
  for (const std::string& text : texts) {
    expect_one_line("COMMAND", text);
    line += (line.empty() ? "" : " ") + shell_word(text);
  }
  return line;
}

std::string default_name(const SlurmWork& work) {
  if (!work.models.empty()) return "precompute";
  const std::string file = !work.file.empty() ? work.file : work.command.front();
  return as_job_name(std::filesystem::path(file).stem().string());
}

std::string header(const SlurmConfig& config, const SlurmWork& work, const std::string& name) {
  const bool is_array = !work.models.empty();
  std::string text = "#!/bin/bash\n";
  if (!work.written_by.empty()) text += "# Written by: " + work.written_by + "\n";
  const auto option = [&text](const char* flag, const auto& value) {
    text += fmt::format("#SBATCH --{}={}\n", flag, value);
  };
  option("job-name", name);
  if (is_array) option("array", fmt::format("1-{}", config.num_ranks()));
  option("nodes", is_array ? 1 : config.nodes);
  option("ntasks-per-node", is_array ? 1 : config.ranks_per_node());
  option("cpus-per-task", config.cpus_per_task());
  if (!config.memory_per_cpu.empty()) option("mem-per-cpu", config.memory_per_cpu);
  if (config.gpus_per_node > 0 && !is_array) option("gpus-per-node", config.gpus_per_node);
  option("time", config.time_limit);
  if (!config.partition.empty()) option("partition", config.partition);
  if (!config.qos.empty()) option("qos", config.qos);
  if (!config.account.empty()) option("account", config.account);
  option("output", is_array ? "%x-%A_%a.out" : "%x-%j.out");
  text += "#SBATCH --open-mode=append\n#SBATCH --requeue\n";
  if (!is_array)
    text += fmt::format(
        "# This long before the time limit all ranks are told to stop at a checkpoint.\n#SBATCH --signal=USR1@{}\n",
        config.signal_seconds);
  return text + "\n";
}

std::string environment(const SlurmConfig& config) {
  std::string text;
  if (!config.modules_to_load.empty()) {
    text += "# shellcheck source=/dev/null\ncommand -v module >/dev/null || source /etc/profile\n";
    for (const std::string& module : config.modules_to_load)
      text += fmt::format(
          "module load {0} || {{ echo \"module {0} cannot be loaded here; see module avail\" >&2; exit 6; }}\n",
          module);
  }
  for (const std::string& line : config.setup) text += line + "\n";
  text += "set -euo pipefail\n";
  for (const auto& [name, value] : config.env_vars) text += fmt::format("export {}={}\n", name, shell_word(value));
  text += "export OMP_NUM_THREADS=\"$SLURM_CPUS_PER_TASK\"\n\n";
  return text;
}

constexpr char kCoordinator[] =
    "# The first node is where ranks find each other. Where scontrol does not name as many as there are, the list\n"
    "# is read: the first number of every bracket before the first comma.\n"
    "status=0\n"
    "nodes=$(timeout -k 5 10 scontrol show hostnames \"$SLURM_JOB_NODELIST\") || status=$?\n"
    "count=$(grep -c . <<<\"$nodes\") || true\n"
    "node=${nodes%%$'\\n'*}\n"
    "if [ \"$status\" -ne 0 ] || [ \"$count\" -ne \"${SLURM_JOB_NUM_NODES:-$count}\" ] || [ -z \"$node\" ]; then\n"
    "  node=$SLURM_JOB_NODELIST\n"
    "  bracket='^([^],[]*)\\[([0-9]+)[^]]*\\](.*)'\n"
    "  while [[ $node =~ $bracket ]]; do node=${BASH_REMATCH[1]}${BASH_REMATCH[2]}${BASH_REMATCH[3]}; done\n"
    "  node=${node%%,*}\n"
    "  echo \"warning: scontrol show hostnames gave $count hosts and status $status; the first host of\" \\\n"
    "    \"$SLURM_JOB_NODELIST is taken to be $node\" >&2\n"
    "fi\n"
    "export SOJOURN_COORDINATOR_ADDRESS=\"${SOJOURN_COORDINATOR_ADDRESS:-$node}\"\n"
    "export SOJOURN_COORDINATOR_PORT=\"${SOJOURN_COORDINATOR_PORT:-12345}\"\n"
    "echo \"job $SLURM_JOB_ID on $SLURM_JOB_NODELIST, restart ${SLURM_RESTART_COUNT:-0}, coordinator \\\n"
    "$SOJOURN_COORDINATOR_ADDRESS:$SOJOURN_COORDINATOR_PORT\"\n\n";

/// A file that is missing is said before anything starts.
std::string expect_file(const std::string& word) {
  return fmt::format(
      "if [ ! -r {0} ]; then\n  echo {0} \"cannot be read in $PWD; submit the job from its folder\" >&2\n  exit "
      "5\nfi\n",
      word);
}

constexpr char kRequeue[] =
    "# 75: stopped at a checkpoint. The job goes back into the queue and resumes where it stopped.\n"
    "if [ \"$status\" -eq 75 ]; then\n"
    "  if [ \"${{SLURM_RESTART_COUNT:-0}}\" -lt {} ]; then\n"
    "    echo \"job $SLURM_JOB_ID goes back into the queue\"\n"
    "    timeout -k 5 60 scontrol requeue \"$SLURM_JOB_ID\" && exit 75\n"
    "  fi\n"
    "  echo \"job $SLURM_JOB_ID was not put back into the queue\" >&2{}\n"
    "fi\n";

std::string main_step(const SlurmConfig& config, const SlurmWork& work, const std::string& name) {
  std::string text, command, go_on;
  if (!work.is_run_file) {
    command = words(work.command);
  } else {
    const std::string run = path_word("--script", work.file), program = path_word("--program", work.program);
    text += expect_file(run);
    text += fmt::format("results=\"{}-$SLURM_JOB_ID\"\n\n", name);
    text += "# One node first: what the program finds there goes into the log.\n";
    text += fmt::format(
        "srun --nodes=1 --ntasks=1 --cpus-per-task=\"$SLURM_CPUS_PER_TASK\" {} doctor || echo \"doctor: status $?\" "
        ">&2\n\n",
        program);
    command = fmt::format("{} infer {} --output \"$results\"{}", program, run,
                          config.platform == "gpu" ? " --device cuda" : "");
    go_on = fmt::format("\n  echo \"go on with:\" {} infer {} --output \"$results\" --resume >&2", program, run);
  }
  text += "status=0\n";
  // srun does not take over the number of cores from sbatch; when one rank ends, the others have a minute to do so.
  text += fmt::format(
      "srun --mpi={} --cpus-per-task=\"$SLURM_CPUS_PER_TASK\" --kill-on-bad-exit=0 --wait=60 \\\n  {} || status=$?\n",
      config.mpi.empty() ? "pmix" : config.mpi, command);
  text += "\n" + fmt::format(kRequeue, kMostRestarts, go_on);
  return text + "exit \"$status\"\n";
}

std::string array_step(const SlurmWork& work) {
  std::string text, models;
  for (const std::string& model : work.models) {
    const std::string word = path_word("--precompute", model);
    text += expect_file(word);
    models += " " + word;
  }
  return text + fmt::format(
                    "# Every task of the array takes its part of the components.\nsrun "
                    "--cpus-per-task=\"$SLURM_CPUS_PER_TASK\" {} precompute{}\n",
                    path_word("--program", work.program), models);
}

}  // namespace

SlurmWork work_of_file(const std::string& path, const std::string& python) {
  SlurmWork work;
  work.file = path;
  const std::string ending = std::filesystem::path(path).extension().string();
  if (ending == ".yaml" || ending == ".yml" || ending == ".json") {
    work.is_run_file = true;
  } else if (ending == ".py") {
    work.command = {python, "-u", path};
  } else if (ending == ".sh") {
    work.command = {"bash", path};
  } else {
    // A program of this folder is not looked for in PATH.
    work.command = {path.find('/') == std::string::npos && std::filesystem::exists(path) ? "./" + path : path};
  }
  return work;
}

std::string slurm_script(const SlurmConfig& config, const SlurmWork& work) {
  const std::string name = config.name.empty() ? default_name(work) : config.name;
  expect_job_name("name", name);
  const std::string body =
      environment(config) + (work.models.empty() ? kCoordinator + main_step(config, work, name) : array_step(work));
  // shellcheck doubts dollars in single quotes, which are meant as they stand here.
  const bool has_dollar = std::ranges::any_of(body, [quoted = false](char c) mutable {
    if (c == '\'') quoted = !quoted;
    return quoted && (c == '$' || c == '`');
  });
  return header(config, work, name) + (has_dollar ? "# shellcheck disable=SC2016\n" : "") + body;
}

std::vector<std::string> slurm_warnings(const SlurmConfig& config, std::int64_t num_particles) {
  std::vector<std::string> warnings;
  const std::int64_t ranks = config.num_ranks();
  const std::string advice = fmt::format("; the profile {} fits", suggested_profile(num_particles).name);
  if (ranks > num_particles) {
    warnings.push_back(
        fmt::format("{} of {} ranks would have none of the {} particles; take fewer nodes or more particles{}",
                    ranks - num_particles, ranks, num_particles, advice));
  } else if (config.num_cores() > num_particles) {
    warnings.push_back(
        fmt::format("{} cores for {} particles: some would have nothing to do; take fewer cores or more particles{}",
                    config.num_cores(), num_particles, advice));
  } else if (num_particles % ranks != 0) {
    warnings.push_back(
        fmt::format("{} particles are no multiple of {} ranks: the particles are the same, but some ranks wait for "
                    "others; {} would be",
                    num_particles, ranks, (num_particles / ranks + 1) * ranks));
  }
  return warnings;
}

const SlurmProfile& suggested_profile(std::int64_t num_particles) {
  const SlurmProfile* chosen = &slurm_profiles().front();
  for (const SlurmProfile& profile : slurm_profiles()) {
    if (profile.nodes * profile.cpus_per_node * kParticlesPerCore <= num_particles) chosen = &profile;
  }
  return *chosen;
}

}  // namespace sojourn::cli
