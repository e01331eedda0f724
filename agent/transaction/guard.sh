#!/bin/sh
# Decides whether a configuration transaction stays or is undone, and undoes it. Needs a shell, coreutils and flock:
# nothing of the agent, so that it works when the agent is dead, hung, or gone from the disk.
#
#   guard.sh wait DIR               until the deadline, then as expire; ends early when the transaction is over
#   guard.sh expire DIR             the deadline has come: undoes the transaction unless it is over
#   guard.sh confirm DIR            it stays, unless the deadline has passed or the way back has begun
#   guard.sh roll-back DIR REASON   undoes it now
#   guard.sh arm DIR TEXT           appends ARMED, unless the deadline has passed; from then on it undoes
#   guard.sh record DIR STATE TEXT  appends to the journal, unless the deadline has passed or the way back has begun
#   guard.sh put DIR DRAFT PATH …   renames finished drafts to their real paths, on the same condition
#   guard.sh delete DIR PATH        deletes a file, on the same condition
#   guard.sh boot ROOT              files of every transaction that a power cut left unconfirmed; no commands
#   guard.sh status DIR             the last state
#
# Exit: 0 as asked, 1 ROLLBACK_FAILED, 3 the journal says otherwise, 4 the disk does not take it, 64 wrong call.
#
# Invariants: every decision is made under the lock, after reading the journal again; a record is on the disk before
# what it allows is done; restoring may be cut off anywhere and repeated. Only whole records count: a torn last line
# is as if it had not been written.
set -u
umask 077
trap '' HUP INT PIPE
LC_ALL=C
PATH=${MUSTER_GUARD_PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
export LC_ALL PATH

proc=${MUSTER_GUARD_PROC:-/proc}
tab='	'
nl='
'

fail() { # CODE TEXT
  printf '%s\n' "guard: $2" >&2
  exit "$1"
}

# --- time -------------------------------------------------------------------------------------------------------------

# Sets `up` (milliseconds of CLOCK_BOOTTIME) and `boot` (the id of this boot).
now() {
  read -r up _ <"$proc/uptime" || fail 4 "$proc/uptime cannot be read"
  hundredths=${up#*.}
  up=$((${up%.*} * 1000 + (1$hundredths - 100) * 10))
  read -r boot <"$proc/sys/kernel/random/boot_id" || boot=unknown
}

# Sets `left` (milliseconds until the deadline); no time is left after a reboot.
time_left() {
  now
  left=0 deadline=0 armed_boot=none
  if [ -f "$dir/deadline" ]; then read -r deadline armed_boot <"$dir/deadline"; fi
  if [ "$armed_boot" = "$boot" ] && [ "$deadline" -gt "$up" ]; then left=$((deadline - up)); fi
}

wait_for_deadline() {
  while :; do
    [ -f "$dir/journal" ] || exit 0
    last_state
    if is_over; then exit 0; fi
    time_left
    if [ "$left" -eq 0 ]; then return; fi
    # Short naps: `sleep` does not count the time that the machine is suspended, the deadline does.
    if [ "$left" -gt 1000 ]; then sleep 1; else sleep "$(printf '%d.%03d' $((left / 1000)) $((left % 1000)))"; fi
  done
}

# --- journal: STATE, time, boot id, uptime, text, and the first 8 digits of the SHA-256 of all that -------------------

digest_of() { # TEXT
  digest=$(printf %s "$1" | sha256sum) || return 1
  digest=${digest%"${digest#????????}"}
}

is_whole() { # LINE
  case $1 in *"$tab"*) ;; *) return 1 ;; esac
  digest_of "${1%"$tab"*}" && [ "$digest" = "${1##*"$tab"}" ]
}

# Sets `state` to that of the newest whole record; empty when there is none.
last_state() {
  state=
  lines=
  while IFS= read -r line; do lines="$line$nl$lines"; done <"$dir/journal"
  while [ -n "$lines" ]; do
    line=${lines%%"$nl"*}
    lines=${lines#*"$nl"}
    if is_whole "$line"; then
      state=${line%%"$tab"*}
      return
    fi
  done
}

is_over() { case $state in CONFIRMED | ROLLED_BACK | ROLLBACK_FAILED | REJECTED) ;; *) return 1 ;; esac }
is_armed() { case $state in ARMED | APPLYING | APPLIED | PROBING) ;; *) return 1 ;; esac }

append() { # LINE
  before=
  if [ -s "$dir/journal" ] && [ "$(tail -c 1 "$dir/journal" | wc -l)" -ne 1 ]; then before=$nl; fi
  printf '%s%s\n' "$before" "$1" 2>/dev/null >>"$dir/journal" && sync "$dir/journal" 2>/dev/null
}

record() { # STATE TEXT
  text=$(printf %s "$2" | tr '\000-\037\177' ' ' 2>/dev/null | head -c 500)
  now
  body="$1$tab$(date +%s%3N)$tab$boot$tab$up$tab${text:--}"
  digest_of "$body" || return 1
  # On a full disk, room that was set aside for this.
  append "$body$tab$digest" || { rm -f "$dir/reserve" && append "$body$tab$digest"; } || return 1
  state=$1
}

# --- lock -------------------------------------------------------------------------------------------------------------

# Released when this process and what it started to change files are gone, however they end.
take_lock() { # ROOT
  [ -e "$1/lock" ] || touch "$1/lock"
  exec 9<"$1/lock"
  flock 9 || fail 4 "$1/lock cannot be locked"
  trap '' TERM
}

begin() {
  [ -f "$dir/journal" ] || fail 64 "$dir is not a transaction"
  id=${dir##*/}
  take_lock "${dir%/*}"
  last_state
}

still_allowed() {
  time_left
  is_armed && [ "$left" -gt 0 ]
}

# --- files ------------------------------------------------------------------------------------------------------------

# Sets `parent` to the folder that PATH is in.
parent_of() { parent=${1%/*}; parent=${parent:-/}; } # PATH

exists() { [ -e "$1" ] || [ -L "$1" ]; } # PATH

# What the snapshot says of a file: its content, mode and owner.
is_as_before() { # PATH
  [ -f "$1" ] && [ ! -L "$1" ] || return 1
  [ "$(stat -c '%a %u %g' -- "$1")" = "$mode $uid $gid" ] || return 1
  made=$(sha256sum <"$1") && [ "${made%% *}" = "$sum" ]
}

# Makes DRAFT from the snapshot, on the disk. A link needs no room where a copy finds none.
draft() { # DRAFT
  source=$dir/snapshot/files$path
  rm -f -- "$1"
  if cp --no-dereference --preserve=all -- "$source" "$1" 2>/dev/null && is_as_before "$1" && sync -- "$1"; then return 0; fi
  rm -f -- "$1"
  ln -- "$source" "$1" 2>/dev/null && is_as_before "$1" && sync -- "$1"
}

# Brings a change of `parent` to the disk: not at once, because the next one is likely to be in the same folder.
sync_later() {
  if [ "$parent" = "$unsynced" ]; then return; fi
  sync_now
  set -- $?
  unsynced=$parent
  return "$1"
}

sync_now() {
  folder=$unsynced
  unsynced=
  [ -z "$folder" ] || [ ! -d "$folder" ] || sync -- "$folder"
}

restore_file() {
  if [ ! -d "$parent" ]; then (umask 022 && mkdir -p -- "$parent"); fi
  if draft "$parent/.muster-$id.$number.old" && mv -fT -- "$parent/.muster-$id.$number.old" "$path"; then
    sync_later
    return
  fi
  rm -f -- "$parent/.muster-$id.$number.old"
  is_as_before "$path" # never changed: nothing is lost
}

restore_absent() {
  [ -d "$parent" ] || return 0
  if exists "$path"; then rm -f -- "$path" || return 1; fi
  sync_later
}

# --- groups of files: a few programs for all of them instead of a few for each -----------------------------------------

# A group in which anything is not as it should be is gone through once more, file by file.
group_size=50

join_group() { # WHAT
  group="$group$number$tab$mode$tab$uid$tab$gid$tab$sum$tab$path$nl"
  grouped=$((grouped + 1))
  [ "$grouped" -lt "$group_size" ] || end_group "$1"
}

end_group() { # WHAT
  list= owners= sums=
  [ "$grouped" -eq 0 ] || "$1_group"
  group= grouped=0
}

# Calls WHAT for each file of the group until it fails.
each_in_group() { # WHAT
  files=$group
  while [ -n "$files" ]; do
    line=${files%%"$nl"*}
    files=${files#*"$nl"}
    number=${line%%"$tab"*} line=${line#*"$tab"}
    mode=${line%%"$tab"*} line=${line#*"$tab"}
    uid=${line%%"$tab"*} line=${line#*"$tab"}
    gid=${line%%"$tab"*} line=${line#*"$tab"}
    sum=${line%%"$tab"*} path=${line#*"$tab"}
    parent_of "$path"
    old=$parent/.muster-$id.$number.old
    "$1" || return 1
  done
}

# A file of which `as_before` looks at all at once.
look_at() { # PATH
  [ -f "$1" ] && [ ! -L "$1" ] || return 1
  list="$list$1$nl" owners="$owners$mode $uid $gid$nl" sums="$sums$sum  $1$nl"
}

# Whether content, mode and owner of all that was looked at are what the snapshot says; brings them to the disk when asked to.
as_before() { # look | sync
  wanted=$1
  split_by=$IFS
  IFS=$nl
  set -f
  set -- $list
  set +f
  IFS=$split_by
  [ "$(stat -c '%a %u %g' -- "$@")$nl" = "$owners" ] || return 1
  [ "$(sha256sum -- "$@")$nl" = "$sums" ] || return 1
  [ "$wanted" = look ] || sync -- "$@"
}

back_group() {
  if each_in_group copy_old && as_before sync && each_in_group put_old; then return; fi 2>/dev/null
  each_in_group drop_old
  each_in_group back_one
}

copy_old() {
  sweep_draft
  if [ ! -d "$parent" ]; then (umask 022 && mkdir -p -- "$parent") || return 1; fi
  drop_old
  cp --no-dereference --preserve=all -- "$dir/snapshot/files$path" "$old" && look_at "$old"
}

put_old() { mv -fT -- "$old" "$path" && sync_later; }
drop_old() { ! exists "$old" || rm -f -- "$old" 2>/dev/null || :; }
back_one() { sweep_draft && restore_file 2>/dev/null || wrong="$wrong $path"; }

check_group() {
  if each_in_group look_at_it && as_before look; then return; fi 2>/dev/null
  each_in_group check_one
}

look_at_it() { look_at "$path"; }
check_one() { is_as_before "$path" || wrong="$wrong $path"; }

# --- the snapshot -----------------------------------------------------------------------------------------------------

# Calls WHAT_file, WHAT_absent or WHAT_folder with every line of the snapshot. Sets `wrong` to the paths that failed.
each_in_snapshot() { # WHAT
  wrong=
  unsynced=
  group= grouped=0
  while IFS="$tab" read -r kind number mode uid gid sum _ path; do
    parent_of "$path"
    "$1_$kind" || wrong="$wrong $path"
  done <"$dir/snapshot/manifest" || wrong="$wrong $dir/snapshot/manifest"
  end_group "$1"
  folder=$unsynced
  sync_now 2>/dev/null || wrong="$wrong $folder"
}

back_file() { join_group back; }
back_absent() { sweep_draft && restore_absent 2>/dev/null; }
back_folder() { folders="$path$nl$folders"; }

check_file() { join_group check; }
check_absent() { ! exists "$path"; }
check_folder() { :; }

# What an installation that was cut off left beside the file.
sweep_draft() {
  ! exists "$parent/.muster-$id.$number.new" || rm -f -- "$parent/.muster-$id.$number.new" 2>/dev/null || :
}

# Folders that the transaction made, the inner ones first; one that somebody else uses by now stays.
remove_folders() {
  while [ -n "$folders" ]; do
    path=${folders%%"$nl"*}
    folders=${folders#*"$nl"}
    parent_of "$path"
    if rmdir -- "$path" 2>/dev/null; then sync -- "$parent"; fi
  done
}

# Room that was set aside on other file systems.
free_reserves() {
  [ -f "$dir/reserves" ] || return 0
  while IFS= read -r path; do rm -f -- "$path"; done <"$dir/reserves"
}

restore_files() {
  free_reserves
  for attempt in 1 2 3; do
    folders=
    each_in_snapshot back
    remove_folders
    if [ -z "$wrong" ]; then each_in_snapshot check; fi
    if [ -z "$wrong" ]; then return 0; fi
    if [ "$attempt" -lt 3 ]; then sleep 0.2; fi
  done
  return 1
}

# --- commands that make the services read the files again -------------------------------------------------------------

# Sets `broken` to those that failed.
run_commands() {
  broken=
  for file in "$dir"/rollback/*.argv; do
    [ -f "$file" ] || continue
    name=${file##*/}
    name=${name%.argv}
    seconds=30
    if [ -f "$dir/rollback/$name.timeout" ]; then read -r seconds <"$dir/rollback/$name.timeout"; fi
    allowed=0
    if [ -f "$dir/rollback/$name.ok" ]; then read -r allowed <"$dir/rollback/$name.ok"; fi
    ended=0
    run_command || ended=$?
    case " 0 $allowed " in *" $ended "*) ;; *) broken="$broken $name (exit code $ended)" ;; esac
  done
}

run_command() {
  output=$dir/rollback/$name.out
  touch "$output" 2>/dev/null || output=/dev/null
  set --
  while IFS= read -r argument || [ -n "$argument" ]; do set -- "$@" "$argument"; done <"$file"
  # Without the lock: what a command leaves running must not hold it.
  (
    trap - HUP INT PIPE TERM
    cd / || exit 1
    exec timeout -k 5 "$seconds" "$@"
  ) </dev/null >"$output" 2>&1 9<&-
  ended=$?
  if [ -f "$output" ]; then truncate -s '<65536' "$output" 2>/dev/null; fi
  return "$ended"
}

# --- decisions --------------------------------------------------------------------------------------------------------

disarm() {
  free_reserves
  [ -f "$dir/timer" ] && [ -d /run/systemd/system ] || return 0
  read -r unit <"$dir/timer"
  timeout 10 systemctl stop --no-block "$unit" >/dev/null 2>&1 9<&-
}

# The files first, then the services. Without room for a record the files still go back: they are worth more.
roll_back() { # REASON COMMANDS
  [ "$state" = ROLLING_BACK ] || record ROLLING_BACK "$1" || state=ROLLING_BACK
  said=
  restore_files || said="these files are not as before:$wrong"
  if [ "$2" = with-commands ]; then
    run_commands
    if [ -n "$broken" ]; then said="${said:-the files are as before}; these commands failed:$broken"; fi
  fi
  if [ -n "$said" ]; then
    record ROLLBACK_FAILED "$said" || fail 4 "$dir/journal cannot be written; $said"
  elif [ "$2" = with-commands ]; then
    record ROLLED_BACK "$1" || fail 4 "$dir/journal cannot be written; the files are as before"
  else
    record ROLLED_BACK "$1; commands were not run" || fail 4 "$dir/journal cannot be written; the files are as before"
  fi
  disarm
  [ -z "$said" ]
}

# Undoes what is under way, or says what the journal says.
undo() { # REASON
  case $state in
    ARMED | APPLYING | APPLIED | PROBING | ROLLING_BACK) roll_back "$1" with-commands ;;
    ROLLED_BACK) ;;
    ROLLBACK_FAILED) return 1 ;;
    CONFIRMED | REJECTED | '') return 3 ;;
    *) record ROLLED_BACK "nothing had been touched: $1" || fail 4 "$dir/journal cannot be written" ;;
  esac
}

confirm() {
  if [ "$state" != CONFIRMED ]; then
    if ! still_allowed; then
      undo 'the deadline passed before the confirmation'
      exit 3
    fi
    record CONFIRMED "$(printf '%s ms before the deadline' "$left")" || fail 4 "$dir/journal cannot be written"
  fi
  if [ -f "$dir/confirmed.json" ]; then
    mv -fT -- "$dir/confirmed.json" "${dir%/*}/confirmed.json" && sync -- "${dir%/*}" "$dir"
  fi
  disarm
  return 0
}

restore_at_boot() {
  [ -f "$dir/journal" ] || return 0
  id=${dir##*/}
  last_state
  if [ "$state" != ROLLING_BACK ] && ! is_armed; then return 0; fi
  time_left
  if [ "$left" -gt 0 ]; then return 0; fi # of this very boot: its own guard watches it
  roll_back 'not confirmed when the machine went down' without-commands
}

what=${1:-}
dir=${2:-}
case $dir in /*) dir=${dir%/} ;; *) fail 64 "expected an absolute folder, got '$dir'" ;; esac

case $what in
  wait | expire)
    wait_for_deadline
    begin
    if is_armed || [ "$state" = ROLLING_BACK ]; then undo 'not confirmed before the deadline'; fi
    ;;
  confirm) begin; confirm ;;
  roll-back) begin; undo "${3:-}" ;;
  arm)
    begin
    time_left
    if [ "$state" != SNAPSHOTTED ] || [ "$left" -eq 0 ]; then exit 3; fi
    record ARMED "$3" || fail 4 "$dir/journal cannot be written"
    ;;
  record)
    begin
    still_allowed || exit 3
    record "$3" "$4" || fail 4 "$dir/journal cannot be written"
    ;;
  put)
    begin
    still_allowed || exit 3
    shift 2
    unsynced=
    while [ $# -ge 2 ]; do
      parent_of "$2"
      mv -fT -- "$1" "$2" || fail 4 "$2 cannot be replaced"
      sync_later || fail 4 "the folder of $2 cannot be written"
      shift 2
    done
    sync_now || fail 4 "$folder cannot be written"
    ;;
  delete)
    begin
    still_allowed || exit 3
    parent_of "$3"
    rm -f -- "$3" || fail 4 "$3 cannot be deleted"
    if [ -d "$parent" ]; then sync -- "$parent"; fi
    ;;
  boot)
    root=$dir
    take_lock "$root"
    ended=0
    for dir in "$root"/*/; do
      dir=${dir%/}
      restore_at_boot || ended=1
    done
    exit "$ended"
    ;;
  status) begin; printf '%s\n' "$state" ;;
  *) fail 64 "unknown command '$what'" ;;
esac
