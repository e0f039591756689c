#!/usr/bin/env python3
"""Writes own_board.json, a board for Grafana, beside this file. With --check: fails when it is not what this script writes.

The panels are made with the functions of monitoring/grafana/make_boards.py, so that runs and ranks are chosen, and look, as on Duet's own boards.
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parents[1] / "monitoring/grafana"))
from make_boards import board, panel, recorded  # noqa: E402

SECTIONS = [
    ("Will it be good enough, and in time?", [
        panel("acc@10 and the target", "Best on the validation photos so far; alert OwnTargetMissed.", "percentunit",
              recorded("own_run:acc_at_10:best", "{{run}} best"), ("own:acc_at_10:target", "target"), width=12, low=0, high=1),
        panel("Time left", "At the rate of the last two minutes; alert OwnTooLate.", "s", recorded("own_run:time_left:seconds", "{{run}}"),
              width=6, low=0),
        panel("Last checkpoint", "The work that would be lost now.", "s", recorded("run:duet_checkpoint_age:seconds", "{{run}}"), width=6, low=0),
    ]),
    ("What the machines are used for", [
        panel("Not computing", "Share of the steps' time in which ranks wait for samples, or for gradients that the backward pass did not hide.",
              "percentunit", recorded("own_run:waiting:share2m", "{{run}}"), width=12, low=0),
        panel("Photos a second", "All ranks together.", "short",
              ('sum by (run) (rate(duet_photos_total{job="duet", run=~"$run"}[$__rate_interval]))', "{{run}}"), width=12, low=0),
    ]),
]

if __name__ == "__main__":
    file = HERE / "own_board.json"
    content = board("own", "Chairs: on target?", "Whether runs reach the accuracy that is asked for, and when they end.", SECTIONS)
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--check"]:
        if not file.exists() or file.read_text() != text:
            sys.exit(f"{file} is not what make_board.py writes; run it, or take the change into it.")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        file.write_text(text)
