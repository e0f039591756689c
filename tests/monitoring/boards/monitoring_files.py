"""What the tests of rules and boards share: where they lie, and what is asked in them."""
import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROMETHEUS = ROOT / "monitoring/prometheus"
GRAFANA = ROOT / "monitoring/grafana"
BOARDS = ("training", "cluster", "pool")


def rules(name):
    groups = yaml.safe_load((PROMETHEUS / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def board(name):
    return json.loads((GRAFANA / f"{name}.json").read_text())


def queries(name):
    """(panel's title, expression) of a board."""
    return [(panel["title"], target["expr"]) for panel in board(name)["panels"] for target in panel.get("targets", [])]


def metrics_in(expression):
    """Names of Duet's metrics that an expression asks for, recorded ones by the name of their rule."""
    names = set(re.findall(r"[a-z_]+:duet_[a-z0-9_]+:[a-z0-9_]+|(?<![\w:])duet_[a-z0-9_]+", expression))
    return {re.sub(r"(?<=_seconds)_(bucket|sum|count)$", "", name) for name in names}
