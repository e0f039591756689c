#!/usr/bin/env python3
"""Usage: ask_board.py http://HOST:PORT SECONDS

Asks a Prometheus all that own_board.json would ask it, for all runs, and prints what came. Fails when a panel is without data after SECONDS.
"""
import json
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

BOARD = pathlib.Path(__file__).resolve().with_name("own_board.json")


def ask(server, expression):
    # What Grafana puts in for its variables with all runs chosen.
    expression = expression.replace("$__rate_interval", "40s").replace("$run", ".*")
    with urllib.request.urlopen(f"{server}/api/v1/query?" + urllib.parse.urlencode({"query": expression}), timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def main(server, seconds):
    questions = [(panel["title"], target["expr"], target["legendFormat"]) for panel in json.loads(BOARD.read_text())["panels"]
                 for target in panel.get("targets", [])]
    end = time.monotonic() + seconds
    while True:
        try:
            answers = [(title, legend, ask(server, expression)) for title, expression, legend in questions]
            empty = sorted({title for title, _, series in answers if not series})
        except urllib.error.HTTPError as error:
            sys.exit(f"ask_board.py: {server}: {json.load(error)['error']}")
        except OSError as error:  # it starts, or is busy
            answers, empty = [], [str(error)]
        if not empty or time.monotonic() > end:
            break
        time.sleep(1)
    for title, legend, series in answers:
        for one in series:
            print(f"{title:24} {legend.replace('{{run}}', one['metric'].get('run', '')):24} {float(one['value'][1]):g}")
    if empty:
        sys.exit(f"ask_board.py: no data after {seconds:g} s: {', '.join(empty)}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1].rstrip("/"), float(sys.argv[2]))
