#!/usr/bin/env bash
# Every static check: lint, format, types and the floors of ARCHITECTURE.md, in Python and TypeScript.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh build

failed=""
run() {
  echo "-- $*"
  "$@" || failed="$failed\n  $*"
}

run ruff check .
run ruff format --check .
run mypy
run lint-imports --no-logo
cd labextension
run jlpm lint

if [ -n "$failed" ]; then
  printf 'failed:%b\n' "$failed" >&2
  exit 1
fi
