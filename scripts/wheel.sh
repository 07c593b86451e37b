#!/usr/bin/env bash
# Builds the wheel, installs it into an empty environment and asks Jupyter whether it sees the
# server extension, the labextension and the kernelspec.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/setup.sh build

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

python -m build --wheel --no-isolation --outdir "$scratch" . >"$scratch/build.log" 2>&1 ||
  { tail -n 40 "$scratch/build.log" >&2; exit 1; }
uv venv --quiet "$scratch/venv"
VIRTUAL_ENV="$scratch/venv" uv pip install --quiet --constraint requirements/dev.lock "$scratch"/*.whl

# Nothing of this machine's own Jupyter set-up may answer for the wheel.
export HOME="$scratch" JUPYTER_CONFIG_DIR="$scratch/config" JUPYTER_DATA_DIR="$scratch/data"
export PATH="$scratch/venv/bin:$PATH"
cd "$scratch"

# expect TEXT COMMAND...: the command's output has TEXT
expect() {
  local text="$1" output
  shift
  output="$("$@" 2>&1)" || :
  grep -qE "$text" <<<"$output" || { printf '%s: no "%s" in:\n%s\n' "$*" "$text" "$output" >&2; exit 1; }
  echo "ok: $* has \"$text\""
}
expect 'jupyter_zt .*enabled' jupyter server extension list
expect 'jupyter_zt .*OK' jupyter server extension list
expect '@jupyter-zt/labextension .*enabled.*OK' jupyter labextension list
expect '^ *zt ' jupyter kernelspec list
expect 'usage: jupyter zt' jupyter zt --help
# Loads the whole gateway: a package that is used and not required shows here.
expect 'gateway.yaml can.t be read' jupyter zt gateway --config "$scratch"
expect 'tour.ipynb' ls "$scratch/venv/share/jupyter-zt/notebooks"
