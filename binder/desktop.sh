#!/bin/sh
# What the desktop on Binder shows: the demo's terminal, and a browser once the demo is ready.
# Binder's containers may not make sandboxes; then the demo says everywhere that it has none.
cd "$(dirname "$0")/.." || exit
export BROWSER="chromium --no-sandbox --disable-gpu --no-first-run --start-maximized %s"
openbox &
exec xterm -geometry 120x30 -e scripts/demo.sh --allow-unsandboxed
