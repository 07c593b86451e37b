"""Logins under way: from the redirect to the provider until its answer comes back. No IO.

An attempt is used once, lives ten minutes, and belongs to the browser that started it: the state in
the address finds the attempt, a cookie of that browser opens it.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity import LoginState

__all__ = ["ATTEMPT_SECONDS", "Attempt", "Attempts"]

ATTEMPT_SECONDS = 600
_MAX_ATTEMPTS = 1000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One login under way.

    Attributes:
        binding: Secret in the browser's cookie.
        after: Where to go once logged in; a path on this server.
    """

    state: LoginState
    binding: str = field(repr=False)
    after: str
    started_at: float


class Attempts:
    """The logins under way; the oldest give way when there are too many.

    Args:
        monotonic: Clock in seconds.
        randomness: Makes a URL-safe text of that many random bytes.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        randomness: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        self._monotonic = monotonic
        self._randomness = randomness
        self._attempts: OrderedDict[str, Attempt] = OrderedDict()

    def start(self, state: LoginState, after: str) -> Attempt:
        """Remember a login that goes to the provider now."""
        attempt = Attempt(state, self._randomness(32), after, self._monotonic())
        self._attempts[state.state] = attempt
        if len(self._attempts) > _MAX_ATTEMPTS:
            self._attempts.popitem(last=False)
        return attempt

    def take(self, state: str, binding: str) -> Attempt:
        """The attempt that this answer belongs to. It can't be taken again.

        Raises:
            AuthenticationError: `bad_login_response`: unknown, used, too old or another browser's.
        """
        attempt = self._attempts.get(state)
        if attempt is None or not hmac.compare_digest(attempt.binding.encode(), binding.encode()):
            raise _unknown()
        del self._attempts[state]
        if self._monotonic() - attempt.started_at > ATTEMPT_SECONDS:
            raise _unknown()
        return attempt


def _unknown() -> AuthenticationError:
    return AuthenticationError(
        "This answer of the identity provider belongs to no login that this browser started.",
        code="bad_login_response",
        hint="Start the login again.",
    )
