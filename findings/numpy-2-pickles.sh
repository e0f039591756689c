#!/usr/bin/env bash
# A pickle of an array names the function that rebuilds it by module. NumPy 2 writes numpy._core.multiarray, which NumPy up to 1.25 does not
# have; 1.26 alone has a stand-in. So whether "NumPy 1 reads it" is true depends on the minor version, and the other way (files of 1 in 2)
# works throughout.
# Seen, written by 2.4.6: read by 1.26.4; by 1.25.2 "No module named 'numpy._core'". Written by 1.25.2: read by 2.4.6.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install() { # VERSION PACKAGE
  python3 -m venv "$work/$1"
  "$work/$1/bin/pip" install -q "$2"
}
install 2.4.6 numpy==2.4.6
install 1.26.4 numpy==1.26.4
install 1.25.2 numpy==1.25.2
write() { # VERSION
  "$work/$1/bin/python" -c 'import pickle, sys, numpy; pickle.dump({"a": numpy.arange(6.0)}, open(sys.argv[1], "wb"))' "$work/of-$1.pickle"
}
read_by() { # VERSION VERSION_OF_WRITER
  "$work/$1/bin/python" -W ignore -c 'import pickle, sys; print(pickle.load(open(sys.argv[1], "rb")))' "$work/of-$2.pickle" 2>&1 | tail -n 1 || true
}
write 2.4.6
write 1.25.2
newer_in_1_26=$(read_by 1.26.4 2.4.6)
newer_in_1_25=$(read_by 1.25.2 2.4.6)
older_in_2=$(read_by 2.4.6 1.25.2)
printf '%s\n' "2.4.6 in 1.26.4: $newer_in_1_26" "2.4.6 in 1.25.2: $newer_in_1_25" "1.25.2 in 2.4.6: $older_in_2"
values="{'a': array([0., 1., 2., 3., 4., 5.])}"
if [[ $newer_in_1_26 == "$values" && $newer_in_1_25 == *"No module named 'numpy._core'"* && $older_in_2 == "$values" ]]; then
  echo "as seen"
else
  echo "CHANGED"
  exit 1
fi
