#!/usr/bin/env bash
# Submits the stages of a training as jobs of different sizes, each after the one before has ended well: slurm/chain.sh
#
# The generator learns strokes on one node, pairs on a second allocation, and the joint stage, which needs more, comes last. Each stage is a
# run of its own that starts from the networks of the one before. When a stage fails, Slurm takes those behind it out of the queue.
# Options of this script are handed to `duet submit` for every stage, those that no stage sets by itself: slurm/chain.sh --partition gpu
# When a stage is refused, those that are in the queue already are taken out again.
set -euo pipefail

# --- settings
program=${DUET:-build/duet}      # the program, or its path
prefix=${RUN_PREFIX:-runs/chain} # the stages' folders are PREFIX-strokes, PREFIX-pairs, PREFIX-joint
common=(--config quickstart --cpus-per-task 1 --data.labelled data/pairs.store --data.pool data/pool.store --data.strokes data/strokes.store)
strokes=(--nodes 1 --tasks-per-node 1 --time 2:00:00 --generator.stroke_steps=2000)
pairs=(--nodes 1 --tasks-per-node 2 --time 4:00:00 --generator.pair_steps=2000)
joint=(--nodes 2 --tasks-per-node 2 --time 8:00:00)
# --- end of settings

case ${1:-} in
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
esac

# What a stage does not train it must not begin with.
strokes+=(--generator.pair_steps=0 --retrieval.steps=0 --joint.steps=0)
pairs+=(--generator.stroke_steps=0 --retrieval.steps=0 --joint.steps=0 --generator.initial="$prefix-strokes")
joint+=(--generator.stroke_steps=0 --generator.pair_steps=0 --generator.initial="$prefix-pairs")

command -v "$program" >/dev/null || { echo "chain.sh: DUET=$program: there is no such program; set DUET to where it is." >&2; exit 66; }
after=() submitted=()
for stage in strokes pairs joint; do
  declare -n options=$stage
  answer=$("$program" submit train "${common[@]}" --run.folder="$prefix-$stage" "${options[@]}" "${after[@]}" "$@" --json) || {
    status=$?
    [ ${#submitted[@]} -eq 0 ] || scancel "${submitted[@]}"
    echo "chain.sh: the stage '$stage' was refused; what this call had submitted is out of the queue again." >&2
    exit "$status"
  }
  job=$(sed -n 's/^ *"job": "\([0-9]*\)".*/\1/p' <<<"$answer")
  echo "$stage: job $job in $prefix-$stage"
  after=(--after "$job")
  submitted+=("$job")
done
echo "Watch them: $program status $prefix-*"
