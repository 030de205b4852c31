#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "cli/doctor_facts.hpp"
#include "cli/failed_run.hpp"
#include "cli/json_writer.hpp"
#include "cli/run_file.hpp"
#include "cli/slurm_script.hpp"
#include "cli/streams.hpp"
#include "cli/text_table.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"
#include "sojourn/info.hpp"

namespace sojourn::cli {
namespace {

namespace fs = std::filesystem;

struct SlurmOptions {
  std::string profile, config, script, output, name, program;
  std::vector<std::string> models, command;
  bool list_profiles = false, suggest = false, overwrite = false, json = false;
};

std::string profiles_text() {
  TextTable table({"profile", "nodes", "cpus a node", "time limit", "for"});
  for (const SlurmProfile& profile : slurm_profiles())
    table.add({profile.name, std::to_string(profile.nodes), std::to_string(profile.cpus_per_node), profile.time_limit,
               profile.purpose});
  return table.text();
}

std::string profiles_json() {
  JsonWriter json;
  json.begin_object().key("profiles").begin_array();
  for (const SlurmProfile& profile : slurm_profiles()) {
    json.begin_object().member("name", profile.name).member("nodes", profile.nodes);
    json.member("cpus_per_node", profile.cpus_per_node).member("time_limit", profile.time_limit);
    json.member("purpose", profile.purpose).end_object();
  }
  return json.end_array().end_object().take();
}

/// This program's own file, which the nodes of a cluster see under the same path.
std::string own_path() {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error);
  return error ? "sojourn" : path.string();
}

/// That of the environment that is active here, which on the nodes would have to be activated first.
std::string python_in_use() {
  for (const char* const name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    const std::string folder = variable_text(process_environment(), name);
    if (!folder.starts_with('/')) continue;
    const std::string python = folder + "/bin/python3";
    if (fs::exists(python)) return python;
  }
  return "python3";
}

/// The call as it would be typed again; without --output, so that the same script comes out wherever it goes.
std::string command_text(const SlurmOptions& options) {
  std::string text = "sojourn slurm";
  const auto add = [&text](const std::string& flag, const std::string& value) {
    if (!value.empty()) text += " " + flag + " " + shell_word(value);
  };
  add("--profile", options.profile);
  add("--config", options.config);
  add("--script", options.script);
  for (const std::string& model : options.models) add("--precompute", model);
  add("--name", options.name);
  add("--program", options.program);
  if (!options.command.empty()) text += " --";
  for (const std::string& word : options.command) text += " " + shell_word(word);
  return text;
}

SlurmWork work_of(const SlurmOptions& options) {
  const int ways = static_cast<int>(!options.script.empty()) + static_cast<int>(!options.command.empty()) +
                   static_cast<int>(!options.models.empty());
  SOJOURN_EXPECTS(ways <= 1, UsageError, "give one of --script, --precompute and a COMMAND behind --");
  SlurmWork work;
  if (!options.models.empty()) {
    work.models = options.models;
  } else if (!options.command.empty()) {
    work.command = options.command;
  } else {
    work = work_of_file(options.script.empty() ? "run.yaml" : options.script, python_in_use());
  }
  work.program = options.program.empty() ? own_path() : options.program;
  work.written_by = command_text(options);
  return work;
}

SlurmConfig config_of(const SlurmOptions& options) {
  SlurmConfig config = slurm_config_of_profile(options.profile.empty() ? "debug" : options.profile);
  if (!options.config.empty()) config = read_slurm_config(options.config, config);
  if (!options.name.empty()) {
    expect_job_name("--name", options.name);
    config.name = options.name;
  }
  return config;
}

/// Particles of the run file; nothing, with a warning, where it is not here.
std::optional<std::int64_t> particles_of(const SlurmWork& work) {
  if (!work.is_run_file) return {};
  if (!fs::exists(work.file)) {
    warn(fmt::format("{}: no such file here; the job will look for it in the folder it is submitted from", work.file));
    return {};
  }
  return load_run_file(work.file).sampler.num_particles;
}

std::string suggestion_text(const SlurmOptions& options, std::int64_t num_particles) {
  const SlurmProfile& profile = suggested_profile(num_particles);
  const std::int64_t cores = profile.nodes * profile.cpus_per_node;
  if (options.json) {
    JsonWriter json;
    json.begin_object().member("profile", profile.name).member("particles", num_particles).member("cores", cores);
    return json.end_object().take();
  }
  return fmt::format("{}: {} particles on {} x {} = {} cores; sojourn infer --plan tells how long they take\n",
                     profile.name, format_count(num_particles), profile.nodes, profile.cpus_per_node, cores);
}

ExitCode run_slurm(const SlurmOptions& options) {
  if (options.list_profiles) {
    write_stdout(options.json ? profiles_json() : profiles_text());
    return ExitCode::kDone;
  }
  SlurmConfig config = config_of(options);
  if (config.mpi.empty()) config.mpi = srun_mpi_of(mpi_library());
  const SlurmWork work = work_of(options);
  // The script first: what it refuses is never opened.
  const std::string script = slurm_script(config, work);
  const std::optional<std::int64_t> num_particles = particles_of(work);
  if (options.suggest) {
    SOJOURN_EXPECTS(num_particles, UsageError, "--suggest needs a run file that is here; give --script RUN.yaml");
    write_stdout(suggestion_text(options, *num_particles));
    return ExitCode::kDone;
  }
  if (num_particles) {
    for (const std::string& warning : slurm_warnings(config, *num_particles)) warn(warning);
  }
  if (config.platform == "gpu" && work.is_run_file && !build_info().cuda)
    warn(
        "platform gpu: this build has no CUDA, and the job would end with status 6; build where a CUDA toolkit is "
        "found");
  if (options.json) {
    JsonWriter json;
    json.begin_object().member("nodes", config.nodes).member("ranks", config.num_ranks());
    json.member("cpus_per_task", config.cpus_per_task()).member("time_limit", config.time_limit);
    json.member("script", script);
    write_file(options.output, json.end_object().take(), options.overwrite);
  } else {
    write_file(options.output, script, options.overwrite);
  }
  return ExitCode::kDone;
}

}  // namespace

Action add_slurm(CLI::App& app) {
  const auto options = std::make_shared<SlurmOptions>();
  app.add_option("COMMAND", options->command, "Behind --: what the job runs in place of a run file");
  app.add_option("--profile", options->profile, "debug, small, medium, large or production [debug]")->type_name("NAME");
  app.add_option("--config", options->config,
                 "YAML file of a cluster's ways and a job's size; what it leaves out is the profile's")
      ->type_name("FILE");
  app.add_option("--script", options->script,
                 "What the job runs: a run file (.yaml, .json) for sojourn infer, a Python script (.py) with the "
                 "environment that is active here, a shell script (.sh), or a program [run.yaml]")
      ->type_name("FILE");
  add_repeatable(app, "--precompute", options->models, "MODEL",
                 "Fill the elimination cache with a model's components, as a job array; repeatable");
  app.add_option("--output", options->output, "Where the batch script goes [standard output]")->type_name("FILE");
  app.add_flag("--overwrite", options->overwrite, "Replace the file");
  app.add_option("--name", options->name, "Name of the job [that of the configuration, else of what it runs]")
      ->type_name("NAME");
  app.add_option("--program", options->program, "How the nodes find sojourn [the path of this one]")->type_name("PATH");
  app.add_flag("--list-profiles", options->list_profiles, "Print the profiles and write nothing");
  app.add_flag("--suggest", options->suggest, "Print the profile that suits the run file's particles");
  app.add_flag("--json", options->json, "Print one JSON object");
  app.footer(
      "The script asks for nodes, cores and time, loads modules, sets the environment and the coordinator,\n"
      "and starts one rank a node (one a GPU) by srun --mpi=pmix (pmi2 where this program is linked with\n"
      "MPICH). Two minutes before the time limit all ranks are told to stop at a checkpoint; the job then\n"
      "goes back into the queue and resumes. Results are in NAME-JOBID, the log in NAME-JOBID.out. Options\n"
      "of sbatch win over those of the script: sbatch --partition=long job.sh.\n\n"
      "Keys of a configuration: name, nodes, cpus_per_node, tasks_per_node, memory_per_cpu, time_limit,\n"
      "partition, qos, account, mpi (of srun --mpi=list), modules_to_load (list), env_vars (mapping, taken\n"
      "literally), setup (lines of shell), gpus_per_node, platform (cpu, gpu), signal_seconds.\n\n"
      "Examples:\n"
      "  sojourn slurm --profile debug --script run.yaml --output job.sh && sbatch job.sh\n"
      "  sbatch <(sojourn slurm --profile medium --script run.yaml)\n"
      "  sojourn slurm --config cluster.yaml --script run.yaml --output job.sh\n"
      "  sojourn slurm --profile small --precompute model.yaml --output cache.sh");
  return [options] { return run_slurm(*options); };
}

}  // namespace sojourn::cli
