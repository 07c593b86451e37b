"""No process stays behind, however the demo ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

STORIES = Path(__file__).with_name("stories.py")


def tell(name: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, STORIES, name, folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_gone(left_pid: Path) -> bool:
    """Whether that process ends within ten seconds; its new parent may reap it late."""
    pid = int(left_pid.read_text())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_stop_ends_those_that_ignore_the_polite_signal(tmp_path: Path) -> None:
    process = tell("stop_the_deaf", tmp_path)
    assert process.wait(20) == 0, process.communicate()
    assert is_gone(tmp_path / "deaf")


def test_stop_ends_grandchildren_that_left_the_group(tmp_path: Path) -> None:
    process = tell("stop_the_family", tmp_path)
    assert process.wait(20) == 0, process.communicate()
    assert is_gone(tmp_path / "runaway")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_child_outlives_the_demo(tmp_path: Path, how: signal.Signals) -> None:
    process = tell("watch_until_told", tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, how)
    process.communicate(timeout=20)
    assert is_gone(tmp_path / "sleeper")


def test_child_that_ends_is_named_with_its_last_lines(tmp_path: Path) -> None:
    process = tell("watch_the_brittle", tmp_path)
    printed, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert "brittle ended by itself (status 3)" in printed
    assert "out of cheese" in printed
    assert is_gone(tmp_path / "sleeper")
