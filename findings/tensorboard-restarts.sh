#!/usr/bin/env bash
# A run writes steps 1 to 7, is restarted from step 4 with a SessionLog START there, and writes 4 to 9 again. Both readers of TensorBoard
# 2.21.0 (event_accumulator, and plugin_event_accumulator behind the web page) take steps 4 to 7 of the first file back; tbparse 0.0.9, from
# which data frames are made, keeps both, and its curve goes back in step.
# Seen: 9, 9 and 13 values.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q tensorboard==2.21.0 tbparse==0.0.9 "setuptools<81"
"$work/venv/bin/python" -W ignore - "$work/log" <<'PYTHON' 2>&1
import sys
import time
from tbparse import SummaryReader
from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter


def session(first, last, began):
    writer = EventFileWriter(sys.argv[1])
    writer.add_event(Event(wall_time=began, step=first, session_log=SessionLog(status=SessionLog.START)))
    for step in range(first, last + 1):
        writer.add_event(Event(wall_time=began + step, step=step, summary=Summary(value=[Summary.Value(tag="loss", simple_value=1.0)])))
    writer.close()


session(1, 7, 1000)
time.sleep(1.1)  # the files are read in the order of their names, which hold seconds
session(4, 9, 2000)
full = event_accumulator.EventAccumulator(sys.argv[1]).Reload()
web_page = plugin_event_accumulator.EventAccumulator(sys.argv[1]).Reload()
counts = [len(full.Scalars("loss")), len(web_page.Tensors("loss")), len(SummaryReader(sys.argv[1]).scalars)]
print("event_accumulator, plugin_event_accumulator, tbparse:", counts)
as_seen = counts == [9, 9, 13]
print("as seen" if as_seen else "CHANGED")
sys.exit(not as_seen)
PYTHON
