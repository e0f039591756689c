#!/usr/bin/env bash
# Builds the half of the program that sees neither tensors nor MPI with sanitizers, and runs its tests; its last lines are ctest's.
set -euo pipefail

usage() {
  cat <<TEXT
Usage: tests/sanitize.sh [--thread] [--help] [-- CTEST OPTION...]

Builds what sees neither LibTorch nor MPI (both report faults of their own) with AddressSanitizer and UndefinedBehaviorSanitizer, in
build-sanitize/, and runs its tests. A report of a sanitizer fails the test.
  --thread   with ThreadSanitizer instead, in build-sanitize-thread/

Examples:
  tests/sanitize.sh
  tests/sanitize.sh --thread -- -R loader
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=sanitize options=()
while [ $# -gt 0 ]; do
  case $1 in
    --thread) preset=sanitize-thread; shift ;;
    --) shift; options=("$@"); break ;;
    -h | --help) usage; exit 0 ;;
    *) echo "tests/sanitize.sh: unknown option '$1'; --help lists the options. Options of ctest stand behind '--'." >&2; exit 64 ;;
  esac
done

suites=(base metrics log trace image sketch store import_pickle import_photos import_chairv2 import_quickdraw loader synthetic schedule
  report cli options jobs)
# Left out: each takes memory away from its process, and a sanitizer's own, terabytes of address space, does not survive that.
left_out=(
  metrics.HttpServerDeathTest.EndsWithoutAThreadToHelp
  image.DecodeImageDeathTest.MemoryThatIsUsedUpIsNoDamage
  import_pickle.Pickle.RandomInstructionsStayWithinMemory
  import_photos.OrderedWorkersDeathTest.ThreadsThatCannotBeStartedAreAnErrorThatNamesTheLimit
  loader.BatchStream.RunsThroughAStoreFourTimesItsMemory
)
either() { local IFS='|'; echo "($*)"; }

cd "$root"
launch/setup.sh --tests >/dev/null
cmake --preset "$preset" >/dev/null
cmake --build "build-$preset" -j "$(nproc)" --target "${suites[@]/#/test_}"
known=$(ctest --test-dir "build-$preset" -N)
for name in "${left_out[@]}"; do
  grep -q ": $name\$" <<<"$known" || { echo "tests/sanitize.sh: there is no test $name to leave out; mend its list." >&2; exit 70; }
done
echo "Left out, since they limit their process's memory: ${left_out[*]}"
exec ctest --test-dir "build-$preset" -j "$(nproc)" --output-on-failure -R "^$(either "${suites[@]}")\\." -E "^$(either "${left_out[@]}")\$" \
  "${options[@]}"
