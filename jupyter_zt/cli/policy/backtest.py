"""`jupyter zt policy backtest`: what would this policy set have decided about past actions?"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_zt.cli.policy.changes import print_changes
from jupyter_zt.cli.policy.past import Past, read_log, read_recordings
from jupyter_zt.cli.policy.sources import add_policies, policies_path, surroundings
from jupyter_zt.errors import ConfigError
from jupyter_zt.model import Decision, Verdict
from jupyter_zt.policy import PolicySet
from jupyter_zt.policy.compare import Asked, Change, compare

EPILOG = """
The past actions come from the log of the gateway that --config names (it may be running), or from
recordings. Each is analysed anew where the log still has its text, and decided for the person, the
agent and the roles that it was recorded with, after what its session had done before.

They are compared with what was recorded then; with --against, with what another policy set would
have decided. What was denied by an agent's ceiling, a budget or a lease is left out.

exit status: 0 nothing would be decided otherwise, 1 something would, 2 it could not start
"""


def main(argv: Sequence[str]) -> int:
    """Decides past actions by a candidate.

    Raises:
        ConfigError: The candidate, the log or a recording can't be used.
    """
    arguments = _parse(argv)
    since = datetime.now(UTC) - timedelta(days=arguments.days) if arguments.days else None
    if arguments.recording:
        everything = read_recordings(arguments.recording)
        pasts = [past for past in everything if since is None or past.at >= since]
    elif arguments.config is not None:
        pasts = read_log(arguments.config, since)
    else:
        raise ConfigError("There is no log.", hint="Name it: --config DIR, or a recording.")
    with ExitStack() as stack:
        seen = {past.connection: past.asked({}).kind for past in pasts}
        around = surroundings(arguments, seen)
        candidate = around.load(policies_path(arguments, stack))
    mine = [past for past in pasts if past.by_policy]
    asked = [past.asked(around.kinds) for past in mine]
    if arguments.against is not None:
        changes = compare(around.load(arguments.against), candidate, asked)
    else:
        changes = _since_then(candidate, mine, asked)
    skipped = len(pasts) - len(mine)
    return print_changes(changes, len(mine), as_json=arguments.json, skipped=skipped)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="jupyter zt policy backtest",
        description="Decide past actions by a candidate policy set.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "recording", type=Path, nargs="*", metavar="RECORDING", help="*.zt.ipynb, in place of a log"
    )
    add_policies(parser)
    parser.add_argument("--against", type=Path, metavar="PATH", help="compare with this policy set")
    parser.add_argument(
        "--days", type=int, default=30, metavar="N", help="how far back; 0 for all (default: 30)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser.parse_args(argv)


def _since_then(
    candidate: PolicySet, pasts: Sequence[Past], asked: Sequence[Asked]
) -> list[Change]:
    """Where verdict or code differ from the record: obligations besides a hold are not in it."""
    changes = []
    decided = candidate.decide_many([it.question for it in asked])
    for past, it, after in zip(pasts, asked, decided, strict=True):
        before = _recorded(past.decision)
        if (before.verdict, before.code) != (after.verdict, after.code):
            changes.append(Change(it, before, after))
    return changes


def _recorded(record: Mapping[str, Any]) -> Decision:
    return Decision(
        Verdict(record["verdict"]),
        str(record["policy"]),
        code=str(record["code"]),
        reasons=tuple(record["reasons"]),
        policies=tuple(record["policies"]),
    )
