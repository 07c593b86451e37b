"""The relay: a session's socket for a gateway on another host. A real gateway, over TLS."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupyter_zt.identity import GatewayAuth, TokenClient
from tests.certificates import certificate
from tests.fixtures_gateway import BROKER_SECRET, Gateway, Session, running_gateway
from tests.fixtures_postgres import PostgresServer
from tests.kernel.running_kernel import kernel_of
from tests.relayed import Impostor, RelayingBroker, relay_to

MIB = 1 << 20
SLOW = "SELECT count(*) FROM customers a, customers b, customers c, customers d, customers e"
NOBODY = 65534


@pytest.fixture(scope="module")
def remote(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(tmp_path_factory.mktemp("remote"), postgres, tls=True) as running:
        yield running


@pytest.fixture(scope="module")
def broker(remote: Gateway) -> Iterator[RelayingBroker]:
    with RelayingBroker(remote) as relaying:
        yield relaying


def until(holds: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def running(gateway: Gateway, session: Session) -> int:
    """Statements of this session that run at the target now."""
    found = gateway.postgres.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
        f" AND pid <> pg_backend_pid() AND query LIKE '%session={session.id}%'"
    )
    return int(found[0][0])


def said(path: str, request: bytes) -> bytes:
    """All that is answered, until the other side hangs up."""
    with socket.socket(socket.AF_UNIX) as kernel:
        kernel.settimeout(10)
        kernel.connect(path)
        answer = b""
        try:
            kernel.sendall(request)
            while some := kernel.recv(65536):
                answer += some
        except (BrokenPipeError, ConnectionResetError):
            pass
        return answer


def refuses(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as kernel:
        try:
            kernel.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return True
    return False


def answer_to_nobody(path: Path, request: bytes) -> bytes:
    """What another user of this host is answered, once every mode would let them in."""
    path.chmod(0o666)
    for folder in path.parents[:-2]:  # below /tmp
        folder.chmod(0o711)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        try:
            os.write(writer, b"connected " + said(str(path), request))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        return file.read()


def test_a_kernel_sees_no_difference(broker: RelayingBroker) -> None:
    session = broker.open()
    about = session.get("/v1/session").json()
    assert (about["id"], about["human"]["name"]) == (session.id, "analyst")
    outcome = session.run("SELECT id, email FROM customers ORDER BY id LIMIT 3")
    assert [event["event"] for event in outcome.events] == ["accepted", "schema", "result"]
    assert [row["id"] for row in outcome.rows] == [1, 2, 3]
    assert all("@" not in row["email"] for row in outcome.rows)


def test_a_relay_serves_a_gateway_of_another_user_of_this_host(
    gateway: Gateway,
) -> None:
    with RelayingBroker(gateway) as broker:
        assert broker.open().run("SELECT 7 AS seven").rows == [{"seven": 7}]


# ------------------------------------------------------------------ a real kernel


def test_a_sandboxed_kernel_works_through_it_and_holds_nothing(
    broker: RelayingBroker, remote: Gateway, tmp_path: Path
) -> None:
    session = broker.open()
    with kernel_of(session, tmp_path) as kernel:
        ran = kernel.run("%%sql warehouse people <<\nSELECT * FROM customers LIMIT 50")
        assert ran.reply["status"] == "ok", ran.text
        assert kernel.value("len(people), people.email.str.contains('@').any()") in {
            "(50, False)",
            "(50, np.False_)",
        }

        assert "customers" in kernel.run("%zt tables warehouse").text

        # The stop button reaches the target.
        message = kernel.start(f"%%sql warehouse\n{SLOW}")
        until(lambda: running(remote, session) == 1)
        kernel.interrupt()
        assert kernel.finish(message).error[0].startswith("Stopped: cancelled")
        until(lambda: running(remote, session) == 0)

        # Neither the token nor the key are anywhere in what it can read.
        token = broker.tokens[session.id].token
        seen = kernel.run(
            "import os, pathlib\n"
            "print(dict(os.environ), sorted(os.listdir('/run/zt')))\n"
            "for one in pathlib.Path('/proc').glob('[0-9]*/environ'): print(one.read_bytes())"
        ).text
        assert "['gateway.sock']" in seen
        assert token
        assert token not in seen


# ------------------------------------------------------------------ one way in


@pytest.mark.skipif(os.geteuid() != 0, reason="only a superuser can be somebody else")
def test_another_user_of_the_host_is_hung_up_on(broker: RelayingBroker, gateway: Gateway) -> None:
    request = b"GET /v1/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for path in (Path(broker.open().socket), Path(gateway.open().socket)):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert said(str(path), request).startswith(b"HTTP/1.1 200")
        assert answer_to_nobody(path, request) == b"connected "


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /v1/../../../me HTTP/1.1\r\n", 404),
        (b"GET /v1/%2e%2e/%2e%2e/me HTTP/1.1\r\n", 404),
        (b"GET /v1/session?x=/../.. HTTP/1.1\r\n", 404),
        (b"GET //127.0.0.1/v1/me HTTP/1.1\r\n", 404),
        (b"GET https://elsewhere.example/v1/me HTTP/1.1\r\n", 404),
        (b"OPTIONS * HTTP/1.1\r\n", 404),
        (b"POST /v1/actions HTTP/1.1\r\nContent-Length: 99999999\r\n", 413),
        (b"POST /v1/actions HTTP/1.1\r\nContent-Length: +5\r\n", 0),
        (b"POST /v1/actions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", 422),
        (b"POST /v1/actions HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", 0),
        (b"GET /v1/session HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 9\r\n", 0),
        (b"CONNECT elsewhere.example:443 HTTP/1.1\r\n", 0),
        (b"not http\r\n", 0),
        (b"GET /v1/session HTTP/1.1\r\nX: " + b"x" * 400_000 + b"\r\n", 0),
    ],
)
def test_what_could_mean_another_path_or_two_requests_is_refused(
    broker: RelayingBroker, line: bytes, status: int
) -> None:
    """0: hung up on without a word."""
    answer = said(broker.shared.socket, line + b"Host: x\r\nConnection: close\r\n\r\n")
    assert answer[9:12] == (str(status).encode() if status else b"")
    if status:
        problem = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert problem["code"]
        assert problem["message"]


def test_a_second_request_before_the_answer_is_not_passed_on(broker: RelayingBroker) -> None:
    one = b"GET /v1/session HTTP/1.1\r\nHost: x\r\n\r\n"
    assert said(broker.shared.socket, one + one) == b""


def test_a_kernels_own_token_proof_and_host_are_not_passed_on(broker: RelayingBroker) -> None:
    forged = b"Authorization: DPoP forged\r\nDPoP: forged\r\nHost: elsewhere.example\r\n"
    answer = said(
        broker.shared.socket,
        b"GET /v1/session HTTP/1.1\r\n" + forged + b"Connection: close\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 200")
    assert broker.shared.id.encode() in answer


def test_a_sessions_token_is_good_for_that_session_and_its_actions_only(
    broker: RelayingBroker, remote: Gateway
) -> None:
    mine, other = broker.open(), broker.open("reviewer")
    on_a_socket = remote.open()
    token = broker.token_of(mine)

    def code(path: str, auth: httpx.Auth | None = token) -> Any:
        answer = remote.request("GET", path, auth=auth)
        return answer.status_code == 200 or answer.json()["code"]

    assert code(f"/v1/sessions/{mine.id}/runtime/v1/session") is True
    assert code(f"/v1/sessions/{other.id}/runtime/v1/session") == "unknown_session"
    assert code(f"/v1/sessions/{on_a_socket.id}/runtime/v1/session") == "unknown_session"
    assert code("/v1/sessions") == "insufficient_scope"
    assert code(f"/v1/sessions/{mine.id}/runtime/v1/session", None) == "not_authenticated"

    # The same person, by another broker; and a session that has a socket on the gateway's host.
    for client, session, expected in (
        (TokenClient(remote.url, "broker", BROKER_SECRET), mine.id, "not_permitted"),
        (remote.client, on_a_socket.id, "session_has_a_socket"),
    ):
        auth = GatewayAuth(client, ["actions"], lambda: remote.token("analyst"), session=session)
        assert code(f"/v1/sessions/{session}/runtime/v1/session", auth) == expected


# ------------------------------------------------------------------ tokens


def test_the_token_is_renewed_while_a_long_command_runs(
    broker: RelayingBroker, remote: Gateway
) -> None:
    session = broker.open()
    held = session.start("UPDATE customers SET city = 'Aalen' WHERE id = 71")
    approval = held.wait_for("held")["approval"]["id"]  # said while it still runs
    token = broker.tokens[session.id]
    before = token.token
    broker.expire(session)
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]
    assert token.token not in {"", before}
    assert remote.vote("reviewer", approval).is_success
    assert held.result().last["status"] == "completed"
    assert len(remote.statements("'Aalen'")) == 1


def test_without_a_login_nothing_is_sent_and_it_says_so(broker: RelayingBroker) -> None:
    session = broker.open("analyst2")
    broker.expire(session)
    broker.left.add("analyst2")
    refused = session.run("SELECT 41414").last
    assert (refused["code"], refused["hint"]) == ("login_expired", "Log in again.")
    assert "41414" not in json.dumps(session.records())
    broker.left.clear()
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


def test_a_token_that_the_gateway_refuses_is_told_and_replaced(broker: RelayingBroker) -> None:
    session = broker.open()
    token = broker.tokens[session.id]
    token._token = token.token[:-4] + "AAAA"  # as after the gateway got another key
    refused = session.run("SELECT 1").last
    assert refused["code"] == "bad_token"
    assert refused["hint"]
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


# ------------------------------------------------------------------ the gateway's side ends it


def test_a_revoked_session_keeps_no_socket_and_says_by_whom(
    broker: RelayingBroker, remote: Gateway
) -> None:
    session = broker.open()
    slow = session.start(SLOW)
    until(lambda: running(remote, session) == 1)
    answer = remote.request(
        "POST",
        f"/v1/sessions/{session.id}/revoke",
        auth=remote.auth("analyst", "revoke"),
        json={"reason": "enough"},
    )
    assert answer.is_success
    assert slow.result(5).last["code"] == "session_revoked"
    until(lambda: not Path(session.socket).exists(), seconds=5)
    notice = json.loads(Path(session.socket).with_name("ended.json").read_text())
    assert notice["code"] == "session_revoked"
    assert "enough" in notice["message"]


def test_a_gateway_that_is_away_lets_nobody_in_and_then_goes_on(
    broker: RelayingBroker, remote: Gateway
) -> None:
    session = broker.open()
    slow = session.start(SLOW)
    slow.wait_for("accepted")
    until(lambda: running(remote, session) == 1)
    remote.stop(signal.SIGKILL)
    assert slow.result(5).events[-1]["event"] == "accepted", "cut, and not told an end"
    until(lambda: refuses(session.socket), seconds=5)
    remote.start()
    until(lambda: not refuses(session.socket))
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


# ------------------------------------------------------------------ somebody else answers


@pytest.mark.parametrize("trusts", ["another", "name"])
def test_who_is_not_the_gateway_gets_no_token_and_no_command(tmp_path: Path, trusts: str) -> None:
    """In the gateway's place: with a certificate of its own, or with one for another name."""
    shown = certificate(tmp_path, "shown", "127.0.0.1" if trusts == "another" else "127.0.0.2")
    trusted = certificate(tmp_path, "trusted") if trusts == "another" else shown
    with Impostor(shown) as impostor, relay_to(impostor.port, trusted) as path:
        answer = said(path, b"GET /v1/session HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ")
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert problem["code"] == "gateway_not_trusted"
    assert "gateway.tls" in problem["hint"]
    assert impostor.heard == b""


def test_an_answer_is_passed_on_as_it_comes_and_never_held_whole(tmp_path: Path) -> None:
    shown = certificate(tmp_path, "shown")
    with Impostor(shown) as endless, relay_to(endless.port, shown) as path:
        with socket.socket(socket.AF_UNIX) as kernel:
            kernel.settimeout(10)
            kernel.connect(path)
            kernel.sendall(b"GET /v1/session HTTP/1.1\r\nHost: x\r\n\r\n")
            assert kernel.recv(15) == b"HTTP/1.1 200 OK"  # there is no end that it waited for
            until(endless.is_stuck)
            stuck_at = endless.sent
            assert stuck_at < 16 * MIB, "who does not read stops who sends"
            for _ in range(64):
                assert kernel.recv(MIB)
            until(lambda: endless.sent > stuck_at)
        until(lambda: endless.is_cut)  # the kernel has hung up: so has the relay
