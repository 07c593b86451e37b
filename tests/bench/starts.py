"""Starting: a kernel, and the whole demo."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from jupyter_client import KernelManager

from tests.bench.figures import ROUNDS, Figure, interleaved, medians
from tests.bench.stand import Stand
from tests.fixtures_demo import Demo
from tests.kernel.running_kernel import RunningKernel

DEMO_STARTS = 3


def kernel_start(stand: Stand) -> Iterator[Figure]:
    """Seconds that a kernel with sandbox and session takes longer than plain ipykernel."""

    def confined() -> float:
        started = time.perf_counter()
        kernel = RunningKernel(stand.folder / "work")
        seconds = time.perf_counter() - started
        kernel.stop()
        return seconds

    def plain() -> float:
        started = time.perf_counter()
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(stderr=subprocess.DEVNULL)  # it warns of its TCP ports
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        seconds = time.perf_counter() - started
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        return seconds

    taken = interleaved({"zt": confined, "ipykernel": plain})
    more = median(a - b for a, b in zip(taken["zt"], taken["ipykernel"], strict=True))
    yield Figure("kernel_start_over_ipykernel", more, "s", ROUNDS, required=2, parts=medians(taken))


def demo_ready_second_start() -> Iterator[Figure]:
    """Seconds until `jupyter zt demo` says that it is ready, from the second start on."""
    folder = Path(tempfile.mkdtemp(prefix="zt-bench-demo-"))
    taken = []
    try:
        for _ in range(1 + DEMO_STARTS):
            demo = Demo(folder / "demo")
            demo.output.unlink(missing_ok=True)
            started = time.perf_counter()
            try:
                demo.start()
                taken.append(time.perf_counter() - started)
            finally:
                demo.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    first, *later = taken
    yield Figure(
        "demo_ready_second_start", median(later), "s", DEMO_STARTS, required=20,
        parts={"first_start": first, "slowest": max(later)},
    )  # fmt: skip
