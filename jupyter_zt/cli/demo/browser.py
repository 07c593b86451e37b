"""Opens the person's browser, as a process that is no child of the demo.

The demo adopts its orphaned descendants and ends them; the browser must not be one. So whoever will
open it is forked off before the demo adopts anything, and waits for the address on a pipe.
"""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Callable


def browser_opener() -> Callable[[str], None]:
    """Forks off the opener; call before anything else is started.

    Returns:
        Opens an address. If the demo ends before, the opener ends with it.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.setsid()
        if os.fork() == 0:
            _open_what_comes(read)
        os._exit(0)
    os.close(read)
    os.waitpid(child, 0)

    def open_address(address: str) -> None:
        os.write(write, address.encode())
        os.close(write)

    return open_address


def _open_what_comes(read: int) -> None:
    try:
        # What a browser prints would land among the demo's lines.
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(silence, stream)
        with os.fdopen(read) as pipe:
            address = pipe.read()
        if address:
            webbrowser.open(address)
    finally:
        os._exit(0)
