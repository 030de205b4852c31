#!/bin/bash
# Written by: sojourn slurm --config cluster.yaml --script run.yaml --program sojourn
#SBATCH --job-name=my_cluster
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=24
#SBATCH --mem-per-cpu=8G
#SBATCH --time=03:00:00
#SBATCH --partition=compute
#SBATCH --qos=normal
#SBATCH --account=lab-7
#SBATCH --output=%x-%j.out
#SBATCH --open-mode=append
#SBATCH --requeue
# This long before the time limit all ranks are told to stop at a checkpoint.
#SBATCH --signal=USR1@300

# shellcheck disable=SC2016
# shellcheck source=/dev/null
command -v module >/dev/null || source /etc/profile
module load python/3.11 || { echo "module python/3.11 cannot be loaded here; see module avail" >&2; exit 6; }
module load gcc/11.2.0 || { echo "module gcc/11.2.0 cannot be loaded here; see module avail" >&2; exit 6; }
source "$HOME/venv/bin/activate"
set -euo pipefail
export SOJOURN_CACHE_DIR='/scratch/my cache'
export PRICE='$5; `id`'
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
results="my_cluster-$SLURM_JOB_ID"

# One node first: what the program finds there goes into the log.
srun --nodes=1 --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" sojourn doctor || echo "doctor: status $?" >&2

status=0
srun --mpi=pmix --cpus-per-task="$SLURM_CPUS_PER_TASK" --kill-on-bad-exit=0 --wait=60 \
  sojourn infer run.yaml --output "$results" || status=$?

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
