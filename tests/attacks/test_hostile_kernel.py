"""Whoever holds a session's socket can't exhaust the gateway, nor show a reviewer another value."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path

import pytest

from tests.fixtures_gateway import Call, Gateway

MIB = 1 << 20
UPDATE = "UPDATE customers SET city = $1 WHERE id = 7"


def resident(gateway: Gateway) -> int:
    """Bytes of memory that the gateway has."""
    return int(Path(f"/proc/{gateway.pid}/statm").read_text().split()[1]) * 4096


def connected(path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(10)
    client.connect(path)
    return client


def pour(client: socket.socket, head: bytes, piece: bytes, total: int) -> bytes:
    """Sends as much as is taken; what was answered, if anything."""
    with contextlib.suppress(OSError):
        client.sendall(head)
        for _ in range(total // len(piece)):
            client.sendall(piece)
    with contextlib.suppress(OSError):
        return client.recv(4096)
    return b""


def test_a_huge_body(own_gateway: Gateway) -> None:
    session = own_gateway.open()
    before = resident(own_gateway)
    for length in (f"Content-Length: {400 * MIB}", "Transfer-Encoding: chunked"):
        head = f"POST /v1/actions HTTP/1.1\r\nHost: zt\r\n{length}\r\n\r\n".encode()
        piece = b"x" * MIB
        if "chunked" in length:
            piece = f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
        with connected(session.socket) as client:
            answer = pour(client, head, piece, 400 * MIB)
        assert b" 413 " in answer, answer[:100]
    assert resident(own_gateway) - before < 100 * MIB
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


def test_a_huge_body_without_a_login(own_gateway: Gateway) -> None:
    before = resident(own_gateway)
    head = f"POST /v1/sessions HTTP/1.1\r\nHost: zt\r\nContent-Length: {400 * MIB}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", own_gateway.port), timeout=10) as client:
        answer = pour(client, head.encode(), b"x" * MIB, 400 * MIB)
    assert b" 413 " in answer, answer[:100]
    assert resident(own_gateway) - before < 150 * MIB


def test_a_header_that_never_ends(own_gateway: Gateway) -> None:
    session = own_gateway.open()
    before = resident(own_gateway)
    for head, piece in (
        (b"GET /v1/session HTTP/1.1\r\nX: ", b"x" * 65536),
        (b"GET /v1/session HTTP/1.1\r\n", b"X: " + b"x" * 1000 + b"\r\n"),
        (b"GET /", b"x" * 65536),
    ):
        with connected(session.socket) as client:
            pour(client, head, piece, 64 * MIB)
            assert resident(own_gateway) - before < 24 * MIB
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


def test_thousands_of_connections(own_gateway: Gateway) -> None:
    session, other = own_gateway.open(), own_gateway.open("analyst2")
    clients = []
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                clients.append(connected(session.socket))
        time.sleep(0.5)
        assert len(list(Path(f"/proc/{own_gateway.pid}/fd").iterdir())) < 250
        assert other.run("SELECT 1 AS one").rows == [{"one": 1}]
    finally:
        for client in clients:
            client.close()
    time.sleep(0.2)
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]


def test_a_flood_of_requests_for_consent(gateway: Gateway) -> None:
    session = gateway.open()
    calls: list[Call] = []
    try:
        calls += [session.start("DELETE FROM orders WHERE id = 1") for _ in range(60)]
        time.sleep(3)
        mine = [a for a in gateway.approvals("analyst") if a["command"].startswith("DELETE FROM o")]
        assert 0 < len([a for a in mine if a["state"] == "open"]) <= 32
        said = [event for call in calls for event in call.outcome.events]
        assert {event["code"] for event in said if "code" in event} == {"too_many_actions"}
    finally:
        for call in calls:
            call.close()
        session.seal()


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-Infinity", "1e400", "9007199254740993", "-" + "9" * 30, "9" * 5000],
)
def test_a_number_that_would_be_shown_as_another(gateway: Gateway, value: str) -> None:
    session = gateway.open()
    body = f'{{"connection": "warehouse", "command": "{UPDATE}", "parameters": [{value}]}}'
    call = Call(session.socket, "POST", "/v1/actions", body.encode())
    try:
        time.sleep(0.3)
        assert gateway.request("GET", "/v1/approvals", "reviewer").status_code == 200
        assert call.result(3).last["event"] == "problem"
    finally:
        call.close()
        session.seal()


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "x\ry", "\u202eabc", "é\u0301"])
def test_text_that_looks_like_other_text_is_shown_as_it_is(gateway: Gateway, text: str) -> None:
    session = gateway.open()
    call = session.start(f"UPDATE customers SET city = '{text}' WHERE id = 7")
    try:
        held = call.wait_for("held", 5)
    except StopIteration:
        assert text in {"\ud800", "a\x00b"}
        call.result()
    else:
        shown = gateway.request("GET", f"/v1/approvals/{held['approval']['id']}", "reviewer")
        assert shown.json()["command"] == f"UPDATE customers SET city = '{text}' WHERE id = 7"
    finally:
        call.close()
        session.seal()


def test_garbage_on_the_socket(gateway: Gateway) -> None:
    session = gateway.open()
    for garbage in (
        b"\x00" * 100,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/actions HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST /v1/actions HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0",
        b"POST /v1/actions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n[]",
        b"POST /v1/actions HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n" + b"[" * 40000,
        b"GET /v1/actions/%00/stream HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/../v1/sessions HTTP/1.1\r\nHost: a\r\n\r\n",
    ):
        with connected(session.socket) as client:
            answer = pour(client, garbage, b"", 0) if False else b""
            client.sendall(garbage)
            with contextlib.suppress(OSError):
                answer = client.recv(4096)
            assert b" 200 " not in answer.split(b"\r\n")[0], garbage
            assert b" 500 " not in answer.split(b"\r\n")[0], garbage
    assert session.run("SELECT 1 AS one").rows == [{"one": 1}]
    assert json.loads(session.get("/v1/session").text)["id"] == session.id
    session.seal()
