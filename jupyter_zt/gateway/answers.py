"""What a target answers to one action."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Protocol

import pyarrow as pa

from jupyter_zt.errors import InvalidInputError


class Answer(Protocol):
    """An answer while it is read.

    Attributes:
        schema: Of the result's rows; None for a write or a model's answer.
        rows: Rows read or changed; final after the last batch.
        command_tag: As PostgreSQL says it (``UPDATE 3``), or "".
        truncated: Which limit cut the result ({"limit", "value", "hint"}), or None.
        body: A model's answer, or None.
    """

    schema: pa.Schema | None
    rows: int
    command_tag: str
    truncated: dict[str, str] | None

    @property
    def body(self) -> dict[str, Any] | None:
        """As above; read only."""
        ...

    def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        """The result's record batches."""
        ...


class ModelAnswer:
    """A model's answer: a body and no rows."""

    schema: pa.Schema | None = None
    rows = 0
    command_tag = ""
    truncated: dict[str, str] | None = None

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    @property
    def body(self) -> dict[str, Any] | None:
        """The chat completion."""
        return self._body

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        """No batches."""
        none: tuple[pa.RecordBatch, ...] = ()
        for batch in none:
            yield batch


def messages_of(command: str) -> dict[str, Any]:
    """The chat completion request in a command for a model.

    Raises:
        InvalidInputError: It is not a JSON object with a list of messages.
    """
    try:
        payload = json.loads(command)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError("A command for a model is a JSON object.") from error
    if not isinstance(payload, dict) or not isinstance(payload.get("messages"), list):
        raise InvalidInputError('A command for a model is {"messages": [...]}.')
    if payload.get("stream"):
        raise InvalidInputError("Streamed model answers are not supported.")
    return payload
