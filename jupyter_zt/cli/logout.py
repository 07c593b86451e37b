"""`jupyter zt logout`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from jupyter_zt.client.keeper import log_out
from jupyter_zt.errors import UnavailableError


def main(argv: Sequence[str]) -> int:
    """Forgets the login and revokes it at the provider (RFC 7009).

    Returns:
        0; 1 when the provider could not be told.
    """
    argparse.ArgumentParser(
        prog="jupyter zt logout",
        description="End the login: it is forgotten here and revoked at the identity provider.",
        epilog="exit status: 0, or 1 when the provider could not be told",
    ).parse_args(argv)
    try:
        login = log_out()
    except UnavailableError as error:
        print(error.diagnostics(), file=sys.stderr)
        print("You are logged out here, but the provider could not be told.", file=sys.stderr)
        return 1
    print("You are logged out." if login else "You were not logged in.")
    return 0
