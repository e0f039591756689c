#!/usr/bin/env bash
# A virtual Slurm cluster on this host: the real controller, one real slurmd a node, munge; all of it in one folder. Needs root.
set -euo pipefail

usage() {
  cat <<TEXT
Usage: tests/slurm/cluster.sh up [OPTION...] DIR [NODES] [CPUS]
       tests/slurm/cluster.sh down DIR
       tests/slurm/cluster.sh kill DIR NODE            the node dies: its slurmd and all processes on it, at once
       tests/slurm/cluster.sh start DIR NODE           its slurmd comes back
       tests/slurm/cluster.sh processes DIR [NODE]     process ids of job steps and their tasks
       tests/slurm/cluster.sh exec DIR NODE COMMAND…   runs a command on a node (with --hosts)
       tests/slurm/cluster.sh cut | heal DIR NODE      pulls or plugs a node's network cable (with --hosts)

up starts NODES (2) nodes of CPUS (2) cores and two pretended GPUs each; DIR is made, and should be a short path. Jobs are submitted after
  source DIR/environment
Nothing listens outside of this host, several clusters may be up at once, and down leaves nothing but DIR's log files.

Options of up:
  --hosts              each node is a network namespace with its own host name and address; commands then run inside of one (exec)
  --node-timeout S     seconds until a silent node counts as down (30)
  --owner PID          the cluster goes down by itself when that process ends

Example:
  tests/slurm/cluster.sh up /tmp/cluster 2 2 && source /tmp/cluster/environment && sinfo
  tests/slurm/cluster.sh down /tmp/cluster
TEXT
}

fail() { echo "tests/slurm/cluster.sh: $1" >&2; exit "${2:-69}"; }

self=$(realpath "${BASH_SOURCE[0]}")
action=${1:-}
case $action in
  up | down | kill | start | processes | exec | cut | heal) shift ;;
  -h | --help) usage; exit 0 ;;
  *) echo "tests/slurm/cluster.sh: '$action' is no action; --help lists them." >&2; exit 64 ;;
esac
export PATH=$PATH:/usr/sbin:/sbin
hosts=0 node_timeout=30 owner=
while [[ ${1:-} == --* ]]; do
  case $1 in
    --hosts) hosts=1; shift ;;
    --node-timeout) node_timeout=$2; shift 2 ;;
    --owner) owner=$2; shift 2 ;;
    *) fail "unknown option '$1'; --help lists the options." 64 ;;
  esac
done
[ -n "${1:-}" ] || fail "which folder? --help shows how it is used." 64
[ "$(id -u)" = 0 ] || fail "needs root." 77
dir=$(realpath -m "$1")
shift
[ ${#dir} -le 70 ] || fail "$dir: the path is too long for Slurm's sockets; take one of at most 70 characters." 64

# Each cluster has a number, by which its nodes, namespaces and ports differ from those of all others.
names() { # the nodes' names
  local i
  for i in $(seq "$nodes"); do echo "duet$port-$i"; done
}
address_of() { if [ "$hosts" = 1 ]; then echo "10.77.0.${1##*-}"; else echo 127.0.0.1; fi; }
on_host() { # NODE COMMAND…: in the node's network, with its host name
  local node=$1
  shift
  # shellcheck disable=SC2016 # the inner shell's
  nsenter --net="/run/netns/$node" --uts="$dir/uts/$node" unshare -m \
    sh -c 'mount --bind "$0" /etc/hosts; exec "$@"' "$dir/etc/hosts" "$@"
}
on_node() { if [ "$hosts" = 1 ]; then on_host "$@"; else shift; "$@"; fi; }

# All that runs on nodes. Daemons carry DUET_CLUSTER_NODE in their environment, tasks what Slurm gives them. Step daemons write their title
# over theirs, but hold the log of their node open.
processes_of() { # NODE…
  local node file process pattern=() logs=(-false)
  for node in "$@"; do
    pattern+=(-e "SLURMD_NODENAME=$node" -e "DUET_CLUSTER_NODE=$node")
    logs+=(-o -lname "$dir/log/slurmd.$node.log*") # a removed one ends in ' (deleted)'
  done
  while read -r file; do
    file=${file#/proc/}
    echo "${file%/environ}"
  done < <(grep -lzxF "${pattern[@]}" /proc/[0-9]*/environ 2>/dev/null)
  for process in $(pgrep -x slurmstepd); do
    [ -z "$(find "/proc/$process/fd" \( "${logs[@]}" \) -print -quit 2>/dev/null)" ] || echo "$process"
  done
}
tasks_of() { # NODE…: steps and tasks, not slurmd itself
  local process
  for process in $(processes_of "$@"); do
    [ "$(cat "/proc/$process/comm" 2>/dev/null || echo slurmd)" = slurmd ] || echo "$process"
  done
}
is_gone() { [ ! -e "/proc/$1" ] || [ "$(awk '/^State/ {print $2}' "/proc/$1/status" 2>/dev/null || echo Z)" = Z ]; }
end_all() { # SIGNAL PROCESS…: and waits for their end
  local signal=$1 process
  shift
  kill "-$signal" "$@" 2>/dev/null || :
  for process in "$@"; do
    for _ in $(seq 200); do is_gone "$process" && break; sleep 0.05; done
  done
}

start_node() {
  local node=$1
  DUET_CLUSTER_NODE=$node on_node "$node" slurmd -N "$node" -f "$dir/etc/$node/slurm.conf"
}

make_hosts() {
  mkdir -p "$dir/uts"
  ip netns add "$switch"
  ip -n "$switch" link set lo up
  ip -n "$switch" link add bridge type bridge
  ip -n "$switch" link set bridge up
  echo '127.0.0.1 localhost' >"$dir/etc/hosts"
  local node
  for node in $(names); do echo "$(address_of "$node") $node" >>"$dir/etc/hosts"; done
  for node in $(names); do
    ip netns add "$node"
    ip -n "$node" link set lo up
    ip -n "$switch" link add "port${node##*-}" type veth peer name eth0 netns "$node"
    ip -n "$switch" link set "port${node##*-}" master bridge up
    ip -n "$node" addr add "$(address_of "$node")/24" dev eth0
    ip -n "$node" link set eth0 up
    : >"$dir/uts/$node"
    unshare --uts="$dir/uts/$node" hostname "$node"
  done
}

write_configuration() {
  local controller communication interface tracking=proctrack/pgid node host=
  if [ "$hosts" = 1 ]; then
    controller="duet$port-1(10.77.0.1)" communication=DisableIPv6 interface=eth0
  else
    host=$(hostname -s)
    controller="$host(127.0.0.1)" communication=NoCtldInAddrAny,NoInAddrAny,DisableIPv6 interface=lo
  fi
  # With it nothing that a job started outlives the job; it needs the first generation of control groups.
  [ -w /sys/fs/cgroup/freezer ] && tracking=proctrack/cgroup
  cat >"$dir/etc/slurm.conf" <<TEXT
ClusterName=duet$port
SlurmctldHost=$controller
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.socket
CredType=cred/munge
MailProg=/bin/true
SlurmctldPort=$port
CommunicationParameters=$communication
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.%n.log
ProctrackType=$tracking
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/log/jobcomp.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=2,sched_interval=2,batch_sched_delay=0
ReturnToService=2
JobRequeue=1
KillWait=3
SlurmdTimeout=$node_timeout
MessageTimeout=$((node_timeout / 2 < 10 ? node_timeout / 2 : 10))
SlurmdParameters=config_overrides
GresTypes=gpu
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
TEXT
  for node in $(names); do
    echo "NodeName=$node NodeHostname=${host:-$node} NodeAddr=$(address_of "$node") Port=$((port + ${node##*-})) CPUs=$cpus CoresPerSocket=$cpus RealMemory=4000 Gres=gpu:2"
  done >>"$dir/etc/slurm.conf"
  for node in $(names); do
    printf 'NodeName=%s Name=gpu File=/dev/null\nNodeName=%s Name=gpu File=/dev/zero\n' "$node" "$node"
  done >"$dir/etc/gres.conf"
  printf 'CgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\nCgroupAutomount=yes\n' >"$dir/etc/cgroup.conf"
  for node in $(names); do
    mkdir -p "$dir/etc/$node" "$dir/spool/$node" "$dir/pmix/$node"
    ln -sf ../slurm.conf ../gres.conf ../cgroup.conf "$dir/etc/$node/"
    echo "PMIxCliTmpDirBase=$dir/pmix/$node" >"$dir/etc/$node/mpi.conf" # nodes of one host would find each other's folders in the way
  done
  # Ranks of different nodes of one host must not take each other for neighbours with shared memory: they talk through TCP.
  cat >"$dir/environment" <<TEXT
export SLURM_CONF=$dir/etc/slurm.conf
export OMPI_MCA_btl=self,tcp OMPI_MCA_btl_tcp_if_include=$interface OMPI_MCA_oob_tcp_if_include=$interface
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
TEXT
}

up() {
  nodes=${1:-2} cpus=${2:-2}
  [[ $nodes =~ ^[1-9]$ && $cpus =~ ^[1-9][0-9]?$ ]] || fail "'$nodes' nodes of '$cpus' cores: takes 1 to 9 nodes and 1 to 99 cores." 64
  local program
  for program in slurmctld slurmd munged srun ip ss; do
    command -v $program >/dev/null || fail "there is no $program; launch/setup.sh --tests installs it."
  done
  [ ! -e "$dir/etc" ] || fail "$dir holds a cluster already; take another folder, or remove it after 'down'." 73
  mkdir -p "$dir"/{etc,state,log,spool,run,pmix}
  chmod 755 "$dir" "$dir"/*
  for _ in $(seq 50); do # a row of free ports below those that the kernel gives away
    port=$((20000 + (RANDOM % 380) * 32))
    ss -Hltn | awk -v first=$port '{n = split($4, part, ":"); if (part[n] >= first && part[n] < first + 32) found = 1} END {exit found}' && break
  done
  printf 'port=%s nodes=%s hosts=%s cpus=%s\n' "$port" "$nodes" "$hosts" "$cpus" >"$dir/etc/cluster"
  names >"$dir/nodes"
  switch=duet$port-switch
  trap 'echo "tests/slurm/cluster.sh: the cluster did not come up; $dir/log says why." >&2; trap - EXIT; down; exit 69' EXIT
  head -c 128 /dev/urandom >"$dir/etc/munge.key"
  chmod 400 "$dir/etc/munge.key"
  munged --force --key-file="$dir/etc/munge.key" --socket="$dir/run/munge.socket" --pid-file="$dir/run/munged.pid" \
    --log-file="$dir/log/munged.log" --seed-file="$dir/run/seed" 2>>"$dir/log/munged.err"
  [ "$hosts" = 0 ] || make_hosts
  write_configuration
  export SLURM_CONF=$dir/etc/slurm.conf
  on_node "duet$port-1" slurmctld -c
  local node
  for node in $(names); do start_node "$node"; done
  for _ in $(seq 150); do
    if [ "$(on_node "duet$port-1" sinfo -h -t idle -o %D 2>/dev/null)" = "$nodes" ]; then
      trap - EXIT
      # shellcheck disable=SC2016 # the inner shell's
      if [ -n "$owner" ]; then # with none of this process's outputs, whose readers would wait for it
        setsid bash -c 'tail --pid="$0" -f /dev/null; exec "$1" down "$2"' "$owner" "$self" "$dir" >/dev/null 2>&1 </dev/null &
      fi
      return
    fi
    sleep 0.1
  done
  exit 69
}

# Jobs first: what they started outlives a slurmd by design.
down() {
  export SLURM_CONF=$dir/etc/slurm.conf
  local file node processes all
  if [ -e "$dir/run/slurmctld.pid" ]; then
    on_node "duet$port-1" timeout 5 scancel -f --user=root 2>/dev/null || :
    for _ in $(seq 60); do [ -z "$(on_node "duet$port-1" timeout 5 squeue -h 2>/dev/null)" ] && break; sleep 0.1; done
  fi
  processes=()
  for file in "$dir"/run/*.pid; do [ ! -e "$file" ] || processes+=("$(cat "$file")"); done
  [ ${#processes[@]} -eq 0 ] || end_all TERM "${processes[@]}"
  mapfile -t all < <(names)
  mapfile -t processes < <(processes_of "${all[@]}")
  [ ${#processes[@]} -eq 0 ] || end_all KILL "${processes[@]}"
  for node in $(names); do
    find /sys/fs/cgroup/freezer -depth -type d -path "*/slurm_$node*" -exec rmdir {} + 2>/dev/null || :
    if [ "$hosts" = 1 ]; then
      umount "$dir/uts/$node" 2>/dev/null || :
      ip netns del "$node" 2>/dev/null || :
    fi
  done
  [ "$hosts" = 0 ] || ip netns del "duet$port-switch" 2>/dev/null || :
  rm -rf "${dir:?}"/{etc,state,spool,run,pmix,uts,environment,nodes}
}

if [ "$action" = up ]; then
  up "$@"
  exit 0
fi
if [ ! -e "$dir/etc/cluster" ]; then
  [ "$action" = down ] && exit 0
  fail "there is no cluster in $dir." 66
fi
# shellcheck disable=SC1091 # port, nodes, hosts
source "$dir/etc/cluster"
node=${1:-}
known() { [[ " $(names | paste -sd' ') " == *" $node "* ]] || fail "the cluster has no node '$node', only $(names | paste -sd' ')." 64; }
case $action in
  down) down ;;
  kill)
    known
    mapfile -t processes < <(processes_of "$node")
    end_all KILL "${processes[@]}"
    ;;
  start) known; start_node "$node" ;;
  processes) if [ -n "$node" ]; then known; tasks_of "$node"; else mapfile -t all < <(names); tasks_of "${all[@]}"; fi ;;
  exec) known; shift; on_node "$node" "$@" ;;
  cut) known; ip -n "duet$port-switch" link set "port${node##*-}" down ;;
  heal) known; ip -n "duet$port-switch" link set "port${node##*-}" up ;;
esac
