"""`jupyter zt sessions list|revoke|resume`: which sessions there are, and their end."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from jupyter_zt.cli.terminal import printable, table
from jupyter_zt.client.acting import gateway_api
from jupyter_zt.client.api import GatewayApi
from jupyter_zt.errors import ZTError

EPILOG = """
revoke ends a session at once: its socket is closed, running statements are cancelled at the
target, held requests are withdrawn, leases are dropped, and its kernel's cells say who did it and
why. --all (administrators) does so to every session, and no new one opens, also after a restart of
the gateway, until `jupyter zt sessions resume`.

exit status: 0 it is done, 1 not everything was, or it was not confirmed, 2 it could not start
"""
_COLUMNS = ("id", "state", "human", "agent", "notebook", "opened_at")


def main(argv: Sequence[str]) -> int:
    """Lists or ends sessions: one's own; an administrator's are everybody's.

    Returns:
        The exit status.

    Raises:
        ZTError: Nobody is logged in, or the gateway refuses.
    """
    arguments = _parse(argv)
    with gateway_api() as api:
        match arguments.what:
            case "list":
                return _list(api, as_json=arguments.json)
            case "resume":
                api.resume_sessions()
                print("Sessions open again. Those that were revoked stay revoked.")
                return 0
            case _ if arguments.all:
                return _revoke_all(api, arguments)
            case _:
                return _revoke(api, arguments)


def _list(api: GatewayApi, *, as_json: bool) -> int:
    found, stopped = api.sessions(), api.stopped_sessions()
    if as_json:
        print(json.dumps({"sessions": found, "stopped": stopped}))
        return 0
    rows = [[session[name] or "" for name in _COLUMNS] for session in found]
    print(table(_COLUMNS, rows))
    if stopped:
        why = f": {stopped['reason']}" if stopped["reason"] else ""
        text = f"No session opens: {stopped['by']} stopped them at {stopped['at']}{why}"
        print(printable(text), file=sys.stderr)
    return 0


def _revoke(api: GatewayApi, arguments: argparse.Namespace) -> int:
    status = 0
    for session in arguments.session:
        try:
            api.revoke_session(session, arguments.reason)
        except ZTError as error:
            print(printable(f"{session}: {error.diagnostics()}"), file=sys.stderr)
            status = 1
        else:
            print(printable(f"{session} is revoked."))
    return status


def _revoke_all(api: GatewayApi, arguments: argparse.Namespace) -> int:
    if not arguments.yes and not _confirmed(len(api.sessions())):
        print("Nothing was revoked.", file=sys.stderr)
        return 1
    answer = api.revoke_all_sessions(arguments.reason)
    print(f"{answer['revoked']} sessions are revoked. None opens until: jupyter zt sessions resume")
    for session in answer["unrecorded"]:
        print(printable(f"{session} is revoked, but that is not recorded."), file=sys.stderr)
    return 1 if answer["unrecorded"] else 0


def _confirmed(count: int) -> bool:
    question = f"This ends all {count} sessions of everybody, and no new one opens. Really? [y/N] "
    print(question, end="", flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="jupyter zt sessions",
        description="List or end sessions: your own; an administrator, everybody's.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_subparsers(dest="what", required=True, metavar="list|revoke|resume")
    listing = what.add_parser("list", help="which there are")
    listing.add_argument("--json", action="store_true", help="print them as JSON")
    revoke = what.add_parser("revoke", help="end some, or all")
    which = revoke.add_mutually_exclusive_group(required=True)
    which.add_argument("session", nargs="*", default=[], metavar="ID", help="id of a session")
    which.add_argument("--all", action="store_true", help="all of everybody (administrators)")
    revoke.add_argument("--reason", default="", help="what its person is told, and the log keeps")
    revoke.add_argument("--yes", action="store_true", help="do not ask")
    what.add_parser("resume", help="let new sessions open again (administrators)")
    return parser.parse_args(argv)
