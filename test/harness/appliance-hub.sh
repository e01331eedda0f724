#!/bin/sh
# Holds the network namespace that appliances meet in, until stdin ends. $1 name, $2 seconds after which it gives up.
set -eu
name=$1 seconds=$2
ip netns add "$name"
ip -n "$name" link set lo up
ip -n "$name" link add bridge type bridge
ip -n "$name" address add 10.77.0.1/24 dev bridge
ip -n "$name" address add fd77::1/64 dev bridge nodad
ip -n "$name" link set bridge up
echo ready

set +e
trap '' INT TERM HUP
timeout -s KILL "$seconds" cat >/dev/null
ip netns pids "$name" | xargs -r kill -9 2>/dev/null
ip netns delete "$name"
