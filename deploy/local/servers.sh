# shellcheck shell=bash
# Sourced by up, restart and down: the state folder, its lock, and the servers as processes.
# A server NAME has $state/NAME.pid ("pid start-time"), $state/NAME.log and $state/NAME.command (its words, a NUL after each).

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
state=$(realpath -m -- "${RADHICAL_LOCAL_STATE:-$root/.radhical-local}")
servers=(kafka minio versitygw)

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  say "$@"
  exit 1
}

# Takes the state folder's lock on fd 9 until this script ends; makes the folder where there is none.
# A folder that holds other things is refused: `down` removes it.
lock_state() {
  local lock=$state/radhical-local.lock tries held
  # One look, not two: another that asks for the same folder may make it and its lock, or remove it, at any time.
  if held=$(ls -A -- "$state" 2>/dev/null) && [[ -n $held && $'\n'$held$'\n' != *$'\n'radhical-local.lock$'\n'* ]]; then
    die "Cannot use \"$state\" as the state folder: it holds other things; set RADHICAL_LOCAL_STATE to a new folder"
  fi
  # `down` may remove the folder before we open the file, or while we wait: a lock on a file without a name excludes nobody.
  for ((tries = 0; tries < 100; tries++)); do
    mkdir -p -- "$state"
    { exec 9>"$lock"; } 2>/dev/null || continue
    flock 9
    [[ ! $lock -ef /proc/$$/fd/9 ]] || return 0
  done
  die "Cannot lock \"$lock\": is its folder writable"
}

# Removes what `up` made but the lock.
clear_state() {
  local name
  for name in "${servers[@]}"; do rm -rf -- "${state:?}/$name" "$state/$name".{pid,log,command}; done
  rm -rf -- "$state/.minio" "$state/tls" "$state/server.properties" "$state/classes.jsa" "$state/classes.name" "$state/env" "$state/env.partial"
}

# Removes what `up` made, and the folder; whatever else lies there stays.
remove_state() {
  clear_state
  rm -f -- "$state/radhical-local.lock"
  rmdir -- "$state" 2>/dev/null || say "left \"$state\": it holds other things"
}

# The start time of process PID in clock ticks since boot; fails for one that is gone or a zombie.
start_time() {
  local stat fields
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  read -ra fields <<<"${stat##*) }" # the command's name, in brackets, may hold spaces
  [[ ${fields[0]} != Z ]] && echo "${fields[19]}"
}

# The pid of server NAME; fails where it is not running. A pid alone is not trusted: the system gives it out again.
pid_of() {
  local pid start
  { read -r pid start <"$state/$1.pid"; } 2>/dev/null || return 1
  [[ $(start_time "$pid") == "$start" ]] && echo "$pid"
}

# Starts server NAME as COMMAND in the state folder and returns at once.
spawn() {
  local name=$1 pid fd
  shift
  printf '%s\0' "$@" >"$state/$name.command"
  (
    # Whoever reads a pipe of ours waits until all its writers are gone, and fd 9 is the lock: a server keeps neither.
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      ((fd <= 2)) || exec {fd}>&-
    done
    cd -- "$state"
    exec setsid "$@" # a session of its own, so that it outlives the caller's
  ) </dev/null >"$state/$name.log" 2>&1 &
  pid=$! # of the server itself: the subshell becomes it
  printf '%s %s\n' "$pid" "$(start_time "$pid")" >"$state/$name.pid"
}

# Starts server NAME again as it was started, with the data and port that it had.
respawn() {
  local command
  mapfile -d '' -t command <"$state/$1.command"
  spawn "$1" "${command[@]}"
}

# Waits up to 30 s for the end of server NAME; fails where it still runs.
await_end() {
  local tries
  for ((tries = 0; tries < 300; tries++)); do
    pid_of "$1" >/dev/null || return 0
    sleep 0.1
  done
  return 1
}

# Ends all servers, together, and waits for them; fails where one had to be killed.
stop_servers() {
  local name pid killed=0
  for name in "${servers[@]}"; do
    if pid=$(pid_of "$name"); then kill "$pid" 2>/dev/null || true; fi
  done
  for name in "${servers[@]}"; do
    if await_end "$name"; then continue; fi
    say "$name did not end within 30 s: killed"
    kill -KILL "$(pid_of "$name")" 2>/dev/null || true
    killed=1
  done
  return "$killed"
}
