"""What loading refuses although it is valid Cedar: words, names, contradictions, shadows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import ROLES, ColumnMask, History, MaskKind
from jupyter_zt.policy import PolicySet, analyze_postgres
from jupyter_zt.policy.cedar import Question, ask, parse
from jupyter_zt.policy.conditions import MAX_CASES, cases
from jupyter_zt.policy.reach import possible, within
from jupyter_zt.policy.rules import read_rules
from tests.policy.decisions import CONNECTIONS

READ = '@id("read")permit (principal, action in ZT::Action::"read", resource);'
CLASSIFIED = {
    "warehouse": {
        "customers": {
            "id": ColumnMask("customers", "id", "none", MaskKind.CLEAR),
            "email": ColumnMask("customers", "email", "email", MaskKind.PSEUDONYM),
        },
        "orders": {"total": ColumnMask("orders", "total", "none", MaskKind.CLEAR)},
    }
}


def problem(*texts: str, classified: bool = False) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        PolicySet(
            {"test.cedar": "\n".join(texts).encode()},
            CONNECTIONS,
            classified=CLASSIFIED if classified else {},
        )
    return caught.value


def forbid(condition: str, action: str = "action", name: str = "x") -> str:
    return f'@id("{name}")forbid (principal, {action}, resource) when {{ {condition} }};'


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ('context.verb == "selct"', 'context.verb is never "selct"'),
        ('"selct" == context.verb', 'context.verb is never "selct"'),
        ('context.risks.contains("locks")', 'context.risks is never "locks"'),
        ('context.risks.containsAny(["lock", "destructiv"])', "destructiv"),
        ('!context.risks.contains("privileges")', "privileges"),
        ('["selct", "insert"].contains(context.verb)', "selct"),
        ('context.verb == "x" || context.restricts', 'never "x"'),
        ('context.connection_kind == "postgresql"', "postgresql"),
        ('resource.kind == "k8s"', "k8s"),
        ('context.http.method == "get"', 'never "get"'),
        ('context.kubernetes.verb == "exec"', 'never "exec"'),
        ('context.kubernetes.escapes.contains("hostPath")', "hostPath"),
        ('context.patterns.contains("ticket")', 'context.patterns is never "ticket"'),
    ],
)
def test_a_word_that_no_fact_has(condition: str, words: str) -> None:
    error = problem(READ, "// one", forbid(condition))
    assert (error.file, error.line) == ("test.cedar", 3)
    assert words in error.message
    assert error.hint


def test_an_error_proposes_the_word_that_was_meant() -> None:
    assert problem(forbid('context.verb == "selct"')).hint == 'Did you mean "select"?'


@pytest.mark.parametrize(
    ("condition", "action"),
    [
        ("false", "action"),
        ("context.restricts && !context.restricts", "action"),
        ('context.verb == "select" && context.verb == "insert"', "action"),
        ('context.verb == "select"', 'action == ZT::Action::"insert"'),
        ('context.verb == "select"', 'action in ZT::Action::"write"'),
        ('context.verb != "select"', 'action == ZT::Action::"select"'),
        ('context.http.path == "/a" && context.http.path == "/b"', "action"),
        ('context.http.path == "/a"', 'action in ZT::Action::"read"'),
        ('context.http.path == "/a" && context.kubernetes.name == "b"', "action"),
        ('resource.kind == "http"', 'action in ZT::Action::"read"'),
        ('resource.kind == "http" && context.connection_kind == "llm"', "action"),
        ('context.risks.isEmpty() && context.risks.contains("lock")', "action"),
        ('context.plain_read && context.risks.contains("lock")', "action"),
        ("context.plain_read", 'action in ZT::Action::"write"'),
        ("!context.restricts", 'action in ZT::Action::"read"'),
        ('context.relations_written.contains("t")', 'action in ZT::Action::"read"'),
        ("context.statements > 5 && context.statements < 3", "action"),
        ("context.statements == 1 && context.statements > 1", "action"),
        ('resource == ZT::Connection::"crm" && resource.name == "warehouse"', "action"),
        ('principal == ZT::Human::"a" && principal == ZT::Human::"b"', "action"),
        ("!(principal has agent) && principal has agent", "action"),
        ('context.tags.contains("a") && !context.tags.containsAny(["a", "b"])', "action"),
        ('(context.restricts && !context.restricts) || context.verb == "insert"',
         'action in ZT::Action::"read"'),
    ],
)  # fmt: skip
def test_a_rule_that_can_never_match(condition: str, action: str) -> None:
    error = problem(READ, forbid(condition, action))
    assert error.line == 2
    assert "never match" in error.message


@pytest.mark.parametrize(
    "condition",
    [
        'context.verb == "select" || context.verb == "insert"',
        "context.statements > 5 || context.statements < 3",
        'context.risks.contains("lock") && context.risks.contains("privilege")',
        'context.http.path like "/a*" && context.http.path like "/b*"',
        "context has row_limit && context.row_limit == 1",
        "if context.restricts then false else true",
        'context.http.method == "GET" && context.http.query.contains("a")',
    ],
)
def test_a_rule_that_can_match_is_loaded(condition: str) -> None:
    PolicySet({"a.cedar": (READ + forbid(condition)).encode()}, CONNECTIONS)


def test_a_rule_with_too_many_cases_is_loaded_unjudged() -> None:
    pairs = " && ".join(
        f'(context.tags.contains("a{n}") || context.tags.contains("b{n}"))' for n in range(12)
    )
    assert MAX_CASES < 2**12
    PolicySet({"a.cedar": (READ + forbid(pairs + " && false")).encode()}, CONNECTIONS)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        # the second one is at fault
        ('@id("a")forbid (principal, action, resource) when { context.risks.contains("lock") };',
         ('@id("b")forbid (principal, action, resource)'
         'when { context.risks.contains("lock") && !context.restricts };'),
         "a forbids all of this already"),
        ('@id("a")forbid (principal, action in ZT::Action::"write", resource) when { true };',
         ('@id("b")forbid (principal, action == ZT::Action::"insert", resource)'
         'when { context.restricts };'),
         "a forbids all of this already"),
        ('@id("a")permit (principal, action in ZT::Action::"read", resource);',
         '@id("b")permit (principal, action == ZT::Action::"select", resource);',
         "adds nothing: a permits"),
        ('@id("a")@hold("reviewer")@quorum("2")permit (principal, action, resource);',
         '@id("b")@hold("reviewer")permit (principal, action == ZT::Action::"insert", resource);',
         "adds nothing: a permits"),
        ('@id("a")forbid (principal, action in ZT::Action::"define", resource);',
         '@id("b")permit (principal, action == ZT::Action::"ddl", resource);',
         "no effect: a forbids"),
        ('@id("a")permit (principal, action, resource);',
         '@id("b")permit (principal, action, resource);',
         "adds nothing: a permits"),
    ],
)  # fmt: skip
def test_a_shadowed_rule(first: str, second: str, words: str) -> None:
    error = problem(first, second)
    assert error.line == 2
    assert words in error.message
    assert "test.cedar:1" in error.hint


@pytest.mark.parametrize(
    "texts",
    [
        # the narrower forbid comes first, and gives the refusal its own code
        (forbid('context.verb == "ddl"', name="a"),
         forbid('["ddl", "call"].contains(context.verb)')),
        # the narrower permit asks for more
        ('@id("a")permit (principal, action, resource);',
         '@id("b")@hold("reviewer")permit (principal, action == ZT::Action::"insert", resource);'),
        # a stop: everything else stays in the files for quieter times
        (READ, '@id("stop")forbid (principal, action, resource);'),
        (READ, '@id("stop")forbid (principal, action, resource == ZT::Connection::"crm");',
         ('@id("crm")permit (principal, action == ZT::Action::"insert",'
         'resource == ZT::Connection::"crm");')),
    ],
)  # fmt: skip
def test_a_rule_that_does_something_is_loaded(texts: tuple[str, ...]) -> None:
    PolicySet({"a.cedar": "\n".join(texts).encode()}, CONNECTIONS)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ('context.relations_read.contains("custmers")', 'no relation "custmers" in warehouse'),
        ('context.relations_written.contains("public.payments")', "payments"),
        ('["customers", "order"].containsAll(context.relations_read)', 'no relation "order"'),
        ('context.columns_read.contains("emial")', 'no column "emial"'),
        ('context.columns_written.containsAny(["email", "totals"])', 'no column "totals"'),
        ('resource.name == "warehouse" && context.columns_read.contains("x")', 'no column "x"'),
    ],
)
def test_a_relation_or_column_that_there_is_not(condition: str, words: str) -> None:
    error = problem(READ, forbid(condition), classified=True)
    assert error.line == 2
    assert words in error.message
    assert error.hint


@pytest.mark.parametrize(
    "condition",
    [
        'context.relations_read.contains("public.customers")',
        'context.relations_read.contains("pg_catalog.pg_class")',
        'context.columns_read.contains("*")',
        'context.columns_read.contains("total")',
        'resource == ZT::Connection::"crm" && context.relations_read.contains("unknown_here")',
    ],
)
def test_names_that_there_are(condition: str) -> None:
    PolicySet({"a.cedar": (READ + forbid(condition)).encode()}, CONNECTIONS, classified=CLASSIFIED)


def test_a_field_that_does_not_exist() -> None:
    error = problem(READ, "", forbid('context.http.pth == "/"'))
    assert error.line == 3
    assert "pth" in error.message


CONDITIONS = [
    'context.verb == "select"',
    'context.verb != "delete"',
    "context.restricts",
    "context.plain_read",
    'context.risks.contains("lock")',
    "context.risks.isEmpty()",
    'context.relations_read.contains("t")',
    "context.relations_read.isEmpty()",
    "context.statements >= 1",
    "context.statements > 1",
    'resource.kind == "postgres"',
    'resource == ZT::Connection::"crm"',
    "principal has agent",
    'principal in ZT::Role::"analyst"',
    'context.columns_read.containsAll(["a", "b"])',
    "context has row_limit",
    '["t"].containsAll(context.relations_read)',
]
COMMANDS = [
    "select * from t",
    "select a, b from t limit 5",
    "select 1",
    "select 1 for update",
    "delete from t",
    "delete from t where id = 1",
    "insert into t values (1)",
    "drop table t",
]
conditions = st.recursive(
    st.sampled_from(CONDITIONS),
    lambda inner: st.one_of(
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda it: f"({' '.join(it)})"),
    ),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(
    one=conditions,
    other=conditions,
    agent=st.sampled_from([None, "a"]),
    connection=st.sampled_from(["warehouse", "crm"]),
)
def test_never_and_within_are_sound(
    one: str, other: str, agent: str | None, connection: str
) -> None:
    texts = (forbid(one, name="a") + forbid(other, name="b")).encode()
    first, second = read_rules({"a.cedar": texts}, ROLES)
    first_cases, second_cases = (possible(cases(it.policy) or []) for it in (first, second))
    for command in COMMANDS:
        question = Question(
            "https://idp.example#ana",
            frozenset({"analyst"}),
            agent,
            None,
            connection,
            "postgres",
            analyze_postgres(command),
            History(),
        )
        matching = set(ask(parse([first, second]), question).diagnostics.reasons)
        assert first_cases or "a" not in matching
        if within(first_cases, second_cases):
            assert "b" in matching or "a" not in matching
