#!/usr/bin/env python3
"""Makes the coordinate file that `duet import chairv2` reads, from a folder of drawings as SVG.

NAME_1.svg, NAME_2.svg … are drawings of the photo NAME. Each path, polyline, polygon and line is a stroke, or several where a path lifts the pen;
curves become short straight pieces, transforms are applied, filled shapes and texts are no strokes and are left out.
"""
import argparse
import math
import pathlib
import pickle
import re
import sys
import xml.etree.ElementTree as xml

import numpy

PIECES = 12  # straight pieces of a curve
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
COMMAND = re.compile(r"([MmLlHhVvCcSsQqTtAaZz])([^MmLlHhVvCcSsQqTtAaZz]*)")
VALUES = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "Z": 0}
NOT_DRAWN = {"defs", "clipPath", "mask", "marker", "symbol", "pattern", "metadata"}


def numbers(text):
    return [float(value) for value in NUMBER.findall(text or "")]


def bezier(points):
    """Points on the curve of these control points, without the first."""
    made = []
    for step in range(1, PIECES + 1):
        t, line = step / PIECES, points
        while len(line) > 1:
            line = [(a + t * (b - a)) for a, b in zip(line, line[1:])]
        made.append(line[0])
    return made


def strokes_of_path(text):
    """Lists of complex numbers x + iy, one a stroke."""
    strokes, stroke, here, control, before = [], [], 0j, 0j, ""
    for letter, rest in COMMAND.findall(text or ""):
        kind, values = letter.upper(), numbers(rest)
        if kind not in VALUES:
            raise ValueError("holds an arc (A), which this script does not know; 'Path > Simplify' of the drawing program makes curves of it")
        count = VALUES[kind]
        if (count == 0) != (not values) or (count and len(values) % count):
            raise ValueError(f"'{letter}{rest.strip()}' is no part of a path")
        if kind == "Z":
            if stroke:
                stroke.append(stroke[0])
                here = stroke[0]
                strokes.append(stroke)
                stroke = [here]  # what follows without M begins there
            before = kind
            continue
        for at in range(0, len(values), count):
            part, base = values[at:at + count], here if letter.islower() else 0j
            if kind == "H":
                points = [complex(part[0] + base.real, here.imag)]
            elif kind == "V":
                points = [complex(here.real, part[0] + base.imag)]
            else:
                points = [base + complex(x, y) for x, y in zip(part[::2], part[1::2])]
            if kind == "M" and at == 0:
                strokes.append(stroke)
                stroke = points
            elif kind in "MLHV":
                stroke += points
            else:
                mirrored = 2 * here - control if before in ("C", "S") and kind == "S" or before in ("Q", "T") and kind == "T" else here
                controls = [mirrored] + points if kind in "ST" else points
                stroke = stroke or [here]
                stroke += bezier([here] + controls)
                control = controls[-2]
            here, before = points[-1], kind
    return [stroke for stroke in strokes + [stroke] if len(stroke) > 1]


def matrix(text):
    """Of a transform attribute, as 3 × 3."""
    whole = numpy.eye(3)
    for kind, rest in re.findall(r"(\w+)\s*\(([^)]*)\)", text or ""):
        v = numbers(rest)
        if kind == "matrix":
            part = [[v[0], v[2], v[4]], [v[1], v[3], v[5]], [0, 0, 1]]
        elif kind == "translate":
            part = [[1, 0, v[0]], [0, 1, v[1] if len(v) > 1 else 0], [0, 0, 1]]
        elif kind == "scale":
            part = [[v[0], 0, 0], [0, v[1] if len(v) > 1 else v[0], 0], [0, 0, 1]]
        elif kind == "rotate":
            c, s = math.cos(math.radians(v[0])), math.sin(math.radians(v[0]))
            x, y = v[1:3] if len(v) == 3 else (0, 0)
            part = [[c, -s, x - c * x + s * y], [s, c, y - s * x - c * y], [0, 0, 1]]
        else:
            raise ValueError(f"has a transform '{kind}', which this script does not know")
        whole = whole @ numpy.array(part, dtype=float)
    return whole


def strokes_of(element, around=None):
    tag = element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""
    if tag in NOT_DRAWN:
        return
    placed = (numpy.eye(3) if around is None else around) @ matrix(element.get("transform"))
    strokes = []
    if tag == "path":
        strokes = strokes_of_path(element.get("d"))
    elif tag in ("polyline", "polygon"):
        values = numbers(element.get("points"))
        points = [complex(x, y) for x, y in zip(values[::2], values[1::2])]
        strokes = [points + points[:1] if tag == "polygon" else points]
    elif tag == "line":
        strokes = [[complex(float(element.get("x" + end, 0)), float(element.get("y" + end, 0))) for end in "12"]]
    for stroke in strokes:
        if len(stroke) > 1:
            yield (placed @ numpy.array([[p.real for p in stroke], [p.imag for p in stroke], [1] * len(stroke)]))[:2].T
    for child in element:
        yield from strokes_of(child, placed)


def sketch_in(file):
    """x, y, pen; pen is 1 on the last point of a stroke."""
    strokes = list(strokes_of(xml.parse(file).getroot()))
    if not strokes:
        raise ValueError("holds no stroke: no path, polyline, polygon or line")
    return numpy.concatenate([numpy.column_stack([stroke, [0] * (len(stroke) - 1) + [1]]) for stroke in strokes])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drawings", type=pathlib.Path, help="folder of NAME_1.svg, NAME_2.svg …")
    parser.add_argument("coordinates", type=pathlib.Path, help="file to write")
    parser.add_argument("--test-every", type=int, default=5, metavar="N", help="each N-th photo is for the test; 0: none (%(default)s)")
    options = parser.parse_args()

    files = {}
    for file in sorted(options.drawings.glob("*.svg")):
        photo, _, number = file.stem.rpartition("_")
        files.setdefault(photo if number.isdigit() and photo else file.stem, []).append(file)
    if not files:
        sys.exit(f"coordinates.py: {options.drawings} holds no .svg file.")
    sketches, tested = {}, 0
    for at, (photo, of_photo) in enumerate(sorted(files.items())):
        test = options.test_every > 0 and at % options.test_every == options.test_every - 1
        tested += test
        for number, file in enumerate(of_photo, start=1):
            try:
                sketches[f"/{'test' if test else 'train'}/{photo}_{number}"] = sketch_in(file)
            except (ValueError, xml.ParseError) as error:
                print(f"coordinates.py: left out: {file}: {error}", file=sys.stderr)
    if not sketches:
        sys.exit("coordinates.py: no drawing could be read.")
    with open(options.coordinates, "wb") as out:
        pickle.dump(sketches, out)
    print(f"{options.coordinates}: {len(sketches)} drawings of {len(files)} photos, {tested} of them for the test")


if __name__ == "__main__":
    main()
