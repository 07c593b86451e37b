from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.identity import world


@pytest.fixture(scope="session")
def node_packages() -> Path:
    return world.install_node_provider()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10) as client:
        yield client


@pytest.fixture
def forger() -> Iterator[world.Forger]:
    with world.forger() as provider:
        yield provider


@pytest.fixture
def browser() -> Iterator[world.Browser]:
    browser = world.Browser()
    yield browser
    browser.close()
