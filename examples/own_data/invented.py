#!/usr/bin/env python3
"""Usage: invented.py STORES OUT

Lays what `duet synth` made in STORES out as a person has it: OUT/photos, OUT/drawings and OUT/pool, a file each.
"""
import pathlib
import sys

import h5py


def photos_of(shard):
    content, ends = shard["photo/bytes"][:], shard["photo/offset"][:]
    return {name.decode(): content[start:end].tobytes() for name, start, end in zip(shard["photo/id"][:], ends, ends[1:])}


def drawings_of(shard):
    points, ends = shard["sketch/points"][:], shard["sketch/offset"][:]
    return {name.decode(): points[start:end].reshape(-1, 3) for name, start, end in zip(shard["sketch/id"][:], ends, ends[1:])}


def svg(points):
    lines, line = [], []
    for x, y, pen in points:
        line.append(f"{x:g},{y:g}")
        if pen:
            lines.append(f'<polyline points="{" ".join(line)}"/>\n')
            line = []
    return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">\n<g fill="none" stroke="black" stroke-width="3">\n' +
            "".join(lines) + "</g>\n</svg>\n")


def main(stores, out):
    for store, folder in (("pairs", "photos"), ("pool", "pool")):
        (out / folder).mkdir(parents=True)
        for file in (stores / f"{store}.store/shards").iterdir():
            with h5py.File(file) as shard:
                for name, jpeg in photos_of(shard).items():
                    (out / folder / f"{name}.jpg").write_bytes(jpeg)
    (out / "drawings").mkdir()
    for file in (stores / "pairs.store/shards").iterdir():
        with h5py.File(file) as shard:
            for name, points in drawings_of(shard).items():
                (out / "drawings" / f"{name}.svg").write_text(svg(points))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*map(pathlib.Path, sys.argv[1:]))
