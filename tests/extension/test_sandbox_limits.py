"""What a sandboxed kernel may use, tried from inside."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from jupyter_zt.extension import bubblewrap, process_count
from jupyter_zt.extension.process_count import ProcessCount
from jupyter_zt.extension.sandbox import SandboxProvisioner
from jupyter_zt.extension.sandbox_limits import LimitedProvisioner
from tests.kernel.running_kernel import RunningKernel, TestBroker

MIB = 1024 * 1024
ROOT = Path(__file__).parents[2]


@contextmanager
def kernel_with(work: Path, **limits: int) -> Iterator[RunningKernel]:
    session = work / "session"
    session.mkdir(exist_ok=True)
    notebooks = work / "notebooks"
    notebooks.mkdir(exist_ok=True)
    with TestBroker(session):
        kernel = RunningKernel(notebooks, config=limits)
        try:
            yield kernel
        finally:
            kernel.stop()


def until_it_ends(kernel: RunningKernel, caplog: pytest.LogCaptureFixture) -> str:
    """What the server's log says of it."""
    deadline = time.monotonic() + 30
    while kernel.manager.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return caplog.text


def test_a_fork_bomb_stops_and_the_kernel_goes_on(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        counted = ProcessCount.of_root("try", 1)
        if counted is None:
            pytest.skip("root gets no cgroup here: nothing would stop a fork bomb at once")
        asyncio.run(counted.remove())
    bomb = "import os, time\nend = time.time() + 2\nwhile time.time() < end: os.fork()"
    with kernel_with(tmp_path, max_processes=100) as kernel:
        ran = kernel.run(
            "import subprocess, sys\n"
            f"print(subprocess.run([sys.executable, '-c', {bomb!r}], capture_output=True).stderr)"
        )
        assert "BlockingIOError" in ran.text
        assert kernel.value("1 + 1") == "2"
        counts = [
            parent / f"zt-{kernel.manager.kernel_id}"
            for parent in process_count._parents()
            if (parent / f"zt-{kernel.manager.kernel_id}").exists()
        ]
    assert len(counts) == (os.geteuid() == 0)
    assert not any(count.exists() for count in counts)


def test_too_many_processes_end_the_kernel_where_nothing_else_counts_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for root in a container. And the next kernel says why it is a new one."""
    monkeypatch.setattr(ProcessCount, "of_root", lambda *_: None)
    monkeypatch.setattr(bubblewrap, "_limited", lambda _: [])
    with kernel_with(tmp_path, max_processes=60) as kernel:
        kernel.start("import subprocess as s\nfor _ in range(80): s.Popen(['sleep', '30'])")
        assert "more than 60 processes and threads" in until_it_ends(kernel, caplog)
        kernel.restart()
        first, second = kernel.run("1 + 1"), kernel.run("1 + 1")
        assert "the one before it ended, because it had more than 60 processes" in first.text
        assert "ended" not in second.text


def test_the_operating_system_itself_refuses_an_ordinary_user_more_processes() -> None:
    """At once, and with nothing ended. As nobody, where the tests run as root."""
    many = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 2 & done; wait"
    line = bubblewrap.arguments(
        bubblewrap.find(),
        bubblewrap.View(),
        bubblewrap.Limits(processes=10),
        Path("/home"),
        ["/bin/sh", "-c", many],
    )
    if os.geteuid() == 0:
        line = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *line]
    ran = subprocess.run(line, capture_output=True, text=True, check=False, cwd="/")
    assert "fork" in ran.stderr.lower(), ran.stderr
    assert ran.returncode != 0


def test_memory_of_many_processes_together_has_a_limit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hog = "import time; x = bytearray(b'x') * 120_000_000; time.sleep(30)"
    with kernel_with(tmp_path, max_memory_bytes=500 * MIB) as kernel:
        # What is shared counts once: eight forks of a large process are no eight large processes.
        forks = "import os, time\nx = bytearray(b'x') * 200_000_000\n"
        forks += "for _ in range(8):\n    if not os.fork(): time.sleep(1); os._exit(0)\n"
        forks += "for _ in range(8): os.wait()"
        ran = kernel.run(
            f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {forks!r}])"
        )
        assert ran.reply["status"] == "ok"
        assert kernel.manager.is_alive()
        kernel.start(
            f"for _ in range(6): subprocess.Popen([sys.executable, '-c', {hog!r}])\n"
            "import time; time.sleep(30)"
        )
        assert "together used more than 500 MiB of memory" in until_it_ends(kernel, caplog)


def test_no_limit_can_be_raised_from_inside(tmp_path: Path) -> None:
    limits = {
        "max_cpus": 1,
        "max_cpu_seconds": 60,
        "max_data_bytes": 512 * MIB,
        "max_open_files": 300,
        "max_processes": 100,
    }
    with kernel_with(tmp_path, **limits) as kernel:
        kernel.run("import os, resource")
        assert kernel.value("len(os.sched_getaffinity(0))") == "1"
        assert "PermissionError" in kernel.run("os.sched_setaffinity(0, {0, 1})").text
        for name, value in {
            "DATA": 512 * MIB,
            "NOFILE": 300,
            "NPROC": 100,
            "CPU": 65,
            "CORE": 0,
        }.items():
            kind = f"resource.RLIMIT_{name}"
            assert kernel.value(f"resource.getrlimit({kind})[1]") == str(value)
            raised = kernel.run(f"resource.setrlimit({kind}, ({value + 1}, {value + 1}))")
            assert "not allowed to raise maximum limit" in raised.text
        assert kernel.run("x = bytearray(2**30)").reply["ename"] == "MemoryError"
        assert kernel.value("1 + 1") == "2", "and goes on"


def test_processor_time_ends_a_process_and_the_log_says_of_which(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with kernel_with(tmp_path, max_cpu_seconds=4) as kernel:
        kernel.start("while True: pass")
        assert "it had used its processor time" in until_it_ends(kernel, caplog)


def test_the_settings_of_the_document_are_there() -> None:
    written = (ROOT / "docs/sandbox.md").read_text()
    code = re.findall(r"^```python\n(.*?)^```$", written, re.DOTALL | re.MULTILINE)
    c = Config()
    exec(compile(code[0], "jupyter_server_config.py", "exec"), {"c": c})
    assert set(c.SandboxProvisioner) <= set(SandboxProvisioner.class_trait_names(config=True))
    assert all(type(value) is int for value in c.SandboxProvisioner.values())
    assert set(LimitedProvisioner.class_own_traits(config=True)) == set(c.SandboxProvisioner)


def test_no_limits_are_no_limits(tmp_path: Path) -> None:
    none: dict[str, Any] = dict.fromkeys(
        ("max_data_bytes", "max_memory_bytes", "max_processes", "max_cpus"), 0
    )
    with kernel_with(tmp_path, **none) as kernel:
        assert kernel.value("len(__import__('os').sched_getaffinity(0))") == str(
            len(os.sched_getaffinity(0))
        )
