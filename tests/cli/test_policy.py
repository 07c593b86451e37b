"""`jupyter zt policy`: what an administrator runs before a policy set decides anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_zt.cli import main
from tests.fixtures_gateway import Gateway

READ = '@id("read")@reason("May read.")permit (principal, action in ZT::Action::"read", resource);'
WRITE = '@id("write")@hold("reviewer")permit (principal, action in ZT::Action::"write", resource);'
CASES = """
cases:
  - name: reads
    as: {roles: [analyst]}
    command: select 1
    expect: {verdict: allow, policies: [read]}
  - name: writes
    command: delete from t where id = 1
    expect: hold
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.cedar").write_text(f"{READ}\n{WRITE}\n")
    (tmp_path / "a.cases.yaml").write_text(CASES)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(["policy", *arguments])
    return status, capsys.readouterr().out


def plain(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status, out = run(capsys, *arguments, "--json")
    return status, json.loads(out)


def test_check_names_the_rules_of_a_right_set(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out = run(capsys, "check", "--policies", str(folder))
    assert status == 0
    assert "write" in out
    assert "2 permits, 0 forbids" in out
    status, told = plain(capsys, "check", "--policies", str(folder))
    assert (status, told["ok"], [rule["id"] for rule in told["rules"]]) == (
        0,
        True,
        ["read", "write"],
    )


def test_check_says_file_and_line_of_what_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "b.cedar").write_text('\n@id("x")forbid (principal, action, resource) when { 1 };')
    assert main(["policy", "check", "--policies", str(folder)]) == 2
    assert f"{folder / 'b.cedar'}:2" in capsys.readouterr().err
    status, told = plain(capsys, "check", "--policies", str(folder))
    assert (status, told["ok"], told["line"]) == (2, False, 2)


def test_cases_pass_and_cover(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = run(capsys, "test", "--policies", str(folder), "--require-coverage")
    assert status == 0
    assert "2 of 2 cases were decided as expected." in out
    assert "Every rule determined at least one of them." in out


def test_a_case_that_fails_is_said_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.cases.yaml").write_text(CASES.replace("expect: hold", "expect: allow"))
    status, out = run(capsys, "test", "--policies", str(folder))
    assert status == 1
    assert f"{folder / 'a.cases.yaml'}:7: writes: verdict is 'hold', not 'allow'" in out
    assert "No case covers: write." in out  # a failing case covers nothing


def test_a_rule_without_a_case_fails_where_coverage_is_required(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "b.cedar").write_text(
        '@id("more")forbid (principal, action == ZT::Action::"ddl", resource);'
    )
    assert run(capsys, "test", "--policies", str(folder))[0] == 0
    status, told = plain(capsys, "test", "--policies", str(folder), "--require-coverage")
    assert (status, told["uncovered"]) == (1, ["more"])


def test_cases_in_a_notebook(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("%%policy_case not a case"),
            nbformat.v4.new_code_cell("%%sql warehouse\nselect 1"),
            nbformat.v4.new_code_cell("%%policy_case reads\ncommand: select 1\nexpect: allow"),
            nbformat.v4.new_code_cell(
                "%%policy_case writes\ncommand: delete from t\nexpect: {verdict: hold, quorum: 2}"
            ),
        ]
    )
    path = folder / "cases.ipynb"
    nbformat.write(notebook, path)
    status, out = run(capsys, "test", str(path), "--policies", str(folder))
    assert status == 1
    assert f"{path}:4: writes: quorum is 1, not 2" in out
    assert "1 of 2 cases" in out


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("cases: [", 1),
        ("nothing: 1", 0),
        ("connections: {w: gopher}\ncases: []", 1),
        ("cases:\n  - {command: select 1}", 2),
        ("cases:\n  - {command: select 1, expect: maybe}", 2),
        ("cases:\n  - {command: select 1, expect: allow}\n  - {expect: allow}", 3),
        ("cases:\n  - {command: select 1, expect: {verdit: allow}}", 2),
        ("cases:\n  - {command: select 1, expect: allow, as: {roles: [boss]}}", 2),
        ("cases:\n  - {command: select 1, expect: allow, given: {mood: bad}}", 2),
        ("cases:\n  - just words", 2),
    ],
)
def test_cases_that_are_wrong_are_an_error_with_file_and_line(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, line: int
) -> None:
    (folder / "a.cases.yaml").write_text(text)
    assert main(["policy", "test", "--policies", str(folder)]) == 2
    where = f"{folder / 'a.cases.yaml'}:{line}" if line else str(folder / "a.cases.yaml")
    assert where in capsys.readouterr().err


def test_packs_are_tested_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "test", "--pack", "careful-writer", "--require-coverage")[0] == 0


def test_explain_shows_facts_rules_and_verdict(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ("--policies", str(folder))
    status, out = run(capsys, "explain", "select lower(a) from t", *own)
    assert status == 0
    assert out.startswith("ALLOW")
    assert "relations_read      t" in out
    assert f"{folder / 'a.cedar'}:1" in out
    assert READ in out
    _, told = plain(capsys, "explain", "drop table t", *own)
    assert told["decision"]["code"] == "not_permitted_by_policy"
    assert told["decision"]["remedies"][0]["kind"] == "request_grant"
    assert told["rules"] == []


def test_explain_shows_a_rewrite(capsys: pytest.CaptureFixture[str]) -> None:
    _, out = run(capsys, "explain", "explain analyze select 1")
    assert "EXPLAIN select 1" in out


def test_explain_other_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    _, out = run(
        capsys, "explain", "kubectl get secrets", "--pack", "kubernetes-viewer",
        "--connection", "cluster=kubernetes",
    )  # fmt: skip
    assert out.startswith("DENY  secrets_not_allowed")


def test_diff_of_two_sets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = folder / "new"
    new.mkdir()
    (new / "a.cedar").write_text(WRITE.replace("@hold", '@quorum("2")@hold') + READ + (
        '@id("ddl")permit (principal, action == ZT::Action::"ddl", resource);'
    ))  # fmt: skip
    commands = folder / "commands.jsonl"
    lines = ["select 1", "delete from t where id = 1", "drop table t", "selec"]
    commands.write_text("\n".join(json.dumps({"command": line}) for line in lines))
    arguments = ("diff", str(folder), str(new), "--commands", str(commands))
    status, told = plain(capsys, *arguments)
    assert status == 1
    assert (told["decided"], told["changed"], told["looser"], told["stricter"]) == (4, 2, 1, 1)
    assert [it["direction"] for it in told["changes"]] == ["stricter", "looser"]
    status, out = run(capsys, *arguments)
    assert "2 of 4 actions would be decided otherwise: 1 looser, 1 stricter, 0 reworded." in out
    same = ("diff", str(folder), str(folder), "--commands", str(folder / "a.cases.yaml"))
    assert run(capsys, *same)[0] == 0
    commands.write_text("{}")
    assert main(["policy", *arguments]) == 2
    assert "commands.jsonl:1" in capsys.readouterr().err


def test_past_actions_of_a_running_gateway(
    own_gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = own_gateway.open()
    assert session.run("SELECT city FROM customers WHERE id = 1").last["status"] == "completed"
    refused = session.run("DELETE FROM customers").last
    assert refused["code"] == "unbounded_write"
    assert session.run("UPDATE customers SET email = 'x' WHERE phone = 'y'").last["status"] == (
        "denied"
    )  # no lease allows a masked column there: no policy decided that
    config = ("--config", str(own_gateway.folder))

    # What decided it would decide the same again.
    status, told = plain(capsys, "backtest", *config)
    assert (status, told["changed"], told["decided"]) == (0, 0, told["decided"])
    assert told["decided"] >= 2

    # A candidate without reads.
    candidate = tmp_path / "candidate.cedar"
    candidate.write_text(WRITE)
    arguments = ("backtest", *config, "--policies", str(candidate))
    status, told = plain(capsys, *arguments)
    assert status == 1
    changed = {it["command"]: it for it in told["changes"] if it["session"] == session.id}
    read = changed["SELECT city FROM customers WHERE id = 1"]
    assert (read["direction"], read["after"]["code"]) == ("stricter", "not_permitted_by_policy")
    assert changed["DELETE FROM customers"]["direction"] == "looser"
    assert "SELECT city" in run(capsys, *arguments)[1]

    # Why was it decided so?
    status, out = run(capsys, "explain", "--record", refused["record"], *config)
    assert status == 0
    assert "DENY  unbounded_write" in out
    assert "DELETE FROM customers" in out
    assert "no-unbounded-writes" in out
    status, told = plain(capsys, "explain", "--record", refused["record"], *config)
    assert told["policies_at_hand"]
    assert told["facts"]["risks"] == ["unbounded"]

    # The same from the session's recording, without the gateway.
    recording = tmp_path / "story.zt.ipynb"
    recording.write_bytes(session.seal())
    status, told = plain(capsys, "backtest", str(recording), "--policies", str(candidate))
    assert status == 1
    assert {it["command"] for it in told["changes"]} == set(changed)
    status, out = run(
        capsys, "explain", "--record", refused["record"], "--recording", str(recording),
        "--policies", str(candidate),
    )  # fmt: skip
    assert "of another set than the one at hand" in out
    assert main(["policy", "explain", "--record", "999999", *config]) == 2
    assert main(["policy", "backtest"]) == 2
