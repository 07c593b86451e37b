"""The words of a refusal: what was not understood, and the details that a policy's text names."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_zt.model import Facts, Verb
from jupyter_zt.policy.words import GROUP_OF, KINDS

__all__ = ["details", "fill", "misunderstood"]

_SQL = frozenset({"postgres", "mariadb"})
_KIND_OF = {
    "model": "llm",
    "http_read": "http",
    "http_write": "http",
    "kubernetes_read": "kubernetes",
    "kubernetes_write": "kubernetes",
    "kubernetes_enter": "kubernetes",
}
_SHOWN_NAMES = 5
_SHOWN_CHARACTERS = 63


def misunderstood(kind: str, facts: Facts) -> tuple[str, str, str] | None:
    """Why a command is refused before any policy is asked.

    Args:
        kind: Kind of the connection.
        facts: What analysis found.

    Returns:
        (code, message, hint), or None for one statement that was understood.
    """
    if kind not in KINDS:
        return (
            "not_understood",
            "There is no analyzer for this kind of connection.",
            "Tell an administrator: the connection's kind in gateway.yaml is not supported.",
        )
    if facts.statements == 0:
        return "empty_command", "There is no statement in this command.", "Write one statement."
    if facts.position:
        place = f"{facts.unknown}, character {facts.position}"
        hint = "Correct the text there and run it again."
        return "syntax_error", f"This is not SQL: {place}.", hint
    if facts.unknown or facts.verb is Verb.UNKNOWN:
        reason = facts.unknown or "it is of an unknown kind"
        hint = "What can't be understood is denied. Write it as a plain statement."
        return "not_understood", f"This command is not understood: {reason}.", hint
    if facts.statements > 1:
        message = f"These are {facts.statements} statements; one at a time is allowed."
        return "multiple_statements", message, "Run each statement in a cell of its own."
    if _KIND_OF.get(GROUP_OF[facts.verb], "sql") != ("sql" if kind in _SQL else kind):
        message = f"A connection of kind {kind} does not take this kind of command."
        return "not_understood", message, "Choose another connection."
    return None


def details(connection: str, facts: Facts) -> dict[str, str]:
    """What the placeholders of a policy's reason and hint stand for."""
    http, cluster = facts.http, facts.kubernetes
    return {
        "connection": _shown({connection}),
        "verb": _verb(facts.verb),
        "relations_read": _shown(facts.relations_read),
        "relations_written": _shown(facts.relations_written),
        "unlisted_functions": _shown(facts.unlisted_functions),
        "estimated_rows": "" if facts.estimated_rows is None else str(facts.estimated_rows),
        "tags": _shown(facts.tags),
        "patterns": _shown(facts.patterns),
        "method": _shown({http.method}) if http else "",
        "path": _shown({http.path}) if http else "",
        "resource": _shown({cluster.resource or cluster.path}) if cluster else "",
        "namespace": _shown({cluster.namespace}) if cluster else "",
        "escapes": _shown(cluster.escapes) if cluster else "",
    }


def _verb(verb: Verb) -> str:
    """As its own language says it: SELECT, GET, deletecollection."""
    for kind in ("http_", "kubernetes_"):
        if verb.value.startswith(kind):
            word = verb.value.removeprefix(kind)
            return word.upper() if kind == "http_" else word
    return verb.value.upper()


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders replaced. One pass: a value is never looked into again."""
    parts = text.split("{")
    filled = [parts[0]]
    for part in parts[1:]:
        name, _, rest = part.partition("}")
        filled.append(values.get(name, "") + rest)
    return "".join(filled)


def _shown(names: set[str] | frozenset[str]) -> str:
    """Names for a sentence: few, short, and without characters that hide or reorder text."""
    clean = [
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
        for name in sorted(names)
    ]
    short = [n if len(n) <= _SHOWN_CHARACTERS else n[:_SHOWN_CHARACTERS] + "..." for n in clean]
    more = len(short) - _SHOWN_NAMES
    return ", ".join(short[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
