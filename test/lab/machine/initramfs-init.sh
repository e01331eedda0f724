#!/bin/busybox sh
# The first process of a virtual machine: loads the drivers of its disk, and hands over to the systemd on it.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/modules/$module"; done </modules/order
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 200 ]; do
  $b usleep 50000
  tries=$((tries + 1))
done
$b mount -t ext4 -o rw /dev/vda /disk || { echo 'initramfs: no disk'; $b poweroff -f; }
$b umount /proc /sys
$b mount --move /dev /disk/dev
exec $b switch_root /disk /sbin/init
