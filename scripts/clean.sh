#!/usr/bin/env bash
# Removes everything that the scripts made. A demo that still runs is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -e .demo/lock ] && ! flock --nonblock .demo/lock true; then
  echo "A demo is running in .demo: stop it with Ctrl-C first." >&2
  exit 1
fi
rm -rf .demo .setup .venv build dist coverage \
  .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache \
  jupyter_zt/labextension jupyter_zt/_version.py \
  labextension/lib labextension/.tsc labextension/node_modules labextension/.yarn labextension/*.tsbuildinfo \
  labextension/coverage tests/identity/oidc-provider/node_modules
find . -name __pycache__ -type d -prune -exec rm -rf {} +
