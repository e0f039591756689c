#!/usr/bin/env bash
# Cold builds of two commits in turns: processor seconds, peak memory, and what an edit of one phase costs.
set -euo pipefail

usage() {
  cat <<TEXT
Usage: benchmarks/build.sh COMMIT [COMMIT] [--rounds N] [--jobs N] [--help]

Builds build/duet of both commits (the second: HEAD) from nothing, without a compiler cache, in turns, in a temporary folder; then changes
one phase and builds again. Prints of each: processor seconds (user and system, of the compilers and linkers), seconds, the build's peak
of memory, and both commits' ratio. LibTorch is taken from this checkout or DUET_LIBTORCH.
  --rounds N   builds of each commit; the medians are compared (1)
  --jobs N     compilers at a time (2)

Example:
  benchmarks/build.sh v0.1.0 HEAD --rounds 3
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rounds=1 jobs=2 commits=()
while [ $# -gt 0 ]; do
  case $1 in
    --rounds | --jobs)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || { echo "benchmarks/build.sh: $1 wants a number, 1 or more." >&2; exit 64; }
      declare "${1#--}=$2"
      shift 2
      ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "benchmarks/build.sh: unknown option '$1'; --help lists the options." >&2; exit 64 ;;
    *) commits+=("$1"); shift ;;
  esac
done
if [ ${#commits[@]} -eq 0 ] || [ ${#commits[@]} -gt 2 ]; then usage >&2; exit 64; fi
[ ${#commits[@]} -eq 1 ] && commits+=(HEAD)
hashes=()
for commit in "${commits[@]}"; do
  hashes+=("$(git -C "$root" rev-parse --verify --quiet "$commit^{commit}")") ||
    { echo "benchmarks/build.sh: '$commit' names no commit of $root." >&2; exit 64; }
done
export DUET_LIBTORCH=${DUET_LIBTORCH:-$root/.deps/libtorch-2.11.0} CCACHE_DISABLE=1
[ -e "$DUET_LIBTORCH/lib/libtorch_cpu.so" ] || { echo "benchmarks/build.sh: no LibTorch in $DUET_LIBTORCH; launch/setup.sh fetches it." >&2; exit 66; }

folder=$(mktemp -d)
trap 'kill "${watcher:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
for i in 0 1; do
  git -C "$root" worktree prune
  mkdir "$folder/$i"
  git -C "$root" archive "${hashes[i]}" | tar -x -C "$folder/$i"
done

# MiB held at the most, over all processes of the session that the build is started in; appended to FILE each 0.2 s.
watch_memory() {
  while sleep 0.2; do
    ps -o rss= --sid "$1" 2>/dev/null | awk '{kib += $1} END {print int(kib / 1024)}' >>"$2"
  done
}

# measure COMMIT KIND: builds duet in $folder/COMMIT/build, appends 'processor seconds, seconds, MiB' to $folder/COMMIT.KIND.
measure() {
  local i=$1 kind=$2 log=$folder/$1.log
  : >"$folder/memory"
  # shellcheck disable=SC2016  # the inner shell expands them
  setsid bash -c 'TIMEFORMAT="%U %S %R"; time ninja -C "$1" -j "$2" duet >"$3" 2>&1' build "$folder/$i/build" "$jobs" "$log" 2>"$folder/time" &
  local build=$!
  watch_memory "$build" "$folder/memory" &
  watcher=$!
  wait "$build" || { tail -n 30 "$log" >&2; echo "benchmarks/build.sh: ${commits[i]} does not build." >&2; exit 70; }
  kill "$watcher"
  awk -v memory="$(sort -n "$folder/memory" | tail -n 1)" 'END {printf "%.1f %.1f %d\n", $1 + $2, $3, memory}' "$folder/time" >>"$folder/$i.$kind"
}

for round in $(seq "$rounds"); do
  for i in 0 1; do
    echo "round $round of $rounds: ${commits[i]} (${hashes[i]:0:10})" >&2
    rm -rf "$folder/$i/build"
    cmake -S "$folder/$i" -B "$folder/$i/build" -G Ninja -DCMAKE_BUILD_TYPE=Release >"$folder/$i.log"
    measure "$i" cold
    echo "// an edit" >>"$folder/$i/trainer/phases/joint_retrieval.cpp"
    measure "$i" edit
  done
done

# Of the lines of FILE the median of column COLUMN.
median() { awk -v c="$2" '{print $c}' "$1" | sort -n | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'; }
printf '%-34s %14s %14s %9s\n' "" "${commits[0]:0:14}" "${commits[1]:0:14}" "ratio"
row() {
  local a b
  a=$(median "$folder/0.$2" "$3") b=$(median "$folder/1.$2" "$3")
  printf '%-34s %14s %14s %9s\n' "$1" "$a" "$b" "$(ratio "$b" "$a")"
}
row "cold build, processor seconds" cold 1
row "cold build, seconds" cold 2
row "cold build, peak memory in MiB" cold 3
row "edit of one phase, proc. seconds" edit 1
for i in 0 1; do
  echo "${commits[i]}: an edit of one phase costs $(ratio "$(median "$folder/$i.edit" 1)" "$(median "$folder/$i.cold" 1)") of its cold build"
done
