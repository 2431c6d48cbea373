#!/usr/bin/env bash
# Installs what the tests need beside Rust: Debian's Prometheus as an oracle for PromQL, and cargo-nextest as the runner.
set -euo pipefail

packages=()
command -v prometheus >/dev/null 2>&1 || packages+=(prometheus)
command -v cc >/dev/null 2>&1 || packages+=(gcc libc6-dev)
if [ "${#packages[@]}" -gt 0 ]; then
  sudo=""
  [ "$(id -u)" = 0 ] || sudo="sudo"
  $sudo apt-get update -qq
  # Only the program is wanted, not a service of the system.
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 $sudo apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

cargo nextest --version >/dev/null 2>&1 || cargo install cargo-nextest --locked
