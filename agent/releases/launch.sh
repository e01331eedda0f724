#!/bin/sh
# Starts the agent: the release that was installed last, if it is whole, else the one of the package.
home=/usr/lib/muster-agent
current=/var/lib/muster-releases/current
if [ -x "$current/bin/node" ] && [ -f "$current/programs/muster-agent/bin.js" ]; then
  # The folder itself: what runs goes on with its own files when `current` becomes another.
  home=$(cd -P "$current" && pwd)
fi
# A small young generation: the agent is idle most of its life, and 13 MiB less stay resident.
exec "$home/bin/node" --max-semi-space-size=1 "$home/programs/muster-agent/bin.js" "$@"
