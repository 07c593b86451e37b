"""docs/policy.md says what is so: its facts, its policies and its words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jupyter_zt.model import Action, ColumnMask, History, MaskKind, Risk, Verb
from jupyter_zt.policy import HttpSurface, OpenApi, PolicySet, analyze
from jupyter_zt.policy.annotations import OBLIGATIONS
from jupyter_zt.policy.cases import read_cases, run_cases
from jupyter_zt.policy.cedar import context_of
from jupyter_zt.policy.remedies import KINDS_OF_REMEDY
from jupyter_zt.policy.rules import DETAILS
from jupyter_zt.policy.words import ESCAPES, GROUPS, KINDS

TEXT = Path(__file__).parents[2].joinpath("docs", "policy.md").read_text("utf-8")
BLOCK = re.compile(r"```(cedar|yaml)\n(.*?)```", re.DOTALL)
CLASSIFIED = {
    "warehouse": {
        "customers": {
            "id": ColumnMask("customers", "id", "none", MaskKind.CLEAR),
            "city": ColumnMask("customers", "city", "none", MaskKind.CLEAR),
            "email": ColumnMask("customers", "email", "email", MaskKind.PSEUDONYM),
        },
        "orders": {},
    }
}
SHOP = HttpSurface.at(
    "https://api.example",
    OpenApi(
        {"openapi": "3.1.0", "paths": {"/v1/orders/{id}": {"get": {"operationId": "getOrder"}}}}
    ),
)


def section(title: str) -> str:
    return re.split(r"\n#+ ", TEXT.split(f"# {title}\n")[1])[0]


def blocks(text: str) -> list[tuple[str, str]]:
    return BLOCK.findall(text)


def rows(title: str) -> list[list[str]]:
    """The cells of a section's tables, without their heads."""
    lines = [line for line in section(title).split("\n") if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    return [[cell.strip() for cell in row] for row in cells if not set(row[0]) <= set("-")]


def code(cell: str) -> str:
    return cell.strip("`").replace("⏎", "\n")


PATTERNS = blocks(section("Your own patterns"))[0][1].encode()


def context(kind: str, command: str) -> dict[str, object]:
    given = PolicySet(
        {"a.cedar": b'@id("a")permit (principal, action, resource);', "patterns.yaml": PATTERNS},
        [],
        classified=CLASSIFIED,
    )
    action = Action("", "", "warehouse", command)
    facts = given.noticed(action, analyze(kind, command, SHOP))
    assert not facts.unknown, (command, facts.unknown)
    return context_of(kind, facts, History())


FACTS = [row for row in rows("Facts") if len(row) == 4 and row[0] != "fact"]
HTTP = [row for row in rows("HTTP") if row[0] != "fact"]
KUBERNETES = [row for row in rows("Kubernetes") if row[0] != "fact"]


@pytest.mark.parametrize("row", FACTS, ids=lambda row: row[0])
def test_a_fact_of_sql_is_what_its_example_says(row: list[str]) -> None:
    if row[2]:
        assert context("postgres", code(row[2]))[code(row[0])] == json.loads(code(row[3]))


@pytest.mark.parametrize(
    ("kind", "row"),
    [*(("http", row) for row in HTTP), *(("kubernetes", row) for row in KUBERNETES)],
    ids=lambda it: it[0] if isinstance(it, list) else it,
)
def test_a_fact_of_a_request_is_what_its_example_says(kind: str, row: list[str]) -> None:
    found = context(kind, code(row[2]))[kind]
    assert isinstance(found, dict)
    assert found[code(row[0])] == json.loads(code(row[3]))


def test_every_fact_is_in_the_tables() -> None:
    everything = context("postgres", "select 1 limit 1")
    named = {code(row[0]) for row in FACTS}
    assert named == {*everything, "estimated_rows"} - {"http", "kubernetes", "history"}
    for name, table in (("http", HTTP), ("kubernetes", KUBERNETES)):
        found = everything[name]
        assert isinstance(found, dict)
        assert {code(row[0]) for row in table} == set(found)


@pytest.mark.parametrize("row", [row for row in rows("Facts") if len(row) == 3][1:], ids=str)
def test_a_risk_is_found_in_its_example(row: list[str]) -> None:
    command = code(row[2])
    kind = "kubernetes" if command.startswith("GET") else "postgres"
    assert Risk(code(row[0])) in analyze(kind, command).risks


def test_every_risk_has_an_example() -> None:
    named = {code(row[0]) for row in rows("Facts") if len(row) == 3 and row[0] != "risk"}
    assert named == {risk.value for risk in Risk}


TEN = TEXT.split("## Ten policies")[1].split("\n## ")[0]
BASE = blocks(TEN.split("\n### ")[0])[0][1]
POLICIES = {part.split("\n")[0]: blocks(part) for part in TEN.split("\n### ")[1:]}


def test_there_are_ten_policies() -> None:
    assert len(POLICIES) == 10


@pytest.mark.parametrize("title", POLICIES)
def test_a_policy_decides_as_its_cases_say(title: str) -> None:
    (_, policy), (_, text) = POLICIES[title]
    cases = read_cases("policy.md", "defaults: {as: {roles: [analyst]}}\n" + text)
    files = {"a.cedar": (BASE + policy).encode(), "patterns.yaml": PATTERNS}
    given = PolicySet(files, cases.connections, classified=CLASSIFIED if "whole" in title else {})
    report = run_cases(given, cases.cases)
    assert [(it.case.name, it.problems) for it in report.failed] == []
    assert set(report.uncovered) <= {"read", "write"}


def test_the_example_of_a_case_file_is_one() -> None:
    (_, text) = blocks(section("Testing policies"))[0]
    [case] = read_cases("policy.md", text).cases
    assert case.agent == "react"


def test_every_code_of_the_starter_set_is_documented(demo: PolicySet) -> None:
    documented = set(re.findall(r"`([a-z]+_[a-z_]+)`", section("Codes of the starter set")))
    assert {rule.code for rule in demo.rules if rule.code} <= documented


@pytest.mark.parametrize(
    "word",
    [
        *Risk, *(set(Verb) - {Verb.UNKNOWN}), *GROUPS, *KINDS, *ESCAPES, *KINDS_OF_REMEDY,
        *(f"{{{name}}}" for name in DETAILS),
    ],
)  # fmt: skip
def test_every_word_is_documented(word: str) -> None:
    assert f"`{word}`" in TEXT


def test_every_obligation_is_documented() -> None:
    assert all(f"`@{name}(" in TEXT for name in OBLIGATIONS)


def test_groups_have_the_verbs_that_the_table_says() -> None:
    for group, verbs in GROUPS.items():
        row = next(line for line in TEXT.split("\n") if line.startswith(f"| `{group}` |"))
        assert {verb.value for verb in verbs} <= set(re.findall(r"`([a-z_]+)`", row))
