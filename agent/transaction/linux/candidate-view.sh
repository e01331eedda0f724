#!/bin/sh
# candidate-view.sh FOLDER candidate|scratch PROGRAM ARGUMENT...
# Runs the program where the staged files lie at their real paths, read-only, and hidden ones are gone. In a mount
# namespace of its own: what is mounted here ends with it. FOLDER holds layers/N, real/N and the plan, one step a line:
#   hide N BELOW FOLDER   a file in the folder that is not to be seen
#   view N - FOLDER       the folder as it is, with layer N above it
#   keep N BELOW FOLDER   what is mounted below a folder that a view covers
set -eu
view=$1 place=$2
shift 2

failed() {
  echo "candidate view: $1" >&2
  exit 125
}
tab=$(printf '\t')

cd "$view" || failed "$view is missing"
mount -t tmpfs -o mode=0700,size=16m hidden hidden || failed 'no room for what is hidden'
while IFS=$tab read -r what number below folder; do
  case $what in
  hide) # an overlay's sign for it; not every file system takes it, memory does
    parent=$(dirname "hidden/$number/$below")
    { [ -d "$parent" ] || mkdir -p "$parent"; } && mknod "hidden/$number/$below" c 0 0 ||
      failed "$folder/$below cannot be hidden"
    ;;
  view)
    mkdir -p "hidden/$number"
    mount --rbind "$folder" "real/$number" || failed "$folder cannot be kept"
    lower=layers/$number:hidden/$number:real/$number
    mount -t overlay -o "ro,nosuid,nodev,lowerdir=$lower" candidate "$folder" || failed "$folder cannot be covered"
    ;;
  keep) mount --rbind "real/$number/$below" "$folder" || failed "$folder cannot be put back" ;;
  esac
done <plan

# Trying a candidate must not change the kernel of the host: only what belongs to the scratch network may be written.
if [ -d /proc/sys/net ]; then
  mount --rbind /proc/sys /proc/sys && mount --bind /proc/sys/net /proc/sys/net &&
    mount -o remount,bind,ro /proc/sys && mount -o remount,bind,ro /proc/sys/net ||
    failed '/proc/sys cannot be protected'
  [ "$place" = candidate ] || mount -o remount,bind,rw /proc/sys/net || true # not where even root may not
fi

# Network devices in /sys are those of the namespace that mounted it; its control groups stay where rules look for them.
if [ "$place" = scratch ] && [ -d /sys/class/net ]; then
  mount --rbind /sys "$view/sys" || failed '/sys cannot be kept'
  mount -t sysfs -o ro,nosuid,nodev,noexec sysfs /sys || failed '/sys cannot be mounted anew'
  if [ -d "$view/sys/fs/cgroup" ] && [ -d /sys/fs/cgroup ]; then
    mount --rbind "$view/sys/fs/cgroup" /sys/fs/cgroup || failed '/sys/fs/cgroup cannot be put back'
  fi
fi

cd /
exec "$@"
