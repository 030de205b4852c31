#!/bin/bash
# Written by: sojourn slurm --profile medium --precompute mix.yaml --precompute 'a b.yaml' --program sojourn
#SBATCH --job-name=precompute
#SBATCH --array=1-4
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=02:00:00
#SBATCH --output=%x-%A_%a.out
#SBATCH --open-mode=append
#SBATCH --requeue

set -euo pipefail
export OMP_NUM_THREADS="$SLURM_CPUS_PER_TASK"

if [ ! -r mix.yaml ]; then
  echo mix.yaml "cannot be read in $PWD; submit the job from its folder" >&2
  exit 5
fi
if [ ! -r 'a b.yaml' ]; then
  echo 'a b.yaml' "cannot be read in $PWD; submit the job from its folder" >&2
  exit 5
fi
# Every task of the array takes its part of the components.
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" sojourn precompute mix.yaml 'a b.yaml'
