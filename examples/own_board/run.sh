#!/usr/bin/env bash
# A Prometheus that watches runs and knows own_rules.yml, and the answers to all that own_board.json asks.
set -euo pipefail
# shellcheck source=examples/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

usage() {
  cat <<TEXT
Usage: examples/own_board/run.sh [OPTION...]

Checks the board, the rules and their cases, and starts a Prometheus that watches runs. Without --runs it watches a training on invented
data, until the board's every panel has data, and prints that, in about a minute.

  --check        check the files only
  --runs DIR     watch the runs in this folder instead, until Ctrl-C
  --port N       Prometheus answers there (9090)
  --work DIR     Prometheus' data, and the invented run, go there (runs/own-board)

Example:
  examples/own_board/run.sh --runs /shared/runs --port 9095
TEXT
}

check='' runs='' port=9090 work=$root/runs/own-board
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --check) check=1; shift ;;
    --runs | --port | --work)
      [ $# -ge 2 ] || wrong "$1"
      declare "${1#--}=$2"
      shift 2
      ;;
    *) wrong "$1" ;;
  esac
done
[[ $port =~ ^[1-9][0-9]{0,4}$ ]] || fail "--port $port: takes a number from 1 to 65535." 64
for program in prometheus promtool curl; do
  command -v "$program" >/dev/null || fail "there is no $program: apt-get install prometheus curl." 69
done
here=$examples/own_board

"$here/make_board.py" --check
promtool check config "$here/prometheus.yml" >/dev/null
(cd "$here" && promtool test rules own_rules_test.yml >/dev/null)
say "board, rules and their cases are good"
[ -z "$check" ] || exit 0

[ -z "$runs" ] || [ -d "$runs" ] || fail "--runs $runs: there is no such folder." 66
if curl -s -o /dev/null "http://127.0.0.1:$port"; then fail "something answers on port $port already; --port names another." 73; fi
[ -n "$runs" ] || find_program
work=$(realpath -m "$work")
mkdir -p "$work/targets" "$work/runs"
children=()
end_children() {
  local child
  for child in "${children[@]}"; do kill -TERM "$child" 2>/dev/null || :; done
  wait
}
trap end_children EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
in_background() { # LOG COMMAND…
  "${@:2}" >"$1" 2>&1 &
  children+=($!)
}

sed -e "s|/var/tmp/duet-targets|$work/targets|" -e "s|\.\./\.\./|$root/|g" -e "s|own_rules.yml|$here/own_rules.yml|" "$here/prometheus.yml" >"$work/prometheus.yml"
# A training of a minute is over before the intervals meant for hours have shown it.
[ -n "$runs" ] || sed -i -e 's|_interval: 1[05]s|_interval: 1s|' "$work/prometheus.yml"
in_background "$work/follow.log" "$root/monitoring/prometheus/follow_runs.sh" "${runs:-$work/runs}" "$work/targets" 1
in_background "$work/prometheus.log" prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" \
  --web.listen-address="127.0.0.1:$port" --log.level=warn

if [ -n "$runs" ]; then
  say "Prometheus watches $runs: http://127.0.0.1:$port/alerts; Ctrl-C ends it"
  wait "${children[1]}" || fail "Prometheus ended; $work/prometheus.log says why."
  exit 0
fi
make_stores "$work/data"
mapfile -t stores < <(stores_in "$work/data")
rm -rf "$work/runs/invented"
say "training in $work/runs/invented while Prometheus looks"
in_background "$work/train.log" "$duet" train --config "$examples/demo.cfg" --ranks 2 --run.folder "$work/runs/invented" "${stores[@]}" \
  --joint.steps=100000
"$here/ask_board.py" "http://127.0.0.1:$port" 120 || fail "the logs are in $work."
say "every panel has data. $here/own_board.json can be imported into Grafana."
