#!/usr/bin/env bash
# Runs every benchmark of docs/benchmarks.md and prints one table.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
usage() {
  cat <<TEXT
Usage: benchmarks/run.sh [--build DIR] [--store STORE] [--photos STORE] [--rounds N] [--help]

Runs every benchmark, one after another, and prints one table: medians, and the fastest runs, which say what a quiet machine would do.
About three minutes on two cores. The programs come with the tests: launch/build.sh --tests.
  --build DIR     folder of the build (default: build)
  --store STORE   with sketches, for the rasteriser (default: synthetic ones)
  --photos STORE  with photos, for the loader (default: 1,000 synthetic ones of 256 px)
  --rounds N      counted runs of each way (default: 3 for the decoder, else 9)

Example:
  benchmarks/run.sh --store chairs.store --photos pool.store
TEXT
}
fail() { echo "benchmarks/run.sh: $1" >&2; exit "$2"; }

build=$root/build store="" photos="" rounds=()
while [ $# -gt 0 ]; do
  case $1 in
    --build | --store | --photos | --rounds) [ $# -ge 2 ] || fail "$1 needs a value; --help lists the options." 64 ;;&
    --build) build=$2; shift 2 ;;
    --store) store=$2; shift 2 ;;
    --photos) photos=$2; shift 2 ;;
    --rounds) rounds=(--rounds "$2"); shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) fail "unknown option '$1'; --help lists the options." 64 ;;
  esac
done
for program in duet benchmarks/bench_loader benchmarks/bench_decoder benchmarks/bench_reduction_overlap benchmarks/bench_metrics benchmarks/bench_pool; do
  [ -x "$build/$program" ] || fail "$build/$program is missing; launch/build.sh --tests builds it." 66
done

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
if [ -z "$store" ] || [ -z "$photos" ]; then
  "$build/duet" synth --pairs 200 --pool 1000 --out "$made" >/dev/null 2>&1
  store=${store:-$made/pairs.store} photos=${photos:-$made/pool.store}
fi

echo "$(date -u +%F), $(nproc) cores,$(sed -n 's/^model name[^:]*://p;T;q' /proc/cpuinfo), load $(cut -d' ' -f1 /proc/loadavg) before the first"
echo
for command in "decode --batch 16 --steps 100" "raster $store" "loader $photos"; do
  # shellcheck disable=SC2086 # words are arguments
  echo "duet bench ${command%% *}" && "$build/duet" bench $command | sed 's/^/  /'
done
"$build/benchmarks/bench_loader" --store "$photos" "${rounds[@]}"
"$build/benchmarks/bench_decoder" "${rounds[@]}"
"$build/benchmarks/bench_metrics" "${rounds[@]}"
"$build/benchmarks/bench_pool"
"$root/tests/run_ranks.sh" 2 "$build/benchmarks/bench_reduction_overlap" "${rounds[@]}"
