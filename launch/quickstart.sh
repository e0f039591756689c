#!/usr/bin/env bash
# Sets up, builds, and trains all stages on small synthetic data; prints what retrieval learnt.
set -euo pipefail

usage() {
  cat <<TEXT
Usage: launch/quickstart.sh [--fresh] [--help]

Installs what is missing, builds, makes a small synthetic data set, trains all stages with 2 ranks, evaluates on photos that no stage has
seen, writes runs/quickstart/report.html and prints a table. About 5 minutes on 2 cores once everything is built.
Fails unless the supervised network finds the right photo more often than its initial weights did, beyond the 95 % intervals.

Safe to repeat: what is there is not made again, and an interrupted training continues. The second run needs no network.
  --fresh   throw an earlier quickstart's data and run away, and start anew
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
fresh=0
for argument in "$@"; do
  case $argument in
    --fresh) fresh=1 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "launch/quickstart.sh: unknown option '$argument'; --help lists the options." >&2; exit 64 ;;
  esac
done

step() { echo "quickstart: $* ($((SECONDS / 60)) min $((SECONDS % 60)) s)"; }
fail() { echo "launch/quickstart.sh: $1" >&2; exit "$2"; }

"$root/launch/build.sh"
cd "$root"
duet=build/duet
data=runs/quickstart-data
run=runs/quickstart
[ "$fresh" = 0 ] || rm -rf "$data" "$run"
mkdir -p runs || fail "the folder runs/ cannot be made in $root." 73

if [ ! -d "$data" ]; then
  step "making synthetic chairs"
  rm -rf "$data.partial"  # left by an interrupted quickstart
  "$duet" synth --pairs 600 --test 120 --pool 600 --strokes 600 --side 128 --seed 1 --out "$data.partial"
  mv "$data.partial" "$data"
fi

step "training with 2 ranks"
status=0
"$duet" train --config quickstart --ranks 2 --run.folder "$run" \
  --data.labelled "$data/pairs.store" --data.pool "$data/pool.store" --data.strokes "$data/strokes.store" || status=$?
case $status in
  0) ;;
  64) fail "training refused its configuration. If $run is of an older version, --fresh starts anew." 64 ;;
  75) fail "training was interrupted and saved; the same command continues." 75 ;;
  *) fail "training ended with status $status; the reason stands above." "$status" ;;
esac

step "evaluating on the test photos"
"$duet" eval --run "$run" --store "$data/pairs.store" --split test --json >"$run/test.json"

step "done; pictures and curves: $run/report.html"
python3 - "$run/results.json" "$run/test.json" <<'PYTHON'
import json, sys

results, evaluated = (json.load(open(name)) for name in sys.argv[1:])
figures = ("acc@1", "acc@5", "acc@10")


def test_figures(stage):
    """The stage's figures on the test photos, of its best weights by validation; initial weights are what they are."""
    by_weights = results[stage]["test"]
    return by_weights.get("best", by_weights["last"])


rows = [(stage, test_figures(stage)) for stage in ("initial", "supervised", "joint")]
print(f"{'weights':<14}" + "".join(f"{figure:>22}" for figure in figures) + f"{'queries':>10}{'gallery':>10}")
for name, row in rows + [("duet eval", evaluated)]:
    cells = ("{:.1f} [{:.1f}, {:.1f}]".format(row[f], row["interval"][f]["low"], row["interval"][f]["high"]) for f in figures)
    print(f"{name:<14}" + "".join(f"{cell:>22}" for cell in cells) + f"{row['queries']:>10}{row['gallery']:>10}")

judged = results["generator"]
gallery = judged["joint"]["gallery"]
print("\nSketches that the generator draws of validation photos, as queries under the frozen supervised network:")
print(f"{'generator':<24}" + "".join(f"{figure:>22}" for figure in ("acc@1", "acc@10", "mean rank percentile")) + f"{'queries':>10}{'gallery':>10}")
print(f"{'chance':<24}" + "".join(f"{chance:>22.1f}" for chance in (100 / gallery, 1000 / gallery, 50)))
for stage, name in (("supervised", "before the joint stage"), ("joint", "after it")):
    row = judged[stage]
    cells = ("{:.1f} [{:.1f}, {:.1f}]".format(row[f], row["interval"][f]["low"], row["interval"][f]["high"]) for f in ("acc@1", "acc@10", "mean_rank_percentile"))
    print(f"{name:<24}" + "".join(f"{cell:>22}" for cell in cells) + f"{row['queries']:>10}{row['gallery']:>10}")

initial, supervised = rows[0][1], rows[1][1]
if supervised["gallery"] < 100:
    sys.exit(f"quickstart: failed: the gallery has {supervised['gallery']} photos; 100 are needed for a verdict.")
low, high = supervised["interval"]["acc@1"]["low"], initial["interval"]["acc@1"]["high"]
if low <= high:
    sys.exit(f"quickstart: failed: supervised acc@1 (at least {low:.1f} %) does not lie above that of the initial weights (at most {high:.1f} %).")
print(f"quickstart: passed: supervised acc@1 is at least {low:.1f} %, that of the initial weights at most {high:.1f} % (95 % intervals).")
PYTHON
