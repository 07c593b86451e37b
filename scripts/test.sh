#!/usr/bin/env bash
# All tests: Python (real PostgreSQL, browser, sandbox), then TypeScript. Arguments go to pytest,
# and then only pytest runs:   scripts/test.sh tests/policy -k union
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh test

python -m pytest "$@"
[ "$#" -gt 0 ] || (cd labextension && jlpm test)
