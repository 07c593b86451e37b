"""`jupyter zt logout`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress

from jupyter_zt.client import open_sessions
from jupyter_zt.client.acting import as_person
from jupyter_zt.client.keeper import log_out
from jupyter_zt.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    UnavailableError,
    ZTError,
)


def main(argv: Sequence[str]) -> int:
    """Ends the sessions of commands, forgets the login, and revokes it at the provider (RFC 7009).

    Returns:
        0; 1 when the provider or the gateway could not be told.
    """
    argparse.ArgumentParser(
        prog="jupyter zt logout",
        description="End the login: what commands still run in its name is stopped, it is "
        "forgotten here, and revoked at the identity provider.",
        epilog="exit status: 0, or 1 when the provider or the gateway could not be told",
    ).parse_args(argv)
    told = _end_sessions()
    try:
        login = log_out()
    except UnavailableError as error:
        print(error.diagnostics(), file=sys.stderr)
        print("You are logged out here, but the provider could not be told.", file=sys.stderr)
        return 1
    print("You are logged out." if login else "You were not logged in.")
    return 0 if told else 1


def _end_sessions() -> bool:
    """Whether every session of a command that runs now was ended. A logout goes on without."""
    sessions = open_sessions.still_open()
    if not sessions:
        return True
    try:
        with as_person().api() as api:
            for session in sessions:
                # One that is over already, or another login's, can't be revoked and need not be.
                with suppress(NotFoundError, ConflictError):
                    api.revoke_session(session, "Its person logged out.")
                open_sessions.ended(session)
    except AuthenticationError:
        return True
    except ZTError as error:
        print(error.diagnostics(), file=sys.stderr)
        print("Commands that run now end when their login expires.", file=sys.stderr)
        return False
    return True
