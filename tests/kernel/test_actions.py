"""The client of the session API: frames, restarts, cut streams."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest

from tests.kernel.scripted_gateway import FrameWriter, ScriptedGateway, ipc
from zt_kernel import actions
from zt_kernel import gateway as gateway_module
from zt_kernel.actions import Command, Mask
from zt_kernel.errors import ZTError, ZTInterrupted, ZTRefused
from zt_kernel.gateway import Gateway

TABLE = pa.table({"id": [1, 2, 3], "email": ["x", None, "z"]})
SELECT = Command(connection="warehouse", text="select 1", parameters=(1, "a", None), cell="m1")


class Seen:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.waiting = threading.Event()

    def held(self, approval: Mapping[str, Any]) -> None:
        self.events.append(("held", approval["reviewer_role"]))
        self.waiting.set()

    def approved(self, by: Sequence[str]) -> None:
        self.events.append(("approved", list(by)))

    def gateway_away(self) -> None:
        self.events.append("away")

    def gateway_back(self) -> None:
        self.events.append("back")

    def ended(self, status: str, message: str) -> None:
        self.events.append(("ended", status, message))


@pytest.fixture
def client(scripted: ScriptedGateway) -> Gateway:
    return Gateway(str(scripted.path))


def run(client: Gateway, seen: Seen | None = None, command: Command = SELECT) -> actions.Outcome:
    return actions.run(client, command, seen or Seen())


def test_a_result_arrives_with_its_masks(scripted: ScriptedGateway, client: Gateway) -> None:
    def script(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        out.table(TABLE, {"email": {"kind": "redact", "tag": "email"}})
        out.result(rows="3")

    scripted.script = script
    outcome = run(client)
    assert outcome.table is not None
    assert outcome.table.equals(TABLE)
    assert [column.mask for column in outcome.columns] == [None, Mask("redact", "email")]
    assert outcome.result["record"] == "17"
    assert scripted.actions == [
        {
            "connection": "warehouse",
            "command": "select 1",
            "parameters": [1, "a", None],
            "cell": "m1",
            "cause": "",
        }
    ]


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_slices_may_fall_anywhere(scripted: ScriptedGateway, client: Gateway, size: int) -> None:
    data = ipc(TABLE)

    def script(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        out.schema(TABLE)
        for start in range(0, len(data), size):
            out.arrow(data[start : start + size])
            out.arrow(b"")
            out.event("progress", rows="1", seconds=0.1)
            out.event("news_of_a_later_version", fine=True)
        out.result(rows="3")

    scripted.script = script
    table = run(client).table
    assert table is not None
    assert table.equals(TABLE)


def test_an_update_has_no_rows(scripted: ScriptedGateway, client: Gateway) -> None:
    scripted.script = lambda _action, out: (
        out.accepted(),
        out.result(verb="update", command_tag="UPDATE 1"),
    )
    outcome = run(client)
    assert outcome.table is None
    assert outcome.result["command_tag"] == "UPDATE 1"


def test_connections_are_used_again(scripted: ScriptedGateway, client: Gateway) -> None:
    scripted.script = lambda _action, out: (out.accepted(), out.table(TABLE), out.result())
    for _ in range(5):
        run(client)
    client.get("/v1/session")
    assert scripted.connections == 1


def test_an_idle_connection_that_the_gateway_closed_is_not_used(
    scripted: ScriptedGateway, client: Gateway
) -> None:
    scripted.script = lambda _action, out: (out.accepted(), out.result())
    run(client)
    scripted.stop()
    scripted.start()
    run(client)
    assert len(scripted.actions) == 2


def test_a_denied_action_is_refused_with_code_hint_and_record(
    scripted: ScriptedGateway, client: Gateway
) -> None:
    scripted.script = lambda _action, out: (
        out.accepted(),
        out.error("denied", "drop_denied", "DROP is not allowed.", hint="Ask.", who="An admin"),
    )
    with pytest.raises(ZTRefused) as caught:
        run(client)
    error = caught.value
    assert (error.code, error.hint, error.who, error.record) == (
        "drop_denied",
        "Ask.",
        "An admin",
        "18",
    )


@pytest.mark.parametrize(("status", "kind"), [(403, ZTRefused), (404, ZTError), (503, ZTError)])
def test_a_problem_instead_of_frames_is_told(
    scripted: ScriptedGateway, client: Gateway, status: int, kind: type[ZTError]
) -> None:
    scripted.refuse = status, {"code": "login_expired", "message": "Log in again.", "hint": "Now."}
    with pytest.raises(kind) as caught:
        run(client)
    assert type(caught.value) is kind
    assert (caught.value.code, caught.value.hint) == ("login_expired", "Now.")


def test_an_error_after_the_first_rows_is_an_error(
    scripted: ScriptedGateway, client: Gateway
) -> None:
    def script(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        out.schema(TABLE)
        out.arrow(ipc(TABLE)[:-200])
        out.error("failed", "target_failed", "The server went away.")

    scripted.script = script
    with pytest.raises(ZTError) as caught:
        run(client)
    assert caught.value.code == "target_failed"


def test_a_stream_that_is_cut_is_an_unknown_outcome_and_nothing_is_sent_again(
    scripted: ScriptedGateway, client: Gateway
) -> None:
    def script(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        out.schema(TABLE)
        out.arrow(ipc(TABLE)[:100])
        out.cut()

    scripted.script = script
    with pytest.raises(ZTError) as caught:
        run(client)
    assert (caught.value.code, caught.value.record) == ("outcome_unknown", "10")
    assert len(scripted.actions) == 1
    assert scripted.attached == []


def test_a_stream_without_an_ending_is_not_taken_for_complete(
    scripted: ScriptedGateway, client: Gateway
) -> None:
    scripted.script = lambda _action, out: (out.accepted(), out.table(TABLE))
    with pytest.raises(ZTError) as caught:
        run(client)
    assert caught.value.code == "outcome_unknown"


@pytest.mark.parametrize("junk", [b"X\0\0\0\1x", b"J\0\0\0\3[1]", b"J\0\0\0\2no", b"J\xff\0\0\0"])
def test_something_else_than_frames_is_told(
    scripted: ScriptedGateway, client: Gateway, junk: bytes
) -> None:
    scripted.script = lambda _action, out: out.raw(junk)
    with pytest.raises(ZTError) as caught:
        run(client)
    assert caught.value.code == "bad_answer"


def test_a_held_action_is_shown_and_then_runs(scripted: ScriptedGateway, client: Gateway) -> None:
    def script(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        out.held()
        out.event("approved", by=["reviewer"])
        out.result(command_tag="UPDATE 1", approved_by=["reviewer"])

    scripted.script = script
    seen = Seen()
    assert run(client, seen).result["approved_by"] == ["reviewer"]
    assert seen.events == [("held", "reviewer"), ("approved", ["reviewer"])]


@pytest.mark.parametrize("status", ["denied", "expired", "cancelled"])
def test_a_held_action_that_ends_otherwise_is_refused(
    scripted: ScriptedGateway, client: Gateway, status: str
) -> None:
    scripted.script = lambda _action, out: (
        out.accepted(),
        out.held(),
        out.error(status, f"approval_{status}", "Not today."),
    )
    seen = Seen()
    with pytest.raises(ZTRefused):
        run(client, seen)
    assert seen.events[-1] == ("ended", status, "Not today.")


def test_a_held_action_survives_a_restart_of_the_gateway(
    scripted: ScriptedGateway, client: Gateway
) -> None:
    def script(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        out.held()
        out.wait_until_gone()

    def resume(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        out.held()
        out.event("approved", by=["reviewer"])
        out.table(TABLE)
        out.result(rows="3")

    scripted.script, scripted.resume = script, resume
    seen = Seen()

    def restart() -> None:
        seen.waiting.wait(10)
        scripted.stop()
        scripted.start()

    restarting = threading.Thread(target=restart)
    restarting.start()
    outcome = run(client, seen)
    restarting.join()
    assert outcome.result["rows"] == "3"
    assert len(scripted.actions) == 1, "the action was sent once"
    assert scripted.attached == ["a_1"]
    assert seen.events == [
        ("held", "reviewer"),
        "away",
        "back",
        ("approved", ["reviewer"]),
    ]


def test_a_gateway_that_does_not_come_back_ends_the_wait(
    scripted: ScriptedGateway, client: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "HELD_PATIENCE_SECONDS", 0.2)

    def script(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        out.held()
        scripted.path.unlink()
        out.cut()

    scripted.script = script
    with pytest.raises(ZTError) as caught:
        run(client)
    assert caught.value.code == "gateway_unreachable"
    assert "no longer waits" in caught.value.hint


def test_a_gateway_that_is_not_there_is_told_and_nothing_was_done(
    scripted: ScriptedGateway, client: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "CONNECT_PATIENCE_SECONDS", 0.1)
    scripted.stop()
    with pytest.raises(ZTError) as caught:
        run(client)
    assert caught.value.code == "gateway_unreachable"


def test_the_stop_button_cancels_and_hangs_up(scripted: ScriptedGateway, client: Gateway) -> None:
    hung_up = threading.Event()

    def script(_action: dict[str, Any], out: FrameWriter) -> None:
        out.accepted()
        out.held()
        if out.wait_until_gone():
            hung_up.set()

    scripted.script = script

    class Impatient(Seen):
        def held(self, approval: Mapping[str, Any]) -> None:
            raise KeyboardInterrupt

    with pytest.raises(ZTInterrupted) as caught:
        run(client, Impatient())
    assert "withdrawn" in caught.value.message
    assert hung_up.wait(10)
    assert scripted.cancelled == ["a_1"]
