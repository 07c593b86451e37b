"""Refusals that help: what would pass instead, and a rewrite where one is safe."""

from __future__ import annotations

import pytest

from jupyter_zt.model import Action, ColumnMask, Decision, MaskKind, Obligation, Verdict
from jupyter_zt.policy import PolicySet, analyze_postgres
from tests.policy.decisions import CONNECTIONS, DEMO, principal

READ = '@id("read")permit (principal, action in ZT::Action::"read", resource);'
LIMIT = (
    '@id("few-rows")@code("say_how_many")forbid (principal, action == ZT::Action::"select",'
    " resource) unless { context has row_limit && context.row_limit <= 1000 };"
)
NAMES = (
    '@id("names")@code("name_columns")forbid (principal, action, resource)'
    'when { context.columns_read.contains("*") };'
)
NO_PHONES = (
    '@id("no-phones")@code("phone")forbid (principal, action, resource)'
    'when { context.tags.contains("phone") };'
)
CLASSIFIED = {
    "warehouse": {
        "customers": {
            "id": ColumnMask("customers", "id", "none", MaskKind.CLEAR),
            "Name": ColumnMask("customers", "Name", "none", MaskKind.CLEAR),
            "phone": ColumnMask("customers", "phone", "phone", MaskKind.PARTIAL, "last4"),
            "secret": ColumnMask("customers", "secret", "secret", MaskKind.HIDE),
        }
    }
}


def decide(command: str, *rules: str, roles: tuple[str, ...] = ("analyst",)) -> Decision:
    given = PolicySet({"a.cedar": "\n".join(rules).encode()}, CONNECTIONS, classified=CLASSIFIED)
    action = Action("a", "s", "warehouse", command)
    facts = analyze_postgres(command)
    decision = given.decide(principal(roles), action, "postgres", facts, carries=Obligation)
    for remedy in decision.remedies:
        if remedy.command:  # what is proposed passes
            again = Action("a", "s", "warehouse", remedy.command)
            facts = analyze_postgres(remedy.command)
            verdict = given.decide(principal(roles), again, "postgres", facts, carries=Obligation)
            assert verdict.verdict is not Verdict.DENY
    return decision


def proposed(command: str, *rules: str) -> list[tuple[str, str]]:
    return [(it.kind, it.command) for it in decide(command, *rules).remedies]


@pytest.mark.parametrize(
    "command",
    [
        "select id from customers",
        "select id from customers;  ",
        "select id from customers -- all",
        "select id from customers /* all */ order by id",
        "select id from customers union select 1",
        "with x as (select 1) select * from x",
    ],
)
def test_a_limit_is_proposed_where_it_makes_the_query_pass(command: str) -> None:
    [(kind, rewritten)] = proposed(command, READ, LIMIT)
    assert kind == "add_limit"
    assert analyze_postgres(rewritten).row_limit == 1000
    assert rewritten.startswith(command.strip().removesuffix(";"))


@pytest.mark.parametrize(
    ("command", "rules", "rewritten"),
    [
        ("select * from customers", (NAMES,), 'select id, "Name", phone from customers'),
        ("select * from customers c where id = 5", (NAMES,),
         'select id, "Name", phone from customers c where id = 5'),
        ("select /* é * */ * from customers", (NAMES,),
         'select /* é * */ id, "Name", phone from customers'),
        ("select * from customers", (NAMES, NO_PHONES), 'select id, "Name" from customers'),
        ("select * from customers", (NO_PHONES,), 'select id, "Name" from customers'),
        ("select * from customers", (NAMES, LIMIT),
         'select id, "Name", phone from customers\nLIMIT 1000'),
    ],
)  # fmt: skip
def test_columns_are_named_where_that_makes_the_query_pass(
    command: str, rules: tuple[str, ...], rewritten: str
) -> None:
    assert proposed(command, READ, *rules) == [("name_columns", rewritten)]


@pytest.mark.parametrize(
    "command",
    [
        "select * from unknown_table",
        "select * from customers, customers c2",
        "select customers from customers",
        "table customers",
    ],
)
def test_no_rewrite_is_proposed_where_none_is_known(command: str) -> None:
    assert all(not rewritten for _, rewritten in proposed(command, READ, NAMES))


@pytest.mark.parametrize(
    "command",
    [
        "explain analyze select 1",
        "EXPLAIN (ANALYZE, BUFFERS) select 1",
        "explain analyse verbose select 1",
    ],
)
def test_a_plan_is_proposed_in_place_of_a_run(command: str) -> None:
    [remedy] = decide(command, DEMO.decode()).remedies
    assert (remedy.kind, remedy.command) == ("no_analyze", "EXPLAIN select 1")


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("delete from orders", "add_where"),
        ("select 1; select 2", "one_statement"),
        ("", "one_statement"),
        ("selec 1", "fix_syntax"),
        ("select pg_sleep(1)", "listed_functions"),
    ],
)
def test_words_where_nothing_can_be_rewritten(command: str, kind: str) -> None:
    remedies = decide(command, DEMO.decode()).remedies
    assert kind in {remedy.kind for remedy in remedies}
    assert all(remedy.text and not remedy.command for remedy in remedies)


def test_a_missing_right_can_be_asked_for() -> None:
    [remedy] = decide("select 1", READ.replace("permit", "permit"), LIMIT, roles=()).remedies
    assert remedy.kind == "add_limit"
    [remedy] = decide("delete from orders where id = 1", READ).remedies
    assert remedy.kind == "request_grant"
    assert "DELETE on warehouse" in remedy.text


def test_remedies_are_machine_readable() -> None:
    plain = decide("select id from customers", READ, LIMIT).to_json()
    assert plain["remedies"] == [
        {
            "kind": "add_limit",
            "text": "This asks for at most 1000 rows.",
            "command": "select id from customers\nLIMIT 1000",
        }
    ]
    assert "remedies" not in decide("select 1", READ).to_json()
