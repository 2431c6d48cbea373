#!/usr/bin/env bash
# Installs what the tests need and runs everything: formatting, lints, tests, the tidy checks, the tests on a real Kubernetes, and the demo as a smoke test.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
exec cargo xtask test "$@"
