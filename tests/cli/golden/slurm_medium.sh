#!/bin/bash
# Written by: sojourn slurm --profile medium --script run.yaml --program sojourn
#SBATCH --job-name=run
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=02:00:00
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
#SBATCH --requeue
# This long before the time limit all ranks are told to stop at a checkpoint.
#SBATCH --signal=USR1@120

set -euo pipefail
export OMP_NUM_THREADS="$SLURM_CPUS_PER_TASK"

# The first node is where ranks find each other.
nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
export SOJOURN_COORDINATOR_ADDRESS="${SOJOURN_COORDINATOR_ADDRESS:-${nodes%%$'\n'*}}"
export SOJOURN_COORDINATOR_PORT="${SOJOURN_COORDINATOR_PORT:-12345}"
echo "job $SLURM_JOB_ID on $SLURM_JOB_NODELIST, restart ${SLURM_RESTART_COUNT:-0}, coordinator \
$SOJOURN_COORDINATOR_ADDRESS:$SOJOURN_COORDINATOR_PORT"

if [ ! -r run.yaml ]; then
  echo run.yaml "cannot be read in $PWD; submit the job from its folder" >&2
  exit 5
fi
results="run-$SLURM_JOB_ID"

# One node first: what the program finds there goes into the log.
srun --nodes=1 --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" sojourn doctor || echo "doctor: status $?" >&2

status=0
srun --mpi=pmix --cpus-per-task="$SLURM_CPUS_PER_TASK" --kill-on-bad-exit=0 --wait=60 \
  sojourn infer run.yaml --output "$results" || status=$?

# 75: stopped at a checkpoint. The job goes back into the queue and resumes where it stopped.
if [ "$status" -eq 75 ]; then
  if [ "${SLURM_RESTART_COUNT:-0}" -lt 100 ]; then
    echo "job $SLURM_JOB_ID goes back into the queue"
    scontrol requeue "$SLURM_JOB_ID" && exit 75
  fi
  echo "job $SLURM_JOB_ID was not put back into the queue" >&2
  echo "go on with:" sojourn infer run.yaml --output "$results" --resume >&2
fi
exit "$status"
