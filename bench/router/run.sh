#!/bin/sh
# Builds the proxy and runs the whole router benchmark; prints tables, keeps samples in bench/work/router/.
# Needs nginx, wrk, taskset and Python 3: apt-get install nginx-light wrk util-linux python3
set -eu
cd "$(dirname "$0")/../.."
cargo build --release -p serin-proxy --examples
python3 bench/router/bench.py cpu --rounds "${ROUNDS:-9}"
python3 bench/router/bench.py mirror --rounds "${ROUNDS:-3}"
python3 bench/router/bench.py shadow --rounds "${ROUNDS:-6}"
python3 bench/router/bench.py slices --rounds "${ROUNDS:-6}"
cargo bench -p serin-proxy
python3 bench/router/bench.py changes --changes "${CHANGES:-1000}"
