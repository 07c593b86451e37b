"""Broken parts, as a real kernel at a real gateway shows them: short, clear, and it goes on."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.fixtures_gateway import Gateway, Session, running_gateway
from tests.fixtures_postgres import PostgresServer
from tests.identity import world
from tests.kernel.running_kernel import RunningKernel, kernel_of

HELD = "application/vnd.zt.held+json"
SLOW = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.total < b.total + c.total"


@pytest.fixture(scope="module")
def place(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, Session, RunningKernel]]:
    """A gateway that a test may kill, and a kernel on one of its sessions."""
    folder = tmp_path_factory.mktemp("place")
    work = folder / "notebooks"
    work.mkdir()
    with running_gateway(folder, postgres) as gateway:
        session = gateway.open()
        with kernel_of(session, work) as kernel:
            yield gateway, session, kernel


def test_kernel_names_the_connections_when_one_is_unknown_or_no_command_is_there(
    place: tuple[Gateway, Session, RunningKernel],
) -> None:
    _, _, kernel = place
    unknown = kernel.run("%%sql warehose\nSELECT 1")
    assert unknown.error[0].startswith("Refused: ")
    assert "warehouse" in unknown.text
    assert "unknown_connection" in unknown.error[-1]
    for empty in ("%%sql warehouse\n", "%%sql warehouse\n  \n", "%%sql warehouse rows <<\n"):
        assert "empty_command" in kernel.run(empty).error[-1], empty
    assert kernel.run("").reply["status"] == "ok", "an empty cell is no error"


def test_kernel_says_that_the_outcome_is_unknown_when_the_gateway_dies_under_a_query(
    place: tuple[Gateway, Session, RunningKernel],
) -> None:
    gateway, session, kernel = place
    message = kernel.start(f"%%sql warehouse\n{SLOW}")
    running = (
        "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
        f" AND query LIKE '%{session.id}%'"
    )
    world.wait_until(lambda: len(gateway.postgres.sql(running)) > 0, seconds=20)
    gateway.stop(signal.SIGKILL)
    ran = kernel.finish(message)
    assert "outcome_unknown" in ran.error[-1], ran.text
    assert "not sent again" in ran.text
    gateway.start()
    assert kernel.run("%%sql warehouse\nSELECT 1 AS one").reply["status"] == "ok"


def test_kernel_says_whom_to_ask_when_the_login_has_expired(
    place: tuple[Gateway, Session, RunningKernel],
) -> None:
    gateway, session, kernel = place
    gateway.stop()
    with closing(sqlite3.connect(gateway.folder / "state/gateway.db")) as connection, connection:
        connection.execute(
            "UPDATE sessions SET expires_at = '2020-01-01T00:00:00+00:00' WHERE id = ?",
            (session.id,),
        )
    gateway.start()
    ran = kernel.run("%%sql warehouse\nSELECT 1")
    assert "login_expired" in ran.error[-1], ran.text
    assert "log in" in ran.text.lower()
    renewed = session.renew()
    assert renewed.is_success, renewed.text
    assert kernel.run("%%sql warehouse\nSELECT 1 AS one").reply["status"] == "ok"


def test_kernel_that_dies_while_its_action_is_held_withdraws_the_request(
    place: tuple[Gateway, Session, RunningKernel],
) -> None:
    gateway, _, kernel = place
    message = kernel.start("%%sql warehouse\nUPDATE customers SET city = 'Ghost' WHERE id = 12")
    held = kernel.wait_for_output(message, "display_data")["data"][HELD]
    kernel.restart()

    def state() -> str:
        approvals = gateway.approvals("reviewer")
        return str(next(a["state"] for a in approvals if a["id"] == held["approval"]["id"]))

    world.wait_until(lambda: state() == "cancelled", seconds=20)
    late = gateway.vote("reviewer", held["approval"]["id"], digest=held["approval"]["digest"])
    assert late.status_code == 409
    assert gateway.statements("Ghost") == []
    assert kernel.run("%%sql warehouse\nSELECT 1 AS one").reply["status"] == "ok"
