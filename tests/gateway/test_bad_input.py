"""Bad input and broken parts, as a session's API sees them: a clear error, and nothing is lost.

Real gateway process, real PostgreSQL. What a kernel shows of it is in tests/kernel, what a person
sees in tests/e2e.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fixtures_gateway import REPOSITORY, Gateway, running_gateway
from tests.fixtures_postgres import PostgresServer
from tests.identity import world

SLOW = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.total < b.total + c.total"


def backends(gateway: Gateway, session: str) -> list[int]:
    """PostgreSQL's processes that run something for a session."""
    rows = gateway.postgres.sql(
        "SELECT pid FROM pg_stat_activity WHERE state = 'active'"
        f" AND query LIKE '%{session}%' AND pid <> pg_backend_pid()"
    )
    return [row["pid"] for row in rows]


class Line:
    """The network between gateway and PostgreSQL, which can be cut."""

    def __init__(self, to_port: int) -> None:
        self._to = to_port
        self._open: list[socket.socket] = []
        self._server: socket.socket | None = None
        with world.free_socket() as probe:
            self.port = int(probe.getsockname()[1])
        self.mend()

    def mend(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def cut(self) -> None:
        assert self._server is not None
        for end in (self._server, *self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def _accept(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


@dataclass
class Place:
    """A gateway whose line to PostgreSQL can be cut, and whose disk can be filled.

    Attributes:
        disk: 8 MiB of its own that hold the gateway's state; None where mounting isn't permitted.
    """

    gateway: Gateway
    line: Line
    disk: Path | None


@pytest.fixture(scope="module")
def place(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    line = Line(postgres.port)
    mounted = False
    state = folder / "gateway/state"
    try:
        with running_gateway(folder, postgres) as gateway:
            gateway.stop()
            if os.geteuid() == 0:
                shutil.rmtree(state)
                state.mkdir(mode=0o700)
                mounted = not call("-t", "tmpfs", "-o", "size=8m,mode=0700", "zt", state)
            gateway.configuration["connections"]["warehouse"].update(
                port=line.port,
                limits={"max_rows": 5000, "max_bytes": 20_000, "statement_seconds": 4},
            )
            gateway.write()
            gateway.start()
            yield Place(gateway, line, state if mounted else None)
    finally:
        line.cut()
        if mounted:
            subprocess.run(["umount", "-l", state], check=True)


def call(*options: object) -> int:
    """Runs mount; its exit status."""
    words = ["mount", *(str(option) for option in options)]
    return subprocess.run(words, capture_output=True, check=False).returncode


def test_api_a_target_that_goes_down_is_said_and_used_again_once_it_is_back(place: Place) -> None:
    session = place.gateway.open()
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]
    place.line.cut()
    last = session.run("SELECT 2 AS two").last
    assert (last["status"], last["code"]) == ("failed", "target_unreachable")
    assert last["hint"]
    assert "warehouse" in last["who"]
    place.line.mend()
    assert session.run("SELECT 3 AS three").rows == [{"three": 3}]


def test_api_a_target_lost_in_mid_query_is_said_and_recorded(place: Place) -> None:
    session = place.gateway.open()
    running = session.start(SLOW)
    world.wait_until(lambda: backends(place.gateway, session.id) != [], seconds=10)
    place.line.cut()
    last = running.result().last
    place.line.mend()
    assert (last["status"], last["code"]) == ("failed", "target_lost")
    assert last["record"] == session.records()[-1]["leaf"]
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


def test_api_a_statement_killed_at_the_target_is_said_and_the_session_goes_on(
    gateway: Gateway,
) -> None:
    session = gateway.open()
    running = session.start(SLOW)
    world.wait_until(lambda: backends(gateway, session.id) != [], seconds=10)
    [pid] = backends(gateway, session.id)
    gateway.postgres.sql(f"SELECT pg_terminate_backend({pid})")
    last = running.result().last
    assert (last["status"], last["code"]) == ("failed", "target_lost")
    assert session.records()[-1]["kind"] == "error"
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


def test_api_limits_of_time_and_bytes_are_said_with_what_to_do(place: Place) -> None:
    session = place.gateway.open()
    last = session.run(SLOW).last
    assert last["code"] == "statement_timeout"
    assert "4 s" in last["message"], last
    assert last["hint"]
    assert backends(place.gateway, session.id) == []
    large = session.run("SELECT id, customer_id, total FROM orders")
    cut = large.last["truncated"]
    assert (cut["limit"], cut["value"]) == ("max_bytes", "20000")
    assert "WHERE" in cut["hint"], cut
    assert 0 < len(large.rows) == int(large.last["rows"])


def test_api_a_gateway_killed_in_mid_query_leaves_an_unknown_outcome_and_no_backend(
    place: Place,
) -> None:
    session = place.gateway.open()
    running = session.start(SLOW)
    action = running.wait_for("accepted")["action"]
    world.wait_until(lambda: backends(place.gateway, session.id) != [], seconds=10)
    place.gateway.restart(signal.SIGKILL)
    running.result()
    kinds = [r["kind"] for r in session.records() if r.get("action") == action]
    assert kinds[-1] == "unknown_outcome"
    world.wait_until(lambda: backends(place.gateway, session.id) == [], seconds=20)
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


def test_api_a_full_log_disk_denies_everything_until_there_is_space(place: Place) -> None:
    if place.disk is None:
        pytest.skip("mounting a small file system needs root")
    gateway = place.gateway
    session = gateway.open()
    held = session.start("UPDATE customers SET city = 'Tightspace' WHERE id = 11")
    approval = held.wait_for("held")["approval"]
    ballast = fill(place.disk)
    for _ in range(3):
        refused = session.run("SELECT 2 AS fulldisk").last
        assert refused["code"] == "log_unavailable"
        assert "full" in refused["message"]
        assert refused["hint"]
    assert gateway.statements("fulldisk") == []
    # A vote that can't be recorded is no vote.
    vote = gateway.vote("reviewer", approval["id"], digest=approval["digest"])
    assert (vote.status_code, vote.json()["code"]) == (503, "log_unavailable")
    assert gateway.statements("Tightspace") == []

    ballast.unlink()
    assert session.run("SELECT 3 AS three").rows == [{"three": 3}]
    assert gateway.vote("reviewer", approval["id"], digest=approval["digest"]).is_success
    assert held.result().last["command_tag"] == "UPDATE 1"
    leaves = [int(record["leaf"]) for record in session.records()]
    assert leaves == sorted(set(leaves))


def fill(disk: Path) -> Path:
    """Fills a disk to its last byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return ballast


def test_api_a_read_only_log_folder_keeps_the_gateway_from_starting_and_says_so(
    place: Place,
) -> None:
    if place.disk is None:
        pytest.skip("mounting a small file system needs root")
    session = place.gateway.open()
    session.run("SELECT 1")
    place.gateway.stop()
    assert call("-o", "remount,ro", place.disk) == 0
    try:
        started = subprocess.run(
            [sys.executable, "-m", "jupyter_zt.cli", "gateway", "--config", place.gateway.folder],
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
            timeout=60,
        )
    finally:
        assert call("-o", "remount,rw", place.disk) == 0
    assert started.returncode != 0
    assert str(place.disk) in started.stderr
    assert "Traceback" not in started.stderr
    place.gateway.start()
    assert session.run("SELECT 2 AS two").rows == [{"two": 2}], "the session is still there"
