#!/usr/bin/env python3
"""docs/architecture.md §1 is true of the sources: which room uses which, which folders see LibTorch, and tests in the same place."""
import pathlib
import re
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BELOW = {
    "base": [],
    "monitoring": ["base"],
    "datasets": ["monitoring", "base"],
    "cluster": ["monitoring", "base"],
    "trainer": ["datasets", "cluster", "monitoring", "base"],
    "launch": ["trainer", "datasets", "cluster", "monitoring", "base"],
}
LIBTORCH = ("torch/", "ATen/", "c10/")

# Tests of no folder of sources.
OF_THE_WHOLE = {"system", "slurm", "docs"}
# Tests of what a folder's units do together, by the folder's path.
TOGETHER = {
    "launch/commands": {"program"},  # the program as a whole
    "launch/commands/data": {"data_commands"},
    "trainer/loop": {"continuation", "pool", "resume", "training"},
    "trainer/phases": {"equality"},
}


def sources():
    return {path.relative_to(ROOT).as_posix(): path for room in BELOW for path in (ROOT / room).rglob("*") if path.suffix in (".h", ".cpp")}


def includes(path):
    return re.findall(r'^#include ["<]([^">]+)[">]', path.read_text(), re.MULTILINE)


def those_that_see_libtorch(files):
    """Of the files, by path, those that include LibTorch, be it through others."""
    included = {name: includes(path) for name, path in files.items()}
    seeing = {name for name, found in included.items() if any(header.startswith(LIBTORCH) for header in found)}
    while True:
        more = {name for name, found in included.items() if seeing & set(found)} - seeing
        if not more:
            return seeing
        seeing |= more


def allowed_to_see_libtorch(page):
    """The paths that the page names, and those that it excepts: 'Only `a/` (but `b/`), `c/d` … see LibTorch.'"""
    sentence = re.search(r"Only (`trainer/`.*?) see LibTorch", page, re.DOTALL)[1]
    allowed, excepted = [], []
    for name, but in re.findall(r"`([^`]+)`(?: \(but ([^)]*)\))?", sentence):
        allowed.append(name.rstrip("/"))
        excepted += [f"{name.rstrip('/')}/{part.rstrip('/')}" for part in re.findall(r"`([^`]+)`", but)]
    return allowed, excepted


def inside(name, folders):
    return any(name == folder or name.startswith(folder + "/") for folder in folders)


def place_of_test(name, exists):
    """What is wrong with the place of a test file, by its path below tests/; None where nothing is."""
    path = pathlib.PurePosixPath(name)
    if path.parts[0] in OF_THE_WHOLE:
        return None
    folder = path.parent
    if folder.name == "ranks" and not exists(folder.as_posix()):  # ranks/: the same folder's tests under mpirun
        folder = folder.parent
    if not exists(folder.as_posix()):
        return f"tests/{name}: there is no folder {folder} of sources"
    unit = path.name.removesuffix("_test.cpp")
    if unit in TOGETHER.get(folder.as_posix(), ()) or any(exists(f"{folder}/{unit}{ending}") for ending in (".h", ".cpp", ".sh")):
        return None
    return f"tests/{name}: {folder} has no unit '{unit}'; name the test file as the unit that it tests"


class Rooms(unittest.TestCase):
    def test_use_only_what_stands_below(self):
        for name, path in sources().items():
            room = name.split("/")[0]
            for header in includes(path):
                other = header.split("/")[0]
                if other in BELOW and other != room:
                    self.assertIn(other, BELOW[room], f"{name} includes {header}")

    def test_see_libtorch_where_the_page_says(self):
        allowed, excepted = allowed_to_see_libtorch((ROOT / "docs/architecture.md").read_text())
        self.assertIn("cluster/reducer", allowed)
        self.assertIn("trainer/schedule", excepted)
        seeing = those_that_see_libtorch(sources())
        self.assertGreater(len(seeing), 50)
        wrong = [name for name in sorted(seeing) if inside(name, excepted) or not inside(name, allowed)]
        self.assertEqual(wrong, [], "include LibTorch, and docs/architecture.md §1 does not say so")

    def test_libtorch_is_seen_through_others(self):
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for name, text in {"a.h": "#include <ATen/ATen.h>", "b.h": '#include "a.h"', "c.cpp": '#include "b.h"', "d.cpp": ""}.items():
                files[name] = pathlib.Path(folder) / name
                files[name].write_text(text + "\n")
            self.assertEqual(those_that_see_libtorch(files), {"a.h", "b.h", "c.cpp"})


class Tests(unittest.TestCase):
    def test_are_where_their_units_are(self):
        found = sorted(path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("*_test.cpp"))
        self.assertGreater(len(found), 100)
        wrong = [problem for name in found if (problem := place_of_test(name, lambda place: (ROOT / place).exists()))]
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_a_wrong_place_is_seen(self):
        there = {"base", "base/file.h", "cluster/ranks", "cluster/ranks/world.h"}.__contains__
        for name in ("base/file_test.cpp", "cluster/ranks/ranks/world_test.cpp", "cluster/ranks/world_test.cpp", "system/any_test.cpp"):
            self.assertIsNone(place_of_test(name, there), name)
        for name in ("base/other_test.cpp", "base/deep/file_test.cpp", "cluster/ranks/more/world_test.cpp"):
            self.assertIsNotNone(place_of_test(name, there), name)


if __name__ == "__main__":
    unittest.main()
