#!/usr/bin/env bash
# Installs what is missing and builds Duet into build/ of this checkout.
set -euo pipefail

usage() {
  cat <<TEXT
Usage: launch/build.sh [--tests] [--help]

Installs what is missing (launch/setup.sh), then builds build/duet, and where the CUDA toolkit is found its plugin build/libduet_cuda.so.
Safe to repeat: only what changed is built again, and a second run needs no network.
  --tests   also the test programs, and the packages that only they need

Example:
  launch/build.sh && build/duet version
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/granted.sh
source "$root/launch/granted.sh"
setup=()
targets=(duet)
for argument in "$@"; do
  case $argument in
    --tests) setup=(--tests) targets=(all) ;;
    -h | --help) usage; exit 0 ;;
    *) echo "launch/build.sh: unknown option '$argument'; --help lists the options." >&2; exit 64 ;;
  esac
done

"$root/launch/setup.sh" "${setup[@]}"
cd "$root"

free_kib=$(df -Pk . | awk 'NR==2 {print $4}')
if [ ! -e build/duet ] && [ "$free_kib" -lt $((3 * 1024 * 1024)) ]; then
  echo "launch/build.sh: the build needs 3 GiB of free disk in $root; there are $((free_kib / 1048576)) GiB." >&2
  exit 73
fi

# A unit that sees LibTorch takes up to 2 GiB: as many at a time as memory and cores allow.
jobs=$(awk '/MemAvailable/ {print int($2 / 2097152)}' /proc/meminfo)
cores=$(nproc)
# What this job or container is granted, not what the machine has.
granted=$(granted_cores /proc/self/cgroup /sys/fs/cgroup)
if [ -n "$granted" ] && [ "$cores" -gt "$granted" ]; then cores=$granted; fi
granted=$(granted_bytes /proc/self/cgroup /sys/fs/cgroup)
if [ -n "$granted" ] && [ "$jobs" -gt $((granted >> 31)) ]; then jobs=$((granted >> 31)); fi
[ "$jobs" -gt "$cores" ] && jobs=$cores
[ "$jobs" -lt 1 ] && jobs=1

if [ ! -e build/build.ninja ]; then
  log=$(mktemp)
  cmake --fresh --preset default >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    echo "launch/build.sh: CMake could not configure the build; its last words stand above, all of them in $log." >&2
    exit 69
  }
  rm -f "$log"
fi
[ "${targets[0]}" = duet ] && ninja -C build -t query duet_cuda >/dev/null 2>&1 && targets+=(duet_cuda)
echo "build: ${targets[*]}, $jobs jobs at a time"
ninja -C build -j "$jobs" "${targets[@]}"
