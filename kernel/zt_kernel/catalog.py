"""The tables that this session may read, as the gateway tells them; kept for a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from zt_kernel.errors import ZTError, ZTRefused
from zt_kernel.gateway import Gateway, session_gateway

KEPT_SECONDS = 60.0
PATIENCE_SECONDS = 0.25
"""As long as a completion waits for the gateway; what comes later is there for the next one."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `type` is the target's name, `mask` and `tag` are "" where it is clear."""

    name: str
    type: str
    mask: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table, with the columns that may be read."""

    name: str
    columns: tuple[Column, ...]


def tables(connection: str) -> tuple[Table, ...]:
    """Asks the gateway, now.

    Raises:
        ZTError: There is no such connection, or it can't be asked.
    """
    return _tables(session_gateway(), connection)


def table(connection: str, name: str) -> Table:
    """One of them.

    Raises:
        ZTRefused: ``undefined_table``.
        ZTError: As `tables`.
    """
    known = tables(connection)
    for one in known:
        if one.name == name:
            return one
    names = ", ".join(one.name for one in known)
    raise ZTRefused(
        f"There is no table {name!r} that you may read on {connection}.",
        code="undefined_table",
        hint=f"There are: {names or 'none'}.",
    )


class Kept:
    """What completion offers: it never waits long, and an answer that is late is not lost.

    Args:
        gateway: Makes a client of the threads' own: a client is used by one thread at a time.
        monotonic: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        gateway: Callable[[], Gateway],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Any]] = {}
        self._asking: dict[str, threading.Event] = {}

    def tables(self, connection: str) -> tuple[Table, ...]:
        """The tables of a connection, as far as they are known in time; else none."""
        found = self._get(connection, lambda gateway: _tables(gateway, connection))
        return found if isinstance(found, tuple) else ()

    def connections(self) -> tuple[str, ...]:
        """Names of the connections, as far as they are known in time; else none."""
        found = self._get("", _connections)
        return found if isinstance(found, tuple) else ()

    def _get(self, key: str, ask: Callable[[Gateway], object]) -> object:
        with self._lock:
            at, found = self._known.get(key, (float("-inf"), None))
            if at + KEPT_SECONDS > self._monotonic():
                return found
            done = self._asking.get(key)
            if done is None:
                done = self._asking[key] = threading.Event()
                asking = threading.Thread(target=self._ask, args=(key, ask, done), daemon=True)
                asking.start()
        if found is None:  # what is older than a minute is still better than waiting
            done.wait(PATIENCE_SECONDS)
            with self._lock:
                found = self._known.get(key, (0.0, None))[1]
        return found

    def _ask(self, key: str, ask: Callable[[Gateway], object], done: threading.Event) -> None:
        try:
            found = ask(self._gateway())
        except ZTError:
            found = None  # a completion is no place for an error: the cell will tell
        with self._lock:
            if found is not None:
                self._known[key] = (self._monotonic(), found)
            del self._asking[key]
        done.set()


def _tables(gateway: Gateway, connection: str) -> tuple[Table, ...]:
    answer = gateway.get(f"/v1/connections/{quote(connection, safe='')}/tables")
    return tuple(
        Table(str(item["name"]), tuple(_column(column) for column in item["columns"]))
        for item in answer["tables"]
    )


def _column(item: Mapping[str, Any]) -> Column:
    mask = item.get("mask") or {}
    return Column(
        str(item["name"]), str(item["type"]), str(mask.get("kind", "")), str(mask.get("tag", ""))
    )


def _connections(gateway: Gateway) -> tuple[str, ...]:
    answer = gateway.get("/v1/session")
    return tuple(str(item["name"]) for item in answer.get("connections") or ())
