"""The evidence log: appending, checkpoints and proofs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from jupyter_zt.errors import ConfigError, EvidenceError, LogUnavailableError
from jupyter_zt.model import Record, RecordDraft
from jupyter_zt.recording.group import Group, LogState
from jupyter_zt.recording.reading import StoredTree, session_bodies, session_records
from jupyter_zt.recording.recovery import recover
from jupyter_zt.recording.signing import sign_checkpoint, verifier_key
from jupyter_zt.recording.startup import load_checked
from jupyter_zt.recording.tree import consistency_proof, inclusion_proof
from jupyter_zt.recording.verify.note import Checkpoint, Proof, VerifierKey, split_note
from jupyter_zt.recording.writer import Job, Writer

__all__ = ["Also", "Log"]

T = TypeVar("T")
Also = Callable[[Connection, Sequence[Record]], None]
"""Runs in the transaction of its records. When it raises, both are undone."""


class Log:
    """The evidence log of one gateway.

    Args:
        engine: From `storage.open_database`. This log must be the only writer of log tables.
        origin: Name of the log, such as ``gateway.example.com/zt``: no spaces, no plus.
        clock: Aware time of now.
        randomness: ``count -> bytes``, as `os.urandom`.
        on_fatal: Called once, from the writer's thread, when the log closed for good. A gateway
            ends its process here: only a new start can tell what is durable.
    """

    def __init__(
        self,
        engine: Engine,
        origin: str,
        signing_key: Ed25519PrivateKey,
        clock: Callable[[], datetime],
        randomness: Callable[[int], bytes],
        *,
        on_fatal: Callable[[str], None] | None = None,
    ) -> None:
        if not re.fullmatch(r"[^\s+\x00-\x1f]+", origin):
            raise ConfigError(
                f"The log's origin {origin!r} is empty or has spaces or a plus sign.",
                hint="Write a host and path, such as gateway.example.com/zt.",
            )
        self.origin = origin
        self._engine = engine
        self._key = signing_key

        def open_group(connection: Connection, state: LogState) -> Group:
            return Group(connection, origin, state, clock, randomness)

        self._writer = Writer(
            engine, origin, open_group, lambda head: sign_checkpoint(head, signing_key), on_fatal
        )

    def start(self, waiting: Collection[str] = frozenset()) -> list[Record]:
        """Check the stored log, begin to write, and record what a crash left open.

        Args:
            waiting: Actions that are held for consent, and stay so.

        Returns:
            An ``unknown_outcome`` for each action that may have gone upstream before the crash,
            then ``recovery``; nothing when the log is new.

        Raises:
            EvidenceError: The stored log is not the one that was signed last.
            LogUnavailableError: It can't be read or written.
        """
        try:
            with self._engine.connect() as connection:
                key = VerifierKey.parse(self.vkey())
                state, note = load_checked(connection, self.origin, key)
        except SQLAlchemyError as error:
            raise LogUnavailableError(f"The evidence log can't be read: {error}") from error
        self._writer.start(state, note)
        try:
            # A new log gets the checkpoint of the empty tree, so that there always is one.
            return self._writer.submit(
                lambda group: recover(group, waiting) if note else [], isolated=True
            ).result()
        except BaseException:
            self.close()
            raise

    async def append(self, drafts: Sequence[RecordDraft], also: Also | None = None) -> list[Record]:
        """Add records, in order, all or none. Durable when it returns.

        Args:
            drafts: Records to be.
            also: Changes other tables in the same transaction.

        Raises:
            LogUnavailableError: They are not durable. Nothing may go upstream.
            ConflictError: The session is sealed, or the action has its intent already.
            InvalidInputError: A draft can't be recorded.
            LimitError: A record or body is too large. (Whatever `also` raises comes out as well.)
        """

        def job(group: Group) -> list[Record]:
            records = [group.add(draft) for draft in drafts]
            if also is not None:
                group.flush()
                also(group.connection, records)
            return records

        return await asyncio.wrap_future(self._writer.submit(job, isolated=also is not None))

    async def write(self, job: Job[T]) -> T:
        """Run a job in the writer's thread that reads the log and adds to it, all or nothing."""
        return await asyncio.wrap_future(self._writer.submit(job, isolated=True))

    def checkpoint(self) -> str:
        """The last signed note: durable, and covers everything acknowledged before the call."""
        return self._writer.published.note

    def vkey(self) -> str:
        """The verifier key that an auditor pins."""
        return verifier_key(self.origin, self._key)

    def session_records(self, session: str) -> list[Record]:
        """A session's records in order."""
        with self._engine.connect() as connection:
            return session_records(connection, session)

    def session_bodies(self, session: str) -> dict[str, tuple[bytes, bytes]]:
        """A session's bodies that are not erased: hash in hex -> (salt, body)."""
        with self._engine.connect() as connection:
            return session_bodies(connection, session)

    def proof(self, leaf: int) -> Proof:
        """Where a leaf is under the present checkpoint.

        Raises:
            EvidenceError: The log has no such leaf.
        """
        note = self.checkpoint()
        size = Checkpoint.parse(split_note(note)[0]).size
        if not 0 <= leaf < size:
            raise EvidenceError(f"The log has no record {leaf}.", code="no_such_record")
        with self._engine.connect() as connection:
            return Proof(
                leaf, tuple(inclusion_proof(leaf, size, StoredTree(connection).node)), note
            )

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        """Proof that the tree of `new_size` leaves continues that of `old_size`.

        Raises:
            EvidenceError: The log never had these sizes in this order.
        """
        if not 0 < old_size <= new_size <= self._writer.published.state.frontier.size:
            raise EvidenceError("The log has no such tree sizes.", code="no_such_size")
        with self._engine.connect() as connection:
            return consistency_proof(old_size, new_size, StoredTree(connection).node)

    def close(self) -> None:
        """Write what was submitted, then stop. May be called more than once."""
        self._writer.close()
