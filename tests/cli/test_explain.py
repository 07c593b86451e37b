"""`jupyter zt explain`: policy's word without a gateway, a login or a target."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_zt.cli import main

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "postgres_statements.jsonl"


def batch(lines: bytes, *options: str) -> tuple[int, list[dict[str, Any]]]:
    ended = subprocess.run(
        [sys.executable, "-m", "jupyter_zt.cli", "explain", "--batch", *options],
        input=lines,
        capture_output=True,
        check=False,
    )
    assert not ended.stderr, ended.stderr
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]


def explain(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["explain", *arguments]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_held_command_names_who_may_approve(capsys: pytest.CaptureFixture[str]) -> None:
    answer = explain(capsys, "UPDATE orders SET state = 'x' WHERE id = 1")
    assert answer["facts"]["verb"] == "update"
    decision = answer["decision"]
    assert len(decision.pop("policy_digest")) == 64
    assert decision == {
        "verdict": "hold",
        "code": "",
        "message": "This waits for the approval of one other person with the role reviewer.",
        "hint": "",
        "reasons": ["UPDATE changes orders: another person has to approve it."],
        "policies": ["write-with-consent"],
        "reviewer_role": "reviewer",
        "quorum": "1",
    }


def test_role_decides(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(capsys, "SELECT 1")["decision"]["verdict"] == "allow"
    auditor = explain(capsys, "SELECT 1", "--role", "auditor")["decision"]
    assert (auditor["verdict"], auditor["code"]) == ("deny", "not_permitted_by_policy")
    both = explain(capsys, "SELECT 1", "--role", "auditor", "--role", "analyst")
    assert both["decision"]["verdict"] == "allow"


def test_own_policies_and_connections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.cedar").write_text(
        '@id("crm-only") permit (principal, action, resource == ZT::Connection::"crm");'
    )
    own = ("--policies", str(tmp_path), "--connection", "crm")
    assert explain(capsys, "SELECT 1", *own)["decision"]["policies"] == ["crm-only"]
    other = ("--policies", str(tmp_path), "--connection", "other", "--connection", "crm")
    assert explain(capsys, "SELECT 1", *other)["decision"]["verdict"] == "deny"
    assert main(["explain", "SELECT 1", "--policies", str(tmp_path)]) == 2
    assert "own.cedar:1" in capsys.readouterr().err


def test_line_that_is_no_request_is_answered_and_the_batch_goes_on() -> None:
    bad = [
        b"no json",
        b"",
        b"[]",
        b'{"command": 1}',
        b'{"sql": "select 1"}',
        b'{"command": "select 1", "command": "drop table t"}',
        b'{"command": "select $1", "parameters": [NaN]}',
        b'{"command": "select $1", "parameters": {"a": 1}}',
        b'{"command": "select $1", "parameters": [[]]}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"x" * 20_000_000,
    ]
    status, answers = batch(b"\n".join([*bad, b'{"command": "select 1"}']))
    assert status == 1
    assert [answer["error"]["code"] for answer in answers[:-1]] == ["bad_input"] * len(bad)
    assert all(answer["error"]["message"] for answer in answers[:-1])
    assert answers[-1]["decision"]["verdict"] == "allow"


def test_hostile_commands_are_denied_one_by_one() -> None:
    hostile = [
        "",
        "\0",
        "\ud800",
        "select " + "(" * 100_000 + "1" + ")" * 100_000,
        "/*" * 100_000,
        "select 1 " + "+-" * 100_000,
        "x" * 2_000_000,
        "select 1 union " * 20_000 + "select 1",
    ]
    status, answers = batch(b"\n".join(json.dumps({"command": text}).encode() for text in hostile))
    assert status == 0
    assert [answer["decision"]["verdict"] for answer in answers] == ["deny"] * len(hostile)


def test_every_statement_of_postgresqls_own_tests_is_explained() -> None:
    if not VECTORS.exists():
        pytest.skip(f"{VECTORS} is not on this machine")
    statements = [json.loads(line) for line in VECTORS.open()]
    lines = b"\n".join(json.dumps({"command": each["sql"]}).encode() for each in statements)
    status, answers = batch(lines, "--kind", "postgres")
    assert status == 0
    assert len(answers) == len(statements)
    assert {answer["decision"]["verdict"] for answer in answers} == {"allow", "hold", "deny"}


def test_reader_that_goes_away_is_no_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter_zt.cli", "explain", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(b'{"command": "select 1"}\n')
    process.stdin.flush()
    assert process.stdout.readline()
    process.stdout.close()
    process.stdin.write(b'{"command": "select 1"}\n' * 2)
    process.stdin.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == b""
    process.stderr.close()
