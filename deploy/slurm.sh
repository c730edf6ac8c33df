#!/usr/bin/env bash
# One run on the nodes of a SLURM job; submit it again to resume.   sbatch deploy/slurm.sh
# Arguments after the script are those of `versemill run`:   sbatch deploy/slurm.sh zeroverse-paper --out "$SCRATCH/paper"
#SBATCH --job-name=versemill
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --mem=0
# Ray's symmetric-run takes a whole node: it refuses where another Ray runs.
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --output=versemill-%j.log
# A job that was preempted or lost a node goes back into the queue. However a run ends, the next one resumes it.
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
venv=${VENV:-$HOME/versemill/.venv}
[ $# -gt 0 ] || set -- mixed --out "${SCRATCH:-$HOME}/mixed"
PATH=$venv/bin:$PATH

nodes=${SLURM_JOB_NUM_NODES:-1}
head=$(scontrol show hostnames "${SLURM_JOB_NODELIST:?run this with sbatch}" | head -n 1)
port=$((20000 + SLURM_JOB_ID % 20000))
# A token that only this job's processes know.
RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export PATH RAY_AUTH_MODE RAY_AUTH_TOKEN RAY_USAGE_STATS_ENABLED=0

# One Ray node per task; the first one also runs the command, with all of them.
exec srun --ntasks="$nodes" --ntasks-per-node=1 --kill-on-bad-exit=1 \
  ray symmetric-run --address "$head:$port" --min-nodes "$nodes" --num-cpus "${SLURM_CPUS_PER_TASK:-1}" -- \
  versemill run "$@" --address "$head:$port"
