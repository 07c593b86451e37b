"""`jupyter zt policy diff OLD NEW`: which commands do two policy sets decide differently?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib.resources import as_file
from pathlib import Path

from jupyter_zt.cli.policy.changes import print_changes
from jupyter_zt.cli.policy.sources import (
    PACKS,
    add_person,
    add_surroundings,
    pack_names,
    roles_of,
    surroundings,
)
from jupyter_zt.errors import ConfigError
from jupyter_zt.model import Action, Human, Principal
from jupyter_zt.policy import analyze
from jupyter_zt.policy.cases import read_cases
from jupyter_zt.policy.compare import Asked, compare

EPILOG = """
OLD and NEW are folders of *.cedar files, single files, or names of starter packs. COMMANDS are
JSON lines {"command": "...", "connection": "...", "roles": [...], "agent": "..."}, of which only
the command is needed, or cases in YAML, whose expectations do not count.

exit status: 0 they decide all of them alike, 1 they do not, 2 it could not start
"""


def main(argv: Sequence[str]) -> int:
    """Compares two policy sets.

    Raises:
        ConfigError: A set or the commands can't be used.
    """
    arguments = _parse(argv)
    with ExitStack() as stack:
        lines = [line for path in arguments.commands for line in _lines(path)]
        kinds = {str(it["connection"]): str(it["kind"]) for it in lines if it.get("kind")}
        around = surroundings(arguments, kinds)
        sets = []
        for name in (arguments.old, arguments.new):
            packed = name in pack_names() and not Path(name).exists()
            where = stack.enter_context(as_file(PACKS / f"{name}.cedar")) if packed else Path(name)
            sets.append(around.load(where))
    default = next(iter(around.kinds))
    asked = [_asked(line, default, around.kinds, arguments) for line in lines]
    return print_changes(compare(sets[0], sets[1], asked), len(asked), as_json=arguments.json)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="jupyter zt policy diff",
        description="Decide the same commands by two policy sets.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", metavar="OLD", help="the policies at hand")
    parser.add_argument("new", metavar="NEW", help="the policies that are to follow")
    parser.add_argument(
        "--commands",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="commands to decide: *.jsonl or *.yaml; may be repeated",
    )
    add_surroundings(parser)
    add_person(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser.parse_args(argv)


def _lines(path: Path) -> Iterator[dict[str, object]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("These commands can't be read.", file=str(path)) from error
    if path.suffix in {".yaml", ".yml"}:
        for case in read_cases(str(path), text).cases:
            yield {
                "command": case.command,
                "connection": case.connection,
                "kind": case.kind,
                "roles": sorted(case.roles),
                "agent": case.agent,
            }
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict) or not isinstance(said.get("command"), str):
            raise ConfigError(
                'This line is no JSON object with a "command".', file=str(path), line=number
            )
        yield said


def _asked(
    line: Mapping[str, object],
    default: str,
    kinds: Mapping[str, str],
    arguments: argparse.Namespace,
) -> Asked:
    connection = str(line.get("connection") or default)
    kind = kinds.get(connection, "postgres")
    said = line.get("roles")
    roles = said if isinstance(said, list) else roles_of(arguments)
    agent = line.get("agent", arguments.agent)
    human = Human("", "diff", "diff", frozenset(str(role) for role in roles))
    principal = Principal(human, "", str(agent) if agent else None)
    command = str(line["command"])
    return Asked(principal, Action("", "", connection, command), kind, analyze(kind, command))
