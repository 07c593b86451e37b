"""Obligations: how permits ask for them, how several merge, and who carries them out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import (
    Action,
    Decision,
    Facts,
    MaskKind,
    Obligation,
    Obligations,
    Verb,
    Verdict,
)
from jupyter_zt.policy import PolicySet
from tests.policy.decisions import CONNECTIONS, decide, principal

ALL = "permit (principal, action, resource)"
NO_COLUMNS = ALL + "when { context.columns_read.isEmpty() };"
NO_RELATIONS = ALL + "when { context.relations_read.isEmpty() };"


def policies(*texts: str) -> PolicySet:
    return PolicySet({"test.cedar": "\n".join(texts).encode()}, CONNECTIONS)


def carried_out(given: PolicySet, *obligations: Obligation) -> Decision:
    action = Action("a", "s", "warehouse", "")
    facts = Facts(Verb.SELECT)
    return given.decide(principal(), action, "postgres", facts, carries=obligations)


def test_every_obligation_is_read_from_its_annotation() -> None:
    given = policies(
        '@id("a")@hold("reviewer")@quorum("2")@max_rows("500")@mask("email=redact, phone")'
        f'@step_up("300"){ALL};'
    )
    decision = carried_out(given, *Obligation)
    assert decision.verdict is Verdict.HOLD
    assert decision.obligations == Obligations(
        "reviewer", 2, 500, (("email", MaskKind.REDACT), ("phone", MaskKind.HIDE)), 300
    )
    plain = decision.to_json()
    assert plain["max_rows"] == "500"
    assert plain["masks"] == {"email": "redact", "phone": "hide"}
    assert plain["step_up_seconds"] == "300"


def test_the_strictest_of_several_counts() -> None:
    given = policies(
        f'@id("a")@max_rows("500")@mask("email=partial, name=redact")@step_up("300"){NO_COLUMNS}',
        '@id("b")@max_rows("100")@mask("email=redact, name=pseudonym")@step_up("900")'
        + NO_RELATIONS,
    )
    asked = carried_out(given, *Obligation).obligations
    assert asked == Obligations(
        "", 0, 100, (("email", MaskKind.REDACT), ("name", MaskKind.REDACT)), 300
    )


def test_what_nobody_carries_out_is_denied() -> None:
    given = policies(f'@id("a")@max_rows("5")@step_up("300"){ALL};')
    decision = carried_out(given, Obligation.HOLD, Obligation.MAX_ROWS)
    assert decision.verdict is Verdict.DENY
    assert decision.code == "obligation_unsupported"
    assert "@step_up" in decision.message
    assert "@max_rows" not in decision.message
    assert decision.policies == ("a",)


def test_by_default_only_a_hold_is_carried_out() -> None:
    assert decide(policies(f'@id("a")@max_rows("5"){ALL};'), "select 1").verdict is Verdict.DENY
    assert decide(policies(f'@id("a")@hold("reviewer"){ALL};'), "select 1").verdict is Verdict.HOLD


@pytest.mark.parametrize(
    "annotation",
    [
        '@max_rows("0")', '@max_rows("many")', '@max_rows("")', '@max_rows("-1")',
        '@step_up("now")', '@step_up("0")', '@mask("")', '@mask("Email")', '@mask("email=clear")',
        '@mask("email=blur")', '@mask("email, email")', '@quorum("2")',
        '@hold("reviewer")@quorum("none")', '@hold("")',
    ],
)  # fmt: skip
def test_a_malformed_obligation_is_an_error_with_its_line(annotation: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policies("\n", f'@id("a"){annotation}{ALL};')
    assert (caught.value.file, caught.value.line) == ("test.cedar", 3)
    assert caught.value.hint


def test_a_forbid_asks_for_nothing() -> None:
    with pytest.raises(ConfigError, match="no annotation @max_rows"):
        policies('@id("a")@max_rows("5")forbid (principal, action, resource);')


some_obligations = st.builds(
    Obligations,
    reviewer_role=st.just("reviewer"),
    quorum=st.integers(0, 3),
    max_rows=st.integers(0, 3),
    masks=st.dictionaries(st.sampled_from("abc"), st.sampled_from(MaskKind)).map(
        lambda masks: tuple(sorted(masks.items()))
    ),
    step_up_seconds=st.integers(0, 3),
)


@given(some_obligations, some_obligations, some_obligations)
def test_merging_only_ever_tightens(one: Obligations, two: Obligations, three: Obligations) -> None:
    both = one.merge(two)
    assert both == two.merge(one)
    assert both.merge(three) == one.merge(two.merge(three))
    assert both.covers(one)
    assert both.covers(two)
    assert one.merge(one) == one
