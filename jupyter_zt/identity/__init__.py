"""Who is asking: OpenID Connect relying party, ID token verification, roles.

The demo provider (`jupyter_zt.identity.demo_provider`) is apart: nothing else imports it.
"""

from __future__ import annotations

from jupyter_zt.identity.claims import Claims, human_from_claims
from jupyter_zt.identity.device import DeviceClient, DeviceCode
from jupyter_zt.identity.kept_tokens import dump_tokens, load_tokens
from jupyter_zt.identity.provider import Provider, ProviderMetadata
from jupyter_zt.identity.relying_party import LoginState, RelyingParty, Tokens
from jupyter_zt.identity.verifier import SKEW_SECONDS, TokenVerifier

__all__ = [
    "SKEW_SECONDS",
    "Claims",
    "DeviceClient",
    "DeviceCode",
    "LoginState",
    "Provider",
    "ProviderMetadata",
    "RelyingParty",
    "TokenVerifier",
    "Tokens",
    "dump_tokens",
    "human_from_claims",
    "load_tokens",
]
