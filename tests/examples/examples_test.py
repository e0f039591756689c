#!/usr/bin/env python3
"""The examples, run as a user runs them.

Usage: examples_test.py DUET [CLASS...]      (the program, and classes of this file)
"""
import importlib.util
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(ROOT / "tests/monitoring/boards"))
from boards_test import catalogue  # noqa: E402
from monitoring_files import metrics_in, rules  # noqa: E402


class Example(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = pathlib.Path(folder.name) / "a place"

    def run_example(self, script, *arguments, status=0):
        """What it printed."""
        environment = {**os.environ, "DUET": DUET}
        done = subprocess.run([EXAMPLES / script, *map(str, arguments)], capture_output=True, text=True, env=environment, cwd="/")
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr


def coordinates():
    spec = importlib.util.spec_from_file_location("coordinates", EXAMPLES / "own_data/coordinates.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Coordinates(unittest.TestCase):
    """SVG to strokes."""

    def sketch(self, body):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "one.svg"
            file.write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{body}</svg>')
            return coordinates().sketch_in(file).tolist()

    def test_a_path_that_lifts_the_pen_is_two_strokes(self):
        self.assertEqual(self.sketch('<path d="M1 2L3-4.5M5,6 l1 1 1 0"/>'), [[1, 2, 0], [3, -4.5, 1], [5, 6, 0], [6, 7, 0], [7, 7, 1]])

    def test_lines_along_the_axes_and_back_to_the_start(self):
        self.assertEqual(self.sketch('<path d="m1 1h2v3H1zl5 5"/>'),
                         [[1, 1, 0], [3, 1, 0], [3, 4, 0], [1, 4, 0], [1, 1, 1], [1, 1, 0], [6, 6, 1]])

    def test_curves_end_where_they_should_and_bend(self):
        for text, end in (("C0 10 10 10 10 0", [10, 0]), ("c0 10 10 10 10 0s10-10 10 0", [20, 0]), ("q5 10 10 0t10 0", [20, 0])):
            points = self.sketch(f'<path d="M0 0{text}"/>')
            self.assertEqual(points[-1][:2], end)
            self.assertGreater(max(y for _, y, _ in points), 4, text)
        # The second half of an S curve mirrors the first.
        low = min(y for _, y, _ in self.sketch('<path d="M0 0q5 10 10 0t10 0"/>'))
        self.assertLess(low, -4)

    def test_transforms_of_groups_are_applied(self):
        self.assertEqual(self.sketch('<g transform="translate(10 0) scale(2)"><line x1="0" y1="1" x2="2" y2="1"/></g>'), [[10, 2, 0], [14, 2, 1]])
        turned = self.sketch('<polyline transform="rotate(90)" points="1,0 2,0"/>')
        self.assertAlmostEqual(turned[1][1], 2)

    def test_what_is_no_stroke_is_left_out(self):
        with self.assertRaisesRegex(ValueError, "holds no stroke"):
            self.sketch('<rect width="3" height="3"/><defs><path d="M0 0L1 1"/></defs>')

    def test_what_it_does_not_know_is_refused(self):
        for body, message in (('<path d="M0 0A1 1 0 0 1 2 2"/>', "arc"), ('<line transform="skewX(3)" x2="1"/>', "skewX"), ('<path d="M0 0L1"/>', "'L1'")):
            with self.assertRaisesRegex(ValueError, message):
                self.sketch(body)


class OwnData(Example):
    def test_from_folders_to_a_report_and_again(self):
        first = self.run_example("own_data/run.sh", "--work", self.work)
        self.assertIn("64 drawings of 32 photos, 6 of them for the test", first)
        self.assertRegex(first, r"test best .*")
        for file in ("run/report.html", "drawn", "pairs.store/manifest.json", "pool.store/manifest.json"):
            self.assertTrue((self.work / file).exists(), file)
        # The same command on what it made, now as somebody's own.
        invented = self.work / "invented"
        again = self.run_example("own_data/run.sh", "--work", self.work, "--photos", invented / "photos", "--drawings", invented / "drawings",
                                 "--pool", invented / "pool", "--config", EXAMPLES / "demo.cfg")
        self.assertNotIn("import", again)
        self.assertIn("steps done", again)

    def test_wrong_words_are_refused(self):
        self.assertIn("'--phtos' is no option", self.run_example("own_data/run.sh", "--phtos", "x", status=64))
        self.assertIn("--drawings is missing", self.run_example("own_data/run.sh", "--photos", "/", "--work", self.work, status=64))
        self.assertIn("/no/where: there is no such folder",
                      self.run_example("own_data/run.sh", "--photos", "/no/where", "--drawings", "/", "--pool", "/", status=66))
        self.assertFalse(self.work.exists(), "nothing is made for a command that is refused")


class Resume(Example):
    def test_ends_with_the_same_weights(self):
        said = self.run_example("resume/run.sh", "--work", self.work)
        self.assertIn("rank 1 was lost", said)
        self.assertIn("the same weights", said)
        self.assertIn("joint 20/20", said)
        self.assertIn("--fresh throws it away", self.run_example("resume/run.sh", "--work", self.work, status=73))


class TwoHosts(Example):
    def test_mpirun_trains_over_tcp(self):
        said = self.run_example("two_nodes/run.sh", "--on", "mpirun", "--work", self.work)
        self.assertIn("124 of 124 steps", said)
        self.assertEqual(json.loads((self.work / "run/environment.json").read_text())["ranks"], 2)

    def test_hosts_are_slurms_to_choose(self):
        self.assertIn("--nodelist", self.run_example("two_nodes/run.sh", "--on", "slurm", "--hosts", "a,b", "--work", self.work, status=64))


class TwoNodes(Example):
    def test_a_job_trains_on_two_nodes(self):
        self.run_example("two_nodes/run.sh", "--on", "virtual", "--work", self.work)
        hosts = json.loads((self.work / "run/environment.json").read_text())["hosts"]
        self.assertEqual(len(set(hosts)), 2, hosts)


class OwnBoard(Example):
    def test_every_panel_has_data_of_a_training(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.assertIn("every panel has data", self.run_example("own_board/run.sh", "--port", port, "--work", self.work))

    def test_asks_only_for_what_there_is(self):
        own = EXAMPLES / "own_board/own_rules.yml"
        known = catalogue() | {rule["record"] for rule in rules("rules.yml")}
        for expression in re.findall(r"[^\n]*duet_[^\n]*", own.read_text() + (EXAMPLES / "own_board/own_board.json").read_text()):
            self.assertLessEqual(metrics_in(expression), known, expression)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    DUET = str(pathlib.Path(sys.argv[1]).resolve())
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
