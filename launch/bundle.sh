#!/usr/bin/env bash
# Packs the built program into one archive for machines where nothing can be installed.
set -euo pipefail

usage() {
  cat <<TEXT
Usage: launch/bundle.sh [--build DIR] [--out FILE.tar.gz] [--help]

Packs the program, its CUDA plugin where it was built, Open MPI and all other libraries, but for the C library, the GPU's driver and LibTorch.
On the target machine (x86-64 Linux with a C library at least as new as here) unpack it anywhere and start duet/duet. LibTorch 2.11 is found there through
DUET_LIBTORCH (a folder with lib/), or in the torch package of python3.
  --build DIR   where the program was built; default: build/ of this checkout
  --out FILE    default: duet-bundle.tar.gz in the build folder; at most 64 MiB

Example:
  launch/build.sh && launch/bundle.sh --out /tmp/duet.tar.gz
  tar xzf duet.tar.gz && duet/duet version
TEXT
}

fail() { echo "launch/bundle.sh: $1" >&2; exit "$2"; }

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
out=
while [ $# -gt 0 ]; do
  case $1 in
    --build | --out)
      [ $# -ge 2 ] || fail "$1 needs a value; --help shows how." 64
      if [ "$1" = --build ]; then build=$2; else out=$2; fi
      shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) fail "unknown option '$1'; --help lists the options." 64 ;;
  esac
done
out=${out:-$build/duet-bundle.tar.gz}
[ -x "$build/duet" ] || fail "$build/duet is not there: run launch/build.sh first." 66
command -v ompi_info >/dev/null || fail "ompi_info, which tells where Open MPI lies, is not in PATH: run launch/setup.sh." 69
command -v mpirun >/dev/null || fail "mpirun is not in PATH: run launch/setup.sh." 69

staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
bundle=$staging/duet
mkdir -p "$bundle"/{program/share/duet,lib,openmpi/{bin,lib,share,etc},pmix/lib}

cp "$build/duet" "$bundle/program/"
if [ -e "$build/libduet_cuda.so" ]; then cp "$build/libduet_cuda.so" "$bundle/program/"; fi
cp -r "$root/launch/configs" "$root/slurm" "$bundle/program/share/duet/"
cp "$root/LICENSE" "$root/NOTICE" "$bundle/"

# Open MPI finds its plugins and texts through OPAL_PREFIX and its companions, which the start script sets.
mpi_path() { ompi_info --path "$1" --parsable | sed -n "s/^path:$1://p" | head -n 1; }
cp "$(readlink -f "$(command -v mpirun)")" "$bundle/openmpi/bin/mpirun"
cp -r "$(mpi_path pkglibdir)" "$bundle/openmpi/lib/plugins"
cp -r "$(mpi_path pkgdatadir)/." "$bundle/openmpi/share/"
cp "$(mpi_path sysconfdir)/openmpi-mca-params.conf" "$bundle/openmpi/etc/"
# Fabrics that one host does not need, nor another machine have.
for plugin in "$bundle"/openmpi/lib/plugins/*; do
  case $plugin in *.so) ;; *) rm -rf "$plugin"; continue ;; esac
  if ldd "$plugin" | grep -qE 'libucp|libfabric|libpsm|libibverbs|libflux|not found'; then rm "$plugin"; fi
done

# Libraries that a file needs, but for what the target has to bring.
needed() {
  { ldd "$1" 2>/dev/null || true; } | awk '$2 == "=>" && $3 ~ /^\// {print $1, $3}' |
    grep -vE '^(ld-linux.*|lib(c|m|dl|rt|pthread|util|resolv|anl|nsl|mvec|nss_.*|BrokenLocale)\.so\..*) ' |
    grep -vE '^lib(torch|c10|cu(da|pti|blas|dnn|fft|rand|solver|sparse|file)|nv|nccl|gomp)' || true
}
copy_libraries() {
  local name path
  while read -r name path; do
    [ -e "$bundle/lib/$name" ] || cp -L "$path" "$bundle/lib/$name"
  done < <(for file in "$@"; do needed "$file"; done | sort -u)
}
copy_libraries "$bundle"/program/duet "$bundle"/openmpi/bin/mpirun "$bundle"/openmpi/lib/plugins/*.so
if [ -e "$bundle/program/libduet_cuda.so" ]; then copy_libraries "$bundle/program/libduet_cuda.so"; fi

# PMIx has plugins of its own, beside its library; without them ranks do not find mpirun's server.
pmix=$(for plugin in "$bundle"/openmpi/lib/plugins/mca_pmix_ext*.so; do ldd "$plugin"; done 2>/dev/null | awk '$1 ~ /^libpmix/ {print $3; exit}' || true)
if [ -n "$pmix" ] && [ -d "$(dirname "$(readlink -f "$pmix")")/pmix" ]; then
  cp -r "$(dirname "$(readlink -f "$pmix")")/pmix" "$bundle/pmix/lib/"
  copy_libraries "$bundle"/pmix/lib/pmix/*.so
fi
if command -v strip >/dev/null; then
  find "$bundle" -type f \( -name '*.so*' -o -path '*/program/duet' -o -path '*/bin/mpirun' \) -exec strip --strip-unneeded {} + 2>/dev/null || true
fi

cat >"$bundle/duet" <<'SCRIPT'
#!/bin/sh
# Starts Duet from this folder, wherever it lies.
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
torch=${DUET_LIBTORCH:-}
if [ -z "$torch" ]; then
  torch=$(python3 -c 'import importlib.util, os; print(os.path.dirname(importlib.util.find_spec("torch").origin))' 2>/dev/null)
fi
if [ ! -e "$torch/lib/libtorch_cpu.so" ]; then
  echo "duet: LibTorch was not found. Set DUET_LIBTORCH to a folder with lib/libtorch_cpu.so, or install the torch package (2.11) of python3." >&2
  exit 69
fi
libraries=$here/lib:$torch/lib:$torch/cuda
for folder in "$torch"/../nvidia/*/lib; do
  if [ -d "$folder" ]; then libraries=$libraries:$folder; fi
done
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export PATH="$here/openmpi/bin:$PATH"
export OPAL_PREFIX="$here/openmpi" OPAL_BINDIR="$here/openmpi/bin" OPAL_LIBDIR="$here/lib" OPAL_PKGLIBDIR="$here/openmpi/lib/plugins"
export OPAL_DATADIR="$here/openmpi" OPAL_PKGDATADIR="$here/openmpi/share" OPAL_SYSCONFDIR="$here/openmpi/etc"
export PMIX_PREFIX="$here/pmix" PMIX_LIBDIR="$here/pmix/lib" PMIX_PKGLIBDIR="$here/pmix/lib/pmix"
exec "$here/program/duet" "$@"
SCRIPT
chmod +x "$bundle/duet"

mkdir -p "$(dirname "$out")"
part=$out.part
tar -C "$staging" -czf "$part" duet || { rm -f "$part"; fail "$out cannot be written." 74; }
bytes=$(stat -c %s "$part")
if [ "$bytes" -gt $((64 << 20)) ]; then
  rm -f "$part"
  fail "the bundle would be $((bytes >> 20)) MiB; 64 MiB is the limit. Is $build/duet a debug build?" 70
fi
mv "$part" "$out"
echo "bundle: $out, $(((bytes + 1048575) >> 20)) MiB, $(find "$bundle/lib" -type f | wc -l) libraries"
