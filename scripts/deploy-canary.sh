#!/usr/bin/env bash
# The portfolio's deploy commands, as its decision record names them. Each is one `serin` command; this only translates.

set -euo pipefail

usage() {
  cat <<'TEXT'
usage: deploy-canary.sh SERVICE VERSION     start a canary of a version:    deploy-canary.sh bankchurn v3.2.0
       deploy-canary.sh all VERSION         start one of every service
       deploy-canary.sh SERVICE --promote   go on to the next step
       deploy-canary.sh SERVICE --rollback  take the canary back
       deploy-canary.sh SERVICE --watch     follow the rollout
       deploy-canary.sh --status            show all rollouts

SERVICE is bankchurn, chicagotaxi or nlpinsight.
TEXT
}

refuse() {
  printf 'deploy-canary.sh: %s\n\n' "$1" >&2
  usage >&2
  exit 2
}

# In PATH, or built in this repository.
find_serin() {
  local root candidate
  if command -v serin; then
    return
  fi
  root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
  for candidate in "$root/target/release/serin" "$root/target/debug/serin"; do
    if [[ -x "$candidate" ]]; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  printf 'deploy-canary.sh: serin is neither in PATH nor built; try: cargo build --release\n' >&2
  return 3
}

run() {
  local serin
  serin="$(find_serin)" || exit
  exec "$serin" "$@"
}

case "${1-}" in
  -h | --help)
    usage
    exit 0
    ;;
  '') refuse 'a service is missing' ;;
  --status)
    (($# == 1)) || refuse '--status stands alone'
    run status
    ;;
  bankchurn | chicagotaxi | nlpinsight | all) ;;
  *) refuse "there is no service '$1'" ;;
esac

(($# <= 2)) || refuse "too much: ${*:3}"

case "${2-}" in
  '') refuse 'a version or an action is missing' ;;
  --promote | --rollback | --watch) [[ "$1" != all ]] || refuse "$2 needs one service" ;;&
  --promote) run promote "$1" ;;
  --rollback) run rollback "$1" ;;
  --watch) run get rollout "$1" --watch ;;
  -*) refuse "there is no action '$2'" ;;
  *) run deploy "$1" "$2" ;;
esac
