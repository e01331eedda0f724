#!/bin/sh
# Switches to a release of the agent on trial, watches it, and goes back unless it is confirmed in time. Needs neither the
# agent nor Node.js for that; only whether the controller can be reached at all it asks the version before. DIR is the folder of the releases, and DIR/trial says what is under way.
#
#   release-guard.sh watch DIR              does what is left to do of the trial; ends when it is decided
#   release-guard.sh confirm DIR TASK       the new version proved itself; 3: too late, 4: another version still runs
#   release-guard.sh package DIR            the Debian package was installed: its version is the one that runs
#
# ARMED -> TRIAL -> CONFIRMED, or TRIAL -> ROLLING_BACK -> ROLLED_BACK. Every decision is made under the lock, after reading
# the file again; a state is on the disk before what it allows is done, and doing it again is harmless.
# shellcheck disable=SC2034,SC2154 # the fields are set by `load`
set -u
umask 022
trap '' HUP PIPE
LC_ALL=C
export LC_ALL
proc=${MUSTER_GUARD_PROC:-/proc}
helper=muster-agent-root-helper.service
agent=muster-agent.service
# Whoever waits for a controller tries again once a minute at least.
min_extension_ms=120000
# A version that ends so often is given up at once.
max_restarts=3
fields='state task version folder sha256 previous window_ms boot deadline boots unreachable extended switched_at reason'

fail() { # CODE TEXT
  printf '%s\n' "release-guard: $2" >&2
  exit "$1"
}

# Sets `up` (milliseconds of CLOCK_BOOTTIME) and `now_boot`.
now() {
  read -r up _ <"$proc/uptime" || fail 1 "$proc/uptime cannot be read"
  hundredths=${up#*.}
  up=$((${up%.*} * 1000 + (1$hundredths - 100) * 10))
  read -r now_boot <"$proc/sys/kernel/random/boot_id" || now_boot=unknown
}

lock() { flock 9 || fail 1 "$dir/lock cannot be locked"; }
unlock() { flock -u 9; }

load() {
  for field in $fields; do eval "$field="; done
  [ -f "$dir/trial" ] || return 0
  while IFS='=' read -r field value; do
    case " $fields " in *" $field "*) eval "$field=\$value" ;; esac
  done <"$dir/trial"
}

save() {
  for field in $fields; do eval "printf '%s=%s\n' \"\$field\" \"\$$field\""; done >"$dir/trial.new" &&
    sync "$dir/trial.new" && mv -fT "$dir/trial.new" "$dir/trial" && sync "$dir"
}

# FOLDER of versions/, or `package`.
point_to() {
  if [ "$1" = package ]; then
    rm -f "$dir/current"
  else
    ln -sfnT "versions/$1" "$dir/current.new" && mv -fT "$dir/current.new" "$dir/current"
  fi && sync "$dir"
}

points_to() { [ "$(readlink "$dir/current" || echo versions/package)" = "versions/$1" ]; }

# This program is in a unit of its own, and outlives them.
restart_agent() { timeout 20 systemctl --no-block restart "$helper" "$agent" 9<&-; }

# Sets `answers` to yes or no: whether the version before gets a signed answer from the controller. What cannot be told counts
# as yes.
ask_controller() {
  asker=${0%/*}
  [ ! -x "$dir/versions/$previous/bin/node" ] || asker=$dir/versions/$previous
  timeout 20 "$asker/bin/node" "$asker/programs/muster-agent/bin.js" probe --data /var/lib/muster-root-helper 9<&-
  if [ $? -eq 8 ]; then answers=no; else answers=yes; fi
}

# The most that one of the two units was started anew by systemd.
restarts() {
  most=0
  for unit in "$helper" "$agent"; do
    times=$(timeout 10 systemctl show --value -p NRestarts "$unit" 9<&-) || times=0
    [ "${times:-0}" -le "$most" ] || most=$times
  done
}

runs_from() { # UNIT FOLDER
  pid=$(timeout 10 systemctl show --value -p MainPID "$1" 9<&-) || return 1
  [ "${pid:-0}" -ne 0 ] && [ "$(readlink "$proc/$pid/exe")" = "$dir/versions/$2/bin/node" ]
}

both_run() { runs_from "$helper" "$folder" && runs_from "$agent" "$folder"; }

switch() {
  now
  state=TRIAL boot=$now_boot deadline=$((up + window_ms)) boots=0 unreachable=0 extended=0 switched_at=$(date +%s%3N)
  save || fail 1 "$dir/trial cannot be written; nothing was switched"
}

# What a power cut or a kill interrupted goes on.
go_on() {
  now
  if [ "$boot" != "$now_boot" ]; then
    boots=$((boots + 1)) boot=$now_boot deadline=$((up + window_ms))
    save || fail 1 "$dir/trial cannot be written"
    if [ "$boots" -gt 1 ]; then
      roll_back 'the machine went down twice during the trial' forget
      return
    fi
  fi
  points_to "$folder" || point_to "$folder" || fail 1 "$dir/current cannot be changed"
  both_run || restart_agent
}

# Without room for the record it goes back all the same. REMEMBER: this release is bad, and is not installed again unasked.
roll_back() { # REASON remember|forget
  state=ROLLING_BACK
  reason=$(printf %s "$1" | tr '\000-\037\177' ' ' | head -c 400)
  # A second reading of the state must find whether it is to be remembered: the mark comes first.
  if [ "$2" = remember ]; then
    mkdir -p "$dir/bad" && printf '%s: %s\n' "$version" "$reason" >"$dir/bad/$sha256" && sync "$dir/bad/$sha256" "$dir/bad"
  fi
  save
  finish_roll_back
}

finish_roll_back() {
  point_to "$previous" || fail 1 "$dir/current cannot be changed"
  restart_agent
  state=ROLLED_BACK
  if save; then return; fi
  sleep 30
  fail 1 "$dir/trial cannot be written; the version before runs again"
}

look() {
  now
  extension_ms=$((window_ms > min_extension_ms ? window_ms : min_extension_ms))
  restarts
  if [ "$most" -ge "$max_restarts" ]; then
    roll_back "version $version ended $most times after it was started" remember
    return
  fi
  if [ "$answers" = no ] && [ "$unreachable" -eq 0 ]; then
    unreachable=1
    save
  fi
  [ "$up" -ge "$deadline" ] || return 0
  if [ "$unreachable" -eq 1 ] && [ "$extended" -eq 0 ]; then
    extended=1 deadline=$((up + extension_ms))
    save || fail 1 "$dir/trial cannot be written"
  elif [ "$answers" = no ]; then
    roll_back "the version before cannot reach the controller either: this says nothing about version $version" forget
  else
    roll_back "version $version did not reach the controller within $(((window_ms + extended * extension_ms) / 1000)) s, and the version before could" remember
  fi
}

watch() {
  round=0 answers=unknown
  while :; do
    lock
    load
    case $state in
      ARMED) switch && go_on ;;
      TRIAL) if [ "$round" -eq 0 ]; then go_on; else look; fi ;;
      ROLLING_BACK) finish_roll_back ;;
      *) exit 0 ;;
    esac
    unlock
    # Without the lock: it may take a while.
    if [ "$((round % 10))" -eq 2 ]; then ask_controller; fi
    round=$((round + 1))
    sleep 1
  done
}

confirm() { # TASK
  lock
  load
  [ "$task" = "$1" ] || fail 3 "the trial is of task $task"
  [ "$state" != CONFIRMED ] || exit 0
  if [ "$state" != TRIAL ] || ! points_to "$folder"; then fail 3 "the trial is $state: $reason"; fi
  now
  if [ "$boot" != "$now_boot" ] || [ "$up" -ge "$deadline" ]; then fail 3 'the deadline passed'; fi
  both_run || fail 4 'another version still runs'
  state=CONFIRMED
  save || fail 1 "$dir/trial cannot be written"
}

package() {
  lock
  load
  case $state in
    ARMED | TRIAL | ROLLING_BACK)
      state=ROLLED_BACK reason='the Debian package was installed meanwhile'
      save
      ;;
  esac
  point_to package
}

what=${1:-}
dir=${2:-}
case $dir in /*) dir=${dir%/} ;; *) fail 64 "expected an absolute folder, got '$dir'" ;; esac
[ -e "$dir/lock" ] || : >"$dir/lock"
exec 9<"$dir/lock"

case $what in
  watch) watch ;;
  confirm) confirm "${3:-}" ;;
  package) package ;;
  *) fail 64 "unknown command '$what'" ;;
esac
