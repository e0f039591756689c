# shellcheck shell=bash
# What the examples share: the program, invented data, how they speak. To be sourced; sets root, examples, duet and name.
examples=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$examples")
name=examples/$(basename "$(dirname "$(realpath "$0")")")/$(basename "$0")

say() { echo "$name: $*"; }
fail() { echo "$name: $1" >&2; exit "${2:-1}"; }

# wrong OPTION: ends for an option that is not known, or that lacks its value.
wrong() { fail "'$1' is no option, or lacks its value; --help lists them." 64; }

find_program() {
  duet=${DUET:-$root/build/duet}
  command -v "$duet" >/dev/null || fail "there is no program $duet. launch/build.sh builds it; DUET=FILE names another." 66
  duet=$(realpath "$(command -v "$duet")")
}

# make_stores DIR: pairs.store, pool.store and strokes.store of invented chairs, small enough for demo.cfg. What is there is kept.
make_stores() {
  [ ! -d "$1" ] || return 0
  rm -rf "$1.partial" # of a start that was interrupted
  mkdir -p "$(dirname "$1")"
  "$duet" synth --pairs 24 --test 8 --sketches 2 --pool 24 --strokes 24 --side 64 --seed 3 --out "$1.partial" >/dev/null
  mv "$1.partial" "$1"
}

# stores_in DIR: prints the options of `duet train` for them, one a line.
stores_in() { printf '%s\n' --data.labelled "$1/pairs.store" --data.pool "$1/pool.store" --data.strokes "$1/strokes.store"; }
