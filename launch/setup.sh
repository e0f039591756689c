#!/usr/bin/env bash
# Installs what Duet builds and runs with: Debian packages (as root) and LibTorch (as anybody).
# Safe to repeat; needs no network once everything is there.
set -euo pipefail

usage() {
  cat <<TEXT
Usage: launch/setup.sh [--tests] [--lint] [--check] [--help]

Installs the Debian packages that Duet needs and puts LibTorch $LIBTORCH_VERSION into .deps/ of this checkout.
  --tests   also what only the tests need (h5py, Prometheus, NumPy, Slurm, a format checker)
  --lint    also clang and clang-tidy, for tests/lint.sh and the preset clang
  --check   install nothing, only say what is missing (exit 69 if anything is)

Environment:
  DUET_LIBTORCH   folder of an existing LibTorch (with include/ and lib/), used instead of .deps/

Example:
  launch/setup.sh && cmake --preset default && ninja -C build
TEXT
}

LIBTORCH_VERSION=2.11.0
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_packages=(g++ cmake ninja-build ccache mold pkg-config git ca-certificates
  openmpi-bin libopenmpi-dev libhdf5-dev libturbojpeg0-dev libjpeg-dev libpng-dev libwebp-dev libxxhash-dev libfmt-dev
  nlohmann-json3-dev libboost-program-options-dev prometheus-cpp-dev libcivetweb-dev libgtest-dev libgmock-dev
  libstb-dev python3 python3-pip unzip)
test_packages=(clang-format hdf5-tools prometheus prometheus-pushgateway python3-h5py python3-numpy curl procps
  shellcheck prometheus-alertmanager python3-jsonschema python3-yaml slurm-wlm slurmctld slurmd slurm-client munge libpmix2 iproute2)
lint_packages=(clang clang-tidy)

with_tests=0
with_lint=0
check_only=0
for argument in "$@"; do
  case $argument in
    --tests) with_tests=1 ;;
    --lint) with_lint=1 ;;
    --check) check_only=1 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "launch/setup.sh: unknown option '$argument'; --help lists the options." >&2; exit 64 ;;
  esac
done

fail() { echo "launch/setup.sh: $1" >&2; exit "${2:-69}"; }
say() { echo "setup: $*"; }

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

install_packages() {
  local wanted=("${build_packages[@]}") missing
  [ "$with_tests" = 1 ] && wanted+=("${test_packages[@]}")
  [ "$with_lint" = 1 ] && wanted+=("${lint_packages[@]}")
  command -v dpkg-query >/dev/null || fail "this is not a Debian system. Install the equivalents of: ${wanted[*]}"
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  [ ${#missing[@]} -eq 0 ] && { say "Debian packages: all ${#wanted[@]} present"; return; }
  [ "$check_only" = 1 ] && fail "missing Debian packages: ${missing[*]}"
  [ "$(id -u)" = 0 ] || fail "missing Debian packages, and only root can install them. Run:
  sudo apt-get install --no-install-recommends ${missing[*]}"
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q >/dev/null || fail "apt-get update failed: is there a network?"
  apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "apt-get could not install: ${missing[*]}. Its own message stands above."
}

# The wheel brings headers and libraries; Python itself is not needed to use them. libtorch_cpu links the CUDA runtime and CUPTI
# even where no GPU is used, so these two come along; the other 3 GB of CUDA libraries only where there is a GPU.
install_libtorch() {
  [ -n "${DUET_LIBTORCH:-}" ] && {
    [ -e "$DUET_LIBTORCH/lib/libtorch_cpu.so" ] || fail "DUET_LIBTORCH=$DUET_LIBTORCH has no lib/libtorch_cpu.so"
    say "LibTorch: $DUET_LIBTORCH"
    return
  }
  local target=$root/.deps/libtorch-$LIBTORCH_VERSION flavour=cpu
  command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1 && flavour=cuda
  if [ -e "$target/complete" ] && { [ "$flavour" = cpu ] || grep -qx cuda "$target/complete"; }; then
    say "LibTorch $LIBTORCH_VERSION ($(cat "$target/complete")): present"
    return
  fi
  [ "$check_only" = 1 ] && fail "LibTorch $LIBTORCH_VERSION is not in $target"
  local free_kib
  mkdir -p "$root/.deps"
  free_kib=$(df -Pk "$root/.deps" | awk 'NR==2 {print $4}')
  [ "$free_kib" -gt $((6 * 1024 * 1024)) ] || fail "LibTorch needs 6 GiB of free disk in $root/.deps; there are $((free_kib / 1048576)) GiB." 73
  say "fetching LibTorch $LIBTORCH_VERSION ($flavour) into .deps/ (about 500 MB)"
  local staging
  staging=$(mktemp -d "$root/.deps/staging.XXXXXX")
  trap 'rm -rf "$staging"' EXIT
  local pip=(python3 -m pip install --quiet --disable-pip-version-check --no-compile --no-warn-conflicts --root-user-action=ignore
    --target "$staging/site" --only-binary=:all: --python-version 3.11 --implementation cp
    --platform manylinux2014_x86_64)
  local glibc
  for glibc in $(seq 17 35); do pip+=(--platform "manylinux_2_${glibc}_x86_64"); done  # pip matches each exactly
  local wanted=(--no-deps "torch==$LIBTORCH_VERSION" "nvidia-cuda-runtime==13.0.*" "nvidia-cuda-cupti==13.0.*")
  [ "$flavour" = cuda ] && wanted=("torch==$LIBTORCH_VERSION")
  "${pip[@]}" "${wanted[@]}" || fail "could not fetch LibTorch $LIBTORCH_VERSION. Without a network, unpack one by hand and set DUET_LIBTORCH."
  mkdir -p "$staging/torch"
  mv "$staging/site/torch/include" "$staging/site/torch/lib" "$staging/torch/"
  # CUDA libraries of the wheels, each package in a folder of its own, gathered beside LibTorch's.
  mkdir -p "$staging/torch/cuda"
  find "$staging/site/nvidia" -name '*.so*' -exec mv -n {} "$staging/torch/cuda/" \;
  echo "$flavour" >"$staging/torch/complete"
  rm -rf "$target"
  mv "$staging/torch" "$target"
  rm -rf "$staging"
  trap - EXIT
  say "LibTorch $LIBTORCH_VERSION: $(du -sh "$target" | cut -f1) in .deps/"
}

install_packages
install_libtorch
