"""PostgreSQL's own regression statements, as published by libpg_query."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from jupyter_zt.model import Action, Decision, Human, Principal, Risk, Verb, Verdict
from jupyter_zt.policy import PolicySet, analyze_postgres

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"

pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason=f"no test vectors in {VECTORS}")

READ_NODES = {"SelectStmt", "ExplainStmt", "VariableShowStmt"}
DATA_RISKS = {Risk.CATALOG, Risk.LOCK}


def cases(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (VECTORS / name).read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def demo() -> PolicySet:
    pack = resources.files("jupyter_zt.policy").joinpath("packs", "demo.cedar").read_bytes()
    return PolicySet({"demo.cedar": pack}, ["warehouse"])


def decide(policies: PolicySet, command: str) -> Decision:
    principal = Principal(Human("i", "s", "n", frozenset({"analyst"})), "s_1")
    action = Action("a_1", "s_1", "warehouse", command)
    return policies.decide(principal, action, "postgres", analyze_postgres(command))


def test_every_statement_is_understood_and_only_reads_are_allowed(demo: PolicySet) -> None:
    outside: Counter[str] = Counter()
    for case in cases("postgres_statements.jsonl"):
        facts = analyze_postgres(case["sql"])
        assert not facts.unknown, case
        if decide(demo, case["sql"]).verdict is Verdict.ALLOW:
            assert case["node"] in READ_NODES, case
            assert facts.verb in {Verb.SELECT, Verb.EXPLAIN, Verb.SHOW}, case
            assert not facts.risks, case
        elif case["node"] not in READ_NODES:
            outside[facts.verb] += 1
    assert not {Verb.SELECT, Verb.EXPLAIN} & set(outside)


def test_plain_selects_are_in_the_read_class(demo: PolicySet) -> None:
    """Plain: no INTO, no write in WITH, no lock, no data-bearing catalog, only listed functions."""
    allowed = plain = 0
    for case in cases("postgres_statements.jsonl"):
        facts = analyze_postgres(case["sql"])
        is_plain = case["node"] == "SelectStmt" and not re.search(
            r"\b(into|insert|update|delete|merge|share)\b", case["sql"], re.IGNORECASE
        )
        if is_plain and not facts.unlisted_functions and not facts.risks & DATA_RISKS:
            plain += 1
            allowed += decide(demo, case["sql"]).verdict is Verdict.ALLOW
    assert plain > 6000
    assert allowed / plain >= 0.99


def comment(command: str) -> str:
    return re.sub(r"(?<=\w)\s+(?=\w)", " /* a /* nested */ comment */ ", command)


DISGUISES: dict[str, Callable[[str], str]] = {
    "as published": lambda command: command,
    "in upper case": lambda command: command if re.search(r"['\"$]", command) else command.upper(),
    "with other white space": lambda command: (
        command if re.search(r"['\"$]|--", command) else re.sub(r"\s+", "\t\r\n\f\v ", command)
    ),
    "with comments": lambda command: (
        command if re.search(r"['\"$]|--", command) else comment(command)
    ),
    "behind a comment": lambda command: "-- select 1;\n/* select 2; */ " + command,
    "before a comment": lambda command: command + "\n-- limit 1",
    "in parentheses": lambda command: (
        f"({command}\n)" if command.lstrip().lower().startswith("select") else command
    ),
    "behind EXPLAIN ANALYZE": lambda command: (
        command if re.search(r"\bexplain\b", command, re.IGNORECASE)
        else "explain (analyze) " + command
    ),
}  # fmt: skip


@pytest.mark.parametrize("disguise", DISGUISES)
def test_what_only_looks_like_a_read_is_not_allowed_as_one(demo: PolicySet, disguise: str) -> None:
    for case in cases("postgres_looks_like_read.jsonl"):
        command = DISGUISES[disguise](case["sql"])
        assert decide(demo, command).verdict is not Verdict.ALLOW, (case["why"], command)
