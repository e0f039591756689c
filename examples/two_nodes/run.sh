#!/usr/bin/env bash
# One training on two nodes: as a Slurm job, on a virtual Slurm cluster of this host, or by mpirun on hosts without Slurm.
set -euo pipefail
# shellcheck source=examples/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

usage() {
  cat <<TEXT
Usage: examples/two_nodes/run.sh [OPTION...] [-- OPTION OF duet train...]

Trains on two nodes, watches the training to its end, shows on which hosts its ranks were, and measures the result.
Without options behind '--' on invented data, in about a minute.

  --on slurm        submits a job to the cluster that this host belongs to, and waits for it
  --on virtual      the same on a Slurm cluster of this host alone, which ends with the script; as root (tests/slurm/cluster.sh)
  --on mpirun       without Slurm, over TCP, on the hosts of --hosts
  --hosts A,B       for mpirun: hosts that answer ssh and see the same folders; without it two ranks of this host play the part
  --cpus N          cores of each node's rank (1)
  --work DIR        data and run go there; all nodes must see it (runs/two-nodes)

Without --on: slurm where a cluster answers, else virtual where this host can make one, else mpirun. Safe to repeat: a training that was
interrupted continues, on whichever of the three.

Example:
  examples/two_nodes/run.sh --on slurm --cpus 8 --work /shared/try -- --config chairs-cpu --data.labelled /shared/chairs.store
TEXT
}

on='' hosts='' cpus=1 work=$root/runs/two-nodes options=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --) shift; options=("$@"); break ;;
    --on | --hosts | --cpus | --work)
      [ $# -ge 2 ] || wrong "$1"
      declare "${1#--}=$2"
      shift 2
      ;;
    *) wrong "$1" ;;
  esac
done
export PATH=$PATH:/usr/sbin:/sbin
if [ -z "$on" ]; then
  if sinfo -h >/dev/null 2>&1; then on=slurm
  elif [ "$(id -u)" = 0 ] && command -v slurmctld slurmd munged ip >/dev/null; then on=virtual
  else on=mpirun; fi
fi
case $on in slurm | virtual | mpirun) ;; *) fail "--on $on: takes slurm, virtual or mpirun." 64 ;; esac
[[ $cpus =~ ^[1-9][0-9]*$ ]] || fail "--cpus $cpus: takes a number of cores from 1 on." 64
[ -z "$hosts" ] || [ "$on" = mpirun ] || fail "--hosts is for --on mpirun; which nodes a Slurm job gets is for Slurm to say (--nodelist, behind duet submit's --sbatch)." 64
find_program
work=$(realpath -m "$work")
run=$work/run
mkdir -p "$work"
if [ ${#options[@]} -eq 0 ]; then
  make_stores "$work/data"
  mapfile -t options < <(echo --config; echo "$examples/demo.cfg"; stores_in "$work/data")
fi

ends='COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|OUT_OF_MEMORY|BOOT_FAIL|DEADLINE'
inside=() # what a command must stand behind to be run on a host of the cluster
field() { "${inside[@]}" scontrol show job "$job" 2>/dev/null | grep -oP "\b$1=\K\S*" | head -n 1; }

submit_and_wait() {
  local answer state progress said=
  # Everything that can be checked is checked here; a job that cannot run is not queued.
  answer=$("${inside[@]}" "$duet" submit train --nodes 2 --tasks-per-node 1 --cpus-per-task "$cpus" --time 1:00:00 --run.folder "$run" \
    "${options[@]}" --json)
  job=$(grep -oP '"job":\s*"?\K[0-9]+' <<<"$answer") || fail "duet submit told no job: $answer"
  say "job $job is submitted"
  [ "$on" = virtual ] || say "Ctrl-C leaves it in the queue; 'scancel $job' takes it out"
  while state=$(field JobState) && [[ ! $state =~ ^($ends)$ ]]; do
    sleep 2
    [ -e "$run/metrics.jsonl" ] || continue
    progress=$("$duet" status "$run" | sed -n 's/^ *progress *//p')
    [ "${progress%%,*}" = "$said" ] || echo "$progress"
    said=${progress%%,*}
  done
  [ "${state:-COMPLETED}" = COMPLETED ] || fail "job $job ended as $state; its log is in $run/log." 1
}

case $on in
  slurm) submit_and_wait ;;
  virtual)
    cluster=$(mktemp -d /tmp/duet-two-nodes.XXXXXX)
    trap '"$root/tests/slurm/cluster.sh" down "$cluster/c"; rm -rf "$cluster"' EXIT
    # Each node with a name, an address and a network of its own.
    "$root/tests/slurm/cluster.sh" up --hosts --owner $$ "$cluster/c" 2 "$cpus"
    # shellcheck disable=SC1091 # made just now
    source "$cluster/c/environment"
    inside=("$root/tests/slurm/cluster.sh" exec "$cluster/c" "$(head -n 1 "$cluster/c/nodes")")
    "${inside[@]}" sinfo
    submit_and_wait
    ;;
  mpirun)
    places=(--host localhost:2)
    [ -z "$hosts" ] || places=(--host "$hosts" --map-by ppr:1:node)
    [ "$(id -u)" != 0 ] || places+=(--allow-run-as-root)
    status=0
    # TCP also where both ranks are on this host, which would talk through shared memory otherwise.
    mpirun -n 2 "${places[@]}" --bind-to none --mca btl self,tcp \
      "$duet" train --run.folder "$run" --run.threads "$cpus" "${options[@]}" || status=$?
    [ "$status" = 0 ] || fail "training ended with status $status; docs/troubleshooting.md says what it means. The same command continues." "$status"
    ;;
esac

"${inside[@]}" "$duet" status "$run"
say "ranks were on $(tr -s ' \n' ' ' <"$run/environment.json" | grep -oP '"hosts": *\[ *\K[^]]*[^] ]')"
"$duet" eval --run "$run"
