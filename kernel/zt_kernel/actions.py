"""One action, from the request to its outcome.

1. Send it, once. From here on nothing is ever sent again.
2. Follow the events: accepted, perhaps held and approved, progress, schema.
3. Read the rows straight into Arrow.
4. The last event says how it ended; anything but `result` is an error with a code.

If the gateway restarts while the action is held, it is still held afterwards: listen again. If it
goes away while the statement runs, the outcome is unknown: say so, and do nothing.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from zt_kernel.errors import ZTError, ZTInterrupted, from_event
from zt_kernel.frames import ArrowSource, Event, FrameReader, StreamCutError
from zt_kernel.gateway import Answer, Gateway, read_problem

if TYPE_CHECKING:
    from zt_kernel.scalars import Scalar

HELD_PATIENCE_SECONDS = 120.0
Receive = Callable[[pa.RecordBatchReader], None]
_BROKEN = (OSError, http.client.HTTPException, StreamCutError)


@dataclass(frozen=True, slots=True)
class Command:
    """What is asked for.

    Attributes:
        parameters: Positional bind parameters (``$1`` first).
        cell: Message id of the execute request that it comes from; "" outside of a cell.
        cause: Leaf of the record that led to it (a model call); "" if none.
        agent: As which registered agent it is done; "" for the session's own.
        max_rows: Rows after which the result ends; None for the connection's own limit.
    """

    connection: str
    text: str
    parameters: Sequence[Scalar] = ()
    cell: str = ""
    cause: str = ""
    agent: str = ""
    max_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Mask:
    """How the gateway masked a column, and what it holds."""

    kind: str
    tag: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result; `type` is the target's name for it."""

    name: str
    type: str
    mask: Mask | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a completed action ended.

    Attributes:
        result: The gateway's last event.
        table: The rows; None where there are none to have (UPDATE, a model call), or where they
            went elsewhere.
    """

    command: Command
    result: Mapping[str, Any]
    columns: tuple[Column, ...] = ()
    table: pa.Table | None = None


class Watcher(Protocol):
    """Who shows how it goes."""

    def held(self, approval: Mapping[str, Any]) -> None:
        """It waits for another person."""

    def approved(self, by: Sequence[str]) -> None:
        """It was approved, and runs now."""

    def gateway_away(self) -> None:
        """The gateway restarts; the action is still held."""

    def gateway_back(self) -> None:
        """It is there again, and the action still held."""

    def ended(self, status: str, message: str) -> None:
        """A held action ended without success."""


@dataclass(slots=True)
class _Progress:
    action: str = ""
    record: str = ""
    held: bool = False
    approved: bool = False
    columns: tuple[Column, ...] = ()
    rows: list[pa.Table] = field(default_factory=list)


def run(
    gateway: Gateway, command: Command, watcher: Watcher, receive: Receive | None = None
) -> Outcome:
    """Runs one action to its end.

    Args:
        gateway: This session's.
        command: What is asked for.
        watcher: Shows how it goes.
        receive: Takes the rows, batch by batch, instead of the outcome. What it raises must be a
            `ZTError`: other errors are taken for a broken connection.

    Raises:
        ZTRefused: Denied by policy or a person, expired, cancelled, over a limit.
        ZTError: Anything else that went wrong.
        ZTInterrupted: The stop button; the action was cancelled.
    """
    progress = _Progress()
    try:
        with _cancelled_on_interrupt(gateway, None, progress):
            answer = _start(gateway, command)
        while True:
            with _cancelled_on_interrupt(gateway, answer, progress):
                try:
                    return _follow(answer, command, progress, watcher, receive)
                except _BROKEN as error:
                    answer.close()
                    if not progress.held or progress.approved:
                        raise _lost(command, progress) from error
            answer = _attach_again(gateway, command, progress, watcher)
    except ZTError as error:
        if _waits(progress):
            watcher.ended(error.status or "cancelled", error.message)
        raise


def _start(gateway: Gateway, command: Command) -> Answer:
    request = {
        "connection": command.connection,
        "command": command.text,
        "parameters": list(command.parameters),
        "cell": command.cell,
        "cause": command.cause,
        **({"agent": command.agent} if command.agent else {}),
        **({"max_rows": command.max_rows} if command.max_rows else {}),
    }
    try:
        answer = gateway.start_action(request)
    except _BROKEN as error:
        raise _lost(command, _Progress()) from error
    if answer.response.status != http.HTTPStatus.OK:
        raise read_problem(answer, command.text)
    return answer


def _attach_again(
    gateway: Gateway, command: Command, progress: _Progress, watcher: Watcher
) -> Answer:
    watcher.gateway_away()
    with _cancelled_on_interrupt(gateway, None, progress):
        while True:
            try:
                answer = gateway.attach(progress.action, HELD_PATIENCE_SECONDS)
            except _BROKEN:
                continue  # it went away once more; `attach` itself waits, and gives up in the end
            except ZTError as error:
                raise _not_back(command, progress) from error
            break
    if answer.response.status != http.HTTPStatus.OK:
        raise read_problem(answer, command.text)
    watcher.gateway_back()
    return answer


def _follow(
    answer: Answer,
    command: Command,
    progress: _Progress,
    watcher: Watcher,
    receive: Receive | None,
) -> Outcome:
    frames = FrameReader(answer)

    def on_event(event: Event) -> None:
        _note(event, progress, watcher)

    while frames.last is None:
        event = frames.next_event()
        if event is not None:
            on_event(event)
            continue
        try:
            with pa.ipc.open_stream(ArrowSource(frames, on_event)) as stream:
                if receive is None:
                    progress.rows.append(stream.read_all())
                else:
                    receive(stream)
        except pa.ArrowException:
            # Cut off by an error event, which says more than Arrow can.
            if frames.last is None:
                raise
    last = frames.last
    answer.finish()
    if last["event"] == "error":
        raise from_event(last, command.text)
    table = progress.rows[0] if progress.rows else None
    columns = progress.columns
    if table is not None and len(columns) != table.num_columns:
        columns = tuple(Column(name=field.name, type=str(field.type)) for field in table.schema)
    return Outcome(command=command, result=last, columns=columns, table=table)


def _note(event: Event, progress: _Progress, watcher: Watcher) -> None:
    match event["event"]:
        case "accepted":
            progress.action = str(event.get("action", ""))
            progress.record = str(event.get("record", ""))
        case "held" if not progress.held:
            progress.held = True
            watcher.held(_mapping(event.get("approval")))
        case "approved" if not progress.approved:
            progress.approved = True
            watcher.approved([str(name) for name in event.get("by") or ()])
        case "schema":
            progress.columns = tuple(_column(item) for item in event.get("columns") or ())
        case _:
            pass  # progress, and events of a later version


def _column(item: object) -> Column:
    fields = _mapping(item)
    mask = fields.get("mask")
    return Column(
        name=str(fields.get("name", "")),
        type=str(fields.get("type", "")),
        mask=Mask(kind=str(mask.get("kind", "")), tag=str(mask.get("tag", "")))
        if isinstance(mask, dict)
        else None,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


@contextmanager
def _cancelled_on_interrupt(
    gateway: Gateway, answer: Answer | None, progress: _Progress
) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if progress.action:
            gateway.cancel(progress.action)
        if answer is not None:
            answer.close()
        what = "the request for approval was withdrawn" if _waits(progress) else "cancelled"
        raise ZTInterrupted(f"{what}; see record {progress.record or '(none)'}.") from None
    except BaseException:
        if answer is not None:
            answer.close()
        raise


def _waits(progress: _Progress) -> bool:
    return progress.held and not progress.approved


def _lost(command: Command, progress: _Progress) -> ZTError:
    return ZTError(
        "The connection to the gateway broke, and whether the command ran is not known here.",
        code="outcome_unknown",
        hint="It is not sent again by itself. Look at its record, or at the data, before you do.",
        who="whoever runs the gateway",
        record=progress.record,
        command=command.text,
    )


def _not_back(command: Command, progress: _Progress) -> ZTError:
    return ZTError(
        f"The gateway did not come back within {HELD_PATIENCE_SECONDS:.0f} s.",
        code="gateway_unreachable",
        hint="The request was held there and nothing has run. This cell no longer waits for it.",
        who="whoever runs the gateway",
        record=progress.record,
        command=command.text,
    )
