"""Who may ask this gateway for tokens: brokers, which have a secret, command lines, services."""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import unquote_plus

from jupyter_zt.access.secrets import SecretReference, read_secret
from jupyter_zt.errors import TokenRequestError
from jupyter_zt.gateway.config import Configuration
from jupyter_zt.gateway.hub_settings import HubIdentity
from jupyter_zt.identity import Client, ServiceAssertions
from jupyter_zt.identity.gateway_tokens import ACTIONS, APPROVE, ATTEST, READ, REVOKE, SESSION

BROKER = "broker"
"""Client id of the Jupyter servers that know the broker's secret."""

_FOR_A_PERSON = frozenset({READ, APPROVE, SESSION, REVOKE, ACTIONS})


class Clients:
    """The registered clients.

    Args:
        config: Names the broker's secret and the command line's client.
        services: Knows services.
    """

    def __init__(self, config: Configuration, services: ServiceAssertions) -> None:
        self._services = services
        identity = config.values.identity
        by_id_token = None if isinstance(identity, HubIdentity) else identity
        audiences = frozenset(by_id_token.audiences if by_id_token else ())
        broker = Client(BROKER, _FOR_A_PERSON | {ATTEST}, audiences)
        self._known: dict[str, tuple[Client, SecretReference | None]] = {
            BROKER: (broker, config.secret(config.values.broker.secret))
        }
        if by_id_token and by_id_token.cli_client_id:
            audience = frozenset([by_id_token.cli_client_id])
            command_line = Client(by_id_token.cli_client_id, _FOR_A_PERSON, audience)
            self._known[command_line.id] = (command_line, None)

    async def authenticate(self, authorization: str, form: Mapping[str, str]) -> Client:
        """The client of a request at the token endpoint (RFC 6749, section 2.3.1).

        Args:
            authorization: Value of the header; "" for none.
            form: The request's parameters.

        Raises:
            TokenRequestError: `invalid_client`, or `invalid_request`: it says two things at once.
            ConfigError: The secret, or a service's public key, can't be read.
        """
        if not authorization:
            service = await self._services.authenticate(form)
            if service is not None:
                return service
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization:
            basic_name, basic_secret = _basic(authorization)
            if secret or name not in {"", basic_name}:
                raise TokenRequestError("invalid_request", "The client authenticates itself twice.")
            name, secret = basic_name, basic_secret
        client, reference = self._known.get(name, (None, None))
        expected = read_secret(reference) if reference is not None else ""
        if client is None or not hmac.compare_digest(secret.encode(), expected.encode()):
            raise TokenRequestError(
                "invalid_client",
                "Only a registered client gets tokens.",
                hint="A Jupyter server is one when c.ZT.broker_secret_file names the secret that "
                "broker.secret in gateway.yaml names.",
            )
        return client


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        name, separator, secret = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        name = separator = secret = ""
    if scheme.lower() != "basic" or not separator:
        raise TokenRequestError("invalid_client", "The client's credentials have no valid form.")
    return unquote_plus(name), unquote_plus(secret)
