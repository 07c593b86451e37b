"""`jupyter zt sessions`: a person lists and ends sessions on the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command_line import CommandLine
from tests.fixtures_gateway import Gateway


def logged_in(gateway: Gateway, home: Path, person: str) -> CommandLine:
    line = CommandLine(home / person, gateway.url)
    line.home.mkdir()
    assert line.log_in(person)[0] == 0
    return line


def test_a_person_ends_their_own_sessions_and_no_others(gateway: Gateway, tmp_path: Path) -> None:
    mine, other = gateway.open("analyst", notebook="mine.ipynb"), gateway.open("analyst2")
    analyst = logged_in(gateway, tmp_path, "analyst")
    status, out, _ = analyst.run("sessions", "list")
    assert status == 0
    [shown] = [line for line in out.splitlines() if mine.id in line]
    assert shown.split()[1:4] == ["open", "analyst", "mine.ipynb"]
    assert other.id not in out

    status, out, err = analyst.run("sessions", "revoke", mine.id, other.id, "--reason", "done")
    assert status == 1
    assert out == f"{mine.id} is revoked.\n"
    assert f"{other.id}: There is no such session. [unknown_session]" in err
    listed = json.loads(analyst.run("sessions", "list", "--json")[1])
    assert {s["id"]: s["state"] for s in listed["sessions"]}[mine.id] == "revoked"
    assert listed["stopped"] is None
    assert analyst.run("sessions", "revoke", "../../me", "--reason", "x")[0] == 1
    status, _, err = analyst.run("sessions", "revoke", "--all", "--yes")
    assert (status, "[not_an_administrator]" in err) == (2, True)
    assert analyst.run("sessions", "revoke")[0] == 2


def test_the_kill_switch_asks_first_and_resume_lifts_it(
    own_gateway: Gateway, tmp_path: Path
) -> None:
    session = own_gateway.open("analyst")
    admin = logged_in(own_gateway, tmp_path, "admin")
    for answer in ("\n", "n\n", ""):
        status, out, err = admin.run("sessions", "revoke", "--all", text=answer)
        assert (status, err) == (1, "Nothing was revoked.\n")
        assert "all 1 sessions of everybody" in out
    assert session.run("SELECT 1 AS one").rows
    status, out, _ = admin.run("sessions", "revoke", "--all", "--reason", "drill", text="y\n")
    assert status == 0
    assert "1 sessions are revoked." in out
    assert "admin stopped them" in admin.run("sessions", "list")[2]
    status, _, err = admin.run("exec", "warehouse", "SELECT 1")
    assert (status, "[sessions_stopped]" in err) == (2, True)
    assert admin.run("sessions", "resume")[0] == 0
    assert own_gateway.open("analyst").run("SELECT 1 AS one").rows
