#!/usr/bin/env python3
"""Draws main panels of the three boards into a picture, by asking a Prometheus what the boards ask. Not Grafana's own screen.

Usage: benchmarks/plot_boards.py PROMETHEUS RUN OUT.png      needs python3-matplotlib
  PROMETHEUS   address, e.g. http://127.0.0.1:9090, of one that scraped the run (monitoring/prometheus)
  RUN          name of the run's folder

Example:
  benchmarks/plot_boards.py http://127.0.0.1:9090 quickstart docs/images/boards.png
"""
import json
import pathlib
import sys
import time
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

GRAFANA = pathlib.Path(__file__).resolve().parents[1] / "monitoring/grafana"
PANELS = [("training", "Steps a second"), ("training", "Samples a second"), ("training", "Loss"),
          ("training", "acc@10"), ("training", "Certainty"), ("training", "Parts of the retrieval loss"),
          ("cluster", "Step time, median"), ("cluster", "Waiting in collectives"), ("cluster", "Communication hidden"),
          ("cluster", "Waiting for samples"), ("cluster", "Memory"), ("cluster", "Age of the last checkpoint"),
          ("pool", "Photos read a second"), ("pool", "Read rate"), ("pool", "Photos")]
SCALE = {"percentunit": (100, "%"), "bytes": (2**-20, "MiB"), "Bps": (2**-20, "MiB/s"), "s": (1, "s"), "short": (1, "")}


def ask(server, page, **parameters):
    with urllib.request.urlopen(f"{server}/api/v1/{page}?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:
        return json.load(answer)["data"]["result"]


def series_of(server, panel, run, begin, end):
    for target in panel["targets"]:
        expression = target["expr"].replace("$__rate_interval", "20s").replace("$run", run).replace("$rank", ".*")
        for line in ask(server, "query_range", query=expression, start=begin, end=end, step=max(1, (end - begin) / 400)):
            legend = target["legendFormat"]
            for label in ("run", "rank", "stage", "phase", "network"):
                legend = legend.replace("{{" + label + "}}", "" if label == "run" else line["metric"].get(label, ""))
            yield " ".join(legend.split()), [(float(at) - begin, float(value)) for at, value in line["values"] if value != "NaN"]


def main(server, run, out):
    lines = ask(server, "query_range", query=f'duet_run_steps{{run="{run}"}}', start=time.time() - 86400, end=time.time(), step=10)
    if not lines:
        sys.exit(f"{server} has seen no run '{run}' within a day.")
    seen = [float(at) for line in lines for at, _ in line["values"]]
    begin, end = min(seen) - 10, max(seen) + 10
    plt.rcParams.update({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    columns = 3
    figure, places = plt.subplots(len(PANELS) // columns, columns, figsize=(14, 14), constrained_layout=True)
    for (board, title), axes in zip(PANELS, places.flat):
        panel = next(panel for panel in json.loads((GRAFANA / f"{board}.json").read_text())["panels"] if panel["title"] == title)
        defaults = panel["fieldConfig"]["defaults"]
        factor, unit = SCALE[defaults["unit"]]
        for legend, points in series_of(server, panel, run, begin, end):
            axes.plot([at for at, _ in points], [value * factor for _, value in points], linewidth=1.2, label=legend)
        axes.set_title(f"{board}: {title}" + (f" ({unit})" if unit else ""), loc="left", fontsize=9, fontweight="bold")
        axes.set_xlim(0, end - begin)
        axes.set_ylim(bottom=0 if defaults.get("min") == 0 else None)
        axes.grid(alpha=0.25)
        if any(axes.get_legend_handles_labels()):  # of one run, a panel may have a single line without a name
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncol=2, frameon=False, fontsize=7)
    figure.supxlabel("seconds", fontsize=8)
    figure.savefig(out, dpi=75)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
