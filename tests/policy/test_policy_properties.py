"""Properties that hold for any text and any policies."""

from __future__ import annotations

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import Facts, Verb, Verdict
from jupyter_zt.policy import PolicySet, analyze_postgres
from tests.policy.decisions import CONNECTIONS, decide

PIECES = [
    "select",
    "insert",
    "into",
    "update",
    "delete",
    "from",
    "where",
    "and",
    "or",
    "not",
    "values",
    "returning",
    "with",
    "recursive",
    "as",
    "explain",
    "analyze",
    "*",
    ",",
    ";",
    "(",
    ")",
    "=",
    "<>",
    "1",
    "'a'",
    '"b"',
    "$1",
    "$$",
    "/*",
    "*/",
    "--",
    "id",
    "t",
    "u",
    "null",
    "true",
    "is",
    "in",
    "exists",
    "like",
    "between",
    "copy",
    "do",
    "create",
    "table",
    "drop",
    "set",
    "grant",
    "for",
    "case",
    "when",
    "then",
    "end",
    "::",
    "int",
    "[",
    "]",
    ".",
    "||",
    "union",
    "all",
    "order",
    "by",
    "limit",
    "execute",
]

CONDITIONS = [
    "true",
    'context.verb == "select"',
    "context.restricts",
    "!context.restricts",
    'context.risks.contains("lock")',
    'context.relations_read.contains("t")',
    'principal in ZT::Role::"analyst"',
    "principal has agent",
    'resource == ZT::Connection::"warehouse"',
    "context.statements + 9223372036854775807 > 0",
]

STRICTNESS = {Verdict.ALLOW: 0, Verdict.HOLD: 1, Verdict.DENY: 2}


@settings(max_examples=400, deadline=None)
@given(st.text())
def test_the_analyzer_never_raises_on_any_text(text: str) -> None:
    assert isinstance(analyze_postgres(text), Facts)


@settings(max_examples=400, deadline=None)
@given(st.text(st.characters(codec=None, categories=None)))
def test_the_analyzer_never_raises_on_surrogates_and_controls(text: str) -> None:
    facts = analyze_postgres("select 1 " + text)
    assert isinstance(facts, Facts)


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
def test_the_analyzer_never_raises_on_what_looks_like_sql(text: str) -> None:
    facts = analyze_postgres(text)
    assert isinstance(facts, Facts)
    assert not facts.unknown.startswith("its analysis failed")
    assert (facts.verb is Verb.UNKNOWN) == bool(facts.unknown)


@settings(max_examples=60, deadline=None)
@given(
    rules=st.lists(
        st.tuples(
            st.sampled_from(["permit", "permit", "forbid"]),
            st.sampled_from(["", '@hold("reviewer")', '@hold("reviewer")@quorum("2")']),
            st.sampled_from(CONDITIONS),
        ),
        min_size=1,
        max_size=5,
    ),
    added=st.sampled_from(CONDITIONS),
    command=st.sampled_from(
        [
            "select * from t",
            "select 1 for update",
            "delete from t",
            "drop table t",
            "explain select 1",
        ]
    ),
    agent=st.sampled_from([None, "react"]),
)
def test_adding_a_forbid_never_allows_more(
    rules: list[tuple[str, str, str]], added: str, command: str, agent: str | None
) -> None:
    texts = [
        f'@id("r{place}"){hold if effect == "permit" else ""}'
        f"{effect} (principal, action, resource) when {{ {condition} }};"
        for place, (effect, hold, condition) in enumerate(rules)
    ]
    forbid = f'@id("added")forbid (principal, action, resource) when {{ {added} }};'
    try:
        before = PolicySet({"a.cedar": "\n".join(texts).encode()}, CONNECTIONS)
        after = PolicySet({"a.cedar": "\n".join([*texts, forbid]).encode()}, CONNECTIONS)
    except ConfigError:
        reject()  # a rule takes another one's place: such a set is never used
    was = decide(before, command, agent=agent)
    now = decide(after, command, agent=agent)
    assert STRICTNESS[now.verdict] >= STRICTNESS[was.verdict]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
def test_the_starter_set_allows_nothing_but_reads(demo: PolicySet, text: str) -> None:
    decision = decide(demo, text)
    if decision.verdict is Verdict.ALLOW:
        assert analyze_postgres(text).verb in {Verb.SELECT, Verb.EXPLAIN, Verb.SHOW}
