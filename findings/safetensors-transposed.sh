#!/usr/bin/env bash
# safetensors 0.8.0 with NumPy 2.4.6: save_file() of an array that is a transposed view writes the bytes in the order of the array below
# it, under the shape of the view. Nothing is said; read back, every value that moved is wrong, and shapes and types are right.
# Weights converted from another layout (`w.T`, `np.transpose`) are scrambled that way. np.ascontiguousarray() before saving is the cure.
# Seen: shape (4, 3), and [[0, 1, 2], [3, 4, 5], …] instead of [[0, 4, 8], [1, 5, 9], …].
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q safetensors==0.8.0 numpy==2.4.6
"$work/venv/bin/python" - "$work" <<'PYTHON'
import sys
import numpy as np
from safetensors.numpy import load_file, save_file

view = np.arange(12, dtype=np.float32).reshape(3, 4).T
save_file({"view": view, "copy": np.ascontiguousarray(view)}, sys.argv[1] + "/w.safetensors")
read = load_file(sys.argv[1] + "/w.safetensors")
print("saved\n", view, "\nread\n", read["view"], sep="")
as_seen = (
    read["view"].shape == (4, 3)
    and not np.array_equal(read["view"], view)
    and np.array_equal(read["view"], np.arange(12).reshape(4, 3))
    and np.array_equal(read["copy"], view)
)
print("as seen" if as_seen else "CHANGED")
sys.exit(not as_seen)
PYTHON
