"""Whoever hangs up, cancels, asks twice or fills the disk: one execution, and one outcome."""

from __future__ import annotations

import asyncio
import random
import resource
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from jupyter_zt.model import RecordKind
from tests.fixtures_gateway import Call, Gateway, Session
from tests.identity import world

UPDATE = "UPDATE customers SET city = 'Raced' WHERE id = 42"
OUTCOMES = {RecordKind.RESULT, RecordKind.ERROR, RecordKind.UNKNOWN_OUTCOME}


def closings(session: Session) -> dict[str, list[str]]:
    """Each action's records that say how it ended."""
    ends: dict[str, list[str]] = {}
    for record in session.records():
        action = record.get("action", "")
        if record["kind"] == RecordKind.INTENT:
            ends[action] = []
        elif record["kind"] in OUTCOMES:
            ends[action].append(record["kind"])
        elif record["kind"] == RecordKind.APPROVAL_CLOSED:
            ends[action].append(record["state"])
        elif record["kind"] == RecordKind.DECISION and record["verdict"] == "deny":
            ends[action].append("deny")
    return ends


def state_of(gateway: Gateway, approval: str) -> str:
    with sqlite3.connect(f"file:{gateway.folder / 'state/gateway.db'}?mode=ro", uri=True) as base:
        row = base.execute("SELECT state FROM approvals WHERE id = ?", (approval,)).fetchone()
    return str(row[0])


def city(gateway: Gateway) -> str:
    return str(gateway.postgres.sql("SELECT city FROM shop.customers WHERE id = 42")[0]["city"])


def executing(session: Session, command: str = UPDATE) -> tuple[Call, str, str]:
    """An approved write that waits for the row at the target: call, action, approval."""
    call = session.start(command)
    action = call.wait_for("accepted")["action"]
    approval = call.wait_for("held")["approval"]["id"]
    session.gateway.vote("reviewer", approval)
    world.wait_until(lambda: bool(session.gateway.statements(action)), seconds=30)
    return call, action, approval


@contextmanager
def slow_row(gateway: Gateway) -> Iterator[None]:
    """Statements that change the row wait while this lasts."""
    let_go, locked = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(gateway.postgres.superuser_dsn)
        async with connection.transaction():
            await connection.execute("UPDATE shop.customers SET city = 'Before' WHERE id = 42")
            locked.set()
            while not let_go.is_set():  # noqa: ASYNC110 (of another thread)
                await asyncio.sleep(0.01)
        await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert locked.wait(10)
    try:
        yield
    finally:
        let_go.set()
        thread.join()


@contextmanager
def database_busy(gateway: Gateway) -> Iterator[None]:
    """Somebody else writes to the gateway's database: what the gateway writes has to wait."""
    other = sqlite3.connect(gateway.folder / "state/gateway.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def disk_full(gateway: Gateway) -> Iterator[None]:
    """No file of the gateway can grow."""
    before = resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("command", ["SELECT 1 AS one", UPDATE, "DROP TABLE orders"])
def test_hanging_up_right_after_asking(gateway: Gateway, command: str) -> None:
    session = gateway.open()
    chance = random.Random(command)
    for _ in range(40):
        call = session.start(command)
        time.sleep(chance.uniform(0, 0.012))
        call.close()
    world.wait_until(lambda: all(closings(session).values()), seconds=30)
    ends = closings(session)
    assert all(len(end) == 1 for end in ends.values()), ends
    waiting = [a for a in gateway.approvals("reviewer") if a["command"] == UPDATE]
    assert not any(a["state"] in {"open", "approved"} for a in waiting)
    session.seal()


def test_two_resumes_of_one_action(own_gateway: Gateway) -> None:
    session = own_gateway.open()
    first = session.start(UPDATE)
    action = first.wait_for("accepted")["action"]
    approval = first.wait_for("held")["approval"]["id"]
    other = session.resume(action)
    assert other.result(10).last["code"] == "action_under_way"
    own_gateway.restart()
    one = session.resume(action)
    one.wait_for("held")
    others = [session.resume(action) for _ in range(5)]
    assert {other.result().last["code"] for other in others} == {"action_under_way"}
    own_gateway.vote("reviewer", approval)
    assert one.result().last["status"] == "completed"
    assert session.resume(action).result().last["code"] == "action_over"
    assert len(own_gateway.statements(action)) == 1
    assert closings(session) == {action: [RecordKind.RESULT, "executed"]}


def test_a_resume_that_hangs_up_while_the_first_executes(gateway: Gateway) -> None:
    session = gateway.open()
    with slow_row(gateway):
        call = session.start(UPDATE)
        action = call.wait_for("accepted")["action"]
        approval = call.wait_for("held")["approval"]["id"]
        second = session.resume(action)
        gateway.vote("reviewer", approval)
        world.wait_until(lambda: bool(gateway.statements(action)), seconds=30)
        second.close()
        session.resume(action).close()
        time.sleep(0.3)
    assert call.result().last["status"] == "completed"
    assert state_of(gateway, approval) == "executed"
    assert closings(session) == {action: [RecordKind.RESULT, "executed"]}
    session.seal()


def test_hanging_up_while_the_result_is_recorded(gateway: Gateway) -> None:
    session = gateway.open()
    with slow_row(gateway):
        call, action, approval = executing(session)
        busy = database_busy(gateway)
        busy.__enter__()
    try:
        world.wait_until(lambda: city(gateway) == "Raced", seconds=30)
        time.sleep(0.2)
        for _ in range(3):
            session.post(f"/v1/actions/{action}/cancel")
        call.close()
        time.sleep(0.2)
    finally:
        busy.__exit__(None, None, None)
    world.wait_until(lambda: bool(closings(session)[action]), seconds=30)
    assert closings(session) == {action: [RecordKind.RESULT, "executed"]}
    assert state_of(gateway, approval) == "executed"
    session.seal()


def test_hanging_up_while_a_failure_is_recorded(gateway: Gateway) -> None:
    session = gateway.open()
    with slow_row(gateway):
        call, action, approval = executing(session, "UPDATE customers SET id = 43 WHERE id = 42")
        busy = database_busy(gateway)
        busy.__enter__()
    try:
        time.sleep(0.5)
        session.post(f"/v1/actions/{action}/cancel")
        call.close()
        time.sleep(0.2)
    finally:
        busy.__exit__(None, None, None)
    world.wait_until(lambda: bool(closings(session)[action]), seconds=30)
    assert closings(session) == {action: [RecordKind.ERROR, "executed"]}
    assert state_of(gateway, approval) == "executed"
    session.seal()


def test_the_disk_is_full_when_the_result_comes(own_gateway: Gateway) -> None:
    session = own_gateway.open()
    with slow_row(own_gateway):
        call, _, approval = executing(session)
        full = disk_full(own_gateway)
        full.__enter__()
    try:
        last = call.result().last
    finally:
        full.__exit__(None, None, None)
    assert last["code"] == "log_unavailable"
    assert "was done" in last["message"]
    assert city(own_gateway) == "Raced"
    session.seal()
    assert state_of(own_gateway, approval) == "outcome_unknown"
    own_gateway.restart()
    assert own_gateway.open().run("SELECT 1 AS one").rows == [{"one": 1}]


def test_the_disk_is_full_when_the_session_ends(own_gateway: Gateway) -> None:
    session = own_gateway.open()
    session.run("SELECT 1 AS one")
    with disk_full(own_gateway):
        refused = session.broker("POST", "seal", json={"cells_seen": "0"})
        assert refused.json()["code"] == "log_unavailable"
    session.seal()
    assert session.records()[-1]["kind"] == RecordKind.SEAL
