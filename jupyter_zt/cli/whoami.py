"""`jupyter zt whoami`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from jupyter_zt.cli.terminal import printable
from jupyter_zt.client.keeper import fresh_login, gateway_api


def main(argv: Sequence[str]) -> int:
    """Says who is logged in, as the gateway sees it now.

    Returns:
        0 when somebody is.

    Raises:
        ZTError: Nobody is, or the gateway can't be asked.
    """
    argparse.ArgumentParser(
        prog="jupyter zt whoami", description="Say who is logged in, where, and until when."
    ).parse_args(argv)
    login = fresh_login()
    with gateway_api() as api:
        me = api.me()
    until = login.tokens.claims.expires_at.astimezone().isoformat(" ", "seconds")
    renewed = ", renewed by itself" if login.tokens.refresh_token else ""
    lines = [
        f"{me['name']}",
        f"  roles     {', '.join(me['roles']) or 'none'}",
        f"  gateway   {login.gateway}",
        f"  identity  {me['subject']} at {me['issuer']}",
        f"  until     {until}{renewed}",
    ]
    print(printable("\n".join(lines)))
    return 0
