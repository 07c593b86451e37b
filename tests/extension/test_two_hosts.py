"""The gateway on one host, Jupyter and its kernels on another: a network of its own, over TLS."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from jupyter_zt.extension import upstream
from tests.certificates import certificate
from tests.extension.jupyter_stack import running_jupyter
from tests.fixtures_postgres import PostgresServer
from tests.relayed import Impostor, relay_to
from tests.two_hosts import OtherHost, other_host, why_not


@pytest.fixture
def host() -> Iterator[OtherHost]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with other_host() as host:
        yield host


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what changes comes from another process
            await asyncio.sleep(0.05)


def shown(messages: list[dict[str, Any]], msg_type: str) -> list[dict[str, Any]]:
    return [message["content"] for message in messages if message["header"]["msg_type"] == msg_type]


async def test_a_notebook_on_one_host_and_the_gateway_on_another(
    host: OtherHost, postgres: PostgresServer, tmp_path: Path
) -> None:
    def from_there(address: str, port: int) -> bool:
        with suppress(OSError):
            host.there(lambda: socket.create_connection((address, port), timeout=2)).close()
            return True
        return False

    with running_jupyter(tmp_path, postgres, host) as jupyter:
        gateway = jupyter.gateway
        # The other host reaches the gateway's port, and no database.
        assert from_there(host.this_side, gateway.port)
        assert not from_there(host.this_side, postgres.port)
        assert not from_there("127.0.0.1", postgres.port)

        analyst, reviewer = jupyter.person("analyst"), jupyter.person("reviewer")
        kernel, _ = analyst.start_kernel()
        page = await analyst.page(kernel)
        ran = await page.run("%%sql warehouse people <<\nSELECT * FROM customers LIMIT 20")
        assert not shown(ran, "error"), ran
        ran = await page.run("print(len(people), people.email.str.contains('@').any())")
        assert shown(ran, "stream")[0]["text"] == "20 False\n"

        update = "%%sql warehouse\nUPDATE customers SET city = 'Celle' WHERE id = 5150"
        asked = await page.ask(update)
        held: list[dict[str, Any]] = []

        def is_held() -> bool:
            held[:] = reviewer.http.get("/zt/api/approvals").json()["approvals"]
            return bool(held)

        await until(is_held)
        vote = {"approve": True, "reason": "", "digest": held[0]["digest"]}
        voted = reviewer.http.post(f"/zt/api/approvals/{held[0]['id']}/votes", json=vote)
        assert voted.status_code == 200, voted.text
        assert not shown(await page.answers(asked), "error")
        assert len(gateway.statements("'Celle'")) == 1

        # It came over the cable: there is no socket at the gateway.
        runtime = gateway.configuration["gateway"]["runtime"]
        assert not [name for _, _, names in os.walk(runtime) for name in names]
        [session] = analyst.http.get("/zt/api/sessions").json()
        assert analyst.http.delete(f"/api/kernels/{kernel}").status_code == 204
        await until(lambda: gateway.records(session["id"])[-1]["kind"] == "seal")


def test_a_cable_that_is_pulled_ends_what_waits(
    host: OtherHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "DEAD_SECONDS", 1)
    trusted = certificate(tmp_path, "gateway", host.that_side)
    there = host.there(lambda: socket.create_server((host.that_side, 0)))
    with (
        Impostor(trusted, there, is_silent=True) as silent,
        relay_to(silent.port, trusted, host.that_side) as path,
        socket.socket(socket.AF_UNIX) as kernel,
    ):
        kernel.settimeout(20)
        kernel.connect(path)
        kernel.sendall(b"GET /v1/session HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kernel.recv(15) == b"HTTP/1.1 200 OK"
        host.cut()
        while kernel.recv(65536):
            pass
