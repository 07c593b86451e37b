"""A session's past only ever makes policy stricter."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import Action, Decision, Facts, History, Obligation, Verdict
from jupyter_zt.policy import PolicySet, analyze_postgres
from tests.policy.decisions import CONNECTIONS, principal

READ = '@id("read")permit (principal, action in ZT::Action::"read", resource);'
WRITE = '@id("write")@hold("reviewer")permit (principal, action in ZT::Action::"write", resource);'
SECOND = (
    '@id("second")@hold("reviewer")@quorum("2")permit (principal, action, resource)'
    "when { context.history.touched_sensitive };"
)
STRICTNESS = {Verdict.ALLOW: 0, Verdict.HOLD: 1, Verdict.DENY: 2}


def policies(*texts: str) -> PolicySet:
    return PolicySet({"test.cedar": "\n".join(texts).encode()}, CONNECTIONS)


def decide(given: PolicySet, command: str, history: History) -> Decision:
    action = Action("a", "s", "warehouse", command)
    facts = analyze_postgres(command)
    return given.decide(principal(), action, "postgres", facts, history, carries=Obligation)


def test_a_past_can_forbid() -> None:
    tired = (
        '@id("tired")@code("too_many_refusals")forbid (principal, action, resource)'
        "when { context.history.refusals >= 3 };"
    )
    given = policies(READ, tired)
    assert decide(given, "select 1", History(refusals=2)).verdict is Verdict.ALLOW
    assert decide(given, "select 1", History(refusals=3)).code == "too_many_refusals"


def test_a_past_can_ask_for_more_people() -> None:
    given = policies(READ, WRITE, SECOND)
    write = "delete from t where id = 1"
    touched = History(tags=frozenset({"email"}))
    assert decide(given, write, History()).obligations.quorum == 1
    assert decide(given, write, touched).obligations.quorum == 2
    assert decide(given, "select 1", History()).verdict is Verdict.ALLOW
    assert decide(given, "select 1", touched).verdict is Verdict.HOLD


def test_a_past_alone_permits_nothing() -> None:
    given = policies(READ, SECOND)
    touched = History(tags=frozenset({"email"}))
    assert decide(given, "drop table t", touched).code == "not_permitted_by_policy"


@pytest.mark.parametrize(
    "rule",
    [
        "forbid (principal, action, resource) unless { context.history.touched_sensitive };",
        "forbid (principal, action, resource) when { !context.history.read_untrusted };",
        "forbid (principal, action, resource) when { context.history.refusals < 3 };",
        "forbid (principal, action, resource) when { context.history.refusals == 3 };",
        "forbid (principal, action, resource) when { context.history.tags.isEmpty() };",
        'forbid (principal, action, resource) when { !context.history.tags.contains("a") };',
        ('forbid (principal, action, resource)'
        'when { ["a"].containsAll(context.history.tags) };'),
        ("forbid (principal, action, resource)"
        "when { if context.history.read_untrusted then false else true };"),
        ("forbid (principal, action, resource)"
        "when { context.history.touched_sensitive == context.history.read_untrusted };"),
        ("forbid (principal, action, resource)"
        "when { context.tags.containsAll(context.history.tags) };"),
        ('forbid (principal, action, resource)'
        'when { context.history == {tags: ["a"], touched_sensitive: true,'
        ' read_untrusted: true, refusals: 1} };'),
        ('@hold("reviewer")permit (principal, action, resource)'
        'unless { context.history.touched_sensitive };'),
        "permit (principal, action, resource) when { context.history.touched_sensitive };",
    ],
)  # fmt: skip
def test_a_rule_that_a_past_would_make_milder_is_an_error(rule: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policies(READ, f'@id("x"){rule}')
    assert caught.value.line == 2
    assert caught.value.hint


def test_a_session_grows_its_past_by_what_it_does() -> None:
    past = History().after(Facts.from_json({"verb": "select", "tags": ["email"]}), Verdict.ALLOW)
    assert past == History(tags=frozenset({"email"}))
    past = past.after(Facts.from_json({"verb": "select", "tags": ["phone"]}), Verdict.DENY)
    assert past == History(tags=frozenset({"email"}), refusals=1)
    past = past.after(Facts.from_json({"verb": "http_get"}), Verdict.ALLOW, untrusted=True)
    assert past.read_untrusted
    assert past.touched_sensitive


ATOMS = [
    "context.history.touched_sensitive",
    "context.history.read_untrusted",
    "context.history.refusals >= 2",
    "context.history.refusals > 0",
    'context.history.tags.contains("email")',
    'context.history.tags.containsAny(["email", "phone"])',
    "!context.history.tags.isEmpty()",
    'context.verb == "select"',
    "context.restricts",
    "!context.restricts",
]
atoms = st.lists(st.sampled_from(ATOMS), min_size=1, max_size=3)
rules = st.lists(
    st.tuples(
        st.sampled_from(["forbid", '@hold("reviewer")permit', '@max_rows("5")permit',
                         '@hold("reviewer")@quorum("2")@step_up("60")permit', "permit"]),
        atoms,
        st.sampled_from([" && ", " || "]),
    ),
    max_size=4,
)  # fmt: skip
histories = st.builds(
    History,
    tags=st.frozensets(st.sampled_from(["email", "phone", "name"])),
    read_untrusted=st.booleans(),
    refusals=st.integers(0, 4),
)


@settings(max_examples=150, deadline=None)
@given(rules, histories, histories, st.sampled_from(["select 1", "delete from t", "drop table t"]))
def test_history_never_loosens(
    drawn: list[tuple[str, list[str], str]], one: History, other: History, command: str
) -> None:
    longer = History(
        one.tags | other.tags,
        one.read_untrusted or other.read_untrusted,
        max(one.refusals, other.refusals),
    )
    assert one <= longer
    texts = [READ, WRITE]
    for place, (effect, parts, joint) in enumerate(drawn):
        condition = joint.join(parts)
        rule = f'@id("r{place}"){effect} (principal, action, resource) when {{ {condition} }};'
        try:
            policies(*texts, rule)
        except ConfigError:
            continue  # refused at load: contradicting, shadowed, or a permit that grants by a past
        texts.append(rule)
    given_set = policies(*texts)
    before, after = (decide(given_set, command, past) for past in (one, longer))
    assert STRICTNESS[after.verdict] >= STRICTNESS[before.verdict]
    if after.verdict is not Verdict.DENY:
        assert after.obligations.covers(before.obligations)
