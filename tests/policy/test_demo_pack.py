"""The starter set that the demo uses."""

from __future__ import annotations

import pytest

from jupyter_zt.model import Facts, Verb, Verdict
from jupyter_zt.policy import PolicySet
from tests.policy.decisions import decide


@pytest.mark.parametrize(
    "command",
    [
        "select * from customers",
        "select c.name, sum(o.total) from customers c join orders o on o.id = c.id group by 1",
        "with top as (select * from orders order by total desc limit 10) select * from top",
        "explain select * from customers",
        "select table_name from information_schema.tables",
        "show timezone",
    ],
)
def test_analysts_and_reviewers_read(demo: PolicySet, command: str) -> None:
    for role in ("analyst", "reviewer"):
        assert decide(demo, command, roles=[role]).verdict is Verdict.ALLOW
    for role in ("auditor", "admin"):
        assert decide(demo, command, roles=[role]).code == "not_permitted_by_policy"


@pytest.mark.parametrize(
    "command",
    [
        "insert into orders (customer_id, total) values (1, 10)",
        "update customers set credit_limit = 1000 where id = 42",
        "update orders set a = 1 where id in (select o.id from orders o where o.total > 100)",
        "delete from tickets where id = 7",
        "explain delete from tickets where id = 7",
    ],
)
def test_writes_wait_for_a_reviewer(demo: PolicySet, command: str) -> None:
    for agent in (None, "react"):
        decision = decide(demo, command, agent=agent)
        assert decision.verdict is Verdict.HOLD
        assert decision.obligations.reviewer_role == "reviewer"
        assert decision.reasons
    assert decide(demo, command, roles=["auditor"]).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("drop table customers", "destructive_statement"),
        ("truncate customers", "destructive_statement"),
        ("alter table customers drop column email", "destructive_statement"),
        ("create table x (a int)", "schema_change"),
        ("select * into x from customers", "schema_change"),
        ("create index on customers (email)", "schema_change"),
        ("grant select on customers to public", "privilege_change"),
        ("revoke all on customers from public", "privilege_change"),
        ("alter role bob superuser", "privilege_change"),
        ("set role postgres", "privilege_change"),
        ("set search_path to public", "setting_change"),
        ("reset all", "setting_change"),
        ("commit", "transaction_control"),
        ("copy customers to stdout", "copy_not_allowed"),
        ("copy customers to program 'curl example.org'", "copy_not_allowed"),
        ("do $$ begin delete from customers; end $$", "code_execution"),
        ("call cleanup()", "code_execution"),
        ("execute p", "code_execution"),
        ("create function f() returns int language sql as 'select 1'", "code_execution"),
        ("prepare p as delete from customers", "utility_statement"),
        ("declare c cursor for select * from customers", "utility_statement"),
        ("listen c", "utility_statement"),
        ("lock table customers", "lock_not_allowed"),
        ("vacuum full", "lock_not_allowed"),
        ("select * from customers for update", "lock_not_allowed"),
        ("update customers set name = 'x'", "unbounded_write"),
        ("delete from customers where 1 = 1", "unbounded_write"),
        ("delete from customers where id = id", "unbounded_write"),
        ("with d as (delete from customers where id = 1) select 1", "write_inside_query"),
        ("delete from customers where id = 1 returning email", "returning_not_allowed"),
        ("insert into notes select 1, email from customers where id = 1",
         "reads_other_relation_in_write"),
        ("update notes set a = (select email from customers where id = 1) where id = 1",
         "reads_other_relation_in_write"),
        ("merge into t using s on t.id = s.id when not matched then insert values (1)",
         "merge_not_allowed"),
        ("select * from pg_stats", "catalog_not_allowed"),
        ("show all", "catalog_not_allowed"),
        ("select pg_sleep(10)", "function_not_allowed"),
        ("select my_function(id) from customers", "function_not_allowed"),
        ("update customers set name = my_function() where id = 1", "function_not_allowed"),
        ("explain analyze select 1", "explain_analyze"),
        ("explain (analyze) delete from customers where id = 1", "explain_analyze"),
        ("select 1; select 2", "multiple_statements"),
        ("selec 1", "syntax_error"),
        ("", "empty_command"),
    ],
)  # fmt: skip
def test_refusals_have_a_code_a_reason_and_a_hint(demo: PolicySet, command: str, code: str) -> None:
    for roles in (["analyst"], ["reviewer"], ["analyst", "reviewer", "auditor", "admin"]):
        decision = decide(demo, command, roles=roles)
        assert decision.verdict is Verdict.DENY
        assert decision.code == code
        assert decision.message.endswith(".")
        assert decision.hint


def test_analysts_call_the_model(demo: PolicySet) -> None:
    call = Facts(Verb.MODEL_CALL)
    assert decide(demo, "", kind="llm", connection="llm", facts=call).verdict is Verdict.ALLOW
    refused = decide(demo, "", kind="llm", connection="llm", facts=call, roles=["auditor"])
    assert refused.verdict is Verdict.DENY


def test_every_rule_speaks(demo: PolicySet) -> None:
    for rule in demo.rules:
        assert rule.reason
        if rule.effect == "forbid":
            assert rule.hint
            assert rule.code != "forbidden_by_policy"
