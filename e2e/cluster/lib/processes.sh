# shellcheck shell=bash
# The programs of the cluster: started, watched, stopped by name. Sourced, not run.

# Starts a program inside; its command is kept, so that it can be started again.
start() {
  local name=$1
  shift
  printf '%s\0' "$@" >"$DIR/commands/$name"
  launch "$name"
}

launch() {
  local name=$1 command
  mapfile -d '' command <"$DIR/commands/$name"
  # In the background of a shell that ends, so that process 1 inside becomes its parent: only from there is it reaped
  # whatever happens to it. Nothing of the caller stays open, who would otherwise wait for the end of the cluster.
  (
    cd "$DIR" || exit
    # shellcheck disable=SC2016 # expanded inside
    inside bash -c 'setsid "${@:2}" & echo $! >"$1"' - "$DIR/pids/$name" "${command[@]}" </dev/null >>"$DIR/log/$name.log" 2>&1
  )
}

running() { local pid; pid=$(cat "$DIR/pids/$1" 2>/dev/null) && inside kill -0 "$pid" 2>/dev/null; }

# Asks a program to end, and ends it when it does not within five seconds.
stop() {
  local pid i
  pid=$(cat "$DIR/pids/$1" 2>/dev/null) || return 0
  inside kill "${2:--TERM}" "$pid" 2>/dev/null || return 0
  for ((i = 0; i < 25; i++)); do
    running "$1" || return 0
    sleep 0.2
  done
  inside kill -KILL "$pid" 2>/dev/null || true
}

# Waits until a command succeeds: `await NAME SECONDS COMMAND...`. When the program NAME ends, or time runs out, its log is shown.
await() {
  local name=$1 limit=$2 begun=$SECONDS
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! running "$name" && sleep 1 && ! running "$name"; then
      blame "$name" "ended"
    fi
    (( SECONDS - begun < limit )) || blame "$name" "was not ready within $limit s"
    sleep 0.2
  done
}

blame() {
  say "the last lines of $DIR/log/$1.log:"
  tail -n 40 "$DIR/log/$1.log" >&2 || true
  die "$1 $2"
}

listening() { inside bash -c "exec 3<>/dev/tcp/$1/$2"; }

kubectl() { inside "$DIR/bin/kubectl" --kubeconfig "$DIR/pki/admin.kubeconfig" "$@"; }
