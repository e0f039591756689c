#!/usr/bin/env python3
"""Writes the three boards beside this file: training.json, cluster.json, pool.json. With --check: fails when they are not what it writes."""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = {"type": "prometheus", "uid": "${source}"}
RUN = 'job="duet", run=~"$run"'
RANK = RUN + ', rank=~"$rank"'




def panel(title, description, unit, *targets, kind="timeseries", width=8, height=8, low=None, high=None):
    return {"title": title, "description": description, "unit": unit, "targets": targets, "kind": kind, "width": width, "height": height,
            "low": low, "high": high}


def of_run(metric, legend, labels="run"):
    """A figure that is the same on all ranks, or that only rank 0 has."""
    return (f"max by ({labels}) ({metric}{{{RUN}}})", legend)


def of_rank(metric, name=""):
    return (f"max by (run, rank) ({metric}{{{RANK}}})", "{{run}} rank {{rank}}" + (f" {name}" if name else ""))


def rank_rate(metric, name=""):
    return (f"sum by (run, rank) (rate({metric}{{{RANK}}}[$__rate_interval]))", "{{run}} rank {{rank}}" + (f" {name}" if name else ""))


def run_rate(metric, legend="{{run}} {{phase}}", labels="run, phase"):
    return (f"sum by ({labels}) (rate({metric}{{{RUN}}}[$__rate_interval]))", legend)


def recorded(metric, legend, labels='run=~"$run"'):
    return (f"{metric}{{{labels}}}", legend)


BY_RANK = 'run=~"$run", rank=~"$rank"'
STAGE = "{{run}} {{stage}} {{phase}}"

TRAINING = [
    ("Progress", [
        panel("Progress", "Steps done of all that are planned, those before a resume included.", "percentunit",
              recorded("run:duet_progress:ratio", "{{run}}"), kind="stat", width=4, height=5, low=0, high=1),
        panel("Steps done / planned", "Over all stages.", "short", of_run("duet_run_steps", "{{run}} done"),
              of_run("duet_run_planned_steps", "{{run}} planned"), kind="stat", width=5, height=5),
        panel("Since the last step", "Grows when training hangs; alert DuetNoProgress at 15 minutes.", "s",
              recorded("run:duet_last_step_age:seconds", "{{run}}"), kind="stat", width=4, height=5),
        panel("Running for", "Since this process began to train.", "s",
              (f"time() - min by (run) (duet_start_time_seconds{{{RUN}}})", "{{run}}"), kind="stat", width=4, height=5),
        panel("Continued", "How often the run was started before.", "short", of_run("duet_restarts", "{{run}}"), kind="stat", width=3, height=5),
        panel("Stop reason", "0 it goes on, 1 complete, 2 a signal asked for it, 3 an error.", "short", of_run("duet_stop_reason", "{{run}}"),
              kind="stat", width=4, height=5),
        panel("Phase", "1 for the phase that trains now.", "short", of_run("duet_phase_active", STAGE, "run, stage, phase"), low=0, high=1),
        panel("Samples a second", "Photos and sketches that pass the trained networks, all ranks together.", "short",
              recorded("run_phase:duet_samples:rate2m", "{{run}} {{phase}}"), recorded("run:duet_samples:rate2m", "{{run}} all")),
        panel("Steps a second", "All phases.", "short", recorded("run:duet_steps:rate2m", "{{run}}")),
        panel("Rows, photos and drawn sketches a second", "What the samples consist of.", "short",
              run_rate("duet_triplets_total", "{{run}} rows of the objective", "run"), run_rate("duet_photos_total", "{{run}} photos", "run"),
              run_rate("duet_pseudo_sketches_total", "{{run}} pseudo sketches", "run")),
    ]),
    ("Learning", [
        panel("Loss", "Of the last step, by phase, while the phase trains; phases' losses are of different kinds.", "short",
              (f"max by (run, stage, phase) (duet_loss{{{RUN}}} and on (run, rank, stage, phase) "
               f"max_over_time(duet_phase_active{{{RUN}}}[$__rate_interval]) == 1)", STAGE)),
        panel("Parts of the retrieval loss", "Labelled pairs, pseudo pairs weighted by certainty, distillation.", "short",
              of_run("duet_loss_labelled", "{{run}} labelled"), of_run("duet_loss_pool", "{{run}} pool"),
              of_run("duet_loss_distillation", "{{run}} distillation")),
        panel("Parts of the generator's loss", "Reconstruction of strokes, divergence of the latent.", "short",
              of_run("duet_loss_reconstruction", STAGE + " reconstruction", "run, stage, phase"),
              of_run("duet_loss_divergence", STAGE + " divergence", "run, stage, phase")),
        panel("Discriminator's loss", "Near 0: it tells all drawings from human ones, certainty falls to 0.", "short",
              of_run("duet_loss_discriminator", "{{run}} {{phase}}", "run, phase")),
        panel("Gradient norm", "Before clipping.", "short", of_run("duet_gradient_norm", "{{run}} {{phase}} {{network}}", "run, phase, network")),
        panel("Learning rate", "By phase and network.", "short", of_run("duet_learning_rate", "{{run}} {{phase}} {{network}}", "run, phase, network")),
        panel("Updates left out in 15 minutes", "A gradient was not finite. Nothing is drawn while none was left out.", "short",
              (f"max by (run, phase, network) (increase(duet_skipped_steps_total{{{RUN}}}[15m]))", "{{run}} {{phase}} {{network}}")),
    ]),
    ("Retrieval on validation photos", [
        panel(f"acc@{k}", "Share of validation queries whose photo is among the first " + str(k) + ".", "percentunit",
              of_run(f"duet_evaluation_acc_at_{k}_ratio", "{{run}} {{stage}} {{network}}", "run, stage, network"), width=6, low=0, high=1)
        for k in (1, 5, 10)
    ] + [
        panel("Mean rank percentile", "Share of the gallery behind the true photo; chance is 50 %.", "percentunit",
              of_run("duet_evaluation_mean_rank_percentile_ratio", "{{run}} {{stage}} {{network}}", "run, stage, network"), width=6, low=0, high=1),
    ]),
    ("Generator and discriminator", [
        panel("Certainty", "How sure the discriminator is of the pseudo pairs of the last joint step: mean and deciles. All near 0 or all near 1 is a collapse.",
              "percentunit", recorded("run:duet_certainty:mean", "{{run}} mean"), of_run("duet_certainty_p10", "{{run}} first decile"),
              of_run("duet_certainty_p50", "{{run}} median"), of_run("duet_certainty_p90", "{{run}} last decile"), low=0, high=1),
        panel("Reward", "Of the drawings of the last policy step.", "short", of_run("duet_reward", "{{run}}")),
        panel("Distance under the teacher", "Of sketch and photo, under the frozen teacher.", "short", of_run("duet_teacher_distance", "{{run}}")),
        panel("Length of drawings", "Mean number of offsets. Stuck at generator.max_steps: drawings do not end by themselves.", "short",
              of_run("duet_decode_steps", "{{run}}")),
        panel("Judged generator", "Retrieval with sketches that it drew of validation photos.", "percentunit",
              of_run("duet_generator_acc_at_1_ratio", "{{run}} {{stage}} acc@1", "run, stage"),
              of_run("duet_generator_acc_at_10_ratio", "{{run}} {{stage}} acc@10", "run, stage"),
              of_run("duet_generator_mean_rank_percentile_ratio", "{{run}} {{stage}} mean rank percentile", "run, stage"), width=16, low=0, high=1),
    ]),
]

CLUSTER = [
    ("Ranks", [
        panel("Ranks that answer", "Of those the run was started with; alert DuetRankMissing.", "short",
              (f"count by (run) (duet_ranks{{{RUN}}})", "{{run}} answer"), of_run("duet_ranks", "{{run}} started"), kind="stat", width=8, height=5),
        panel("Ranks in the last directive", "Seen by rank 0.", "short", of_run("duet_ranks_alive", "{{run}}"), kind="stat", width=8, height=5),
        panel("Directives", "Since this process began.", "short", of_run("duet_directive_number", "{{run}}"), kind="stat", width=8, height=5),
        panel("Step time, median", "By rank. Collectives make all ranks' alike: a slow rank shows under 'Straggler'.", "s",
              recorded("run_rank_phase:duet_step_seconds:p50_2m", "{{run}} rank {{rank}} {{phase}}", BY_RANK), low=0),
        panel("Step time, 95th percentile", "By rank.", "s", recorded("run_rank_phase:duet_step_seconds:p95_2m", "{{run}} rank {{rank}} {{phase}}", BY_RANK), low=0),
        panel("Straggler", "How much less this rank waits for others than they do on average, as a share of the time. Alert DuetStraggler at 20 %.",
              "percentunit", recorded("run_rank:duet_straggler:score2m", "{{run}} rank {{rank}}", BY_RANK)),
    ]),
    ("Communication", [
        panel("Waiting in collectives", "Share of the time, by rank. The rank that waits least is the one the others wait for.", "percentunit",
              recorded("run_rank:duet_communication_wait:rate2m", "{{run}} rank {{rank}}", BY_RANK), low=0),
        panel("Communication not hidden", "Share of the step's time in which the backward pass did not hide the exchange of gradients.", "percentunit",
              recorded("run_rank:duet_communication_exposed:share2m", "{{run}} rank {{rank}}", BY_RANK), low=0),
        panel("Communication hidden", "Share of the exchange of gradients that lies under the backward pass.", "percentunit",
              recorded("run_rank:duet_communication_hidden:ratio2m", "{{run}} rank {{rank}}", BY_RANK), low=0, high=1),
        panel("Gradients under way", "Time with buckets under way, a second.", "percentunit", rank_rate("duet_communication_seconds_total"), width=12, low=0),
        panel("Gradients sent", "By rank.", "Bps", rank_rate("duet_communication_bytes_total"), width=12, low=0),
    ]),
    ("Data and memory", [
        panel("Waiting for samples", "Share of the step's time. Alert DuetDataStarvation at 30 %.", "percentunit",
              recorded("run_rank:duet_data_wait:share2m", "{{run}} rank {{rank}}", BY_RANK), low=0),
        panel("Memory", "Resident, by rank.", "bytes", of_rank("duet_resident_memory_bytes"), low=0),
        panel("Feature cache", "Features of networks that do not change; part of the memory.", "bytes", of_rank("duet_cache_bytes"), low=0),
        panel("GPU memory", "In use on the rank's GPU, by whichever process. Empty without GPUs.", "bytes", of_rank("duet_gpu_memory_bytes"), low=0),
    ]),
    ("Checkpoints", [
        panel("Age of the last checkpoint", "The work that would be lost. Alert DuetCheckpointStale at an hour.", "s",
              recorded("run:duet_checkpoint_age:seconds", "{{run}}"), low=0),
        panel("Checkpoint time", "How long writing one takes, and how long training stands still for it: means.", "s",
              (f"sum by (run) (duet_checkpoint_write_seconds_sum{{{RUN}, rank=\"0\"}}) / (sum by (run) (duet_checkpoint_write_seconds_count{{{RUN}, rank=\"0\"}}) > 0)", "{{run}} written"),
              (f"sum by (run) (duet_checkpoint_stall_seconds_sum{{{RUN}, rank=\"0\"}}) / (sum by (run) (duet_checkpoint_stall_seconds_count{{{RUN}, rank=\"0\"}}) > 0)", "{{run}} training stands still"), low=0),
        panel("Size", "Of the last checkpoint.", "bytes", of_run("duet_checkpoint_bytes", "{{run}}"), low=0),
        panel("Step of the last checkpoint", "Counted over all stages.", "short", of_run("duet_checkpoint_step", "{{run}}"), kind="stat", width=12, height=5),
        panel("Checkpoints written / failed", "By this process.", "short", of_run("duet_checkpoints_total", "{{run}} written"),
              of_run("duet_checkpoint_failures_total", "{{run}} failed"), kind="stat", width=12, height=5),
    ]),
]

POOL = [
    ("Pool", [
        panel("Photos", "Of the generation that is read, and of these those left out because they look like held-out photos.", "short",
              of_run("duet_pool_photos", "{{run}} photos"), of_run("duet_pool_excluded_photos", "{{run}} left out"), width=12, low=0),
        panel("Generations", "Open on the slowest rank, and newest on disk. New ones are adopted between blocks of the joint stage.", "short",
              (f"min by (run) (duet_pool_generation{{{RUN}}})", "{{run}} open"), of_run("duet_pool_newest_generation", "{{run}} newest"), width=12, low=0),
        panel("Generations behind", "Alert DuetPoolNotAdopted when it stays above 0 in the joint stage.", "short",
              recorded("run:duet_pool_generations_behind:count", "{{run}}"), width=12, low=0),
        panel("Pseudo sketches drawn", "All ranks together.", "short", run_rate("duet_pseudo_sketches_total"), width=12, low=0),
    ]),
    ("Reading", [
        panel("Photos read a second", "From stores, by rank.", "short", rank_rate("duet_photos_read_total"), low=0),
        panel("Read rate", "From stores, by rank.", "Bps", rank_rate("duet_read_bytes_total"), low=0),
        panel("Samples that could not be read", "Since this process began; others took their place.", "short",
              (f"sum by (run) (duet_quarantined_samples_total{{{RUN}}})", "{{run}}"), width=4, low=0),
        panel("Share unreadable, 30 min", "Alert DuetQuarantineGrowing at 0.1 %.", "percentunit", recorded("run:duet_quarantined:share30m", "{{run}}"), width=4, low=0),
    ]),
]


def defaults(item):
    field = {"unit": item["unit"]}
    if item["low"] is not None:
        field["min"] = item["low"]
    if item["high"] is not None:
        field["max"] = item["high"]
    if item["kind"] == "timeseries":
        field["custom"] = {"lineWidth": 1, "fillOpacity": 5, "showPoints": "never", "spanNulls": False}
    return field


def options(kind):
    if kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "textMode": "value_and_name", "colorMode": "none",
                "graphMode": "none"}
    return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "multi", "sort": "desc"}}


def laid_out(sections):
    """Rows of panels from left to right, 24 columns wide."""
    panels, number, y = [], 0, 0
    for title, items in sections:
        number += 1
        panels.append({"id": number, "type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        x, y, tallest = 0, y + 1, 0
        for item in items:
            if x + item["width"] > 24:
                x, y, tallest = 0, y + tallest, 0
            number += 1
            targets = [{"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": expr, "legendFormat": legend}
                       for at, (expr, legend) in enumerate(item["targets"])]
            panels.append({"id": number, "type": item["kind"], "title": item["title"], "description": item["description"], "datasource": SOURCE,
                           "gridPos": {"x": x, "y": y, "w": item["width"], "h": item["height"]}, "targets": targets,
                           "fieldConfig": {"defaults": defaults(item), "overrides": []}, "options": options(item["kind"])})
            x, tallest = x + item["width"], max(tallest, item["height"])
        y += tallest
    return panels


def choice(name, label, query):
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": name}, "refresh": 2, "sort": 3,
            "multi": True, "includeAll": True, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}}


def board(name, title, description, sections):
    return {"uid": f"duet-{name}", "title": title, "description": description, "tags": ["duet"], "schemaVersion": 39, "version": 1,
            "editable": True, "graphTooltip": 1, "refresh": "10s", "time": {"from": "now-1h", "to": "now"}, "timezone": "browser",
            "annotations": {"list": []},
            "links": [{"title": "Duet", "type": "dashboards", "tags": ["duet"], "asDropdown": False, "icon": "dashboard", "includeVars": True,
                       "keepTime": True, "targetBlank": False, "tooltip": "", "url": ""}],
            "templating": {"list": [
                {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
                 "current": {"text": "Prometheus", "value": "duet-prometheus"}},
                choice("run", "Run", 'label_values(duet_ranks{job="duet"}, run)'),
                choice("rank", "Rank", f'label_values(duet_ranks{{{RUN}}}, rank)'),
            ]},
            "panels": laid_out(sections)}


BOARDS = {
    "training": board("training", "Duet: training", "How far runs are and what they learn.", TRAINING),
    "cluster": board("cluster", "Duet: cluster", "Ranks: step times, stragglers, communication, memory, checkpoints.", CLUSTER),
    "pool": board("pool", "Duet: pool", "Photos without sketches: how many, which generation, how fast they are read.", POOL),
}

if __name__ == "__main__":
    for name, content in BOARDS.items():
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        file = HERE / f"{name}.json"
        if sys.argv[1:] == ["--check"]:
            if file.read_text() != text:
                sys.exit(f"{file} is not what make_boards.py writes; run it, or take the change into it.")
        else:
            file.write_text(text)
