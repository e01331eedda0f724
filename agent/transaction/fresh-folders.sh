#!/bin/sh
# fresh-folders.sh FOLDER... -- PROGRAM ARGUMENT...
# Runs the program where the folders are empty and its own; those within the one before them are made. In a mount
# namespace of its own: what is mounted here ends with it.
set -eu
mounted=
while [ "$1" != -- ]; do
  case $1 in
  "${mounted:-none}"/*) mkdir -p "$1" ;;
  *)
    mount -t tmpfs -o mode=0755,size=16m fresh "$1"
    mounted=$1
    ;;
  esac
  shift
done
shift
exec "$@"
