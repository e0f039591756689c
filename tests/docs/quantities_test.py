#!/usr/bin/env python3
"""docs/architecture.md §6 is true of the sources: beside the phase that reports it, a quantity stands in the one table."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = "monitoring/metrics/quantities.h"
PHASES = "trainer/phases/"
# What is done with these quantities and no others.
RULES = {
    "trainer/loop/run_log.cpp": {"total"},  # "loss" on the progress line
    "trainer/loop/run_metrics.cpp": {"gradient_norm", "discriminator_gradient_norm"},  # not finite: a skipped step
}


def quantities():
    return re.findall(r"^  (\w+),$", re.search(r"enum class Quantity \{(.*?)\};", (ROOT / TABLE).read_text(), re.DOTALL)[1], re.MULTILINE)


def named_in(name):
    return set(re.findall(r"\bQuantity::(\w+)", (ROOT / name).read_text()))


def sources():
    rooms = ("base", "monitoring", "datasets", "cluster", "trainer", "launch")
    return [path.relative_to(ROOT).as_posix() for room in rooms for path in sorted((ROOT / room).rglob("*")) if path.suffix in (".h", ".cpp")]


class Quantities(unittest.TestCase):
    def test_each_is_reported_by_a_phase(self):
        self.assertGreater(len(quantities()), 15)
        reported = set().union(*(named_in(name) for name in sources() if name.startswith(PHASES)))
        self.assertEqual(set(quantities()) - reported, set())

    def test_none_is_named_elsewhere(self):
        for name in sources():
            if name != TABLE and not name.startswith(PHASES):
                self.assertEqual(named_in(name), RULES.get(name, set()), f"{name}: what all quantities have in common belongs into {TABLE}")


if __name__ == "__main__":
    unittest.main()
