#include <fmt/format.h>

#include "comm/launcher.hpp"
#include "comm/node_list.hpp"
#include "expects.hpp"
#include "sojourn/distributed.hpp"

namespace sojourn {
namespace {

constexpr const char* kHint = "run inside a job that SLURM started";

}  // namespace

SlurmEnvironment detect_slurm_environment(const Environment& environment) {
  const auto number = [&](const char* name, std::int64_t least) {
    return whole_variable(environment, name, least, kHint);
  };
  SlurmEnvironment slurm;
  const auto job_id = environment("SLURM_JOB_ID");
  if (!job_id) return slurm;
  (void)number("SLURM_JOB_ID", 1);
  slurm.is_slurm = true;
  slurm.job_id = *job_id;
  const auto step_tasks = number("SLURM_STEP_NUM_TASKS", 1);
  const auto tasks = number("SLURM_NTASKS", 1), processes = number("SLURM_NPROCS", 1);
  SOJOURN_EXPECTS(!tasks || !processes || *tasks == *processes, CommError,
                  "SLURM_NTASKS={} and SLURM_NPROCS={} disagree; unset one, or {}", *tasks, *processes, kHint);
  slurm.in_step = step_tasks.has_value();
  slurm.process_id = number("SLURM_PROCID", 0).value_or(0);
  slurm.num_processes = step_tasks ? *step_tasks : tasks ? *tasks : processes.value_or(1);
  SOJOURN_EXPECTS(slurm.process_id < slurm.num_processes, CommError, "SLURM_PROCID={} must lie below {}={}; {}",
                  slurm.process_id, step_tasks ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS", slurm.num_processes, kHint);
  slurm.cpus_per_task = number("SLURM_CPUS_PER_TASK", 1).value_or(1);
  slurm.gpus_on_node = number("SLURM_GPUS_ON_NODE", 0).value_or(0);
  slurm.restart_count = number("SLURM_RESTART_COUNT", 0).value_or(0);
  const auto of_job = environment("SLURM_JOB_NODELIST");
  slurm.nodelist = of_job ? *of_job : environment("SLURM_NODELIST").value_or("");
  slurm.step_nodelist = environment("SLURM_STEP_NODELIST").value_or("");
  if (!slurm.step_nodelist.empty()) (void)count_nodes(slurm.step_nodelist);
  slurm.step_gpus = environment("SLURM_STEP_GPUS").value_or("");
  slurm.gpus = environment("SLURM_GPUS").value_or("");
  const auto job_nodes = number("SLURM_JOB_NUM_NODES", 1), nodes = number("SLURM_NNODES", 1);
  const std::int64_t listed = slurm.nodelist.empty() ? 0 : count_nodes(slurm.nodelist);
  SOJOURN_EXPECTS(!of_job || !job_nodes || *job_nodes == listed, CommError,
                  "SLURM_JOB_NUM_NODES={} and SLURM_JOB_NODELIST='{}' of {} disagree; unset one, or {}", *job_nodes,
                  slurm.nodelist, listed, kHint);
  slurm.node_count = job_nodes ? *job_nodes : nodes ? *nodes : std::max<std::int64_t>(1, listed);
  return slurm;
}

std::string to_text(const SlurmEnvironment& slurm) {
  std::string text = fmt::format("Running under SLURM: {}\n", slurm.is_slurm ? "True" : "False");
  if (!slurm.is_slurm) return text;
  text += fmt::format("Job ID: {}\nProcess ID: {}\nTotal processes: {}\nCPUs per task: {}\nNodes: {}\n", slurm.job_id,
                      slurm.process_id, slurm.num_processes, slurm.cpus_per_task, slurm.node_count);
  if (!slurm.nodelist.empty()) text += fmt::format("Node list: {}\n", slurm.nodelist);
  if (!slurm.step_nodelist.empty()) text += fmt::format("Node list of the step: {}\n", slurm.step_nodelist);
  if (!slurm.gpus.empty()) text += fmt::format("GPUs of the job: {}\n", slurm.gpus);
  if (!slurm.step_gpus.empty()) text += fmt::format("GPUs of the step on this node: {}\n", slurm.step_gpus);
  if (slurm.gpus_on_node > 0) text += fmt::format("GPUs on this node: {}\n", slurm.gpus_on_node);
  if (slurm.restart_count > 0) text += fmt::format("Restarts: {}\n", slurm.restart_count);
  return text;
}

}  // namespace sojourn
