#!/usr/bin/env bash
# Debian 12's mpirun (Open MPI 4.1.4-3+b1) does not start anything on a host whose own name holds an underscore; container runtimes and
# desktop tools hand out such names. It packs the names of nodes into an expression that has no underscore, for one node too; with the plain
# list (OMPI_MCA_regx=naive) it starts. With --quiet the reason, and the name, are not said.
# Seen: "illegal character in the following node name" and status 1; with --quiet status 1 and another text; with regx=naive it starts.
# Needs root, for a UTS namespace of its own (the machine keeps its name), and Debian 12 for what the packages need in turn.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && apt-get download -q openmpi-bin=4.1.4-3+b1 libopenmpi3=4.1.4-3+b1 openmpi-common=4.1.4-3 >/dev/null &&
  for package in *.deb; do dpkg -x "$package" root; done)
cd "$work"
export OPAL_PREFIX="$work/root/usr"
export OPAL_LIBDIR="$OPAL_PREFIX/lib/x86_64-linux-gnu"
export LD_LIBRARY_PATH="$OPAL_LIBDIR" OMPI_MCA_mca_base_component_path="$OPAL_LIBDIR/openmpi/lib/openmpi3"
started_on() { # NAME [OPTION…]: what mpirun says, and its status
  local name=$1
  shift
  # shellcheck disable=SC2016 # the inner shell expands these
  unshare --uts bash -c 'python3 -c "import socket, sys; socket.sethostname(sys.argv[1])" "$1"; shift
    "$OPAL_PREFIX/bin/orterun" --allow-run-as-root --oversubscribe "$@" -n 1 echo started 2>&1; echo "status $?"' - "$name" "$@"
}
"$OPAL_PREFIX/bin/orterun" --version | head -n 1
plain=$(started_on node_1)
quiet=$(started_on node_1 --quiet)
packed=$(OMPI_MCA_regx=naive started_on node_1)
printf '%s\n' "node_1: $plain" "--quiet: $quiet" "regx=naive: $packed"
if [[ $plain == *"illegal character"*node_1*"status 1" && $quiet != *node_1* && $quiet == *"status 1" && $packed == started$'\n'"status 0" ]]; then
  echo "as seen"
else
  echo "CHANGED"
  exit 1
fi
