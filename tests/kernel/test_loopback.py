"""http://127.0.0.1 in the sandbox: what ordinary HTTP clients reach there, and what not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.fixtures_gateway import Gateway, Session
from tests.kernel.running_kernel import RunningKernel, kernel_of

ASK = "import httpx, json, os, socket, urllib.request\nurl = os.environ['JUPYTER_ZT_URL']"


@pytest.fixture(scope="module")
def session(gateway: Gateway) -> Session:
    return gateway.open()


@pytest.fixture(scope="module")
def kernel(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKernel]:
    with kernel_of(session, tmp_path_factory.mktemp("work")) as kernel:
        kernel.run(ASK)
        yield kernel


def test_urllib_and_httpx_reach_the_session(kernel: RunningKernel, session: Session) -> None:
    assert kernel.value("url") == "'http://127.0.0.1:8900'"
    about = "json.load(urllib.request.urlopen(url + '/v1/session'))['id']"
    assert kernel.value(about) == f"'{session.id}'"
    assert kernel.value("httpx.get(url + '/v1/session').json()['id']") == f"'{session.id}'"
    ran = kernel.run(
        "action = {'connection': 'warehouse', 'command': 'SELECT 4711 AS n', 'parameters': []}\n"
        "with httpx.Client(base_url=url) as client:\n"
        "    print([client.post('/v1/actions', json=action).status_code for _ in range(3)])\n"
        "    print(client.post('/v1/actions', json={}).json()['code'])"
    )
    assert ran.text.split("\n")[:2] == ["[200, 200, 200]", "invalid_input"]
    assert [one["kind"] for one in session.records()].count("intent") == 3


def test_a_program_that_the_kernel_starts_reaches_it_too(kernel: RunningKernel) -> None:
    program = f"{ASK}\nprint(urllib.request.urlopen(url + '/v1/session').status)"
    run = f"subprocess.check_output([sys.executable, '-c', {program!r}])"
    ran = kernel.run(f"import subprocess, sys\nprint({run})")
    assert "b'200\\n'" in ran.text, ran.text
    assert kernel.value("__import__('psutil').Process().children()") == "[]"


def test_hanging_up_there_cancels_at_the_target(kernel: RunningKernel, session: Session) -> None:
    slow = "SELECT count(*) FROM customers a, customers b, customers c, customers d, customers e"
    ran = kernel.run(
        f"action = {{'connection': 'warehouse', 'command': {slow!r}, 'parameters': []}}\n"
        "try:\n    httpx.post(url + '/v1/actions', json=action, timeout=1)\n"
        "except httpx.ReadTimeout:\n    print('left')"
    )
    assert "left" in ran.text
    ended = kernel.value("httpx.get(url + '/v1/session').status_code")
    assert ended == "200"
    states = session.gateway.postgres.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
        f" AND pid <> pg_backend_pid() AND query LIKE '%session={session.id}%'"
    )
    assert int(states[0][0]) == 0


def test_nothing_else_is_there_and_nobody_else_gets_in(
    kernel: RunningKernel, session: Session, gateway: Gateway, tmp_path: Path
) -> None:
    reach = "socket.create_connection(('127.0.0.1', {}), 2)"
    for port in (gateway.port, gateway.postgres.port, 80):
        assert "ConnectionRefusedError" in kernel.run(reach.format(port)).text
    here = [one.laddr.port for one in psutil.net_connections("tcp") if one.status == "LISTEN"]
    assert 8900 not in here, "it listens in the sandbox, and not on this host"

    # Another kernel's is its own session's.
    other = gateway.open("reviewer")
    with kernel_of(other, tmp_path) as kernel_of_another:
        kernel_of_another.run(ASK)
        about = "httpx.get(url + '/v1/session').json()['id']"
        assert kernel_of_another.value(about) == f"'{other.id}'"

        # A session that is over says so there, too.
        other.seal()
        said = kernel_of_another.run("answer = httpx.get(url + '/v1/session'); print(answer.text)")
        assert "session_over" in said.text or "gateway_unreachable" in said.text
    assert session.id
