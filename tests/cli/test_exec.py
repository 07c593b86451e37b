"""`jupyter zt exec`: the real gateway, a real PostgreSQL, a real login."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity import GatewayAuth, TokenClient
from jupyter_zt.recording.verify import Verdict, verify
from tests.cli.command_line import CommandLine
from tests.fixtures_gateway import REDIRECT, Gateway
from tests.fixtures_postgres import PostgresServer
from tests.identity import world

READ = "SELECT id, email FROM customers ORDER BY id LIMIT 2"
WRITE = "UPDATE orders SET state = state WHERE id = 1"


@pytest.fixture(scope="module")
def gateway(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    state = tmp_path_factory.mktemp("identity")
    with world.demo_provider(state, REDIRECT, device_interval_seconds=1) as provider:
        running = Gateway(tmp_path_factory.mktemp("gateway"), postgres, provider.memory.issuer)
        running.start()
        yield running
        running.stop()


@pytest.fixture(scope="module")
def analyst(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    line = CommandLine(tmp_path_factory.mktemp("analyst"), gateway.url)
    assert line.log_in("analyst")[0] == 0
    return line


def auth(line: CommandLine, scopes: str = "read session") -> GatewayAuth:
    """As the command line itself authenticates."""
    login = json.loads(line.login_file.read_text())
    client = TokenClient(line.gateway, login["settings"]["client_id"], "")
    return GatewayAuth(client, scopes.split(), lambda: login["tokens"]["id_token"])


def open_sessions(line: CommandLine) -> list[dict[str, Any]]:
    answer = httpx.get(f"{line.gateway}/v1/sessions", auth=auth(line))
    found: list[dict[str, Any]] = answer.json()
    return found


def opened(line: CommandLine) -> dict[str, str]:
    answer = httpx.post(f"{line.gateway}/v1/sessions", auth=auth(line), json={})
    assert answer.status_code == 201, answer.text
    session: dict[str, str] = answer.json()
    return session


def test_batch_runs_in_one_session_and_is_recorded(
    analyst: CommandLine, gateway: Gateway, tmp_path: Path
) -> None:
    recording = tmp_path / "batch.zt.ipynb"
    status, answers = analyst.batch(
        [
            {"command": READ},
            {"command": "SELECT id FROM customers WHERE id = $1", "parameters": [2]},
            {"command": "DROP TABLE customers"},
            {"command": WRITE},
            {"command": "SELECT 1/0 AS x"},
            {"command": "SELECT no_such_column FROM customers"},
        ],
        *("--record", str(recording)),
    )
    assert status == 1
    assert all(
        set(answer) == {"status", "code", "message", "columns", "rows", "masked", "record"}
        for answer in answers
    )
    read, bound, drop, write, failed, unknown = answers
    assert (read["status"], read["code"]) == ("completed", "")
    assert read["columns"] == ["id", "email"]
    assert [row[0] for row in read["rows"]] == [1, 2]
    assert set(read["masked"]) == {"email"}
    assert bound["rows"] == [[2]]
    assert (drop["status"], drop["code"]) == ("denied", "destructive_statement")
    assert (write["status"], write["code"]) == ("held", "approval_required")
    assert failed["status"] == "failed"
    assert unknown["status"] == "failed"
    assert all(answer["record"].isdecimal() for answer in answers)
    assert not gateway.statements("SET state = state")

    trust = json.loads((gateway.folder / "state/trust.json").read_text())
    report = verify(recording, trust, None)
    assert report.verdict is Verdict.VALID, report.messages
    assert "command line" in recording.read_text()
    assert not open_sessions(analyst)


def test_everything_completed_is_status_0(analyst: CommandLine) -> None:
    status, answers = analyst.batch([{"command": "SELECT 1 AS one"}, {"command": READ}])
    assert (status, [answer["status"] for answer in answers]) == (0, ["completed", "completed"])
    assert analyst.batch([]) == (0, [])


def test_values_are_json_that_loses_nothing(analyst: CommandLine) -> None:
    command = (
        "SELECT 9007199254740993::bigint, 1.5::float8, 'NaN'::float8, '-infinity'::float8, "
        "12345678901234567890.12::numeric(30,2), date '2024-02-29', "
        "timestamp '2024-02-29 12:30:00.5', timestamptz '2024-02-29 12:30:00+00', "
        "time '12:30', '\\xdeadbeef'::bytea, true, NULL::int, 'a\"\u00e9\n', array[1,2], "
        "interval '1 day 3.5 seconds'"
    )
    status, (answer,) = analyst.batch([{"command": command}])
    assert status == 0, answer
    assert answer["rows"][0] == [
        9007199254740993,
        1.5,
        "NaN",
        "-Infinity",
        "12345678901234567890.12",
        "2024-02-29",
        "2024-02-29T12:30:00.500000",
        "2024-02-29T12:30:00+00:00",
        "12:30:00",
        "\\xdeadbeef",
        True,
        None,
        'a"\u00e9\n',
        [1, 2],
        "P0M1DT3.5S",
    ]


def test_malformed_lines_fail_and_the_batch_goes_on(analyst: CommandLine) -> None:
    status, answers = analyst.batch(
        [
            "no json",
            "",
            {"command": 5},
            {"command": "SELECT 1", "parameters": [{}]},
            {"command": "\ud800"},
            {"command": "SELECT 1"},
        ]
    )
    assert status == 1
    assert [answer["code"] for answer in answers[:4]] == ["bad_input"] * 4
    assert {answer["status"] for answer in answers[:5]} == {"failed"}
    assert answers[5]["rows"] == [[1]]


def test_each_answer_comes_before_the_next_question(analyst: CommandLine) -> None:
    process = analyst.start("exec", "warehouse", "--batch")
    assert process.stdin is not None
    assert process.stdout is not None
    for number in (1, 2, 3):
        process.stdin.write(json.dumps({"command": f"SELECT {number}"}).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["rows"] == [[number]]
        assert len(open_sessions(analyst)) == 1
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert not open_sessions(analyst)


def test_held_command_waits_for_another_person(analyst: CommandLine, gateway: Gateway) -> None:
    process = analyst.start("exec", "warehouse", "--batch", "--wait")
    assert process.stdin is not None
    process.stdin.write(json.dumps({"command": WRITE}).encode() + b"\n")
    process.stdin.close()
    process.stdin = None

    def waiting() -> list[dict[str, Any]]:
        return [one for one in gateway.approvals("reviewer") if one["state"] == "open"]

    world.wait_until(lambda: bool(waiting()), seconds=30)
    (approval,) = waiting()
    assert (approval["notebook"], approval["agent"]) == ("command line", None)
    assert gateway.vote("reviewer", approval["id"]).is_success
    out, _ = process.communicate(timeout=60)
    answer = json.loads(out)
    assert (answer["status"], answer["message"]) == ("completed", "UPDATE 1")
    assert process.returncode == 0


def test_denied_by_a_person_is_denied(analyst: CommandLine, gateway: Gateway) -> None:
    process = analyst.start("exec", "warehouse", WRITE, "--wait")
    world.wait_until(
        lambda: any(one["state"] == "open" for one in gateway.approvals("reviewer")), seconds=30
    )
    (held,) = [one for one in gateway.approvals("reviewer") if one["state"] == "open"]
    gateway.vote("reviewer", held["id"], approve=False, reason="not today")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"denied [approval_denied]" in err
    assert b"not today" in err


def test_what_is_not_waited_for_is_withdrawn(analyst: CommandLine, gateway: Gateway) -> None:
    status, out, err = analyst.run("exec", "warehouse", WRITE)
    assert (status, out) == (1, "")
    assert "held [approval_required]" in err
    assert not [one for one in gateway.approvals("reviewer") if one["state"] == "open"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_program_withdraws_and_seals(
    analyst: CommandLine, gateway: Gateway, how: signal.Signals
) -> None:
    process = analyst.start("exec", "warehouse", WRITE, "--wait")
    world.wait_until(
        lambda: any(one["state"] == "open" for one in gateway.approvals("reviewer")), seconds=30
    )
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Stopped." in err
    assert b"Traceback" not in err
    assert not [one for one in gateway.approvals("reviewer") if one["state"] == "open"]
    assert not open_sessions(analyst)


def test_logout_ends_what_a_command_still_waits_for(gateway: Gateway, tmp_path: Path) -> None:
    line = CommandLine(tmp_path, gateway.url)
    assert line.log_in("analyst2")[0] == 0
    process = line.start("exec", "warehouse", WRITE, "--wait")
    world.wait_until(
        lambda: any(one["state"] == "open" for one in gateway.approvals("reviewer")), seconds=30
    )
    shown = auth(line)
    sessions = f"{line.gateway}/v1/sessions"
    [running] = httpx.get(sessions, auth=shown).json()
    stale = tmp_path / "jupyter-zt" / "sessions" / "s_00000000"
    stale.touch()

    assert line.run("logout")[:2] == (0, "You are logged out.\n")

    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"Traceback" not in err
    assert not [one for one in gateway.approvals("reviewer") if one["state"] == "open"]
    kept = {one["id"]: one["state"] for one in httpx.get(sessions, auth=shown).json()}
    assert kept.get(running["id"], "revoked") == "revoked"
    assert not stale.exists()


def test_single_command_prints_a_table(analyst: CommandLine) -> None:
    status, out, err = analyst.run(
        "exec", "warehouse", "SELECT id, 'a' || chr(27) || '[2J' AS odd, email FROM customers "
        "ORDER BY id LIMIT 2"
    )  # fmt: skip
    assert status == 0, err
    head, rule, first, _second = out.splitlines()
    assert head.split() == ["id", "odd", "email"]
    assert set(rule) == {"-", " "}
    assert first.split()[0] == "1"
    assert "\x1b" not in out
    assert "2 rows" in err
    assert "masked: email" in err


def test_unknown_connection_is_denied_with_its_name(analyst: CommandLine) -> None:
    status, (answer,) = analyst.batch([{"command": "SELECT 1"}], connection="warehose")
    assert (status, answer["code"]) == (1, "unknown_connection")


def test_rights_are_those_of_the_person(gateway: Gateway, tmp_path: Path) -> None:
    auditor = CommandLine(tmp_path, gateway.url)
    assert auditor.log_in("auditor")[0] == 0
    status, (answer,) = auditor.batch([{"command": READ}])
    assert (status, answer["code"]) == (1, "not_permitted_by_policy")


def test_result_that_was_cut_says_so(analyst: CommandLine) -> None:
    command = "SELECT a.id FROM customers a, customers b, customers c"
    status, (answer,) = analyst.batch([{"command": command}])
    assert status == 0, answer
    assert answer["code"] == "truncated"
    assert "max_rows" in answer["message"]
    assert len(answer["rows"]) == 5000


def test_recording_that_can_not_be_saved_is_said_before_anything_runs(
    analyst: CommandLine, tmp_path: Path
) -> None:
    status, _, err = analyst.run(
        "exec", "warehouse", "SELECT 1", "--record", str(tmp_path / "no" / "r.zt.ipynb")
    )
    assert status == 2
    assert "There is no folder" in err


# --- the session that has no broker ---------------------------------------------------------------


def test_no_broker_vouches_for_cells_of_a_command_line(
    analyst: CommandLine, gateway: Gateway
) -> None:
    session = opened(analyst)
    report = {"msg_id": "m", "cell_id": "c", "source": "1", "outputs": [], "status": "ok"}
    path = f"/v1/sessions/{session['id']}/cells"
    for shown in (auth(analyst), gateway.broker_auth):
        answer = gateway.request("POST", path, auth=shown, json=report)
        assert (answer.status_code, answer.json()["code"]) == (403, "no_broker")
    with pytest.raises(AuthenticationError) as refused:
        gateway.request("POST", path, auth=auth(analyst, "attest"), json=report)
    assert refused.value.code == "invalid_scope"
    opening = gateway.records(session["id"])[0]
    assert opening["notebook"] == "command line"
    assert opening["sandbox"] == {"state": "unsandboxed", "detail": "command line"}
    assert opening["principal"]["agent"] == ""
    seal(analyst, session["id"])


def test_cells_of_a_headless_kernel_are_reported_by_the_process_that_opened_its_session(
    analyst: CommandLine, gateway: Gateway
) -> None:
    """Not by the person's other processes, and not by a broker; and never as a broker's word."""
    body = {
        "notebook": "tour.ipynb",
        "kernel": "k",
        "sandbox": {"state": "sandboxed", "detail": "believe me"},
        "headless": True,
    }
    runner = auth(analyst)
    answer = httpx.post(f"{gateway.url}/v1/sessions", auth=runner, json=body)
    assert answer.status_code == 201, answer.text
    session = answer.json()["id"]
    path = f"/v1/sessions/{session}/cells"
    report = {"msg_id": "m", "cell_id": "c", "source": "1", "outputs": [], "status": "ok"}
    for other in (auth(analyst), gateway.broker_auth):
        assert gateway.request("POST", path, auth=other, json=report).status_code == 403
    assert gateway.request("POST", path, auth=runner, json=report).status_code == 201
    opening, cell = gateway.records(session)
    assert (opening["reporter"], cell["attested_by"]) == ("kernel", "kernel")
    seal(analyst, session)
    # Nor does a broker pass for a process that nobody vouches for.
    broker = gateway.auth("analyst", "session")
    answer = gateway.request("POST", "/v1/sessions", auth=broker, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_a_broker")


def test_only_its_own_person_steers_it(
    analyst: CommandLine, gateway: Gateway, tmp_path: Path
) -> None:
    session = opened(analyst)
    other = CommandLine(tmp_path, gateway.url)
    assert other.log_in("analyst2")[0] == 0
    address = f"{gateway.url}/v1/sessions/{session['id']}"
    for shown, status in ((auth(other), 404), (None, 401)):
        sealed = httpx.post(f"{address}/seal", auth=shown, json={"cells_seen": "0"})
        renewed = httpx.post(f"{address}/renew", auth=shown)
        assert sealed.status_code == renewed.status_code == status
    seal(analyst, session["id"])


def test_nobody_without_the_brokers_secret_speaks_for_a_notebook(
    analyst: CommandLine, gateway: Gateway
) -> None:
    notebook = {
        "notebook": "tour.ipynb",
        "kernel": "k",
        "sandbox": {"state": "sandboxed", "detail": "believe me"},
    }
    answer = httpx.post(f"{gateway.url}/v1/sessions", auth=auth(analyst), json=notebook)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_a_broker")
    id_token = json.loads(analyst.login_file.read_text())["tokens"]["id_token"]
    for secret, code in (("", "invalid_client"), ("guess", "invalid_client")):
        client = TokenClient(gateway.url, "broker", secret)
        guessed = GatewayAuth(client, ["session"], lambda: str(id_token))
        with pytest.raises(AuthenticationError) as refused:
            httpx.post(f"{gateway.url}/v1/sessions", auth=guessed, json=notebook)
        assert refused.value.code == code
    answer = httpx.post(f"{gateway.url}/v1/sessions", json={})
    assert answer.status_code == 401


def test_gateway_on_another_host_is_reached_over_tls_or_not_at_all(
    own_gateway: Gateway, tmp_path: Path
) -> None:
    certificate = own_gateway.speak_tls()
    own_gateway.restart()
    line = CommandLine(tmp_path / "home", own_gateway.url)
    line.environment["JUPYTER_ZT_CA_FILE"] = str(certificate)
    assert line.log_in("analyst")[0] == 0
    status, out, err = line.run("exec", "warehouse", "SELECT 7 AS seven")
    assert status == 0, err
    assert "7" in out

    # A certificate that nobody here believes in.
    del line.environment["JUPYTER_ZT_CA_FILE"]
    status, _, err = line.run("exec", "warehouse", "SELECT 1")
    assert status == 2
    assert "[gateway_not_trusted]" in err
    line.environment["JUPYTER_ZT_CA_FILE"] = str(tmp_path / "none")
    status, _, err = line.run("whoami")
    assert status == 2
    assert "[bad_gateway_ca_file]" in err

    line.environment["JUPYTER_ZT_CA_FILE"] = str(certificate)
    own_gateway.stop()
    status, _, err = line.run("exec", "warehouse", "SELECT 1")
    assert status == 2
    assert "[gateway_unreachable]" in err


def seal(line: CommandLine, session: str) -> None:
    answer = httpx.post(
        f"{line.gateway}/v1/sessions/{session}/seal",
        auth=auth(line),
        json={"cells_seen": "0"},
    )
    assert answer.status_code == 200, answer.text


@pytest.fixture
def service(gateway: Gateway, tmp_path: Path) -> CommandLine:
    """A machine on which nobody is logged in, and a service runs."""
    line = CommandLine(tmp_path / "state", "")
    line.environment |= gateway.service_environment(tmp_path)
    return line


def test_a_service_runs_commands_in_a_session_of_its_own(
    service: CommandLine, gateway: Gateway, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.zt.ipynb"
    status, [answer] = service.batch([{"command": "SELECT 5 AS five"}], "--record", str(kept))
    assert (status, answer["rows"]) == (0, [[5]])
    found = verify(kept, json.loads((gateway.folder / "state/trust.json").read_text()))
    assert found.verdict.name == "VALID", found.messages
    assert found.facts["service"].startswith("service nightly")
    status, out, _ = service.run("whoami")
    assert status == 0
    assert "service nightly" in out
    assert "urn:jupyter-zt:services" in out


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"JUPYTER_ZT_SERVICE": ""}, "service_incomplete"),
        ({"JUPYTER_ZT_SERVICE_KEY": ""}, "service_incomplete"),
        ({"JUPYTER_ZT_SERVICE_ASSERTION": "/tmp/x"}, "service_incomplete"),
        ({"JUPYTER_ZT_SERVICE": "nobody"}, "invalid_client"),
        ({"JUPYTER_ZT_SERVICE_KEY": "/nowhere"}, "file_missing"),
        ({"JUPYTER_ZT_SERVICE_KEY": "exposed"}, "file_exposed"),
        ({"JUPYTER_ZT_SERVICE_KEY": "no key"}, "bad_key"),
        ({"JUPYTER_ZT_SERVICE_KEY": "another"}, "unknown_key"),
    ],
)
def test_a_service_that_can_not_show_who_it_is_is_refused(
    service: CommandLine, tmp_path: Path, changes: dict[str, str], code: str
) -> None:
    """Also where a person is logged in: nothing falls back to them."""
    files = {
        "exposed": (Path(service.environment["JUPYTER_ZT_SERVICE_KEY"]).read_text(), 0o644),
        "no key": ("hunter2", 0o600),
        "another": (ECKey.generate_key("P-256").as_pem(private=True).decode(), 0o600),
    }
    for name, value in changes.items():
        if value in files:
            text, mode = files[value]
            (tmp_path / value).write_text(text)
            (tmp_path / value).chmod(mode)
            service.environment[name] = str(tmp_path / value)
        else:
            service.environment[name] = value
    status, out, err = service.run("exec", "warehouse", "SELECT 1")
    assert (status, out) == (2, "")
    assert code in err
    assert "hunter2" not in err


def test_an_issuer_vouches_for_a_service_by_a_token_in_a_file(
    own_gateway: Gateway, tmp_path: Path
) -> None:
    with world.forger() as issuer:
        own_gateway.stop()
        own_gateway.configuration["services"]["built"] = {
            "owner": "tests",
            "connections": ["warehouse"],
            "actions": ["read"],
            "issuer": {"url": issuer.issuer, "subject": "repo:example/reports:*"},
        }
        own_gateway.write()
        own_gateway.start()
        token = tmp_path / "token"
        about = {"sub": "repo:example/reports:main", "aud": own_gateway.url, "groups": None}
        token.write_text(issuer.sign(**about, exp=issuer.now + 300))
        token.chmod(0o600)
        line = CommandLine(tmp_path / "state", "")
        line.environment |= {
            "JUPYTER_ZT_GATEWAY": own_gateway.url,
            "JUPYTER_ZT_SERVICE": "built",
            "JUPYTER_ZT_SERVICE_ASSERTION": str(token),
        }
        status, [answer] = line.batch([{"command": "SELECT 6 AS six"}])
        assert (status, answer["rows"]) == (0, [[6]])
        # The same token from another process: whoever has stolen it is too late.
        status, _, err = line.run("exec", "warehouse", "SELECT 1")
        assert status == 2
        assert "replayed" in err
