"""`jupyter zt policy check`: is this set right, as a whole?"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from jupyter_zt.cli.policy.sources import add_policies, policies_path, print_json, surroundings
from jupyter_zt.cli.terminal import printable, table
from jupyter_zt.errors import ConfigError

EPILOG = """
Checks syntax, types, annotations, names of connections, roles, relations and columns, rules that
can never match and rules that another one makes pointless: what a gateway checks when it loads.

exit status: 0 the set can be used, 2 it can't; file and line are said
"""


def main(argv: Sequence[str]) -> int:
    """Loads a policy set and says what is in it.

    Raises:
        ConfigError: What is wrong, with file and line.
    """
    parser = argparse.ArgumentParser(
        prog="jupyter zt policy check",
        description="Load a policy set as a gateway would.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_policies(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args(argv)
    with ExitStack() as stack:
        try:
            policies = surroundings(arguments).load(policies_path(arguments, stack))
        except ConfigError as error:
            if not arguments.json:
                raise
            print_json(
                {
                    "ok": False,
                    "file": error.file,
                    "line": error.line,
                    "message": error.message,
                    "hint": error.hint,
                }
            )
            return 2
    rules = [
        {"id": it.id, "effect": it.effect, "file": it.file, "line": it.line}
        for it in policies.rules
    ]
    if arguments.json:
        print_json({"ok": True, "digest": policies.digest, "rules": rules})
        return 0
    print(printable(table(("id", "effect", "file", "line"), [tuple(it.values()) for it in rules])))
    counted = Counter(it.effect for it in policies.rules)
    print(f"\n{counted['permit']} permits, {counted['forbid']} forbids. Digest {policies.digest}")
    return 0
