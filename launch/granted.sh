# shellcheck shell=bash
# What the control groups (versions 1 and 2) of this process and those around them grant it. To be sourced; base/granted_cores is the same
# for the program. Both print nothing where there is no limit.

# group_folders CONTROLLER GROUPS MOUNT
group_folders() {
  local controllers group mount
  while IFS=: read -r _ controllers group; do
    case ,$controllers, in
      ,,) mount=$3 ;; # version 2
      *,"$1",*) mount=$3/$controllers ;;
      *) continue ;;
    esac
    for (( ; ; )); do
      group=${group%/}
      echo "$mount$group"
      [ -n "$group" ] || break
      group=${group%/*}
    done
  done <"$2"
}

# granted_cores /proc/self/cgroup /sys/fs/cgroup
granted_cores() {
  local folder quota period
  group_folders cpu "$1" "$2" | while read -r folder; do
    quota=max period=1
    read -r quota period 2>/dev/null <"$folder/cpu.max" ||
      { read -r quota <"$folder/cpu.cfs_quota_us" && read -r period <"$folder/cpu.cfs_period_us"; } 2>/dev/null || continue
    if [ "$quota" != max ] && [ "$quota" -gt 0 ]; then echo $((quota > period ? quota / period : 1)); fi
  done | sort -n | head -n 1
}

# granted_bytes /proc/self/cgroup /sys/fs/cgroup
granted_bytes() {
  local folder limit
  group_folders memory "$1" "$2" | while read -r folder; do
    { read -r limit <"$folder/memory.max" || read -r limit <"$folder/memory.limit_in_bytes"; } 2>/dev/null || continue
    if [ "$limit" != max ]; then echo "$limit"; fi
  done | sort -n | head -n 1
}
