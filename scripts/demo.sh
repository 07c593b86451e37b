#!/usr/bin/env bash
# The demo, in ./.demo. Arguments go on to it:   scripts/demo.sh --port 9999 --no-browser
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh demo

exec jupyter-zt demo --dir .demo "$@"
