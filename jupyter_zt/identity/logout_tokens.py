"""Logout tokens: the provider says that a login has ended (OpenID Connect Back-Channel Logout 1.0).

Whoever can reach the server can send one, so everything hangs on the checks of section 2.6.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity.claims import Claims
from jupyter_zt.identity.signed_tokens import SKEW_SECONDS, SignedTokens, TokenKind

EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_AGE_SECONDS = 300
_MAX_TEXT = 255

# Section 4.1: providers from before the type was registered send "JWT" or nothing. What keeps an ID
# token out then is that it has no event, and its nonce.
_LOGOUT_TOKEN = TokenKind(
    "logout token", frozenset({"logout+jwt", "jwt", ""}), "logout", ("iat", "exp", "jti", "events")
)


@dataclass(frozen=True, slots=True)
class Logout:
    """What a verified logout token says has ended.

    Attributes:
        sub: Whose logins; "" where only one session is meant.
        sid: The provider's name for one session; "" where all of a person's are meant.
        issued_at: Seconds since 1970.
    """

    sub: str
    sid: str
    issued_at: float

    def ends(self, claims: Claims) -> bool:
        """Whether the login with this ID token is meant.

        A login whose session the provider never named ends with any of its person's.
        """
        sid = claims.raw.get("sid")
        if self.sid and isinstance(sid, str):
            return sid == self.sid
        return bool(self.sub) and claims.sub == self.sub

    def precedes(self, claims: Claims) -> bool:
        """Whether a login that is only now being finished has ended already."""
        same_session = bool(self.sid) and claims.raw.get("sid") == self.sid
        return same_session or (self.ends(claims) and claims.issued_at.timestamp() < self.issued_at)


class LogoutTokens:
    """Verifies logout tokens, each once.

    Args:
        signed: Opens the provider's tokens for this client.
        now: Wall clock, seconds since 1970.
    """

    def __init__(self, signed: SignedTokens, *, now: Callable[[], float] = time.time) -> None:
        self._signed = signed
        self._now = now
        self._seen: dict[str, float] = {}

    async def accept(self, token: str) -> Logout:
        """What has ended, by a token that is the provider's word, for us, now, and new.

        Raises:
            AuthenticationError: As `SignedTokens.open`, or `token_too_old`, `token_replayed`.
            UnavailableError: `identity_provider_unreachable` while no keys are known.
        """
        # (1) Signature, algorithm, type, issuer, audience, times: steps 1 to 3.
        claims, _ = await self._signed.open(token, _LOGOUT_TOKEN)
        # (2) Somebody's or some session's: step 4.
        sub, sid, jti = (_text(claims, name) for name in ("sub", "sid", "jti"))
        if not (sub or sid):
            raise _bad("it names neither a person nor a session")
        # (3) A logout, and no ID token: steps 5 and 6.
        events = claims["events"]
        if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
            raise AuthenticationError("This is no logout token.", code="wrong_token_type")
        if "nonce" in claims:
            raise AuthenticationError("A logout token has no nonce.", code="wrong_token_type")
        # (4) New: step 7. An old one is refused, so that used ones need not be kept for ever.
        issued_at = float(claims["iat"])
        if self._now() - issued_at > MAX_AGE_SECONDS + SKEW_SECONDS:
            raise AuthenticationError("The logout token is too old.", code="token_too_old")
        self._use_once(jti, issued_at)
        return Logout(sub=sub, sid=sid, issued_at=issued_at)

    def _use_once(self, jti: str, issued_at: float) -> None:
        oldest = self._now() - MAX_AGE_SECONDS - SKEW_SECONDS
        self._seen = {known: at for known, at in self._seen.items() if at >= oldest}
        if jti in self._seen:
            raise AuthenticationError("The logout token was used before.", code="token_replayed")
        self._seen[jti] = issued_at


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise _bad(f"its {name} has no valid form")
    return value


def _bad(detail: str) -> AuthenticationError:
    return AuthenticationError(f"The logout token can't be used: {detail}.", code="bad_token")
