"""One group commit: gives each draft its place, and writes what the group adds.

Everything that the log knows in memory is `LogState`, a value: a group starts from it and ends in
a new one, which becomes the log's only after the commit is durable. Undo is to drop the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert
from sqlalchemy.exc import IntegrityError

from jupyter_zt.errors import ConflictError, InvalidInputError, LimitError
from jupyter_zt.model import Record, RecordDraft, RecordKind
from jupyter_zt.recording.canonical import MAX_BODY_BYTES, RESERVED, body_hash, canonical_record
from jupyter_zt.recording.faults import ForkedLogError
from jupyter_zt.recording.reading import head_of
from jupyter_zt.recording.tree import Frontier
from jupyter_zt.recording.verify.merkle import leaf_hash
from jupyter_zt.storage.log_tables import log_bodies, log_leaves, log_nodes, log_open_actions

__all__ = ["Group", "Head", "LogState", "OpenAction"]

_MAX_HEADS = 256
_OUTCOMES = frozenset(
    {RecordKind.RESULT, RecordKind.MODEL_CALL, RecordKind.ERROR, RecordKind.UNKNOWN_OUTCOME}
)

# Built once: building a statement costs about as much as running it.
_INSERT_LEAVES, _INSERT_NODES, _INSERT_BODIES, _OPEN_ACTION = map(
    insert, (log_leaves, log_nodes, log_bodies, log_open_actions)
)
_CLOSE_ACTION = delete(log_open_actions).where(log_open_actions.c.action == bindparam("closed"))


@dataclass(frozen=True, slots=True)
class Head:
    """Where a session's next record goes: its seq, and the leaf hash (hex) it follows."""

    seq: int = 0
    prev: str = ""
    sealed: bool = False


@dataclass(frozen=True, slots=True)
class OpenAction:
    """An intent without an outcome: its session and where its record is."""

    session: str
    leaf: int


@dataclass(frozen=True, slots=True)
class LogState:
    """All that appending needs to remember. Sessions that are not in `heads` are looked up."""

    frontier: Frontier = field(default_factory=Frontier)
    heads: Mapping[str, Head] = field(default_factory=dict)
    open_actions: Mapping[str, OpenAction] = field(default_factory=dict)


class Group:
    """The drafts of one commit, in one database transaction.

    Args:
        connection: In the transaction that will commit this group.
        clock: Aware time of now; goes into ``at``.
        randomness: ``count -> bytes``, for the salts.
    """

    def __init__(
        self,
        connection: Connection,
        origin: str,
        state: LogState,
        clock: Callable[[], datetime],
        randomness: Callable[[int], bytes],
    ) -> None:
        self.connection = connection
        self.frontier = state.frontier
        self._origin = origin
        self._clock = clock
        self._randomness = randomness
        self._heads = dict(state.heads)
        self._open = dict(state.open_actions)
        self._opened: list[str] = []
        self._closed: list[str] = []
        self._leaves: list[dict[str, object]] = []
        self._nodes: list[dict[str, object]] = []
        self._bodies: list[dict[str, object]] = []

    def state(self) -> LogState:
        """What the log remembers once this group is durable."""
        heads = self._heads
        if len(heads) > _MAX_HEADS:
            heads = dict(list(heads.items())[-_MAX_HEADS // 2 :])
        return LogState(self.frontier, heads, self._open)

    def add(self, draft: RecordDraft) -> Record:
        """Give a draft its place in its session and in the tree.

        Raises:
            ConflictError: The session is sealed, or the action has its intent already.
            InvalidInputError: The draft can't be recorded.
            LimitError: It, or one of its bodies, is too large.
        """
        head = self._head(draft.session)
        if head.sealed:
            raise ConflictError("This session is sealed.", code="session_sealed")
        hashes, bodies = self._hash_bodies(draft)
        data = canonical_record(self._fields(draft, head, hashes))
        hashed = leaf_hash(data)
        leaf = self.frontier.size
        self._follow(draft, leaf)
        self._leaves.append(
            {
                "leaf": leaf,
                "session": draft.session,
                "seq": head.seq,
                "kind": draft.kind.value,
                "hash": hashed,
                "data": data,
            }
        )
        self._bodies += bodies
        self.frontier, complete = self.frontier.append(hashed)
        self._nodes += [{"level": lv, "position": at, "hash": hs} for lv, at, hs in complete]
        self._heads.pop(draft.session, None)  # the most recent ones stand last
        self._heads[draft.session] = Head(
            head.seq + 1, hashed.hex(), sealed=draft.kind is RecordKind.SEAL
        )
        return Record(leaf, head.seq, draft.session, draft.kind, data)

    def flush(self) -> None:
        """Write what was added so far, still inside the transaction."""
        for statement, rows in (
            (_INSERT_LEAVES, self._leaves),
            (_INSERT_NODES, self._nodes),
            (_INSERT_BODIES, self._bodies),
        ):
            if rows:
                try:
                    self.connection.execute(statement, rows)
                except IntegrityError as error:
                    raise ForkedLogError("another process writes to this log") from error
                rows.clear()
        self._write_open_actions()

    @contextmanager
    def undo_on_error(self) -> Iterator[None]:
        """Forget what the block added when it raises. What it flushed is the savepoint's affair."""
        frontier, heads, actions = self.frontier, dict(self._heads), dict(self._open)
        lists: tuple[list[Any], ...] = (
            self._leaves, self._nodes, self._bodies, self._opened, self._closed,
        )  # fmt: skip
        counts = [len(rows) for rows in lists]
        try:
            yield
        except Exception:
            self.frontier, self._heads, self._open = frontier, heads, actions
            for rows, count in zip(lists, counts, strict=True):
                del rows[count:]
            raise

    @property
    def open_actions(self) -> Mapping[str, OpenAction]:
        """Actions that have an intent and no outcome."""
        return self._open

    def _fields(
        self, draft: RecordDraft, head: Head, bodies: Mapping[str, str]
    ) -> dict[str, object]:
        if not RESERVED.isdisjoint(draft.fields):
            names = ", ".join(sorted(RESERVED.intersection(draft.fields)))
            raise InvalidInputError(f"The log itself sets {names}.", code="bad_record")
        fields: dict[str, object] = {
            **draft.fields,
            "v": "1",
            "origin": self._origin,
            "session": draft.session,
            "leaf": str(self.frontier.size),
            "seq": str(head.seq),
            "prev": head.prev,
            "kind": draft.kind.value,
            "at": self._clock().astimezone(UTC).isoformat(timespec="microseconds"),
            "attested_by": draft.attested_by,
        }
        if bodies:
            fields["bodies"] = dict(bodies)
        return fields

    def _hash_bodies(self, draft: RecordDraft) -> tuple[dict[str, str], list[dict[str, object]]]:
        hashes: dict[str, str] = {}
        rows: list[dict[str, object]] = []
        for name, body in draft.bodies.items():
            if len(body) > MAX_BODY_BYTES:
                raise LimitError(
                    f"A body of {len(body)} bytes is over the limit of {MAX_BODY_BYTES}.",
                    code="body_too_large",
                )
            salt = self._randomness(32)
            hashed = body_hash(salt, body)
            hashes[name] = hashed.hex()
            rows.append({"hash": hashed, "session": draft.session, "salt": salt, "body": body})
        return hashes, rows

    def _head(self, session: str) -> Head:
        head = self._heads.get(session)
        if head is None:
            # What this group added to the session is in `_heads`, so the stored row is the last.
            stored = head_of(self.connection, session)
            head = Head()
            if stored is not None:
                seq, hashed, kind = stored
                head = Head(seq + 1, hashed, sealed=kind == RecordKind.SEAL)
        return head

    def _follow(self, draft: RecordDraft, leaf: int) -> None:
        """Keep account of which intents have no outcome yet."""
        action = draft.fields.get("action")
        if draft.kind is RecordKind.INTENT:
            if not isinstance(action, str) or not action:
                raise InvalidInputError("An intent names its action.", code="bad_record")
            if action in self._open:
                raise ConflictError("This action has its intent already.", code="action_exists")
            self._open[action] = OpenAction(draft.session, leaf)
            self._opened.append(action)
        elif not isinstance(action, str) or action not in self._open:
            return
        elif _closes(draft):
            del self._open[action]
            self._closed.append(action)

    def _write_open_actions(self) -> None:
        if self._closed:
            closed = [{"closed": action} for action in self._closed]
            self.connection.execute(_CLOSE_ACTION, closed)
            self._closed.clear()
        opened = [
            {"action": action, "leaf": self._open[action].leaf}
            for action in dict.fromkeys(self._opened)
            if action in self._open
        ]
        if opened:
            self.connection.execute(_OPEN_ACTION, opened)
        self._opened.clear()


def _closes(draft: RecordDraft) -> bool:
    """Whether it says how an action ended: it ran, failed, or will not run."""
    if draft.kind is RecordKind.DECISION:
        return draft.fields.get("verdict") == "deny"
    if draft.kind is RecordKind.APPROVAL_CLOSED:
        return draft.fields.get("state") != "approved"
    return draft.kind in _OUTCOMES
