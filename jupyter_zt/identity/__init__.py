"""Who is asking: OpenID Connect relying party, ID token verification, roles.

The demo provider (`jupyter_zt.identity.demo_provider`) is apart: nothing else imports it.
"""

from __future__ import annotations

from jupyter_zt.identity.claims import Claims
from jupyter_zt.identity.device import DeviceClient, DeviceCode
from jupyter_zt.identity.exchange import (
    Award,
    Client,
    Grant,
    Grants,
    IdTokens,
    Subject,
    SubjectVerifier,
    TokenExchange,
    TokenRequest,
)
from jupyter_zt.identity.gateway_auth import Asker, GatewayAuth, TokenClient
from jupyter_zt.identity.gateway_tokens import GatewayToken, GatewayTokens
from jupyter_zt.identity.hub import HubTokens, HubVerifier, hub_claims
from jupyter_zt.identity.kept_tokens import dump_tokens, load_tokens
from jupyter_zt.identity.logout_tokens import Logout
from jupyter_zt.identity.proof_key import ProofKey
from jupyter_zt.identity.proofs import ProofVerifier
from jupyter_zt.identity.provider import Provider, ProviderMetadata
from jupyter_zt.identity.relying_party import LoginState, RelyingParty, Tokens
from jupyter_zt.identity.roles import RoleMap, human_from_claims
from jupyter_zt.identity.service_assertions import ServiceAssertions
from jupyter_zt.identity.service_client import ServiceClient
from jupyter_zt.identity.signed_tokens import ASYMMETRIC_ALGORITHMS, SKEW_SECONDS
from jupyter_zt.identity.transport import is_protected
from jupyter_zt.identity.verifier import TokenVerifier

__all__ = [
    "ASYMMETRIC_ALGORITHMS",
    "SKEW_SECONDS",
    "Asker",
    "Award",
    "Claims",
    "Client",
    "DeviceClient",
    "DeviceCode",
    "GatewayAuth",
    "GatewayToken",
    "GatewayTokens",
    "Grant",
    "Grants",
    "HubTokens",
    "HubVerifier",
    "IdTokens",
    "LoginState",
    "Logout",
    "ProofKey",
    "ProofVerifier",
    "Provider",
    "ProviderMetadata",
    "RelyingParty",
    "RoleMap",
    "ServiceAssertions",
    "ServiceClient",
    "Subject",
    "SubjectVerifier",
    "TokenClient",
    "TokenExchange",
    "TokenRequest",
    "TokenVerifier",
    "Tokens",
    "dump_tokens",
    "hub_claims",
    "human_from_claims",
    "is_protected",
    "load_tokens",
]
