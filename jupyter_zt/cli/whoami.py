"""`jupyter zt whoami`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from jupyter_zt.cli.terminal import printable
from jupyter_zt.client.api import GatewayApi
from jupyter_zt.client.keeper import fresh_login


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
    with GatewayApi(login.gateway) as api:
        me = api.me(login.tokens.id_token)
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
