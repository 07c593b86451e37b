"""Loading, validating and deciding with Cedar policies."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import Decision, Facts, Verb, Verdict
from jupyter_zt.policy import PolicySet, analyze_postgres
from tests.policy.decisions import CONNECTIONS, DEMO, decide

READ = (
    '@id("read")\n@reason("May read.")\npermit (principal, action in ZT::Action::"read", resource);'
)


def policies(*texts: str) -> PolicySet:
    return PolicySet({"test.cedar": "\n".join(texts).encode()}, CONNECTIONS)


def problem(*texts: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        policies(*texts)
    assert caught.value.file == "test.cedar"
    return caught.value


def test_what_no_policy_permits_is_denied() -> None:
    decision = decide(policies(READ), "delete from t where id = 1")
    assert decision.verdict is Verdict.DENY
    assert decision.code == "not_permitted_by_policy"
    assert "DELETE on warehouse" in decision.message
    assert "analyst" in decision.message
    assert decision.policies == ()


def test_a_permit_allows_and_is_named() -> None:
    given = policies(READ)
    decision = decide(given, "select 1")
    assert decision == Decision(
        Verdict.ALLOW, given.digest, reasons=("May read.",), policies=("read",)
    )


def test_forbid_wins_and_the_first_one_gives_the_code() -> None:
    decision = decide(
        policies(
            READ,
            '@id("b")@code("first_code")@reason("No {verb} on {connection}.")@hint("Ask.")'
            "forbid (principal, action, resource);",
            '@id("a")@code("second_code")@reason("Never.")forbid (principal, action, resource);',
        ),
        "select 1",
    )
    assert decision.verdict is Verdict.DENY
    assert decision.code == "first_code"
    assert decision.message == "No SELECT on warehouse."
    assert decision.hint == "Ask."
    assert decision.reasons == ("No SELECT on warehouse.", "Never.")
    assert decision.policies == ("b", "a")


def test_a_forbid_without_words_still_explains_itself() -> None:
    decision = decide(policies('@id("no")forbid (principal, action, resource);'), "select 1")
    assert decision.code == "forbidden_by_policy"
    assert decision.message == "The policy no forbids this."


def test_a_permit_with_hold_holds() -> None:
    given = policies('@id("w")@hold("reviewer")permit (principal, action, resource);')
    decision = decide(given, "delete from t where id = 1")
    assert decision.verdict is Verdict.HOLD
    assert decision.obligations.reviewer_role == "reviewer"
    assert decision.obligations.quorum == 1


def test_one_hold_among_permits_holds_and_the_highest_quorum_counts() -> None:
    given = policies(
        '@id("a")permit (principal, action, resource);',
        '@id("b")@hold("reviewer")permit (principal, action, resource)'
        "when { context.columns_read.isEmpty() };",
        '@id("c")@hold("reviewer")@quorum("2")@reason("Two.")permit (principal, action, resource)'
        "when { context.relations_read.isEmpty() };",
    )
    decision = decide(given, "select 1")
    assert decision.verdict is Verdict.HOLD
    assert decision.obligations.quorum == 2
    assert decision.reasons == ("Two.",)
    assert decision.policies == ("a", "b", "c")


def test_holds_for_different_reviewers_are_denied() -> None:
    given = policies(
        '@id("a")@hold("reviewer")permit (principal, action, resource);',
        '@id("b")@hold("admin")permit (principal, action, resource);',
    )
    decision = decide(given, "select 1")
    assert decision.verdict is Verdict.DENY
    assert decision.code == "conflicting_holds"


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ('principal in ZT::Role::"analyst"', True),
        ('principal in ZT::Role::"admin"', False),
        ('principal == ZT::Human::"https://idp.example#ana"', True),
        ('principal == ZT::Human::"https://idp.example#bob"', False),
        ("principal has agent", False),
        ('resource == ZT::Connection::"warehouse"', True),
        ('resource == ZT::Connection::"crm"', False),
        ('resource.kind == "postgres" && resource.name == "warehouse"', True),
        ('context.connection_kind == "llm"', False),
        ('context.relations_read.contains("customers")', True),
        ('["customers", "orders"].containsAll(context.relations_read)', True),
        ('["orders"].containsAll(context.relations_read)', False),
        ('context.columns_read.contains("email")', True),
        ('context.functions.contains("lower")', True),
        ("context.unlisted_functions.isEmpty()", True),
        ("context.risks.isEmpty() && context.restricts", True),
        ("context.statements == 1", True),
        ('context.verb == "select"', True),
    ],
)
def test_what_a_policy_can_speak_of(condition: str, allowed: bool) -> None:  # noqa: FBT001 (a table)
    given = policies(f'@id("x")permit (principal, action, resource) when {{ {condition} }};')
    decision = decide(given, "select lower(email) from customers")
    assert (decision.verdict is Verdict.ALLOW) is allowed


def test_a_policy_can_be_about_agents() -> None:
    given = policies(
        READ,
        '@id("no-react")forbid (principal, action, resource)'
        'when { principal has agent && principal.agent == "react" };',
    )
    assert decide(given, "select 1").verdict is Verdict.ALLOW
    assert decide(given, "select 1", agent="react").verdict is Verdict.DENY
    assert decide(given, "select 1", agent="other").verdict is Verdict.ALLOW


def test_a_decision_is_not_remembered_for_another_person_or_role() -> None:
    given = policies(
        '@id("x")permit (principal == ZT::Human::"https://idp.example#ana", action, resource)'
        'when { principal in ZT::Role::"analyst" };'
    )
    assert decide(given, "select 1").verdict is Verdict.ALLOW
    assert decide(given, "select 1", roles=()).verdict is Verdict.DENY
    assert decide(given, "select 1", connection="crm").verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("", "empty_command", "no statement"),
        ("-- nothing", "empty_command", "no statement"),
        ("selec 1", "syntax_error", "character 1"),
        ("select 1\x00", "not_understood", "NUL"),
        ("select 1; select 2", "multiple_statements", "2 statements"),
        ("select " + "(" * 10_000, "not_understood", "too deeply"),
    ],
)
def test_what_is_not_one_understood_statement_is_denied_whatever_the_policies_say(
    command: str, code: str, words: str
) -> None:
    given = policies('@id("all")permit (principal, action, resource);')
    decision = decide(given, command)
    assert decision.verdict is Verdict.DENY
    assert decision.code == code
    assert words in decision.message
    assert decision.hint


def test_the_kind_of_a_connection_must_fit() -> None:
    given = policies('@id("all")permit (principal, action, resource);')
    call = Facts(Verb.MODEL_CALL)
    assert decide(given, "", kind="llm", facts=call).verdict is Verdict.ALLOW
    assert decide(given, "", kind="postgres", facts=call).code == "not_understood"
    assert decide(given, "select 1", kind="llm").code == "not_understood"
    assert decide(given, "select 1", kind="gopher").code == "not_understood"


def test_a_policy_that_fails_while_it_runs_denies() -> None:
    given = policies(
        '@id("all")permit (principal, action, resource);',
        '@id("no")forbid (principal, action, resource)'
        "when { context.statements + 9223372036854775807 > 5 };",
    )
    decision = decide(given, "select 1")
    assert decision.verdict is Verdict.DENY
    assert decision.code == "policy_error"


def test_facts_that_make_no_sense_deny() -> None:
    given = policies('@id("all")permit (principal, action, resource);')
    broken = Facts(Verb.SELECT, relations_read={"not hashable"})  # type: ignore[arg-type]
    assert decide(given, "select 1", facts=broken).code == "policy_error"


def test_details_in_a_reason_are_shown_and_not_looked_into() -> None:
    given = policies(
        '@id("no")@reason("Not {unlisted_functions}.")forbid (principal, action, resource);'
    )
    decision = decide(given, 'select "{verb}\u202e"(1), f1(), f2(), f3(), f4(), f5()')
    assert decision.message == 'Not "{verb}\N{REPLACEMENT CHARACTER}", f1, f2, f3, f4 and 1 more.'


# --- Loading ------------------------------------------------------------------------------------


def test_load_reads_every_cedar_file_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "b.cedar").write_text(READ)
    (tmp_path / "a.cedar").write_text('@id("no")forbid (principal, action, resource);')
    (tmp_path / "notes.txt").write_text("not a policy")
    given = PolicySet.load(tmp_path, CONNECTIONS)
    assert [rule.id for rule in given.rules] == ["no", "read"]
    assert decide(given, "select 1").verdict is Verdict.DENY


def test_the_digest_is_of_names_and_exact_bytes(tmp_path: Path) -> None:
    def digest(**files: str) -> str:
        return PolicySet({f"{n}.cedar": t.encode() for n, t in files.items()}, CONNECTIONS).digest

    assert digest(a=READ) == digest(a=READ)
    assert digest(a=READ) != digest(b=READ)
    assert digest(a=READ) != digest(a=READ + " ")
    assert digest(a=READ, b="// x") != digest(a=READ + "// x", b="")
    (tmp_path / "a.cedar").write_text(READ)
    assert PolicySet.load(tmp_path, CONNECTIONS).digest == digest(a=READ)


def test_an_empty_or_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \*\.cedar file"):
        PolicySet.load(tmp_path, CONNECTIONS)
    with pytest.raises(ConfigError, match="can't be read"):
        PolicySet.load(tmp_path / "missing", CONNECTIONS)
    (tmp_path / "a.cedar").write_text("// nothing here;\n")
    with pytest.raises(ConfigError, match="no policy in this set"):
        PolicySet.load(tmp_path, CONNECTIONS)


def test_text_that_is_not_utf_8_is_an_error() -> None:
    with pytest.raises(ConfigError, match="UTF-8"):
        PolicySet({"test.cedar": b"\xff"}, CONNECTIONS)


def test_semicolons_and_slashes_inside_strings_do_not_cut_a_policy() -> None:
    given = policies(
        "// a comment; with a semicolon\n",
        '@id("one")@reason("a; b \\" // c")permit (principal, action, resource);',
        '@id("two")forbid (principal, action, resource); // the end',
    )
    assert [(rule.id, rule.line) for rule in given.rules] == [("one", 3), ("two", 4)]
    assert given.rules[0].reason == 'a; b " // c'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("permit (principal, action, resource);", "no @id"),
        ('@id("A b")permit (principal, action, resource);', "not a name"),
        ('@id("read")permit (principal, action, resource);', "taken by test.cedar:1"),
        ('@id("x")@max("1")permit (principal, action, resource);', "no annotation @max"),
        ('@id("x")@hold("reviewer")forbid (principal, action, resource);', "no annotation @hold"),
        ('@id("x")@code("c")permit (principal, action, resource);', "no annotation @code"),
        ('@id("x")@code("C d")forbid (principal, action, resource);', "not a code"),
        ('@id("x")@hold("reviwer")permit (principal, action, resource);', "names no role"),
        ('@id("x")@quorum("2")permit (principal, action, resource);', "without @hold"),
        ('@id("x")@hold("reviewer")@quorum("0")permit (principal, action, resource);', "number"),
        ('@id("x")@reason("{nope}")permit (principal, action, resource);', "stands for nothing"),
        ('@id("x")permit (principal, action resource);', "not a Cedar policy"),
        ('@id("x")permit (principal, action, resource)', "not a Cedar policy"),
        ('@id("x")permit (principal == ?principal, action, resource);', "Templates"),
        ('@id("x")permit (principal, action, resource) when { context.nope };', "nope"),
        ('@id("x")permit (principal, action == ZT::Action::"selec", resource);', "selec"),
        ('@id("x")permit (principal, action, resource) when { context.restricts > 1 };', "type"),
        ('@id("x")permit (principal, action, resource == ZT::Connection::"wharehouse");',
         'no ZT::Connection::"wharehouse"'),
        ('@id("x")permit (principal, action, resource) when { resource == ZT::Connection::"a" };',
         'no ZT::Connection::"a"'),
        ('@id("x")permit (principal in ZT::Role::"analist", action, resource);',
         'no ZT::Role::"analist"'),
    ],
)  # fmt: skip
def test_a_wrong_policy_is_an_error_with_its_line(text: str, words: str) -> None:
    error = problem(READ, "", "// the one at fault:", text)
    assert error.line == 6
    assert words in error.message


def test_errors_say_what_to_write_instead() -> None:
    assert (
        "warehouse"
        in problem('@id("x")permit (principal, action, resource == ZT::Connection::"x");').hint
    )
    assert "reviewer" in problem('@id("x")@hold("x")permit (principal, action, resource);').hint


def test_the_pack_ships_with_the_package() -> None:
    assert PolicySet({"demo.cedar": DEMO}, []).rules
    assert analyze_postgres("select 1").verb is Verb.SELECT
