"""`jupyter zt exec CONNECTION [COMMAND | --batch]`: commands in a session of their own."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from jupyter_zt.cli.client.frames import Event
from jupyter_zt.cli.client.session import COMPLETED, Outcome, Session
from jupyter_zt.cli.json_lines import Request, read_requests, until_nobody_reads, write_line
from jupyter_zt.cli.terminal import printable, table
from jupyter_zt.client.acting import acting
from jupyter_zt.client.places import write_private
from jupyter_zt.errors import ConfigError, InvalidInputError, ZTError

EPILOG = """
With --batch, stdin has a line {"command": "...", "parameters": [...]} for each command, and stdout
gets one line for each, at once: {"status": "completed|held|denied|failed", "code", "message",
"columns": [names], "rows": [[values]], "masked": {column: kind}, "record"}. Decimals, dates,
timestamps and bytes are texts. A line that can't be read fails with the code bad_input, and the
batch goes on. What another person has to approve is held with the code approval_required, and
withdrawn, unless --wait is given.

exit status: 0 everything was completed, 1 something was not, 2 it could not start
"""


def main(argv: Sequence[str]) -> int:
    """Runs commands with the rights that their person has in a notebook.

    Returns:
        The exit status.

    Raises:
        ZTError: No session can be opened.
    """
    arguments = _parse(argv)
    if arguments.record is not None and not arguments.record.parent.is_dir():
        raise ConfigError(
            f"There is no folder {arguments.record.parent}.", file=str(arguments.record)
        )
    for told in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C: the session is sealed, whatever ends it.
        signal.signal(told, signal.default_int_handler)
    who = acting()
    with who.api() as api:
        session = Session(api, who, arguments.agent)
        status = 1
        try:
            status = _batch(session, arguments) if arguments.batch else _single(session, arguments)
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
        finally:
            status = max(status, _seal(session, arguments.record))
    return status


def _batch(session: Session, arguments: argparse.Namespace) -> int:
    done = [False]  # nobody reads any more: not everything was told
    with until_nobody_reads():
        done = [_answer(session, arguments, request) for request in read_requests(sys.stdin.buffer)]
    return 0 if all(done) else 1


def _answer(
    session: Session, arguments: argparse.Namespace, request: Request | InvalidInputError
) -> bool:
    """Answers one line; whether it was completed."""
    if isinstance(request, Request):
        outcome = session.run(arguments.connection, request, lambda _: bool(arguments.wait))
    else:
        outcome = Outcome.of_error(request)
    write_line(outcome.to_json())
    return outcome.status == COMPLETED


def _single(session: Session, arguments: argparse.Namespace) -> int:
    wait = sys.stdout.isatty() if arguments.wait is None else bool(arguments.wait)

    def on_held(approval: Event) -> bool:
        if wait:
            text = (
                f"This waits for the approval of {approval['quorum']} with the role "
                f"{approval['reviewer_role']} ({approval['id']}). Ctrl-C withdraws it."
            )
            print(printable(text), file=sys.stderr, flush=True)
        return wait

    outcome = session.run(arguments.connection, Request(arguments.command), on_held)
    if outcome.columns:
        print(table(outcome.columns, outcome.rows))
    print(printable(_told(outcome)), file=sys.stderr)
    return 0 if outcome.status == COMPLETED else 1


def _told(outcome: Outcome) -> str:
    parts = [outcome.message] if outcome.message else []
    if outcome.columns:
        parts.append(f"{len(outcome.rows)} row{'s' * (len(outcome.rows) != 1)}")
    if outcome.masked:
        masks = ", ".join(f"{column} ({kind})" for column, kind in outcome.masked.items())
        parts.append(f"masked: {masks}")
    if outcome.record:
        parts.append(f"record {outcome.record}")
    status = "" if outcome.status == COMPLETED else f"{outcome.status} [{outcome.code}]: "
    hint = f"\n  {outcome.hint}" if outcome.hint else ""
    return f"{status}{' · '.join(parts)}{hint}"


def _seal(session: Session, record: Path | None) -> int:
    """Ends the session; 1 when it could not be sealed, or its recording not be saved."""
    try:
        recording = session.seal()
        if record is not None:
            write_private(record, recording.decode("utf-8"))
    except (ZTError, OSError) as error:
        text = error.diagnostics() if isinstance(error, ZTError) else str(error)
        print(printable(f"The session {session.id} was not sealed: {text}"), file=sys.stderr)
        return 1
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="jupyter zt exec",
        description="Run a command, or a batch of them, in one recorded session. Log in first: "
        "jupyter zt login",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("connection", metavar="CONNECTION", help="name of a connection")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("command", nargs="?", metavar="COMMAND", help="one command")
    what.add_argument("--batch", action="store_true", help="JSON lines on stdin")
    parser.add_argument(
        "--agent",
        metavar="NAME",
        help="run it as this registered agent, within its ceiling",
    )
    parser.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,
        help="wait for the approval of what is held (default: for one command on a terminal)",
    )
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="save the sealed recording (*.zt.ipynb)"
    )
    return parser.parse_args(argv)
