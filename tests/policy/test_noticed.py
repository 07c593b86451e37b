"""What a policy set adds to an action's facts: tags by classification, the admin's patterns."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import Action, ColumnMask, Facts, MaskKind, Obligation
from jupyter_zt.policy import PolicySet, analyze_postgres
from tests.policy.decisions import CONNECTIONS, principal

READ = b'@id("read")permit (principal, action in ZT::Action::"read", resource);'
PATTERNS = rb"""
card-number: '\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b'
ticket: '(?i)\bops-\d+\b'
"""


def mask(column: str, tag: str, kind: MaskKind) -> ColumnMask:
    return ColumnMask("customers", column, tag, kind)


CLASSIFIED = {
    "warehouse": {
        "customers": {
            "id": mask("id", "none", MaskKind.CLEAR),
            "email": mask("email", "email", MaskKind.PSEUDONYM),
            "phone": mask("phone", "phone", MaskKind.HIDE),
        },
        "orders": {"total": mask("total", "none", MaskKind.CLEAR)},
    }
}


def noticed(command: str, files: dict[str, bytes] | None = None) -> Facts:
    given = PolicySet(
        files or {"a.cedar": READ, "patterns.yaml": PATTERNS}, CONNECTIONS, classified=CLASSIFIED
    )
    return given.noticed(Action("a", "s", "warehouse", command), analyze_postgres(command))


@pytest.mark.parametrize(
    ("command", "tags"),
    [
        ("select id from customers", set()),
        ("select email from customers", {"email"}),
        ("select email from orders", set()),
        ("select * from customers", {"email", "phone"}),
        ("select c from customers c", {"email", "phone"}),
        ("select id from public.customers where phone is null", {"phone"}),
        ("update customers set email = 'x' where id = 1", {"email"}),
        ("insert into customers values (1, 'a', 'b')", {"email", "phone"}),
        ("select total from orders", set()),
        ("select x from elsewhere", {"unclassified"}),
        ("select relname from pg_class", set()),
        ("select 1", set()),
    ],
)
def test_the_tags_of_what_an_action_touches(command: str, tags: set[str]) -> None:
    assert noticed(command).tags == tags


@pytest.mark.parametrize(
    ("command", "patterns"),
    [
        ("select 1", set()),
        ("select 1 -- ops-17", {"ticket"}),
        ("select '4111 1111 1111 1111'", {"card-number"}),
        ("delete from t where c = '4111111111111111' /* OPS-1 */", {"card-number", "ticket"}),
        ("select '\ud800'", {"card-number", "ticket"}),
    ],
)
def test_the_admins_patterns(command: str, patterns: set[str]) -> None:
    assert noticed(command).patterns == patterns


def test_a_policy_asks_for_tags_and_patterns() -> None:
    forbids = (
        b'@id("no-cards")@code("card_number")@reason("Matches {patterns}.")'
        b'forbid (principal, action, resource) when { context.patterns.contains("card-number") };'
        b'@id("no-phones")@code("phone")@reason("Touches {tags}.")'
        b'forbid (principal, action, resource) when { context.tags.contains("phone") };'
    )
    given = PolicySet(
        {"a.cedar": READ + forbids, "patterns.yaml": PATTERNS}, CONNECTIONS, classified=CLASSIFIED
    )

    def code(command: str) -> tuple[str, str]:
        action = Action("a", "s", "warehouse", command)
        facts = analyze_postgres(command)
        decision = given.decide(principal(), action, "postgres", facts, carries=Obligation)
        return decision.code, decision.message

    assert code("select id from customers") == ("", "")
    assert code("select '4111111111111111'") == ("card_number", "Matches card-number.")
    assert code("select * from customers") == ("phone", "Touches email, phone.")


def test_patterns_count_in_the_digest(tmp_path: Path) -> None:
    (tmp_path / "a.cedar").write_bytes(READ)
    before = PolicySet.load(tmp_path, CONNECTIONS).digest
    (tmp_path / "patterns.yaml").write_bytes(PATTERNS)
    assert PolicySet.load(tmp_path, CONNECTIONS).digest != before


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"a: '('", 1),
        (b"\na: '(?=x)'", 2),
        (b"a: '(x)\\1'", 1),
        (b"a: 'x*'", 1),
        (b"A b: x", 1),
        (b"a: x\na: y", 2),
        (b"a: [x]", 1),
        (b"- a", 1),
        (b"a: 'x", 1),
        (b"\xff", 0),
    ],
)
def test_wrong_patterns_are_an_error_with_their_line(text: bytes, line: int) -> None:
    with pytest.raises(ConfigError) as caught:
        noticed("select 1", {"a.cedar": READ, "patterns.yaml": text})
    assert caught.value.file == "patterns.yaml"
    assert caught.value.line in {line, line + 1}


def test_a_pattern_made_to_backtrack_takes_linear_time() -> None:
    evil = {"a.cedar": READ, "patterns.yaml": b"evil: '(a+)+$'"}
    assert noticed("select '" + "a" * 500_000 + "!'", evil).patterns == set()
