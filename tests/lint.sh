#!/usr/bin/env bash
# Reads all units that see no tensors with clang, warnings as errors, and with clang-tidy's checks (.clang-tidy).
set -euo pipefail

usage() {
  cat <<TEXT
Usage: tests/lint.sh [--help] [FILE...]

Without files: all units that do not see LibTorch, tests included; some minutes. Fails when clang or clang-tidy has anything to say.
Needs clang and clang-tidy (launch/setup.sh --lint).

Example:
  tests/lint.sh base/file.cpp datasets/store/*.cpp
TEXT
}

case ${1:-} in
  -h | --help) usage; exit 0 ;;
  -*) echo "tests/lint.sh: unknown option '$1'; --help shows how it is used." >&2; exit 64 ;;
esac
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
files=()
for file in "$@"; do
  [ -f "$file" ] || { echo "tests/lint.sh: there is no file $file." >&2; exit 66; }
  files+=("$(realpath "$file")")
done
cd "$root"
command -v clang++ clang-tidy >/dev/null || { echo "tests/lint.sh: there is no clang or clang-tidy; launch/setup.sh --lint installs them." >&2; exit 69; }
cmake --preset clang >/dev/null

# Units that see LibTorch share a precompiled header.
mapfile -t units < <(python3 - build-clang/compile_commands.json "${files[@]}" <<'PYTHON'
import json
import sys

units = {unit["file"] for unit in json.load(open(sys.argv[1])) if "cmake_pch" not in unit["command"] and "/build-clang/" not in unit["file"]}
print(*sorted(units & set(sys.argv[2:]) if sys.argv[2:] else units), sep="\n")
PYTHON
)
if [ "${#files[@]}" -gt 0 ] && [ -z "${units[*]}" ]; then
  echo "tests/lint.sh: none of these is a unit without LibTorch: $*" >&2
  exit 64
fi
echo "lint: ${#units[@]} units"
failed=0
printf '%s\0' "${units[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy -p build-clang --quiet 2> >(grep -v 'warnings\? generated\.$' >&2) || failed=1
[ "$failed" = 0 ] && echo "lint: nothing found"
exit "$failed"
