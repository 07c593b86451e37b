"""As whom this process comes to the gateway: the person who is logged in, or a service.

The environment names the service (``JUPYTER_ZT_SERVICE``) and the file of its private key
(``JUPYTER_ZT_SERVICE_KEY``) or of the token by which its issuer vouches for it
(``JUPYTER_ZT_SERVICE_ASSERTION``): paths, and no secret. The files are read for each token, and the
gateway is found as `find_gateway` does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_zt.client.api import GatewayApi
from jupyter_zt.client.keeper import fresh_id_token, fresh_login
from jupyter_zt.client.places import find_gateway, read_own, state_directory
from jupyter_zt.errors import ConfigError
from jupyter_zt.identity import Asker, ServiceClient, TokenClient
from jupyter_zt.identity.service_client import vouched_for, with_own_key

SERVICE_VARIABLE: Final = "JUPYTER_ZT_SERVICE"
KEY_VARIABLE: Final = "JUPYTER_ZT_SERVICE_KEY"
ASSERTION_VARIABLE: Final = "JUPYTER_ZT_SERVICE_ASSERTION"

_SERVICE_RENEWAL_SECONDS = 120.0
"""A service's word is good for five minutes."""


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts.

    Attributes:
        client: Who asks for tokens.
        id_token: Gives the person's ID token, fresh; None for a service.
        renew_at: When a session of theirs should be renewed, in seconds since 1970. Raises as
            `fresh_login` where nobody is logged in any more.
    """

    client: Asker
    id_token: Callable[[], str] | None
    renew_at: Callable[[], float]

    def api(self) -> GatewayApi:
        """The gateway, for them."""
        return GatewayApi(self.client.gateway, self.client, self.id_token)


def acting() -> Acting:
    """As whom this process acts.

    Raises:
        ZTError: As `fresh_login`, or `service_incomplete`: it is not said how it shows who it is.
    """
    service = _service()
    if service is not None:
        return Acting(service, None, lambda: time.time() + _SERVICE_RENEWAL_SECONDS)
    return as_person()


def as_person() -> Acting:
    """The person who is logged in, whatever the environment says. Raises as `fresh_login`."""
    login = fresh_login()
    client = TokenClient(login.gateway, login.settings.client_id, "")
    return Acting(client, fresh_id_token, lambda: fresh_login().tokens.renew_at)


def gateway_api() -> GatewayApi:
    """The gateway, for whoever acts. Raises as `acting`."""
    return acting().api()


def private_paths() -> list[Path]:
    """What shows who acts: no kernel may see it."""
    named = (os.environ.get(name) for name in (KEY_VARIABLE, ASSERTION_VARIABLE))
    return [state_directory(), *(Path(name).absolute() for name in named if name)]


def _service() -> ServiceClient | None:
    name = os.environ.get(SERVICE_VARIABLE, "")
    key, assertion = (os.environ.get(it, "") for it in (KEY_VARIABLE, ASSERTION_VARIABLE))
    if not name and not key and not assertion:
        return None
    if not name or bool(key) == bool(assertion):
        raise ConfigError(
            f"A service is named by {SERVICE_VARIABLE}, with either {KEY_VARIABLE} or "
            f"{ASSERTION_VARIABLE}.",
            code="service_incomplete",
            hint=f"{KEY_VARIABLE} is the path of its private key, {ASSERTION_VARIABLE} that of "
            "its issuer's token. For yourself leave all three out.",
        )
    gateway = find_gateway(None)
    if key:
        return with_own_key(gateway, name, lambda: read_own(Path(key)))
    return vouched_for(gateway, name, lambda: read_own(Path(assertion)))
