#!/usr/bin/env bash
# Installs what is missing, builds everything, and runs the whole test suite; its last lines are ctest's.
set -euo pipefail

usage() {
  cat <<TEXT
Usage: tests/run.sh [--help] [-- CTEST OPTION...]

Installs what is missing (as root; otherwise it says what), builds the program and all tests, and runs them through ctest.
Without root, the tests that need it are listed as not run. Results also go to build/tests.xml (JUnit).

Examples:
  tests/run.sh
  tests/run.sh -- -R Store            only tests whose name matches
  tests/run.sh -- --rerun-failed
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; options=("$@"); break ;;
    -h | --help) usage; exit 0 ;;
    *) echo "tests/run.sh: unknown option '$1'; --help lists the options. Options of ctest stand behind '--'." >&2; exit 64 ;;
  esac
done

"$root/launch/build.sh" --tests
cd "$root"
if [ "$(id -u)" != 0 ]; then
  echo "Not run, because they need root:"
  ctest --test-dir build -N -L '^root$' | sed -n 's/^ *Test *#[0-9]*: /  /p'
  options+=(-LE '^root$')
fi
exec ctest --test-dir build -j "$(nproc)" --output-on-failure --output-junit tests.xml "${options[@]}"
