"""Small demos for test_children.py, each run as a process of its own:

    python stories.py NAME FOLDER

(adopting orphans and dying with a parent are matters of whole processes).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from jupyter_zt.cli.demo.children import Children, Program
from jupyter_zt.errors import UnavailableError

FOLDER = Path(sys.argv[2])


def leave_pid(name: str) -> None:
    whole = FOLDER / f"{name}.new"
    whole.write_text(str(os.getpid()))
    whole.rename(FOLDER / name)


def sleeper() -> None:
    leave_pid("sleeper")
    time.sleep(600)


def deaf() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    leave_pid("deaf")
    time.sleep(600)


def brittle() -> None:
    leave_pid("brittle")
    time.sleep(0.3)
    print("out of cheese")
    sys.exit(3)


def family() -> None:
    if os.fork() == 0:
        os.setsid()  # out of reach of the group's end
        leave_pid("runaway")
    time.sleep(600)


def run(what: Callable[[], None], mark: str) -> Children:
    children = Children()
    children.start(program(what, mark))
    children.wait_ready(what.__name__, 10)
    return children


def program(what: Callable[[], None], mark: str) -> Program:
    return Program(
        what.__name__,
        [sys.executable, __file__, what.__name__, str(FOLDER)],
        FOLDER / f"{what.__name__}.log",
        ready=(FOLDER / mark).exists,
        stop_seconds=0.3,
    )


def stop_the_deaf() -> None:
    run(deaf, "deaf").stop()


def stop_the_family() -> None:
    run(family, "runaway").stop()


def watch_until_told() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    children = run(sleeper, "sleeper")
    print("ready", flush=True)
    try:
        children.watch()
    except KeyboardInterrupt:
        children.stop()


def watch_the_brittle() -> None:
    children = run(sleeper, "sleeper")
    children.start(program(brittle, "brittle"))
    try:
        children.wait_ready("brittle", 10)
        children.watch()
    except UnavailableError as error:
        print(error.diagnostics())
    finally:
        children.stop()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
