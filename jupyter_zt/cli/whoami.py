"""`jupyter zt whoami`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from jupyter_zt.cli.terminal import printable
from jupyter_zt.client.acting import Acting, acting
from jupyter_zt.client.keeper import fresh_login


def main(argv: Sequence[str]) -> int:
    """Says who is logged in, or which service this is, as the gateway sees it now.

    Returns:
        0 when somebody is.

    Raises:
        ZTError: Nobody is, or the gateway can't be asked.
    """
    argparse.ArgumentParser(
        prog="jupyter zt whoami", description="Say who is logged in, where, and until when."
    ).parse_args(argv)
    who = acting()
    with who.api() as api:
        me = api.me()
    lines = [
        f"{me['name']}",
        f"  roles     {', '.join(me['roles']) or 'none'}",
        f"  gateway   {who.client.gateway}",
        f"  identity  {me['subject']} at {me['issuer']}",
        f"  until     {_until(who)}",
    ]
    print(printable("\n".join(lines)))
    return 0


def _until(who: Acting) -> str:
    if who.id_token is None:
        return "its key or its issuer's token is gone"
    tokens = fresh_login().tokens
    until = tokens.claims.expires_at.astimezone().isoformat(" ", "seconds")
    return f"{until}{', renewed by itself' if tokens.refresh_token else ''}"
