#!/usr/bin/env bash
# From folders of photos and drawings to a trained network and its report.
set -euo pipefail
# shellcheck source=examples/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

usage() {
  cat <<TEXT
Usage: examples/own_data/run.sh [OPTION...] [-- OPTION OF duet train...]

Imports photos and the drawings of them, trains all stages, measures retrieval on the test photos, draws some photos, and says where the
report is. Without --photos it does so on invented data, in about a minute.

  --photos DIR       photos that were drawn: NAME.jpg (.png, .webp)
  --drawings DIR     their drawings: NAME_1.svg, NAME_2.svg …
  --pool DIR         further photos of the same kind, which nobody has drawn
  --test-every N     each N-th photo, by name, is kept for the test (5)
  --config NAME      preset or file; chairs-cpu for own data, examples/demo.cfg for the invented
  --ranks N          processes that train together (2)
  --work DIR         stores and run go there (runs/own-data)

Safe to repeat: stores that are there are not made again, and an interrupted training continues.

Example:
  examples/own_data/run.sh --photos shop/drawn --drawings shop/drawings --pool shop/all --work runs/shop -- \\
    --retrieval.weights mobilenet_v2.safetensors --generator.weights mobilenet_v2.safetensors
TEXT
}

photos='' drawings='' pool='' test_every=5 config='' ranks=2 work=$root/runs/own-data options=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --) shift; options=("$@"); break ;;
    --photos | --drawings | --pool | --config | --ranks | --work | --test-every)
      [ $# -ge 2 ] || wrong "$1"
      declare "$(tr - _ <<<"${1#--}")=$2"
      shift 2
      ;;
    *) wrong "$1" ;;
  esac
done
find_program

# with_python MODULES FILE ARGUMENT…: by the first Python that has these modules. Debian's has them where launch/setup.sh --tests ran.
with_python() {
  local modules=$1 candidate
  shift
  for candidate in python3 /usr/bin/python3; do
    "$candidate" -c "import $modules" 2>/dev/null || continue
    "$candidate" "$@"
    return
  done
  fail "no Python has $modules; on Debian: apt-get install python3-numpy python3-h5py." 69
}

if [ -z "$photos$drawings$pool" ]; then
  photos=$work/invented/photos drawings=$work/invented/drawings pool=$work/invented/pool
  config=${config:-$examples/demo.cfg}
  if [ ! -d "$work/invented" ]; then
    say "inventing photos and drawings in $work/invented"
    make_stores "$work/invented.stores"
    rm -rf "$work/invented.partial"
    with_python h5py "$examples/own_data/invented.py" "$work/invented.stores" "$work/invented.partial"
    mv "$work/invented.partial" "$work/invented"
  fi
fi
for folder in photos drawings pool; do
  [ -n "${!folder}" ] || fail "--$folder is missing: own data needs --photos, --drawings and --pool." 64
  [ -d "${!folder}" ] || fail "--$folder ${!folder}: there is no such folder." 66
done
mkdir -p "$work"

if [ ! -e "$work/pairs.store/manifest.json" ]; then
  say "drawings and their photos → $work/pairs.store"
  with_python numpy "$examples/own_data/coordinates.py" --test-every "$test_every" "$drawings" "$work/coordinates.pickle"
  "$duet" import chairv2 --photos "$photos" --coordinates "$work/coordinates.pickle" --canvas fit --out "$work/pairs.store"
fi
if [ ! -e "$work/pool.store/manifest.json" ]; then
  say "further photos → $work/pool.store"
  "$duet" import photos "$pool" --exclude-like "$work/pairs.store" --out "$work/pool.store"
fi

say "training with $ranks ranks in $work/run"
status=0
# The generator learns strokes from the same drawings; a larger collection of Quick, Draw! is better (docs/data.md).
"$duet" train --config "${config:-chairs-cpu}" --ranks "$ranks" --run.folder "$work/run" --data.labelled "$work/pairs.store" \
  --data.pool "$work/pool.store" --data.strokes "$work/pairs.store" "${options[@]}" || status=$?
[ "$status" != 75 ] || fail "interrupted and saved; the same command continues." 75
[ "$status" = 0 ] || fail "training ended with status $status; the reason stands above, docs/troubleshooting.md has all of them." "$status"

say "retrieval on photos that no stage has seen"
"$duet" eval --run "$work/run" --split test
mapfile -t some < <(find "$pool" -type f -regex '.*\.\(jpe?g\|png\|webp\)' | sort | head -n 4)
[ ${#some[@]} -eq 0 ] || "$duet" sketch "${some[@]}" --run "$work/run" --out "$work/drawn"
say "curves, results and pictures: $work/run/report.html; drawn photos: $work/drawn"
