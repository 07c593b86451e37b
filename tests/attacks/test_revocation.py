"""What was revoked, stopped or logged out goes on all the same."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupyter_zt.recording.verify import verify
from tests.fixtures_gateway import Gateway, Session, running_gateway
from tests.fixtures_postgres import PostgresServer
from tests.kernel.running_kernel import kernel_of

SLEEP = "SELECT pg_sleep(60)"
READ = "SELECT id, city FROM customers ORDER BY id LIMIT 3"
WRITE = "UPDATE customers SET city = 'Worms' WHERE id = 41"
POLICY = """
@id("read")
permit (principal, action in ZT::Action::"read", resource);
@id("write")
@hold("reviewer")
permit (principal, action in ZT::Action::"write", resource);
"""


class Line:
    """To PostgreSQL, until it is cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._open:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._target))
                self._ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def cut(self) -> Iterator[None]:
        self._open = False
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        yield
        self._open = True


def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def line(postgres: PostgresServer) -> Line:
    return Line(postgres.port)


@pytest.fixture(scope="module")
def gateway(
    postgres: PostgresServer, line: Line, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """With policies under which a statement may sleep: what stops it is not the analysis."""
    with running_gateway(tmp_path_factory.mktemp("revocation"), postgres) as running:
        running.stop()
        (running.folder / "policies" / "demo.cedar").write_text(POLICY)
        running.configuration["connections"]["warehouse"]["port"] = line.port
        running.write()
        running.start()
        yield running


def sleeping(gateway: Gateway, session: Session) -> int:
    """Statements of this session that run at the target now."""
    found = gateway.postgres.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
        f" AND pid <> pg_backend_pid() AND query LIKE '%session={session.id}%'"
    )
    return int(found[0][0])


def roles(gateway: Gateway, session: Session) -> list[str]:
    """The session's leases that there are at the target."""
    names = {record["role"] for record in session.records() if record["kind"] == "lease"}
    found = gateway.postgres.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'zt_%'")
    return sorted(names & {row[0] for row in found})


def revoke(
    gateway: Gateway, session: Session, person: str = "analyst", reason: str = ""
) -> httpx.Response:
    path = f"/v1/sessions/{session.id}/revoke"
    return ended(gateway, path, person, reason)


def ended(gateway: Gateway, path: str, person: str, reason: str = "") -> httpx.Response:
    """Sends it as the person's command line would."""
    auth = gateway.auth(person, "revoke") if person else None
    return gateway.request("POST", path, auth=auth, json={"reason": reason})


def renew(session: Session) -> httpx.Response:
    """What the session's broker does while its person is logged in."""
    return session.renew()


def kinds(session: Session) -> list[str]:
    return [record["kind"] for record in session.records()]


def report(gateway: Gateway, recording: bytes) -> Any:
    return verify(recording, json.loads((gateway.folder / "state/trust.json").read_text()))


# ------------------------------------------------------------------ one session


def test_a_revoked_session_keeps_no_statement_no_lease_no_socket_and_no_request(
    gateway: Gateway,
) -> None:
    session = gateway.open()
    slow, held = session.start(SLEEP), session.start(WRITE)
    approval = held.wait_for("held")["approval"]["id"]
    until(lambda: sleeping(gateway, session) == 1)
    assert roles(gateway, session)

    answer = revoke(gateway, session, "admin", "seen in the wrong place")

    # When the answer is there, it is done: nothing is waited for.
    assert answer.status_code == 204, answer.text
    assert sleeping(gateway, session) == 0
    assert roles(gateway, session) == []
    assert not Path(session.socket).exists()
    for call in (slow, held):
        last = call.result().last
        assert (last["event"], last["code"]) == ("error", "session_revoked")
        assert "revoked by admin: seen in the wrong place" in last["message"]
    [closed] = [r for r in session.records() if r["kind"] == "approval_closed"]
    assert (closed["approval"], closed["state"]) == (approval, "cancelled")
    vote = gateway.vote("reviewer", approval)
    assert (vote.status_code, vote.json()["code"]) == (409, "already_decided")
    with pytest.raises(OSError), closing(socket.socket(socket.AF_UNIX)) as again:
        again.connect(session.socket)
    assert gateway.statements("'Worms'") == []


def test_a_revoked_session_stays_revoked_is_recorded_to_its_end_and_says_by_whom(
    gateway: Gateway,
) -> None:
    session = gateway.open()
    assert session.run(READ).rows
    assert revoke(gateway, session, "admin", "left the project").status_code == 204
    # Its broker can't bring it back, nor can a restart.
    answer = renew(session)
    assert (answer.status_code, answer.json()["code"]) == (403, "session_revoked")
    gateway.restart()
    answer = renew(session)
    assert (answer.status_code, answer.json()["code"]) == (403, "session_revoked")
    assert not Path(session.socket).exists()
    listed = gateway.request("GET", "/v1/sessions", "analyst").json()
    assert {s["id"]: s["state"] for s in listed}[session.id] == "revoked"

    # What its kernel still runs is recorded, and the recording says what happened.
    session.report_cell("print(1)", [])
    sealed = session.seal()
    assert not Path(session.socket).parent.exists()
    [record] = [r for r in session.records() if r["kind"] == "revoke"]
    assert (record["by"]["name"], record["reason"]) == ("admin", "left the project")
    found = report(gateway, sealed)
    assert found.verdict.name == "VALID", found.messages
    assert "by admin: left the project" in found.facts["revoked"]
    header = json.loads(sealed)["cells"][0]["source"]
    assert "by admin: left the project" in "".join(header)


def test_only_its_own_person_and_administrators_revoke(gateway: Gateway) -> None:
    session = gateway.open("analyst")
    for person in ("analyst2", "reviewer", "auditor"):
        answer = revoke(gateway, session, person)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")
    assert revoke(gateway, session, "").status_code == 401
    assert session.run(READ).rows
    assert revoke(gateway, session, "analyst").status_code == 204
    assert revoke(gateway, session, "analyst").status_code == 204
    assert kinds(session).count("revoke") == 1


def test_a_cell_in_a_revoked_kernel_says_why(gateway: Gateway, tmp_path: Path) -> None:
    session = gateway.open()
    with kernel_of(session, tmp_path) as kernel:
        assert kernel.run(f"%%sql warehouse\n{READ}").reply["status"] == "ok"
        running = kernel.start(f"%%sql warehouse\n{SLEEP}")
        until(lambda: sleeping(gateway, session) == 1)
        revoke(gateway, session, "admin", "maintenance")
        for ran in (kernel.finish(running), kernel.run(f"%%sql warehouse\n{READ}")):
            assert ran.error[0] == "Refused: This session was revoked by admin: maintenance"
            assert "session_revoked" in ran.error[-1]


def test_revocation_does_not_wait_for_a_log_that_is_stuck(gateway: Gateway) -> None:
    session = gateway.open()
    slow = session.start(SLEEP)
    until(lambda: sleeping(gateway, session) == 1)
    answers: list[httpx.Response] = []
    gateway.token("admin")
    revoking = threading.Thread(target=lambda: answers.append(revoke(gateway, session, "admin")))
    database = gateway.folder / "state/gateway.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        revoking.start()
        until(lambda: sleeping(gateway, session) == 0)
        until(lambda: not Path(session.socket).exists())
        other.execute("ROLLBACK")
    revoking.join()
    assert answers[0].status_code == 204
    assert slow.result().last["code"] == "session_revoked"
    assert "revoke" in kinds(session)


def test_revocation_works_while_the_target_is_away_and_says_until_when_its_lease_lasts(
    gateway: Gateway, line: Line
) -> None:
    session = gateway.open()
    assert session.run(READ).rows
    with line.cut():
        assert revoke(gateway, session).status_code == 204
    assert not Path(session.socket).exists()
    *_, revoked, left = session.records()
    assert revoked["kind"] == "revoke"
    assert (left["kind"], left["state"]) == ("lease", "left to expire")
    [lease] = roles(gateway, session)
    assert left["role"] == lease
    until_when = gateway.postgres.sql(
        f"SELECT rolvaliduntil > now() FROM pg_roles WHERE rolname = '{lease}'"
    )
    assert until_when[0][0] is True, "the target itself ends it"


# ------------------------------------------------------------------ everything


def test_the_kill_switch_ends_everything_and_stays_on_through_a_restart(
    gateway: Gateway,
) -> None:
    mine, theirs = gateway.open("analyst"), gateway.open("analyst2", notebook="b.ipynb")
    slow = theirs.start(SLEEP)
    until(lambda: sleeping(gateway, theirs) == 1)
    stop = "/v1/sessions/stop"
    for person in ("analyst", "reviewer", "auditor"):
        for path in (stop, "/v1/sessions/resume"):
            refused = ended(gateway, path, person)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_an_administrator")
    assert mine.run(READ).rows

    answer = ended(gateway, stop, "admin", "incident 7")

    assert (answer.status_code, answer.json()["unrecorded"]) == (200, [])
    assert int(answer.json()["revoked"]) >= 2
    assert sleeping(gateway, theirs) == 0
    assert roles(gateway, mine) == roles(gateway, theirs) == []
    assert not Path(mine.socket).exists()
    assert not Path(theirs.socket).exists()
    assert "incident 7" in slow.result().last["message"]
    body = {
        "notebook": "new.ipynb",
        "kernel": "k",
        "sandbox": {"state": "sandboxed", "detail": "tests"},
    }

    def opening(body: dict[str, object]) -> httpx.Response:
        auth = gateway.auth("analyst", "session")
        return gateway.request("POST", "/v1/sessions", auth=auth, json=body)

    for restarted in (False, True):
        if restarted:
            gateway.restart()
        for answer in (opening(body), opening({})):
            assert (answer.status_code, answer.json()["code"]) == (503, "sessions_stopped")
            assert "admin" in answer.json()["message"]
        stopped = gateway.request("GET", stop, "analyst").json()["stopped"]
        assert (stopped["by"], stopped["reason"]) == ("admin", "incident 7")

    assert ended(gateway, "/v1/sessions/resume", "admin").status_code == 204
    assert gateway.open("analyst").run(READ).rows
    assert not Path(mine.socket).exists()
    changes = [r for r in gateway.records("") if r["kind"] == "admin" and "by" in r]
    assert [(r["change"], r["by"]["name"]) for r in changes] == [
        ("sessions_stopped", "admin"),
        ("sessions_resumed", "admin"),
    ]


# ------------------------------------------------------------------ logged out


def test_a_suspended_session_says_so_in_its_recording(gateway: Gateway) -> None:
    session = gateway.open()
    slow = session.start(SLEEP)
    until(lambda: sleeping(gateway, session) == 1)
    assert session.broker("POST", "suspend").status_code == 204
    assert sleeping(gateway, session) == 0
    assert roles(gateway, session) == []
    assert slow.result().last["code"] == "login_expired"
    assert session.run(READ).last["code"] == "login_expired"
    renewed = renew(session)
    assert renewed.status_code == 200, renewed.text
    assert session.run(READ).rows
    assert [kind for kind in kinds(session) if kind in {"suspend", "resume"}] == [
        "suspend",
        "resume",
    ]
    found = report(gateway, session.seal())
    assert found.verdict.name == "VALID", found.messages
    assert "logged_out" in found.facts["suspended"]
