#!/usr/bin/env bash
# Prints a hash of everything that the front-end build reads.
set -euo pipefail
cd "$(dirname "$0")/../labextension"
find . \( -name node_modules -o -name lib -o -name .yarn -o -name .tsc -o -name coverage \) -prune -o \
  -type f ! -name '*.tsbuildinfo' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
