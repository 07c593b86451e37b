"""Proofs that were seen: each is good once (RFC 9449, section 11.1).

The store is bounded. It forgets by generations: an id is kept for one span at least and two at
most. When a generation is full, nothing more is accepted until the next: a proof that can't be
remembered could be used twice.

The store is of one process. Several gateway processes behind one address would each accept a proof
once; they need a nonce of their own in each proof (RFC 9449, section 8), or one process per client.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from jupyter_zt.errors import UnavailableError

MAX_IDS = 500_000
"""Of one generation: about 4,000 requests a second, and 60 MB."""


class Replays:
    """Ids that were used.

    Args:
        span_seconds: For how long an id must be remembered.
        max_ids: Of one generation.
        now: The clock by which proofs are young or old, in seconds.
    """

    def __init__(
        self, span_seconds: float, max_ids: int = MAX_IDS, now: Callable[[], float] = time.time
    ) -> None:
        self._span_seconds = span_seconds
        self._max_ids = max_ids
        self._now = now
        self._older: set[bytes] = set()
        self._newer: set[bytes] = set()
        self._turn_at = now() + span_seconds

    def is_new(self, key: str, proof_id: str) -> bool:
        """Whether this key has not used this id; from now on it has.

        Raises:
            UnavailableError: `too_many_proofs`: it can't be remembered.
        """
        self._turn()
        # Per key: nobody can use up the ids of others. Hashed: an id may be long.
        name = hashlib.sha256(f"{key}\0{proof_id}".encode()).digest()[:16]
        if name in self._newer or name in self._older:
            return False
        if len(self._newer) >= self._max_ids:
            raise UnavailableError(
                "Too many requests were made in the last minutes.",
                code="too_many_proofs",
                hint="Try again in a minute.",
            )
        self._newer.add(name)
        return True

    def _turn(self) -> None:
        now = self._now()
        if now < self._turn_at:
            return
        # After a long pause both generations are old.
        self._older = self._newer if now < self._turn_at + self._span_seconds else set()
        self._newer = set()
        self._turn_at = now + self._span_seconds
