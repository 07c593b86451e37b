"""`jupyter zt explain [COMMAND | --batch]`: what policy would say, without running anything."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from jupyter_zt.cli.json_lines import Request, read_requests, until_nobody_reads, write_line
from jupyter_zt.model import ANALYST, ROLES, Action, Human, Principal
from jupyter_zt.policy import PolicySet, analyze_postgres

EPILOG = """
One JSON object per command: {"facts": {...}, "decision": {"verdict": "allow|hold|deny", "code",
"message", "hint", "reasons", "policies", "policy_digest", "reviewer_role", "quorum"}}. Numbers are
texts. With --batch, stdin has a line {"command": "..."} for each; a line that can't be read is
answered with {"error": {"code": "bad_input", "message"}}.

exit status: 0 everything was explained, 1 a line could not be read, 2 it could not start
"""


def main(argv: Sequence[str]) -> int:
    """Explains commands. Needs no gateway and no login.

    Returns:
        The exit status.

    Raises:
        ConfigError: The policies can't be used; says file and line.
    """
    arguments = _parse(argv)
    explainer = Explainer(_policies(arguments), arguments.connection[0], arguments.role)
    if not arguments.batch:
        answer = explainer.explain(arguments.command)
        indent = 2 if sys.stdout.isatty() else None
        print(json.dumps(answer, indent=indent))
        return 0
    status = 0
    with until_nobody_reads():
        for request in read_requests(sys.stdin.buffer):
            if isinstance(request, Request):
                write_line(explainer.explain(request.command))
            else:
                status = 1
                write_line({"error": {"code": request.code, "message": request.message}})
    return status


class Explainer:
    """Analysis and policy for one imagined person.

    Args:
        policies: The set that decides.
        connection: What the commands are for.
        roles: Of the person.
    """

    def __init__(self, policies: PolicySet, connection: str, roles: Sequence[str]) -> None:
        self._policies = policies
        self._connection = connection
        human = Human("", "explain", "explain", frozenset(roles))
        self._principal = Principal(human, session="")

    def explain(self, command: str) -> dict[str, object]:
        """Facts and decision of a command as JSON. Never raises."""
        facts = analyze_postgres(command)
        action = Action(id="", session="", connection=self._connection, command=command)
        decision = self._policies.decide(self._principal, action, "postgres", facts)
        return {"facts": facts.to_json(), "decision": decision.to_json()}


def _policies(arguments: argparse.Namespace) -> PolicySet:
    if arguments.policies is not None:
        return PolicySet.load(arguments.policies, arguments.connection)
    with as_file(files("jupyter_zt").joinpath("policy", "packs", "demo.cedar")) as packs:
        return PolicySet.load(packs, arguments.connection)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="jupyter zt explain",
        description="What a command is, and what policy would say to it. Nothing is run.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("command", nargs="?", metavar="COMMAND", help="one command")
    what.add_argument("--batch", action="store_true", help="JSON lines on stdin")
    parser.add_argument(
        "--kind", choices=["postgres"], default="postgres", help="kind of the connection"
    )
    parser.add_argument(
        "--policies",
        type=Path,
        metavar="DIR",
        help="folder of *.cedar files (default: the policies of `jupyter zt demo`)",
    )
    parser.add_argument(
        "--role",
        action="append",
        choices=ROLES,
        help=f"role of the person; may be repeated (default: {ANALYST})",
    )
    parser.add_argument(
        "--connection",
        action="append",
        metavar="NAME",
        help="connection that the commands are for (default: warehouse); repeat it for others that "
        "the policies name",
    )
    arguments = parser.parse_args(argv)
    arguments.role = arguments.role or [ANALYST]
    arguments.connection = arguments.connection or ["warehouse"]
    return arguments
