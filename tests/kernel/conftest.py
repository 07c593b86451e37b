"""A scripted gateway, and real kernels in the real sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.running_kernel import RunningKernel, TestBroker
from tests.kernel.scripted_gateway import ScriptedGateway


@pytest.fixture
def scripted() -> Iterator[ScriptedGateway]:
    scripted = ScriptedGateway()
    yield scripted
    scripted.close()


@pytest.fixture(scope="module")
def module_gateway() -> Iterator[ScriptedGateway]:
    scripted = ScriptedGateway()
    yield scripted
    scripted.close()


@pytest.fixture(scope="module")
def kernel(
    module_gateway: ScriptedGateway, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningKernel]:
    """One sandboxed kernel for the tests of a module."""
    with TestBroker(module_gateway.folder):
        running = RunningKernel(tmp_path_factory.mktemp("work"))
        yield running
        running.stop()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    return folder
