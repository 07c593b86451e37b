"""The log's one writer: a thread, its queue, and group commit.

Order of durability: a commit writes leaves, bodies, whatever `also` changes, and the checkpoint
that covers them, in one transaction. Only when it is durable are its callers told, and only then
is its checkpoint published. A commit that fails is never acknowledged and never retried: what it
held is refused, and the next one begins from the last durable state. When it can't be known
whether a commit is durable (a failed fsync), or somebody else wrote to the log, the writer closes
for good.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, insert, update

from jupyter_zt.errors import LogUnavailableError
from jupyter_zt.recording.faults import ForkedLogError, is_database_failure, leaves_no_doubt
from jupyter_zt.recording.group import Group, LogState
from jupyter_zt.recording.reading import log_size
from jupyter_zt.recording.verify.note import Checkpoint
from jupyter_zt.storage import connect_for_writing
from jupyter_zt.storage.log_tables import log_checkpoint

__all__ = ["Job", "Writer"]

T = TypeVar("T")
Job = Callable[[Group], T]

_MAX_REQUESTS_PER_COMMIT = 256
_FIRST_CHECKPOINT = insert(log_checkpoint)
_NEXT_CHECKPOINT = update(log_checkpoint)  # of the one row that there is
_CLOSED = "The evidence log is closed."
_HINT_SPACE = "Free space or make the log's directory writable; it then works again by itself."
_HINT_RESTART = "Restart the gateway: it checks the log before it goes on."


@dataclass(frozen=True, slots=True)
class _Request:
    """One caller's part of a commit. `isolated`: it runs SQL of its own, so it gets a savepoint."""

    job: Job[Any]
    isolated: bool
    future: Future[Any]


@dataclass(frozen=True, slots=True)
class Published:
    """The last durable state, and the signed checkpoint that covers it."""

    state: LogState
    note: str


class Writer:
    """Commits jobs in groups.

    Args:
        open_group: Begins a group on a connection, from a state.
        sign: Makes the signed note of a checkpoint.
        on_fatal: Called once, from the writer's thread, when it closed for good.
    """

    def __init__(
        self,
        engine: Engine,
        origin: str,
        open_group: Callable[[Connection, LogState], Group],
        sign: Callable[[Checkpoint], str],
        on_fatal: Callable[[str], None] | None,
    ) -> None:
        self._engine = engine
        self._origin = origin
        self._open_group = open_group
        self._sign = sign
        self._on_fatal = on_fatal
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # between submitting and closing
        self._closed_because = _CLOSED
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None
        self._in_doubt = False  # the last commit failed: look at the log before the next one
        self.published = Published(LogState(), "")

    def start(self, state: LogState, note: str) -> None:
        """Begin to write after a checked state. `note` is "" for a new log."""
        self.published = Published(state, note)
        self._closed_because = ""
        self._thread = threading.Thread(target=self._run, name="zt-log", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T], *, isolated: bool) -> Future[T]:
        """Queue a job. Its future ends once the commit that holds it is durable, or failed.

        A future that is cancelled before its commit begins is left out of it.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed_because:
                future.set_exception(self._refusal())
            else:
                self._queue.put(_Request(job, isolated, future))
        return future

    def close(self) -> None:
        """Write what was submitted, then stop. May be called more than once."""
        with self._lock:
            self._closed_because = self._closed_because or _CLOSED
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        running = True
        while running:
            requests, running = self._next_requests()
            if requests:
                self._commit(requests)
        self._drop_connection()

    def _next_requests(self) -> tuple[list[_Request], bool]:
        """Everything that waits, up to one commit's worth, and whether to go on after it."""
        item = self._queue.get()
        requests: list[_Request] = []
        while item is not None:
            if item.future.set_running_or_notify_cancel():
                requests.append(item)
            if len(requests) >= _MAX_REQUESTS_PER_COMMIT:
                return requests, True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return requests, True
        return requests, False

    def _commit(self, requests: Sequence[_Request]) -> None:
        """One transaction for all of them; tells each caller how its own part ended."""
        outcomes: list[Any] = []
        try:
            self._refuse_after_fatal()
            published = self._transact(requests, outcomes)
        except BaseException as error:  # noqa: BLE001 - whatever it is, nobody may be told "durable"
            self._drop_connection()
            self._in_doubt = True
            refusal = self._after_failure(error)
            for at, request in enumerate(requests):
                own = outcomes[at] if at < len(outcomes) else None
                request.future.set_exception(own.error if isinstance(own, _Failure) else refusal)
            return
        self._in_doubt = False
        self.published = published
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, _Failure):
                request.future.set_exception(outcome.error)
            else:
                request.future.set_result(outcome)

    def _transact(self, requests: Sequence[_Request], outcomes: list[Any]) -> Published:
        before = self.published
        if self._connection is None:
            self._connection = connect_for_writing(self._engine)
        connection = self._connection
        with connection.begin():
            if self._in_doubt and log_size(connection) != before.state.frontier.size:
                raise ForkedLogError("the stored log has another size than was acknowledged")
            group = self._open_group(connection, before.state)
            for request in requests:
                outcomes.append(_run_job(group, request))  # noqa: PERF401 - kept when a later one fails
            group.flush()
            published = Published(group.state(), before.note)
            if published.state.frontier != before.state.frontier or not before.note:
                note = self._write_checkpoint(group, first=not before.note)
                published = Published(published.state, note)
            _require_transaction(connection)
        return published

    def _write_checkpoint(self, group: Group, *, first: bool) -> str:
        root = group.frontier.root()
        note = self._sign(Checkpoint(self._origin, group.frontier.size, root))
        row = {"origin": self._origin, "size": group.frontier.size, "root": root, "note": note}
        done = group.connection.execute(_FIRST_CHECKPOINT if first else _NEXT_CHECKPOINT, row)
        if done.rowcount != 1:
            raise ForkedLogError("the stored checkpoint is gone")
        return note

    def _after_failure(self, error: BaseException) -> LogUnavailableError:
        """What callers are told; closes for good when it can't be known what is durable."""
        if isinstance(error, LogUnavailableError):
            return error
        if leaves_no_doubt(error):
            cause = getattr(error, "orig", error)
            return _chained(f"The evidence log can't be written: {cause}.", _HINT_SPACE, error)
        why = f"The evidence log closed, because a commit failed in doubt: {error}."
        with self._lock:
            self._closed_because = why
        if self._on_fatal is not None:
            self._on_fatal(why)
        return _chained(why, _HINT_RESTART, error)

    def _refuse_after_fatal(self) -> None:
        if self._closed_because not in {"", _CLOSED}:
            raise self._refusal()

    def _refusal(self) -> LogUnavailableError:
        return LogUnavailableError(self._closed_because, hint=_HINT_RESTART)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


@dataclass(frozen=True, slots=True)
class _Failure:
    """One caller's part failed by itself, and was undone."""

    error: BaseException


def _run_job(group: Group, request: _Request) -> Any:
    """The job's result, or `_Failure`. Raises when the whole transaction failed."""
    try:
        if not request.isolated:
            with group.undo_on_error():
                return request.job(group)
        group.flush()
        with group.undo_on_error(), group.connection.begin_nested():
            result = request.job(group)
            group.flush()
            return result
    except BaseException as error:
        if is_database_failure(error):
            raise
        return _Failure(error)


def _require_transaction(connection: Connection) -> None:
    """SQLite rolls back by itself on some errors, and COMMIT would then do nothing and succeed."""
    if connection.dialect.name == "sqlite":
        driver = connection.connection.dbapi_connection
        if not getattr(driver, "in_transaction", False):
            raise ForkedLogError("the transaction was rolled back behind its back")


def _chained(message: str, hint: str, cause: BaseException) -> LogUnavailableError:
    error = LogUnavailableError(message, hint=hint)
    error.__cause__ = cause
    return error
