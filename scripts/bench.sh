#!/usr/bin/env bash
# Benchmarks, as JSON lines. `--only NAME` runs one.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh test

exec python -m tests.bench "$@"
