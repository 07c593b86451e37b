"""The words of a refusal: what was not understood, and the details that a policy's text names."""

from __future__ import annotations

from collections.abc import Mapping

from jupyter_zt.model import Facts, Verb

__all__ = ["details", "fill", "misunderstood"]

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
    if facts.statements == 0:
        return "empty_command", "There is no statement in this command.", "Write one statement."
    if facts.position:
        place = f"{facts.unknown}, character {facts.position}"
        return (
            "syntax_error",
            f"This is not SQL: {place}.",
            "Correct the text there and run it again.",
        )
    if facts.unknown or facts.verb is Verb.UNKNOWN:
        reason = facts.unknown or "it is of an unknown kind"
        hint = "What can't be understood is denied. Write it as a plain statement."
        return "not_understood", f"This command is not understood: {reason}.", hint
    if facts.statements > 1:
        message = f"These are {facts.statements} statements; one at a time is allowed."
        return "multiple_statements", message, "Run each statement in a cell of its own."
    if (facts.verb is Verb.MODEL_CALL) != (kind == "llm"):
        message = f"A connection of kind {kind} does not take this kind of command."
        return "not_understood", message, "Choose another connection."
    return None


def details(connection: str, facts: Facts) -> dict[str, str]:
    """What the placeholders of a policy's reason and hint stand for."""
    return {
        "connection": _shown({connection}),
        "verb": facts.verb.value.upper(),
        "relations_read": _shown(facts.relations_read),
        "relations_written": _shown(facts.relations_written),
        "unlisted_functions": _shown(facts.unlisted_functions),
    }


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
