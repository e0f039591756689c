#!/usr/bin/env bash
# safetensors 0.8.0 reads a file whose header says "__metadata__": null, though its format describes a map from strings to strings; a map
# with a number in it is refused. Writers that serialise an absent map as null exist, and their files load everywhere but in readers that
# follow the description.
# Seen: null is taken, the tensor is read; {"a": 1} ends in "invalid type: integer `1`, expected a string".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q safetensors==0.8.0 numpy==2.4.6
"$work/venv/bin/python" - "$work/w.safetensors" <<'PYTHON'
import json
import struct
import sys
from safetensors.numpy import load_file


def read(metadata):
    header = json.dumps({"__metadata__": metadata, "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    with open(sys.argv[1], "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header + struct.pack("<f", 7))
    try:
        return float(load_file(sys.argv[1])["w"][0])
    except Exception as error:
        return str(error)


null, number = read(None), read({"a": 1})
print("null:", null, "\nnumber:", number)
as_seen = null == 7.0 and isinstance(number, str) and "expected a string" in number
print("as seen" if as_seen else "CHANGED")
sys.exit(not as_seen)
PYTHON
