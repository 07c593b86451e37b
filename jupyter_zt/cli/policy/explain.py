"""`jupyter zt policy explain`: why a command would be, or was, decided so."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_zt.cli.policy.past import Past, read_log, read_recordings
from jupyter_zt.cli.policy.sources import (
    add_person,
    add_policies,
    policies_path,
    print_json,
    roles_of,
    surroundings,
)
from jupyter_zt.cli.terminal import printable
from jupyter_zt.errors import ConfigError
from jupyter_zt.model import Action, Facts, Human, Obligation, Principal
from jupyter_zt.policy import PolicySet, analyze

EPILOG = """
With --record the facts and the decision are those that a gateway recorded for a past action: its
leaf is what every result and refusal is shown with. The rules are told from the policies at hand
where they are those that decided it, which their digest says.

`jupyter zt explain --batch` is the same for programs, one JSON line for each command.

exit status: 0 it was explained, 2 it could not be
"""


def main(argv: Sequence[str]) -> int:
    """Explains one command or one past action.

    Raises:
        ConfigError: Policies, log or recording can't be used, or there is no such record.
    """
    arguments = _parse(argv)
    with ExitStack() as stack:
        around = surroundings(arguments)
        policies = around.load(policies_path(arguments, stack))
    if arguments.record is not None:
        past = _find(arguments)
        told = _told(past.facts, past.decision, policies, digest=str(past.decision["policy"]))
        told |= {"record": str(past.leaf), "at": past.at.isoformat(), "command": past.command}
    else:
        connection = next(iter(arguments.connection), "") or next(iter(around.kinds))
        name = connection.partition("=")[0]
        kind = arguments.kind or around.kinds[name]
        told = _explained(policies, arguments, name, kind)
    if arguments.json:
        print_json(told)
    else:
        print(printable(_text(told)))
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="jupyter zt policy explain",
        description="Show facts, rules and verdict. Nothing is run.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("command", nargs="?", metavar="COMMAND", help="one command")
    what.add_argument("--record", type=int, metavar="LEAF", help="a past action, by its record")
    parser.add_argument(
        "--recording", type=Path, metavar="FILE", help="look for the record in this recording"
    )
    parser.add_argument("--kind", help="kind of the connection, where it is not configured")
    add_policies(parser)
    add_person(parser)
    parser.add_argument("--rows", type=int, metavar="N", help="rows that the target would expect")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser.parse_args(argv)


def _find(arguments: argparse.Namespace) -> Past:
    if arguments.recording is not None:
        pasts = read_recordings([arguments.recording])
    elif arguments.config is not None:
        pasts = read_log(arguments.config)
    else:
        raise ConfigError(
            "--record needs a log.", hint="Name it: --config DIR, or --recording FILE."
        )
    for past in pasts:
        if arguments.record in {past.leaf, past.leaf + 1}:  # the intent, or its decision
            return past
    raise ConfigError(
        f"There is no action with the record {arguments.record}.",
        hint="It is the record that a result or a refusal names.",
    )


def _explained(
    policies: PolicySet, arguments: argparse.Namespace, connection: str, kind: str
) -> dict[str, Any]:
    human = Human("", "explain", "explain", frozenset(roles_of(arguments)))
    action = Action("", "", connection, arguments.command)
    facts = replace(analyze(kind, arguments.command), estimated_rows=arguments.rows)
    facts = policies.noticed(action, facts)
    decision = policies.decide(
        Principal(human, "", arguments.agent), action, kind, facts, carries=frozenset(Obligation)
    )
    return _told(facts, decision.to_json(), policies, digest=decision.policy_digest)


def _told(
    facts: Facts, decision: Mapping[str, Any], policies: PolicySet, *, digest: str
) -> dict[str, Any]:
    mine = digest == policies.digest
    rules = [rule for rule in policies.rules if mine and rule.id in decision["policies"]]
    return {
        "facts": facts.to_json(),
        "decision": dict(decision),
        "policies_at_hand": mine,
        "rules": [
            {"id": it.id, "file": it.file, "line": it.line, "text": it.text.strip()} for it in rules
        ],
    }


def _text(told: Mapping[str, Any]) -> str:
    decision = told["decision"]
    lines: list[str] = []
    if told.get("record"):
        lines += [f"Record {told['record']}, {told['at']}", ""]
        if told["command"]:
            lines += [textwrap.indent(told["command"], "    "), ""]
    lines.append(f"{decision['verdict'].upper()}  {decision['code']}".rstrip())
    lines += [f"  {decision[name]}" for name in ("message", "hint") if decision.get(name)]
    lines += [f"  {name}: {decision[name]}" for name in _OBLIGATIONS if _says(decision.get(name))]
    for remedy in decision.get("remedies", []):
        lines.append(f"  {remedy['text']}")
        if "command" in remedy:
            lines.append(textwrap.indent(remedy["command"], "      "))
    lines += ["", "Facts"]
    for name, value in told["facts"].items():
        if _says(value):
            lines.append(f"  {name:<19} {_shown(value)}")
    lines += ["", "Rules that determined it"]
    for rule in told["rules"]:
        lines += [f"  {rule['file']}:{rule['line']}", textwrap.indent(rule["text"], "    "), ""]
    if not decision["policies"]:
        lines.append("  none: what no policy permits is denied")
    elif not told["policies_at_hand"]:
        names = ", ".join(decision["policies"])
        lines.append(f"  {names} (of another set than the one at hand)")
    return "\n".join(lines).rstrip()


_OBLIGATIONS = ("reviewer_role", "quorum", "max_rows", "masks", "step_up_seconds")


def _says(value: object) -> bool:
    return value not in ("", "0", None, [], {}, 0)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, dict):
        return "; ".join(f"{name} {_shown(item)}" for name, item in value.items() if _says(item))
    return str(value)
