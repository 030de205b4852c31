#!/bin/bash
# Written by: sojourn slurm --config gpus.yaml --script run.yaml --program sojourn
#SBATCH --job-name=run
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=4
#SBATCH --time=1-00:00:00
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
#SBATCH --requeue
# This long before the time limit all ranks are told to stop at a checkpoint.
#SBATCH --signal=USR1@120

set -euo pipefail
export OMP_NUM_THREADS="$SLURM_CPUS_PER_TASK"

# The first node is where ranks find each other. Where scontrol does not name as many as there are, the list
# is read: the first number of every bracket before the first comma.
status=0
nodes=$(timeout -k 5 10 scontrol show hostnames "$SLURM_JOB_NODELIST") || status=$?
count=$(grep -c . <<<"$nodes") || true
node=${nodes%%$'\n'*}
if [ "$status" -ne 0 ] || [ "$count" -ne "${SLURM_JOB_NUM_NODES:-$count}" ] || [ -z "$node" ]; then
  node=$SLURM_JOB_NODELIST
  bracket='^([^],[]*)\[([0-9]+)[^]]*\](.*)'
  while [[ $node =~ $bracket ]]; do node=${BASH_REMATCH[1]}${BASH_REMATCH[2]}${BASH_REMATCH[3]}; done
  node=${node%%,*}
  echo "warning: scontrol show hostnames gave $count hosts and status $status; the first host of" \
    "$SLURM_JOB_NODELIST is taken to be $node" >&2
fi
export SOJOURN_COORDINATOR_ADDRESS="${SOJOURN_COORDINATOR_ADDRESS:-$node}"
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
  sojourn infer run.yaml --output "$results" --device cuda || status=$?

# 75: stopped at a checkpoint. The job goes back into the queue and resumes where it stopped.
if [ "$status" -eq 75 ]; then
  if [ "${SLURM_RESTART_COUNT:-0}" -lt 100 ]; then
    echo "job $SLURM_JOB_ID goes back into the queue"
    timeout -k 5 60 scontrol requeue "$SLURM_JOB_ID" && exit 75
  fi
  echo "job $SLURM_JOB_ID was not put back into the queue" >&2
  echo "go on with:" sojourn infer run.yaml --output "$results" --resume >&2
fi
exit "$status"
