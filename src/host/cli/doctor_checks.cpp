#include "cli/doctor_checks.hpp"

#include <algorithm>

#include "cli/doctor_facts.hpp"
#include "cli/text_table.hpp"
#include "expects.hpp"
#include "model/suggest.hpp"
#include "sojourn/memory.hpp"

namespace sojourn::cli {
namespace {

/// Less memory than this does not hold a model of some size.
constexpr std::int64_t kLittleMemory = std::int64_t{1} << 30;
/// Less than this on a disk does not hold a run's results with their history.
constexpr std::int64_t kLittleDisk = std::int64_t{256} << 20;
constexpr std::int64_t kLittleTime = 600;

Check ok(std::string name, std::string found) { return {std::move(name), Verdict::kOk, std::move(found), {}}; }
Check absent(std::string name, std::string found, std::string advice) {
  return {std::move(name), Verdict::kAbsent, std::move(found), std::move(advice)};
}
Check warning(std::string name, std::string found, std::string advice) {
  return {std::move(name), Verdict::kWarn, std::move(found), std::move(advice)};
}
Check failure(std::string name, std::string found, std::string advice) {
  return {std::move(name), Verdict::kFail, std::move(found), std::move(advice)};
}

std::string count(std::int64_t number, const char* thing) {
  return fmt::format("{} {}{}", number, thing, number == 1 ? "" : "s");
}

/// "Open MPI", "MPICH", "Intel": who made an MPI, from its own words.
std::string maker_of(const std::string& words) {
  for (const char* const maker : {"Open MPI", "MPICH", "HYDRA", "Intel", "MVAPICH"}) {
    if (words.find(maker) != std::string::npos) return std::string(maker) == "HYDRA" ? "MPICH" : maker;
  }
  if (words.find("OpenRTE") != std::string::npos || words.find("prte") != std::string::npos) return "Open MPI";
  return {};
}

Check check_folder(const char* name, const FolderFacts& folder, const char* advice) {
  if (!folder.fault.empty()) return warning(name, fmt::format("{}: {}", folder.path, folder.fault), advice);
  if (folder.missing) return absent(name, folder.path + " is not there yet", "it is made when it is first needed");
  if (folder.bytes_free < 0) return ok(name, folder.path);
  const std::string found =
      fmt::format("{}, {} free", folder.path, format_bytes(static_cast<double>(folder.bytes_free)));
  return folder.bytes_free < kLittleDisk ? warning(name, found, advice) : ok(name, found);
}

const std::vector<std::string>& known_variables() {
  static const std::vector<std::string> names{"SOJOURN_CACHE_DIR",
                                              "SOJOURN_DISABLE_CACHE",
                                              "SOJOURN_DEVICE",
                                              "SOJOURN_NUM_THREADS",
                                              "SOJOURN_PARALLEL_ELIMINATION",
                                              "SOJOURN_MAX_PARALLEL_SCCS",
                                              "SOJOURN_MIN_SCC_SIZE_TO_CACHE",
                                              "SOJOURN_CUDA_AWARE_MPI",
                                              "SOJOURN_COMM_TIMEOUT",
                                              "SOJOURN_COMM_LOG",
                                              "SOJOURN_DEBUG_COMM",
                                              "SOJOURN_LOG",
                                              "SOJOURN_COORDINATOR_ADDRESS",
                                              "SOJOURN_COORDINATOR_PORT",
                                              "SOJOURN_INSTRUCTION_SET",
                                              "SOJOURN_MAX_MEMORY"};
  return names;
}

}  // namespace

const char* to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kAbsent:
      return "absent";
    case Verdict::kWarn:
      return "warn";
    case Verdict::kFail:
      return "fail";
  }
  return "unknown";
}

Check check_program(const MachineFacts& facts) {
  const std::string found = fmt::format("sojourn {} at {} on {}", facts.build.version, facts.program, facts.host);
  if (!facts.program_in_path.empty() && facts.program_in_path != facts.program)
    return warning("program", fmt::format("{}; PATH finds {}", found, facts.program_in_path),
                   "put the folder of the one you mean first in PATH, in job scripts as well");
  return ok("program", found);
}

Check check_cores(const MachineFacts& facts) {
  std::string found = fmt::format("{} of {}", facts.cores_usable, count(facts.cores_online, "core"));
  if (facts.cores_usable < facts.cores_online) found += " (affinity and control group)";
  if (facts.ranks_here > 1) found += fmt::format(", {} ranks on this node", facts.ranks_here);
  // mpirun binds one or two ranks to a core each.
  if (!facts.launcher.value.first.empty() && facts.cores_usable * facts.ranks_here < facts.cores_of_ranks)
    return warning(
        "cores", found,
        fmt::format("ranks are bound to fewer than the {} cores that they may use together: mpirun --bind-to "
                    "none, or --map-by slot:PE=N",
                    facts.cores_of_ranks));
  return ok("cores", found);
}

Check check_threads(const MachineFacts& facts) {
  if (!facts.threads.fault.empty())
    return failure("threads", facts.threads.fault, "unset the variable or give a number from 1 to the number of cores");
  const std::string found = fmt::format("{} a rank", count(facts.threads.value, "thread"));
  if (!facts.thread_warning.empty())
    return warning("threads", facts.thread_warning, "lower --threads or OMP_NUM_THREADS");
  if (facts.wait_policy == "active" || facts.wait_policy == "ACTIVE")
    return warning("threads", found + ", OMP_WAIT_POLICY=active",
                   "unset it: threads that spin hold up those they wait for where cores are shared");
  return ok("threads", found);
}

Check check_memory(const MachineFacts& facts) {
  constexpr const char* kAdvice =
      "use fewer particles or a smaller model (sojourn infer --plan, sojourn inspect), or ask for more: memory_per_cpu "
      "in "
      "the SLURM configuration; sstat -j JOB --format=MaxRSS shows what a job holds";
  if (!facts.memory_left.fault.empty()) return failure("memory", facts.memory_left.fault, kAdvice);
  const std::string found = format_bytes(static_cast<double>(facts.memory_left.value)) + " may be taken";
  return facts.memory_left.value < kLittleMemory ? warning("memory", found, kAdvice) : ok("memory", found);
}

Check check_instruction_sets(const MachineFacts& facts) {
  const std::string found =
      fmt::format("{} of {}", facts.build.instruction_set, fmt::join(facts.build.instruction_sets, ", "));
  if (!facts.build.instruction_sets.empty() && facts.build.instruction_set != facts.build.instruction_sets.back())
    return warning("instruction_sets", found, "unset SOJOURN_INSTRUCTION_SET for the fastest kernels");
  return ok("instruction_sets", found);
}

Check check_gpu(const MachineFacts& facts) {
  if (!facts.build.devices.empty()) return ok("gpu", fmt::format("{}", fmt::join(facts.build.devices, "; ")));
  if (facts.asks_for_gpu)
    return failure("gpu", "SOJOURN_DEVICE asks for one, none is seen",
                   "check nvidia-smi and CUDA_VISIBLE_DEVICES, ask SLURM for gpus_per_node, or use --device cpu");
  if (!facts.driver.empty())
    return warning("gpu", fmt::format("driver {} is there, no GPU is seen", facts.driver),
                   facts.build.cuda ? "check nvidia-smi and CUDA_VISIBLE_DEVICES, or ask SLURM for gpus_per_node"
                                    : "build where a CUDA toolkit is found");
  return absent("gpu", "no NVIDIA driver", "runs use the cores");
}

Check check_cuda(const MachineFacts& facts) {
  if (!facts.build.cuda) return absent("cuda", "built without CUDA", "build where a CUDA toolkit is found to use GPUs");
  const std::string found = "built with CUDA " + facts.build.cuda_version;
  if (const std::string text = old_driver_text(facts.driver, facts.build.cuda_version); !text.empty())
    return failure("cuda", fmt::format("{}, {}", found, text),
                   "update the driver, build with an older toolkit, or use --device cpu");
  return ok("cuda", found);
}

Check check_nccl(const MachineFacts& facts) {
  if (!facts.build.nccl) return absent("nccl", "built without NCCL", "ranks talk over MPI, which needs nothing else");
  const std::string found = "NCCL " + facts.build.nccl_version;
  const std::int64_t gpus = std::ssize(facts.build.devices);
  if (gpus > 0 && facts.ranks_here > gpus)
    return failure("nccl", fmt::format("{}, {} ranks on {}", found, facts.ranks_here, count(gpus, "GPU")),
                   "NCCL refuses two ranks on one GPU: start one rank a GPU");
  return ok("nccl", found);
}

const char* srun_mpi_of(const std::string& mpi_library) {
  const std::string maker = maker_of(mpi_library);
  return maker.empty() || maker == "Open MPI" ? "pmix" : "pmi2";
}

Check check_mpi(const MachineFacts& facts) {
  if (facts.mpi_library.empty())
    return absent("mpi", "built without MPI", "build where MPI is found (libopenmpi-dev) to run on several ranks");
  const std::string linked = maker_of(facts.mpi_library), starts = maker_of(facts.mpirun);
  if (!linked.empty() && !starts.empty() && linked != starts)
    return warning("mpi", fmt::format("{}; mpirun is {}", facts.mpi_library, facts.mpirun),
                   fmt::format("start with the mpirun of {}, or ranks will not find each other", linked));
  if (facts.mpirun.empty())
    return warning("mpi", facts.mpi_library + "; no mpirun in PATH",
                   fmt::format("load its module, or start with srun --mpi={}", srun_mpi_of(facts.mpi_library)));
  return ok("mpi", facts.mpi_library);
}

Check check_cuda_aware_mpi(const MachineFacts& facts) {
  const std::string& asked = facts.cuda_aware_mpi;
  if (!asked.empty() && asked != "0" && asked != "1" && asked != "auto")
    return failure("cuda_aware_mpi", fmt::format("SOJOURN_CUDA_AWARE_MPI='{}'", asked), "it is 0, 1 or auto");
  if (facts.mpi_library.empty()) return absent("cuda_aware_mpi", "built without MPI", "");
  const bool is_aware = facts.mpi_cuda.value_or(false);
  if (asked == "1" && !is_aware)
    return failure("cuda_aware_mpi",
                   facts.mpi_cuda
                       ? "SOJOURN_CUDA_AWARE_MPI=1, but this MPI takes no device memory"
                       : "SOJOURN_CUDA_AWARE_MPI=1, but this MPI does not say whether it takes device memory",
                   "unset it, or build with an MPI that is CUDA-aware (ompi_info --parsable -l 9 --all | grep cuda)");
  if (is_aware) return ok("cuda_aware_mpi", asked == "0" ? "there, switched off" : "there");
  return absent("cuda_aware_mpi", facts.mpi_cuda ? "this MPI takes no device memory" : "this MPI does not say",
                "device arrays travel through the host");
}

Check check_launcher(const MachineFacts& facts) {
  if (!facts.launcher.fault.empty())
    return failure(
        "launcher", facts.launcher.fault,
        fmt::format("start by mpirun or srun --mpi={}, or unset the variable", srun_mpi_of(facts.mpi_library)));
  const auto& [source, size] = facts.launcher.value;
  if (source.empty()) return ok("launcher", "none: one rank");
  const std::string found = fmt::format("{} ({})", count(size, "rank"), source);
  if (size > 1 && !facts.build.mpi)
    return failure("launcher", found + ", but the program is built without MPI", "build it where MPI is found");
  if (!facts.ranks.fault.empty())
    return failure("launcher", facts.ranks.fault, fmt::format("try srun --mpi={}", srun_mpi_of(facts.mpi_library)));
  return ok("launcher", found);
}

Check check_slurm(const MachineFacts& facts) {
  if (!facts.slurm.fault.empty())
    return failure("slurm", facts.slurm.fault, "see the variables of the job: env | grep SLURM_");
  const SlurmEnvironment& slurm = facts.slurm.value;
  if (!slurm.is_slurm) return absent("slurm", "Running under SLURM: False", "");
  std::string found = fmt::format("Running under SLURM: True, job {}, {}, {}, {} a task{}", slurm.job_id,
                                  count(slurm.node_count, "node"), count(slurm.num_processes, "task"),
                                  count(slurm.cpus_per_task, "cpu"),
                                  slurm.restart_count > 0 ? fmt::format(", restart {}", slurm.restart_count) : "");
  for (const auto& [what, text] :
       {std::pair{"job on", &slurm.nodelist}, std::pair{"step on", &slurm.step_nodelist},
        std::pair{"GPUs of the job", &slurm.gpus}, std::pair{"of the step on this node", &slurm.step_gpus}})
    if (!text->empty()) found += fmt::format(", {} {}", what, *text);
  if (!slurm.in_step && slurm.num_processes > 1)
    return warning("slurm", found + ", not started by srun",
                   fmt::format("start the ranks by srun --mpi={}", srun_mpi_of(facts.mpi_library)));
  return ok("slurm", found);
}

Check check_slurm_commands(const MachineFacts& facts) {
  const auto& commands = facts.slurm_commands;
  if (commands.empty()) return absent("slurm_commands", "no sbatch, srun, scontrol or squeue in PATH", "");
  const std::string found = fmt::format("{}", fmt::join(commands, ", "));
  const auto has = [&](const char* name) { return std::ranges::find(commands, name) != commands.end(); };
  if (!has("scontrol"))
    return warning("slurm_commands", found + "; no scontrol", "the node list is read by Sojourn itself");
  const std::string wanted = srun_mpi_of(facts.mpi_library);
  const bool is_there = facts.mpi_plugins.find(wanted) != std::string::npos;
  if (has("srun") && !facts.mpi_plugins.empty() && !is_there)
    return warning(
        "slurm_commands", fmt::format("{}; srun has no {}", found, wanted),
        fmt::format("start by mpirun inside the job: sojourn slurm ... -- or ask for SLURM's {} plugin", wanted));
  return ok("slurm_commands", found + (is_there ? ", " + wanted : ""));
}

Check check_time_limit(const MachineFacts& facts) {
  if (facts.seconds_left < 0) return absent("time_limit", "no job with a time limit", "");
  const std::string found = format_duration(static_cast<double>(facts.seconds_left)) + " left";
  if (facts.seconds_left < kLittleTime)
    return warning(
        "time_limit", found,
        "raise time_limit, or lower iterations or particles (sojourn infer --plan); runs stop at a checkpoint "
        "and resume");
  return ok("time_limit", found);
}

Check check_coordinator(const MachineFacts& facts) {
  if (!facts.coordinator.fault.empty())
    return failure("coordinator", facts.coordinator.fault,
                   "set SOJOURN_COORDINATOR_ADDRESS and SOJOURN_COORDINATOR_PORT");
  const CoordinatorAddress& coordinator = facts.coordinator.value;
  if (!facts.port_fault.empty()) {
    // One process needs no port, unless somebody has named one.
    const bool matters = facts.launcher.value.second > 1 || facts.variables.count("SOJOURN_COORDINATOR_ADDRESS") > 0 ||
                         facts.variables.count("SOJOURN_COORDINATOR_PORT") > 0;
    constexpr const char* kAdvice = "take another port, such as 12346, or another interface";
    return matters ? failure("coordinator", facts.port_fault, kAdvice)
                   : warning("coordinator", facts.port_fault, kAdvice);
  }
  if (!coordinator.warning.empty())
    return warning("coordinator", coordinator.warning, "set SOJOURN_COORDINATOR_ADDRESS");
  return ok("coordinator", coordinator.text() + (facts.is_first_rank ? ", the port is free" : ", reached"));
}

Check check_network(const MachineFacts& facts) {
  if (facts.interfaces.empty())
    return absent("network", "no interface but loopback", "ranks on other nodes cannot be reached from here");
  const std::string found = fmt::format("{}", fmt::join(facts.interfaces, ", "));
  if (facts.interfaces.size() > 1 && facts.slurm.value.node_count > 1 &&
      facts.variables.count("SOJOURN_COORDINATOR_ADDRESS") == 0)
    return warning(
        "network", found,
        "several networks: if ranks do not find each other, set SOJOURN_COORDINATOR_ADDRESS to the first node's "
        "name on the one that all share");
  return ok("network", found);
}

Check check_cache(const MachineFacts& facts) {
  if (facts.cache_off) return absent("cache", "switched off (SOJOURN_DISABLE_CACHE)", "");
  if (facts.cache.path.empty())
    return warning("cache", "there is no home folder", "name a folder in SOJOURN_CACHE_DIR");
  return check_folder(
      "cache", facts.cache,
      "runs go on without it; name a folder of yours in SOJOURN_CACHE_DIR, on a disk with room, that not "
      "everyone may write to");
}

Check check_output(const MachineFacts& facts) {
  return check_folder("output", facts.output,
                      "results go where --output says: give a folder that you may write to, with room");
}

Check check_variables(const MachineFacts& facts) {
  std::vector<std::string> unknown, known;
  for (const auto& [name, value] : facts.variables) {
    if (std::ranges::find(known_variables(), name) == known_variables().end()) {
      unknown.push_back(name + suggestion(name, known_variables()));
    } else {
      known.push_back(name + "=" + value);
    }
  }
  if (!unknown.empty())
    return warning("variables", fmt::format("unknown: {}", fmt::join(unknown, ", ")),
                   "they have no effect: mend or unset them");
  return ok("variables", known.empty() ? "none of Sojourn's is set" : fmt::format("{}", fmt::join(known, ", ")));
}

Check check_convergence(const MachineFacts& facts) {
  constexpr const char* kAdvice =
      "run with twice the iterations or particles, try half and twice the learning_rate, look at the traces in "
      "report.html, and see with sojourn inspect whether the data can tell the parameters apart";
  if (!facts.result) return absent("convergence", "no results were given", "sojourn doctor RESULTS looks at them");
  if (!facts.result->fault.empty())
    return failure("convergence", facts.result->fault, "give the output folder of sojourn infer");
  std::vector<std::string> failed, doubtful;
  for (const auto& [name, verdict] : facts.result->diagnostics) {
    if (verdict == "FAIL") failed.push_back(name);
    if (verdict == "WARN") doubtful.push_back(name);
  }
  if (!failed.empty()) return failure("convergence", fmt::format("failed: {}", fmt::join(failed, ", ")), kAdvice);
  if (!doubtful.empty()) return warning("convergence", fmt::format("doubtful: {}", fmt::join(doubtful, ", ")), kAdvice);
  return ok("convergence", fmt::format("{} passed", count(std::ssize(facts.result->diagnostics), "diagnostic")));
}

Check check_finite_values(const MachineFacts& facts) {
  if (!facts.result) return absent("finite_values", "no results were given", "sojourn doctor RESULTS looks at them");
  if (facts.result->failure.empty()) return ok("finite_values", "no failure.json");
  return failure("finite_values", facts.result->failure,
                 "lower learning_rate, bound the parameters by their priors, and evaluate the particle again as "
                 "failure.json says");
}

std::vector<Check> all_checks(const MachineFacts& facts) {
  std::vector<Check> checks{check_program(facts),
                            check_cores(facts),
                            check_threads(facts),
                            check_memory(facts),
                            check_instruction_sets(facts),
                            check_gpu(facts),
                            check_cuda(facts),
                            check_nccl(facts),
                            check_mpi(facts),
                            check_cuda_aware_mpi(facts),
                            check_launcher(facts),
                            check_slurm(facts),
                            check_slurm_commands(facts),
                            check_time_limit(facts),
                            check_coordinator(facts),
                            check_network(facts),
                            check_cache(facts),
                            check_output(facts),
                            check_variables(facts)};
  if (facts.result) {
    checks.push_back(check_convergence(facts));
    checks.push_back(check_finite_values(facts));
  }
  return checks;
}

}  // namespace sojourn::cli
