"""`jupyter zt demo` as a person starts it: the whole thing, twice."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli.command_line import CommandLine

START_SECONDS = 120
STOP_SECONDS = 40


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Demo:
    """One run of the demo."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.began = time.monotonic()
        self.process = run_demo(folder, port)
        self.lines: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if "Ctrl-C stops everything" in line:
                self.seconds_to_start = time.monotonic() - self.began
                return
        pytest.fail("\n".join([*self.lines, self.process.communicate()[1]]))

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def run_demo(folder: Path, port: int) -> subprocess.Popen[str]:
    command = ["-m", "jupyter_zt.cli", "demo", "--no-browser"]
    return subprocess.Popen(
        [sys.executable, *command, "--dir", str(folder), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=STOP_SECONDS)
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Outside of pytest's folders, which a run beside this one makes its user's alone: as root, the
    # demo's PostgreSQL runs as another user.
    made = Path(tempfile.mkdtemp(prefix="zt-demo-"))
    made.chmod(0o755)
    yield made / "demo"
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def demo(folder: Path) -> Iterator[Demo]:
    demo = Demo(folder, free_port())
    yield demo
    if demo.process.poll() is None:
        demo.process.terminate()
        demo.process.wait(STOP_SECONDS)


pytestmark = pytest.mark.timeout(START_SECONDS + STOP_SECONDS)


def test_each_part_is_named_when_it_is_ready_and_then_the_address(demo: Demo) -> None:
    printed = "\n".join(demo.lines)
    for part in ("PostgreSQL", "shop", "logins", "gateway", "language model", "JupyterLab"):
        assert part in printed
    assert f"http://127.0.0.1:{demo.port}/lab/tree/tour.ipynb" in printed


def test_address_leads_to_the_login_page_of_the_demo_provider(demo: Demo) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{demo.port}/lab") as answer:
        page = answer.read().decode()
    assert "demo" in page
    for account in ("analyst", "reviewer", "auditor", "admin"):
        assert account in page


def test_every_part_listens_on_loopback_only(demo: Demo) -> None:
    listening = {
        connection.laddr.ip
        for process in demo.family()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_command_line_finds_the_demo_by_itself(demo: Demo) -> None:
    assert demo.process.poll() is None
    line = CommandLine(Path(os.environ["XDG_STATE_HOME"]), gateway="")
    status, said, errors = line.log_in("analyst")
    assert (status, errors) == (0, ""), said
    status, (answer,) = line.batch([{"command": "SELECT email FROM customers LIMIT 1"}])
    assert (status, list(answer["masked"])) == (0, ["email"])
    assert line.run("logout")[0] == 0


def test_second_demo_in_the_same_directory_is_told_who_runs_there(demo: Demo) -> None:
    second = run_demo(demo.folder, free_port())
    _, errors = second.communicate(timeout=30)
    assert second.returncode == 2
    assert f"A demo is already running in {demo.folder} (process {demo.process.pid})" in errors
    assert "--dir" in errors


def test_port_in_use_is_named_with_the_option_that_changes_it(demo: Demo, tmp_path: Path) -> None:
    second = run_demo(tmp_path / "other", demo.port)
    _, errors = second.communicate(timeout=30)
    assert second.returncode == 2
    assert f"Port {demo.port} is in use" in errors
    assert "--port" in errors


def test_a_part_that_is_killed_is_named_and_all_others_stop(demo: Demo) -> None:
    family = demo.family()
    gateway = next(process for process in family if "gateway" in process.cmdline())
    gateway.kill()
    _, errors = demo.process.communicate(timeout=STOP_SECONDS)
    assert demo.process.returncode == 2
    assert "gateway ended by itself (signal SIGKILL)" in errors
    assert str(demo.folder / "logs" / "gateway.log") in errors
    assert gone(family)


def test_next_start_finds_the_shop_and_a_killed_demo_leaves_no_process(
    demo: Demo, folder: Path
) -> None:
    assert demo.process.wait(STOP_SECONDS) == 2
    again = Demo(folder, demo.port)
    family = again.family()
    assert any("orders found" in line for line in again.lines)
    os.kill(again.process.pid, signal.SIGKILL)
    assert gone(family)


def test_ctrl_c_stops_everything(folder: Path) -> None:
    last = Demo(folder, free_port())
    family = last.family()
    last.process.send_signal(signal.SIGINT)
    printed, errors = last.process.communicate(timeout=STOP_SECONDS)
    assert last.process.returncode == 0, errors
    assert "Stopped." in printed
    assert not (Path(os.environ["XDG_STATE_HOME"]) / "jupyter-zt" / "gateway.json").exists()
    assert gone(family)
