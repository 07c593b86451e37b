"""The ADBC driver of one target, shared by all its leases. Blocking: for worker threads.

Opening the driver's database object reads every type and every column of the target's catalog: 30
ms and more. A connection of an open one takes 5 ms, and takes the login from the object's URI at
that moment. So there is one object, and who connects sets the URI first, alone.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import adbc_driver_manager
import adbc_driver_postgresql
from adbc_driver_manager import AdbcConnection, AdbcDatabase

REOPEN_SECONDS = 900.0
"""A type made since the object was opened is shown as bytes until it is opened anew."""


class PostgresDriver:
    """Opens and closes connections to one target.

    Args:
        monotonic: Seconds of a clock that never goes back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._current: AdbcDatabase | None = None
        self._opened_at = 0.0
        # The driver refuses to close an object that still has connections.
        self._origin: dict[AdbcConnection, AdbcDatabase] = {}

    def connect(self, uri: str) -> AdbcConnection:
        """A new connection with the login of this URI.

        Raises:
            adbc_driver_manager.Error: It can't be made.
        """
        with self._lock:
            now = self._monotonic()
            if self._current is None or now - self._opened_at > REOPEN_SECONDS:
                before = self._current
                self._current, self._opened_at = adbc_driver_postgresql.connect(uri), now
                self._close_unused(before)
            # Held until the connection stands: another thread's login must not come in between.
            database = self._current
            database.set_options(uri=uri)
            connection = AdbcConnection(database)
            self._origin[connection] = database
            return connection

    def disconnect(self, connection: AdbcConnection) -> None:
        """Ends a connection, broken or not."""
        with contextlib.suppress(adbc_driver_manager.Error):
            connection.close()
        with self._lock:
            self._close_unused(self._origin.pop(connection, None))

    def close(self) -> None:
        """Closes what no connection uses; the rest closes with its last connection."""
        with self._lock:
            before, self._current = self._current, None
            self._close_unused(before)

    def _close_unused(self, database: AdbcDatabase | None) -> None:
        if (
            database is not None
            and database is not self._current
            and database not in self._origin.values()
        ):
            with contextlib.suppress(adbc_driver_manager.Error):
                database.close()
