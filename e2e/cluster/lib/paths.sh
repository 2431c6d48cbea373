# shellcheck shell=bash
# Where things are, for every script of the test cluster. Sourced, not run.

E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
ROOT=$(cd "$E2E/.." && pwd)
CACHE=${SERIN_E2E_CACHE:-$HOME/.cache/serin-e2e}
# Everything of one cluster. Another folder is another cluster, and any number of them can be up side by side.
DIR=${SERIN_E2E_DIR:-$ROOT/target/e2e/run}

# Addresses for benchmarks (RFC 2544), which are nobody's. They exist in the cluster's own network namespace only.
NODE_IP=198.18.255.1
POD_RANGE=198.18.0.0/20
SERVICE_RANGE=198.19.0.0/16
API_SERVICE_IP=198.19.0.1

say() { echo "e2e: $*" >&2; }
die() { echo "error: $*" >&2; exit 1; }
