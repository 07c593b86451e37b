"""The real path: a sandboxed kernel, the gateway's process, PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fixtures_gateway import Gateway, Session
from tests.kernel.running_kernel import RunningKernel, kernel_of
from zt_kernel.react_loop import TABLES_QUERY

HELD = "application/vnd.zt.held+json"
RESULT = "application/vnd.zt.result+json"


@pytest.fixture
def session(gateway: Gateway) -> Session:
    return gateway.open()


@pytest.fixture
def kernel(session: Session, work: Path) -> Iterator[RunningKernel]:
    with kernel_of(session, work) as kernel:
        yield kernel


@pytest.fixture
def own_kernel(own_gateway: Gateway, work: Path) -> Iterator[RunningKernel]:
    """Of a gateway that the test may stop."""
    with kernel_of(own_gateway.open(), work) as kernel:
        yield kernel


def test_the_tour(kernel: RunningKernel, session: Session, gateway: Gateway) -> None:
    card = kernel.run("%zt").data("text/plain")
    assert "analyst" in card
    assert "warehouse" in card
    assert session.id in card

    # Reads come back masked, and are ordinary pandas.
    ran = kernel.run("%%sql warehouse people <<\nSELECT * FROM customers ORDER BY id LIMIT 50")
    assert ran.reply["status"] == "ok", ran.text
    assert kernel.value("people.email.str.contains('@').any()") in {"False", "np.False_"}
    shown = kernel.run("people").data(RESULT)
    masks = {column["name"]: column["mask"] for column in shown["columns"]}
    assert masks["email"]["tag"] == "email"
    assert masks["id"] is None
    assert kernel.value("len(people.groupby('city').size()) > 0") == "True"

    # The gateway knows which cell an action came from.
    intents = [record for record in session.records() if record["kind"] == "intent"]
    assert intents[0]["cell"]

    # What is refused says why, before PostgreSQL sees it.
    ran = kernel.run("%%sql warehouse\nDROP TABLE customers")
    assert ran.error[0].startswith("Refused: ")
    assert gateway.statements("DROP TABLE customers") == []
    ran = kernel.run("%%sql warehouse\nSELEC 1")
    assert any(line.strip() == "^" for line in ran.error)
    ran = kernel.run("%%sql nowhere\nSELECT 1")
    assert ran.error[-1].startswith("[unknown_connection")


def test_a_held_update_goes_on_after_a_restart_of_the_gateway(
    own_kernel: RunningKernel, own_gateway: Gateway
) -> None:
    message = own_kernel.start("%%sql warehouse\nUPDATE customers SET city = 'Ulm' WHERE id = 9")
    held = own_kernel.wait_for_output(message, "display_data")["data"][HELD]
    own_gateway.restart()
    assert own_gateway.vote("reviewer", held["approval"]["id"]).status_code == 200
    ran = own_kernel.finish(message)
    assert ran.reply["status"] == "ok", ran.text
    assert [update["data"][HELD]["state"] for update in ran.updates][-1] == "approved"
    assert "UPDATE 1" in ran.text
    assert len(own_gateway.statements("'Ulm'")) == 1, "it ran once"


def test_a_denied_update_tells_the_reviewers_reason(
    kernel: RunningKernel, gateway: Gateway
) -> None:
    message = kernel.start("%%sql warehouse\nUPDATE customers SET city = 'Bonn' WHERE id = 9")
    held = kernel.wait_for_output(message, "display_data")["data"][HELD]
    approval = held["approval"]["id"]
    gateway.vote("reviewer", approval, approve=False, reason="Not before Monday.")
    ran = kernel.finish(message)
    assert "Not before Monday." in ran.error[0]
    assert "approval_denied" in ran.error[-1]
    assert ran.updates[-1]["data"][HELD]["state"] == "denied"
    assert gateway.statements("'Bonn'") == []


def test_the_stop_button_cancels_at_the_target(kernel: RunningKernel, gateway: Gateway) -> None:
    slow = "SELECT count(*) FROM customers a, customers b, customers c, customers d, customers e"
    message = kernel.start(f"%%sql warehouse\n{slow}")
    wait_until(lambda: running(gateway, slow) == 1)
    kernel.interrupt()
    ran = kernel.finish(message)
    assert ran.error[0].startswith("Stopped: cancelled"), ran.text
    wait_until(lambda: running(gateway, slow) == 0)


def test_the_gateway_gone_while_nothing_is_held(
    own_kernel: RunningKernel, own_gateway: Gateway
) -> None:
    assert own_kernel.run("%%sql warehouse\nSELECT 1 AS one").reply["status"] == "ok"
    own_gateway.stop()
    back = threading.Timer(1.0, own_gateway.start)
    back.start()
    # Not sent yet, so waiting for the gateway can't run anything twice.
    assert own_kernel.run("%%sql warehouse\nSELECT 2 AS two").reply["status"] == "ok"
    back.join()


def test_an_agent_may_look_up_what_tables_there_are(session: Session) -> None:
    outcome = session.run(TABLES_QUERY)
    assert outcome.last.get("status") == "completed", outcome.last
    tables = {row["table_name"]: row["columns"] for row in outcome.rows}
    assert "customers" in tables
    assert "email" in tables["customers"]


def test_a_sealed_session_says_how_to_go_on(kernel: RunningKernel, session: Session) -> None:
    session.seal()
    ran = kernel.run(
        "zt_kernel = __import__('zt_kernel.gateway').gateway\n"
        "zt_kernel.CONNECT_PATIENCE_SECONDS = 0.2\nzt.session()"
    )
    assert "restart the kernel" in ran.text


def running(gateway: Gateway, command: str) -> int:
    """How many of PostgreSQL's backends run this command now."""
    count = gateway.postgres.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
        f" AND pid <> pg_backend_pid() AND query LIKE '%{command}%'"
    )
    return int(count[0][0])


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
