#!/usr/bin/env bash
# Interrupts a training, loses one of its ranks, continues it, compares it with one that nothing happened to, and makes it longer.
set -euo pipefail
# shellcheck source=examples/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

usage() {
  cat <<TEXT
Usage: examples/resume/run.sh [OPTION...] [-- OPTION OF duet train...]

Trains the same twice. The first run is interrupted as Ctrl-C does, then one of its ranks is killed, and each time the same command goes on;
the second runs straight through. Fails unless both end with the same weights, byte for byte. Then the first is made longer.
Without options behind '--' on invented data, in about a minute; with them on whatever they say, to see that your own training resumes.

  --ranks N         processes that train together, 2 or more (2)
  --steps N         the interruption comes after N steps, the loss of a rank after 2 N (30)
  --joint-steps N   steps of the joint stage that the first run is given at last (20; 0: it is not made longer)
  --work DIR        data and runs go there (runs/resume)
  --fresh           throw away what an earlier start of this script left there

Example:
  examples/resume/run.sh --work runs/try --steps 50 --joint-steps 0 -- --config chairs-cpu --data.labelled chairs.store
TEXT
}

ranks=2 steps=30 joint_steps=20 work=$root/runs/resume fresh=0 options=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --) shift; options=("$@"); break ;;
    --fresh) fresh=1; shift ;;
    --ranks | --steps | --joint-steps | --work)
      [ $# -ge 2 ] || wrong "$1"
      declare "$(tr - _ <<<"${1#--}")=$2"
      shift 2
      ;;
    *) wrong "$1" ;;
  esac
done
[[ $ranks =~ ^[0-9]+$ && $steps =~ ^[0-9]+$ && $joint_steps =~ ^[0-9]+$ && $ranks -ge 2 && $steps -ge 1 ]] ||
  fail "--ranks takes a number from 2 on, --steps one from 1 on, --joint-steps one from 0 on." 64
find_program
work=$(realpath -m "$work")
disturbed=$work/disturbed straight=$work/straight
[ "$fresh" = 0 ] || rm -rf "$disturbed" "$straight"
[ ! -e "$disturbed" ] || fail "$disturbed is of an earlier start of this script; --fresh throws it away, --work names another place." 73
mkdir -p "$work"
if [ ${#options[@]} -eq 0 ]; then
  make_stores "$work/data"
  mapfile -t options < <(echo --config; echo "$examples/demo.cfg"; stores_in "$work/data")
fi

train=("$duet" train --ranks "$ranks" "${options[@]}")
steps_done() { # so many lines of metrics.jsonl are about a step
  local count
  count=$(grep -c '"loss"' "$disturbed/metrics.jsonl" 2>/dev/null) || :
  echo "${count:-0}"
}
started= # the supervisor, while it runs in the background
trap '[ -z "$started" ] || kill -TERM "$started" 2>/dev/null' EXIT
start() {
  # In a group of its own and with its signals as a terminal gives them: a shell lets what it starts in the background ignore Ctrl-C.
  set -m
  "${train[@]}" --run.folder "$disturbed" &
  started=$!
  set +m
}
wait_for_steps() {
  while [ "$(steps_done)" -lt "$1" ]; do
    kill -0 "$started" 2>/dev/null || fail "the training ended before step $1; the reason stands above."
    sleep 0.05
  done
}
expect_end() { # STATUS
  local status=0
  wait "$started" || status=$?
  started=
  [ "$status" = "$1" ] || fail "the training ended with status $status instead of $1; docs/troubleshooting.md says what it means."
}
process_of_rank() { # RANK: among the processes that mpirun, which the supervisor started, has started
  local process
  for process in $(pgrep -d ' ' -P "$(pgrep -d , -P "$started")"); do
    if tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null | grep -qx "OMPI_COMM_WORLD_RANK=$1"; then echo "$process"; fi
  done
}

say "1. a training of $ranks ranks, and Ctrl-C after $steps steps"
start
wait_for_steps "$steps"
kill -INT "$started"
expect_end 75 # saved
"$duet" status "$disturbed"

say "2. the same command goes on; rank 1 is killed after $((2 * steps)) steps"
start
wait_for_steps $((2 * steps))
kill -KILL "$(process_of_rank 1)"
expect_end 76 # a rank was lost: what came after the last checkpoint is done again
"$duet" status "$disturbed"

say "3. the same command again, to the end"
"${train[@]}" --run.folder "$disturbed"

say "4. the same training straight through"
"${train[@]}" --run.folder "$straight"

newest() { echo "$1/checkpoints/$(cat "$1/checkpoints/latest")"; }
for file in "$(newest "$straight")"/*.safetensors; do
  cmp "$file" "$(newest "$disturbed")/$(basename "$file")" || fail "the weights differ; were both trained on the same kind of processor, with the same threads?"
done
say "the same weights: $(newest "$disturbed")"

if [ "$joint_steps" -gt 0 ]; then
  say "5. the finished run is made longer: $joint_steps joint steps"
  "${train[@]}" --run.folder "$disturbed" --joint.steps="$joint_steps"
fi
"$duet" status "$disturbed" "$straight"
