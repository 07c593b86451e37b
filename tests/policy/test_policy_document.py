"""docs/policy.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jupyter_zt.model import Risk, Verb, Verdict
from jupyter_zt.policy import PolicySet
from tests.policy.decisions import CONNECTIONS, DEMO, decide

TEXT = Path(__file__).parents[2].joinpath("docs", "policy.md").read_text("utf-8")
EXAMPLES = {
    found[1]: found[0]
    for found in re.findall(r'```cedar\n(@id\("([^"]*)"\).*?)```', TEXT, re.DOTALL)
}


def with_demo(name: str) -> PolicySet:
    """The demo's set with an example added, in place of the rule of the same name."""
    rules = PolicySet({"demo.cedar": DEMO}, CONNECTIONS).rules
    kept = "\n".join(rule.text for rule in rules if rule.id != name)
    return PolicySet({"a.cedar": (kept + EXAMPLES[name]).encode()}, CONNECTIONS)


def test_payments_need_two_people() -> None:
    policies = with_demo("payments-need-two")
    assert decide(policies, "delete from payments where id = 1").obligations.quorum == 2
    assert decide(policies, "delete from orders where id = 1").obligations.quorum == 1


def test_agents_only_read() -> None:
    policies = with_demo("agents-only-read")
    refused = decide(policies, "delete from orders where id = 1", agent="react")
    assert refused.code == "agent_may_only_read"
    assert decide(policies, "select 1", agent="react").verdict is Verdict.ALLOW
    assert decide(policies, "delete from orders where id = 1").verdict is Verdict.HOLD


def test_no_whole_customers() -> None:
    policies = with_demo("no-whole-customers")
    for command in ("select * from customers", "select c from customers c", "table customers"):
        assert decide(policies, command).code == "narrow_the_columns"
    assert decide(policies, "select name from customers").verdict is Verdict.ALLOW


def test_a_known_function_is_allowed_in_place_of_the_list_alone() -> None:
    policies = with_demo("no-unlisted-functions")
    assert decide(policies, "select other(day) from orders").code == "function_not_allowed"
    assert decide(policies, "select fiscal_year(day) from orders").verdict is Verdict.ALLOW


def test_every_code_of_the_starter_set_is_documented(demo: PolicySet) -> None:
    section = TEXT.split("## Codes of the starter set")[1]
    documented = set(re.findall(r"`([a-z]+_[a-z_]+)`", section))
    assert {rule.code for rule in demo.rules if rule.code} <= documented


@pytest.mark.parametrize("word", [*Risk, *(set(Verb) - {Verb.UNKNOWN})])
def test_every_risk_and_verb_is_documented(word: str) -> None:
    assert f"`{word}`" in TEXT
