#!/usr/bin/env bash
# Builds Serin and the example's model services and plays the demo: one version promoted, two rolled back.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet -p serin-cli -p ml-portfolio
exec target/release/serin demo "$@"
