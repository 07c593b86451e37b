"""Connections of one lease, kept while the lease lives. Blocking: for worker threads."""

from __future__ import annotations

import threading

import adbc_driver_manager
from adbc_driver_manager import AdbcConnection

from jupyter_zt.connectors.postgres_driver import PostgresDriver
from jupyter_zt.connectors.postgres_errors import unreachable
from jupyter_zt.errors import TargetError
from jupyter_zt.model import Lease, PostgresEndpoint

CONNECT_SECONDS = 5
CONNECTIONS = 6
"""At once, for one lease: fewer than the role's own limit, which counts ending sessions too."""

_TRANSACTION_STATUS = "adbc.postgresql.transaction_status"
# What a session must not choose: how the bytes of a text and the quotes of a constant are read.
# Where names are looked for stands in the settings of the lease's role.
_PINNED = "-c client_encoding=UTF8 -c standard_conforming_strings=on -c application_name=jupyter-zt"
# A vanished host is noticed within half a minute, not after hours.
_KEEPALIVE = {
    "connect_timeout": str(CONNECT_SECONDS),
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


class LeaseSessions:
    """The kept connections of one lease."""

    def __init__(self, driver: PostgresDriver, endpoint: PostgresEndpoint, lease: Lease) -> None:
        self._driver = driver
        self._lease = lease
        self._uri = _conninfo(
            {
                "host": endpoint.host,
                "port": str(endpoint.port),
                "dbname": endpoint.database,
                "user": lease.role,
                "password": lease.secret,
                "sslmode": endpoint.sslmode,
                "sslrootcert": endpoint.sslrootcert,
                "options": _PINNED,
                **_KEEPALIVE,
            }
        )
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        self._idle: list[AdbcConnection] = []
        self._closed = False

    def take(self, *, fresh: bool = False) -> tuple[AdbcConnection, bool]:
        """A connection, and whether it was used before.

        Args:
            fresh: Never one that was used before.

        Raises:
            TargetError: The target can't be reached, or refuses the lease.
        """
        if not self._room.acquire(timeout=CONNECT_SECONDS):
            raise TargetError(
                "Too many statements run in this session at once.",
                code="too_many_connections",
                hint="Wait for one to end, or stop it.",
            )
        with self._lock:
            closed = self._closed
            if not closed and self._idle and not fresh:
                return self._idle.pop(), True
        if closed:
            self.discard(None)
            raise TargetError(
                "The lease was given back.", code="lease_refused", hint="Run it again."
            )
        try:
            return self._driver.connect(self._uri), False
        except adbc_driver_manager.Error as error:
            self.discard(None)
            raise unreachable(error, self._lease.connection) from None

    def give(self, connection: AdbcConnection) -> None:
        """Keeps a connection in its first state for the next statement."""
        with self._lock:
            kept = not self._closed
            if kept:
                self._idle.append(connection)
        if kept:
            self._room.release()
        else:
            self.discard(connection)

    def discard(self, connection: AdbcConnection | None) -> None:
        """Ends a connection that is broken, or whose state is not known."""
        if connection is not None:
            self._driver.disconnect(connection)
        self._room.release()

    def close(self) -> None:
        """Ends the idle connections now, and the others when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            self._driver.disconnect(connection)


def transaction_status(connection: AdbcConnection) -> str:
    """As libpq knows it: ``idle`` between transactions, ``unknown`` once the session is over."""
    try:
        return str(connection.get_option(_TRANSACTION_STATUS))
    except adbc_driver_manager.Error:
        return "unknown"


def _conninfo(settings: dict[str, str]) -> str:
    """Libpq's key = value form; values are quoted, so nothing in one can set another."""
    quoted = {
        name: value.replace("\\", "\\\\").replace("'", "\\'")
        for name, value in settings.items()
        if value
    }
    return " ".join(f"{name}='{value}'" for name, value in quoted.items())
