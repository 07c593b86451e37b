"""What Jupyter finds of an installed Jupyter ZT."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import jupyter_zt
from jupyter_zt._version import __version__


def test_the_list_of_server_extensions_shows_our_version() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "jupyter_server.extension.serverextension", "list"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert re.search(rf"jupyter_zt {re.escape(__version__)}\b.*OK", listed.stdout + listed.stderr)


def test_a_name_that_is_not_there_is_not_made_up() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = jupyter_zt.nothing
