"""A page is told of what concerns its person, and of nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.extension.jupyter_stack import Jupyter, Person, running_jupyter
from tests.fixtures_postgres import PostgresServer


@pytest.fixture(scope="module")
def jupyter(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Jupyter]:
    with running_jupyter(tmp_path_factory.mktemp("events"), postgres) as server:
        yield server


async def subscribe(person: Person) -> WebSocketClientConnection:
    url = f"ws{person.url[4:]}/api/events/subscribe"
    return await websocket_connect(HTTPRequest(url, headers=person.headers))


async def told(socket: WebSocketClientConnection, last: str) -> list[dict[str, Any]]:
    """Events up to the one of the file that was saved last."""
    events: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while not events or events[-1].get("path") != last:
            events.append(json.loads(str(await socket.read_message())))
    return events


async def test_kernels_and_recordings_of_others_are_not_told(jupyter: Jupyter) -> None:
    analyst, auditor = jupyter.person("analyst"), jupyter.person("auditor")
    reviewer = jupyter.person("reviewer")
    sockets = [await subscribe(analyst), await subscribe(reviewer)]
    kernel, _ = await asyncio.to_thread(analyst.start_kernel, "a.ipynb")
    page = await analyst.page(kernel)
    await page.run("1 + 1")
    interrupted = f"/api/kernels/{kernel}/interrupt"
    assert (await asyncio.to_thread(analyst.http.post, interrupted)).status_code == 204
    ended = f"/api/kernels/{kernel}"
    assert (await asyncio.to_thread(analyst.http.delete, ended)).status_code == 204
    seen = await asyncio.to_thread(auditor.http.get, "/api/contents/recordings")
    assert len(seen.json()["content"]) == 1
    file = {"type": "file", "format": "text", "content": "x"}
    await asyncio.to_thread(auditor.http.put, "/api/contents/last.txt", json=file)

    mine, theirs = [await told(socket, "last.txt") for socket in sockets]

    assert {event["kernel_id"] for event in mine if "kernel_id" in event} == {kernel}
    assert [event["action"] for event in theirs] == ["save"]
    assert "recordings" not in json.dumps(mine + theirs)
    for socket in sockets:
        socket.close()


async def test_nobody_subscribes_without_a_login(jupyter: Jupyter) -> None:
    url = f"ws{jupyter.url[4:]}/api/events/subscribe"
    with pytest.raises(Exception, match=r"302|403"):
        await websocket_connect(url)
