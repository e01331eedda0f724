#!/bin/sh
# fresh-folders.sh FOLDER... -- PROGRAM ARGUMENT...
# Runs the program where the folders are empty and its own. In a mount namespace of its own: what is mounted here ends with it.
set -eu
first=yes
while [ "$1" != -- ]; do
  if [ "$first" = yes ]; then
    mount -t tmpfs -o mode=0755,size=16m fresh "$1"
    first=no
  else
    mkdir -p "$1"
  fi
  shift
done
shift
exec "$@"
