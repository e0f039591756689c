#!/usr/bin/env bash
# PyPI's rdp 0.8 measures the distance of a point to the infinite line through both ends, as Ramer, Douglas and Peucker's algorithm is often
# copied; shapely 2.2.0 and simplification 2.0.0 measure to the segment between them. A stroke that goes beyond its own end and comes back,
# as pens do, loses all of that ink with the first.
# Seen with (0, 0), (40, 1), (10, 0) and a tolerance of 3: rdp drops the middle point, 30 from the nearest point of what it keeps; the other
# two keep it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q rdp==0.8 numpy==2.4.6 shapely==2.2.0 simplification==2.0.0
"$work/venv/bin/python" - <<'PYTHON'
import sys
from rdp import rdp
from shapely import LineString
from simplification.cutil import simplify_coords

stroke = [[0.0, 0.0], [40.0, 1.0], [10.0, 0.0]]
kept = {
    "rdp": rdp(stroke, epsilon=3),
    "shapely": [list(point) for point in LineString(stroke).simplify(3, preserve_topology=False).coords],
    "simplification": [list(point) for point in simplify_coords(stroke, 3)],
}
for name, points in kept.items():
    print(f"{name:15}", points)
as_seen = kept["rdp"] == [stroke[0], stroke[2]] and kept["shapely"] == stroke and kept["simplification"] == stroke
print("as seen" if as_seen else "CHANGED")
sys.exit(not as_seen)
PYTHON
