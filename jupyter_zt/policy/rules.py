"""Policy files to rules: read, cut into policies, and every annotation checked.

Cedar's own messages name no line, so the text is cut at the semicolons first (Cedar grammar:
strings with backslash escapes, line comments, nothing else that could hide one) and each policy is
parsed by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import cedarpy

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import Obligations
from jupyter_zt.policy.annotations import OBLIGATIONS, read_obligations

__all__ = ["DETAILS", "Rule", "read_rules"]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|;', re.DOTALL)
_NOT_CODE = re.compile(r"(?:\s+|//[^\n]*)*")
_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_CODE = re.compile(r"[a-z][a-z0-9_]{1,63}")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

_BOTH = frozenset({"id", "reason", "hint"})
_ANNOTATIONS = {"permit": _BOTH | OBLIGATIONS, "forbid": _BOTH | {"code"}}

DETAILS = frozenset(
    {
        "verb", "connection", "relations_read", "relations_written", "unlisted_functions",
        "estimated_rows",
        "tags", "patterns", "method", "path", "resource", "namespace", "escapes",
    }
)  # fmt: skip
"""What ``{...}`` in a reason or a hint can stand for."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy of a file.

    Attributes:
        id: Its ``@id``, unique in the set.
        effect: ``permit`` or ``forbid``.
        code: The refusal code of a forbid.
        reason: One sentence, or "".
        hint: What would pass, or "".
        obligations: What a permit asks for besides.
        file: Name of its file.
        line: 1-based line where it starts.
        text: Its exact text.
        policy: Cedar's JSON form of it.
    """

    id: str
    effect: str
    code: str
    reason: str
    hint: str
    obligations: Obligations
    file: str
    line: int
    text: str
    policy: dict[str, Any]

    def error(self, message: str, *, hint: str = "") -> ConfigError:
        """A `ConfigError` that points at this rule."""
        return ConfigError(message, file=self.file, line=self.line, hint=hint)


def read_rules(files: Mapping[str, bytes], roles: Collection[str]) -> list[Rule]:
    """The rules of a set, in the order of file names and lines.

    Args:
        files: Name -> exact bytes.
        roles: Roles that ``@hold`` may name.

    Raises:
        ConfigError: Text that is not UTF-8 or not Cedar, a template, an annotation that is
            unknown, missing, repeated or malformed.
    """
    rules: list[Rule] = []
    seen: dict[str, Rule] = {}
    for name in sorted(files):
        try:
            text = files[name].decode("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError("This policy file is not UTF-8 text.", file=name) from error
        for line, policy in _policies(text):
            rule = _rule(name, line, policy, roles)
            if rule.id in seen:
                first = seen[rule.id]
                message = f'@id("{rule.id}") is taken by {first.file}:{first.line}.'
                raise rule.error(message, hint="Give each policy an @id of its own.")
            seen[rule.id] = rule
            rules.append(rule)
    return rules


def _policies(text: str) -> Iterator[tuple[int, str]]:
    """(1-based line, text) of each policy."""
    start = 0
    for token in _TOKEN.finditer(text):
        if token[0] != ";":
            continue
        yield _placed(text, start, token.end())
        start = token.end()
    begin = _NOT_CODE.match(text, start)
    if begin is not None and begin.end() < len(text):
        yield _placed(text, start, len(text))


def _placed(text: str, start: int, end: int) -> tuple[int, str]:
    begin = _NOT_CODE.match(text, start, end)
    start = begin.end() if begin is not None else start
    return text.count("\n", 0, start) + 1, text[start:end]


def _rule(file: str, line: int, text: str, roles: Collection[str]) -> Rule:
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        hint = "A policy is: @id(...) permit or forbid (principal, action, resource) when { ... };"
        raise ConfigError(
            f"This is not a Cedar policy: {error}.", file=file, line=line, hint=hint
        ) from error
    policies = list(parsed["staticPolicies"].values())
    if len(policies) != 1:
        raise ConfigError(
            "Templates (?principal, ?resource) are not supported.",
            file=file,
            line=line,
            hint="Write the policy for the role or connection that you mean.",
        )
    policy = policies[0]
    notes: dict[str, str] = {
        key: value or "" for key, value in policy.get("annotations", {}).items()
    }
    effect = policy["effect"]
    rule = Rule(
        id=notes.get("id", ""),
        effect=effect,
        code=notes.get("code", "forbidden_by_policy" if effect == "forbid" else ""),
        reason=notes.get("reason", ""),
        hint=notes.get("hint", ""),
        obligations=Obligations(),
        file=file,
        line=line,
        text=text,
        policy=policy,
    )
    _check(rule, notes)
    return replace(rule, obligations=read_obligations(notes, roles, rule.error))


def _check(rule: Rule, notes: Mapping[str, str]) -> None:
    allowed = _ANNOTATIONS[rule.effect]
    for key in notes:
        if key not in allowed:
            known = ", ".join(f"@{name}" for name in sorted(allowed))
            raise rule.error(f"A {rule.effect} has no annotation @{key}.", hint=f"It has {known}.")
    if not _ID.fullmatch(rule.id):
        raise rule.error(
            "The policy has no @id." if "id" not in notes else f"@id({rule.id!r}) is not a name.",
            hint='Write @id("like-this") before it: small letters, digits, dashes, at most 64.',
        )
    if "code" in notes and not _CODE.fullmatch(rule.code):
        raise rule.error(f"@code({rule.code!r}) is not a code.", hint='Write @code("like_this").')
    for text in (rule.reason, rule.hint):
        for name in _PLACEHOLDER.findall(text):
            if name not in DETAILS:
                known = ", ".join(sorted(DETAILS))
                raise rule.error(f"{{{name}}} stands for nothing.", hint=f"Known are: {known}.")
