"""`jupyter zt login [--gateway URL]`: by device flow, in the browser of any device."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from jupyter_zt.cli.terminal import printable
from jupyter_zt.client.keeper import log_in
from jupyter_zt.client.places import GATEWAY_VARIABLE, find_gateway
from jupyter_zt.identity import DeviceCode


def main(argv: Sequence[str]) -> int:
    """Logs in and keeps the login.

    Returns:
        0 when somebody is logged in now.

    Raises:
        ZTError: Why nobody is.
    """
    parser = argparse.ArgumentParser(
        prog="jupyter zt login",
        description="Log in at a gateway. Shows an address and a code for any browser, and waits.",
    )
    parser.add_argument(
        "--gateway",
        metavar="URL",
        help=f"the gateway (default: {GATEWAY_VARIABLE} of the environment, or a running demo)",
    )
    gateway = find_gateway(parser.parse_args(argv).gateway)
    try:
        login, place = log_in(gateway, _show)
    except KeyboardInterrupt:
        print("\nNobody was logged in.", file=sys.stderr)
        return 1
    print(f"You are {printable(login.tokens.claims.name)} at {gateway} (kept in {place}).")
    return 0


def _show(device: DeviceCode) -> None:
    """Both addresses come from the provider, and hold printable characters only."""
    print(f"Open {device.verification_uri} and enter the code {device.user_code}", flush=True)
    if device.verification_uri_complete:
        print(f"or open {device.verification_uri_complete} and compare the code.", flush=True)
    print("Waiting ...", flush=True)
