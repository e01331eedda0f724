#!/bin/sh
# Holds the mount namespace of one appliance, and removes whatever belongs to it when stdin ends, however the test ended.
# $1 name, $2 folder, $3 seconds after which it gives up; the rest: cgroup hierarchies.
set -eu
name=$1 folder=$2 seconds=$3
shift 3

empty_group() { # until nothing is left in it: what is being killed takes a moment
  tries=0
  while [ -d "$1" ] && [ $tries -lt 100 ]; do
    [ -e "$1/cgroup.kill" ] && echo 1 >"$1/cgroup.kill" 2>/dev/null
    find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null | xargs -r kill -9 2>/dev/null
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
    tries=$((tries + 1))
    [ -d "$1" ] && sleep 0.05
  done
}

clean() {
  set +e
  for hierarchy in $hierarchies; do empty_group "$hierarchy/$name"; done
  ip netns delete "$name" 2>/dev/null
  umount -l "$folder/disk/root"
  umount -l "$folder/disk"
  rm -rf --one-file-system "$folder"
}
hierarchies=$*
trap clean EXIT
trap '' INT TERM HUP

mount -t tmpfs -o size=1g,mode=0755 "$name" "$folder/disk"
mkdir "$folder/disk/upper" "$folder/disk/work" "$folder/disk/root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/disk/upper,workdir=$folder/disk/work" "$name" "$folder/disk/root"
for hierarchy in "$@"; do mkdir -p "$hierarchy/$name"; done
echo ready
timeout -s KILL "$seconds" cat >/dev/null
