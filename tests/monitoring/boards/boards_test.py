#!/usr/bin/env python3
"""Rules, alerts and boards by themselves: checked by Prometheus' own tools, against the catalogue of metrics and Grafana's schema."""
import json
import re
import subprocess
import sys
import unittest

import jsonschema
import yaml

from monitoring_files import BOARDS, GRAFANA, PROMETHEUS, ROOT, board, metrics_in, queries, rules

HERE = ROOT / "tests/monitoring/boards"


def catalogue():
    rows = "".join((ROOT / "monitoring/metrics" / name).read_text() for name in ("catalogue.cpp", "quantities.h"))
    return set(re.findall(r'\{\s*"(duet_\w+)",', rows))


class Tools(unittest.TestCase):
    def succeeds(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_prometheus_takes_configuration_and_rules(self):
        self.succeeds("promtool", "check", "config", PROMETHEUS / "prometheus.yml")

    def test_alertmanager_takes_its_configuration(self):
        self.succeeds("amtool", "check-config", PROMETHEUS / "alertmanager.yml")

    def test_alerts_fire_and_stay_silent(self):
        self.succeeds("promtool", "test", "rules", "alerts_test.yml")

    def test_boards_are_what_the_script_writes(self):
        self.succeeds(sys.executable, GRAFANA / "make_boards.py", "--check")


class Alerts(unittest.TestCase):
    def test_each_is_seen_firing_and_silent(self):
        cases = {case["name"]: case["promql_expr_test"] for case in yaml.safe_load((HERE / "alerts_test.yml").read_text())["tests"]}
        for rule in rules("alerts.yml"):
            fired = [bool(check["exp_samples"]) for check in cases[rule["alert"]]]
            self.assertIn(True, fired, rule["alert"])
            self.assertIn(False, fired, rule["alert"])

    def test_each_says_what_to_do(self):
        headings = re.findall(r"^#+ (\w+)$", (ROOT / "docs/troubleshooting.md").read_text(), re.MULTILINE)
        table = (ROOT / "docs/monitoring.md").read_text()
        for rule in rules("alerts.yml"):
            self.assertIn(rule["labels"]["severity"], ("critical", "warning"))
            for part in ("summary", "description"):
                self.assertTrue(rule["annotations"][part], rule["alert"])
            self.assertEqual(rule["annotations"]["runbook"], f"docs/troubleshooting.md#{rule['alert'].lower()}")
            self.assertIn(rule["alert"], headings)
            self.assertIn(f"| [{rule['alert']}](troubleshooting.md#{rule['alert'].lower()}) |", table)


class Names(unittest.TestCase):
    def test_all_that_is_asked_for_exists(self):
        recorded = {rule["record"] for rule in rules("rules.yml")}
        known = catalogue()
        self.assertGreater(len(known), 50)
        asked = [(rule.get("record") or rule["alert"], rule["expr"]) for file in ("rules.yml", "alerts.yml") for rule in rules(file)]
        asked += [query for name in BOARDS for query in queries(name)]
        for subject, expression in asked:
            self.assertLessEqual(metrics_in(expression), known | recorded, subject)

    def test_every_metric_is_on_a_board(self):
        recorded = {rule["record"]: rule["expr"] for rule in rules("rules.yml")}
        shown, waiting = set(), [name for each in BOARDS for _, expression in queries(each) for name in metrics_in(expression)]
        while waiting:
            name = waiting.pop()
            if name not in shown:
                shown.add(name)
                waiting += metrics_in(recorded.get(name, ""))
        self.assertEqual(catalogue() - shown, set())


class Boards(unittest.TestCase):
    def test_follow_the_schema(self):
        # Grafana's (its licence stands beside it), without the descriptions.
        schema = json.loads((HERE / "grafana-dashboard.schema.json").read_text())
        for name in BOARDS:
            jsonschema.validate(board(name), schema, cls=jsonschema.Draft7Validator)

    def test_panels_lie_beside_one_another(self):
        for name in BOARDS:
            taken, numbers = {}, set()
            for panel in board(name)["panels"]:
                self.assertNotIn(panel["id"], numbers)
                numbers.add(panel["id"])
                place = panel["gridPos"]
                self.assertLessEqual(place["x"] + place["w"], 24)
                for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
                    self.assertNotIn(cell, taken, f"{name}: {panel['title']} lies over {taken.get(cell)}")
                    taken[cell] = panel["title"]

    def test_panels_are_explained(self):
        for name in BOARDS:
            for panel in board(name)["panels"]:
                if panel["type"] == "row":
                    continue
                self.assertTrue(panel["description"], panel["title"])
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"], panel["title"])
                for target in panel["targets"]:
                    self.assertIn("{{run}}", target["legendFormat"], panel["title"])
                    self.assertIn('run=~"$run"', target["expr"], panel["title"])
                    self.assertNotIn("vector(", target["expr"], panel["title"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
