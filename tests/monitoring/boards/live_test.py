#!/usr/bin/env python3
"""A real Prometheus watches a real training of two ranks: everything that rules and boards ask for must be there.

Usage: live_test.py DUET      (the program)
"""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

from monitoring_files import BOARDS, PROMETHEUS, queries, rules

# May be without data in this training: no GPU is there, and nothing goes wrong.
WITHOUT_DATA = {"GPU memory", "Updates left out in 15 minutes"}

CONFIG = """
[run]
evaluate_every = 50
[retrieval]
backbone = tiny
objective = infonce
head = 16
batch = 6
steps = 600
[generator]
backbone = tiny
latent = 8
hidden = 16
attention = 8
mixtures = 2
max_steps = 80
simplify_epsilon = 8
batch = 6
stroke_steps = 30
pair_steps = 30
[discriminator]
width = 4
layers = 2
[joint]
steps = 1000000
retrieval_steps = 3
generator_steps = 2
discriminator_warmup = 10
labelled_batch = 6
pool_batch = 6
generator_batch = 6
[checkpoint]
every_steps = 50
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def started(command, log):
    """A program in a process group of its own, which is ended with the test."""
    with open(log, "wb") as out:
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=out, start_new_session=True)
    try:
        yield process
    finally:
        for sign, seconds in ((signal.SIGTERM, 60), (signal.SIGKILL, 10)):
            if process.poll() is None:
                os.killpg(process.pid, sign)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(seconds)


def until(what, condition, seconds, log):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"{what}: not within {seconds} s\n{pathlib.Path(log).read_text()[-3000:]}")
        time.sleep(0.5)


class Server:
    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/api/v1/"

    def ask(self, page, **parameters):
        try:
            with urllib.request.urlopen(self.url + page + "?" + urllib.parse.urlencode(parameters), timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["error"]) from error

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def drawn(self, expression):
        """What a panel draws of the training so far: stages that have ended are in it."""
        now = time.time()
        return self.ask("query_range", query=expression, start=now - 600, end=now, step=2)["result"]

    def answers(self):
        try:
            self.query("1")
            return True
        except OSError:
            return False


def plain(expression):
    """What Grafana would ask for with all runs and ranks chosen."""
    return expression.replace("$__rate_interval", "30s").replace("$run", ".*").replace("$rank", ".*")


def configure(folder, targets):
    """The configuration as delivered, but faster, and with paths of this test."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PROMETHEUS / name) for name in config["rule_files"]]
    del config["alerting"]
    discovery = config["scrape_configs"][0]["file_sd_configs"][0]
    discovery.update(files=[f"{targets}/*.json"], refresh_interval="1s")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    return folder / "prometheus.yml"


def failures_of(server):
    failures = []

    def check(subject, expression, needs_data, query=server.query):
        try:
            result = query(expression)
        except RuntimeError as error:
            failures.append(f"{subject}: {error}: {expression}")
            return
        if needs_data and not result:
            failures.append(f"{subject}: no data: {expression}")

    for name in BOARDS:
        for title, expression in queries(name):
            check(f"{name}, '{title}'", plain(expression), title not in WITHOUT_DATA, server.drawn)
    for rule in rules("rules.yml"):
        check(rule["record"], rule["expr"], True)
        check(rule["record"], rule["record"], True)
    for rule in rules("alerts.yml"):
        check(rule["alert"], rule["expr"], False)
    return failures


def main(program):
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = folder / "train.log"
        data, runs, targets, port = folder / "data", folder / "runs", folder / "targets", free_port()
        runs.mkdir()
        subprocess.run([program, "synth", "--pairs", "24", "--pool", "24", "--test", "8", "--strokes", "24", "--sketches", "2", "--side", "64",
                        "--seed", "3", "--out", data], check=True, capture_output=True)
        (folder / "tiny.cfg").write_text(CONFIG + "[data]\nimage_side = 32\n" + "".join(
            f"{option} = {data}/{store}.store\n" for option, store in (("labelled", "pairs"), ("pool", "pool"), ("strokes", "strokes"))))
        stack.enter_context(started([PROMETHEUS / "follow_runs.sh", runs, targets, "0.5"], folder / "follow.log"))
        stack.enter_context(started(["prometheus", f"--config.file={configure(folder, targets)}", f"--storage.tsdb.path={folder}/tsdb",
                                     f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], folder / "prometheus.log"))
        server = Server(port)
        until("Prometheus", server.answers, 30, folder / "prometheus.log")
        training = stack.enter_context(started([program, "train", "--config", folder / "tiny.cfg", "--ranks", "2", "--run.folder", runs / "tiny"], log))
        until("both ranks scraped", lambda: len(server.query('up{job="duet", run="tiny"} == 1')) == 2, 90, log)
        until("joint training", lambda: server.query('duet_steps_total{phase="joint_generator"} > 20'), 150, log)

        failures = ["?"]
        for _ in range(30):  # evaluations and checkpoints come by and by
            failures = failures_of(server)
            if not failures or training.poll() is not None:
                break
            time.sleep(2)
        if failures:
            sys.exit("\n".join(failures) + "\n" + log.read_text()[-2000:])
        firing = [alert["labels"] for alert in server.ask("alerts")["alerts"] if alert["state"] == "firing"]
        if firing:
            sys.exit(f"a healthy training fires {firing}")

        training.terminate()
        training.wait(60)
        until("the run leaves Prometheus' targets", lambda: not server.query("up"), 60, folder / "follow.log")
        if server.query("duet_ranks"):
            sys.exit("series of a run that ended are not stale")
    print("every query gave data")


if __name__ == "__main__":
    main(sys.argv[1])
