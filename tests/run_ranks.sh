#!/usr/bin/env bash
# tests/run_ranks.sh N PROGRAM [ARGUMENT...]: starts PROGRAM on N ranks of this machine, more ranks than cores allowed.
set -euo pipefail
ranks=$1
shift
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_btl=self,vader
command -v ssh >/dev/null || export OMPI_MCA_plm=isolated
export OMP_NUM_THREADS=1
exec mpirun -n "$ranks" "$@"
