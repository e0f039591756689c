#!/usr/bin/env bash
# Gathers the discovery files of all runs in one folder, for Prometheus, whose file discovery takes no '*' in the name of a folder.
set -euo pipefail

usage() {
  cat <<TEXT
Usage: monitoring/prometheus/follow_runs.sh RUNS TARGETS [SECONDS]

Keeps TARGETS/NAME.json the same as RUNS/NAME/prometheus-targets.json, for every run that trains (RUNS/SWEEP/NAME too), and removes
it when the run has ended; looks every SECONDS (default 5) until it is stopped. Runs beside Prometheus, on any machine that sees RUNS.

Example:
  monitoring/prometheus/follow_runs.sh /shared/runs /var/tmp/duet-targets &
TEXT
}

case ${1:-} in -h | --help) usage; exit 0 ;; esac
if [ $# -lt 2 ] || [ $# -gt 3 ]; then usage >&2; exit 64; fi
runs=$1 targets=$2 seconds=${3:-5}
[ -d "$runs" ] || { echo "follow_runs.sh: $runs is no folder. Name the one that holds the runs' folders." >&2; exit 66; }
mkdir -p "$targets"

# One file's name for each folder below RUNS.
escaped() { local name=${1//%/%25}; printf '%s\n' "${name//\//%2F}"; }
unescaped() { local name=${1//%2F/\/}; printf '%s\n' "${name//%25/%}"; }

follow() {
  local file name
  for file in "$runs"/{*,*/*}/prometheus-targets.json; do
    [ -e "$file" ] || continue
    name=${file#"$runs"/}
    name=$(escaped "${name%/*}")
    cmp -s "$file" "$targets/$name.json" && continue
    # In one go, so that Prometheus reads no half file. The run may have ended since.
    cp "$file" "$targets/$name.partial" 2>/dev/null && mv "$targets/$name.partial" "$targets/$name.json"
  done
  for file in "$targets"/*.json; do
    name=$(basename "$file" .json)
    [ -e "$runs/$(unescaped "$name")/prometheus-targets.json" ] || rm -f "$file"
  done
}

while :; do
  [ -d "$runs" ] && follow  # a network file system may be away for a moment
  sleep "$seconds"
done
