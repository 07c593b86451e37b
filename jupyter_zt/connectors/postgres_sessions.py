"""Connections of one lease, kept while the lease lives. Blocking: for worker threads."""

from __future__ import annotations

import threading

import adbc_driver_manager
from adbc_driver_manager import AdbcConnection, AdbcStatement

from jupyter_zt.connectors.postgres_driver import PostgresDriver
from jupyter_zt.connectors.postgres_errors import unreachable
from jupyter_zt.errors import TargetError
from jupyter_zt.model import Lease, PostgresEndpoint

CONNECT_SECONDS = 5
CONNECTIONS = 6
"""At once, for one lease: fewer than the role's own limit, which counts ending sessions too."""

_TRANSACTION_STATUS = "adbc.postgresql.transaction_status"
# What a session must not choose: how the bytes of a text and the quotes of a constant are read.
# Where names are looked for stands in the settings of the lease's role. Notices would end up in the
# gateway's own log.
_PINNED = (
    "-c client_encoding=UTF8 -c standard_conforming_strings=on -c client_min_messages=error"
    " -c application_name=jupyter-zt"
)
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

    def take(self) -> AdbcConnection:
        """A connection in its first state.

        What an earlier statement set in it (``set_config``), made or locked is gone: a kept
        connection is reset first, which also shows that it is still alive. That takes 0.07 ms.

        Raises:
            TargetError: The target can't be reached, or refuses the lease.
        """
        if not self._room.acquire(timeout=CONNECT_SECONDS):
            raise TargetError(
                "Too many statements run in this session at once.",
                code="too_many_connections",
                hint="Wait for one to end, or stop it.",
            )
        try:
            while (kept := self._kept()) is not None:
                if _is_reset(kept):
                    return kept
                self._driver.disconnect(kept)
            return self._driver.connect(self._uri)
        except adbc_driver_manager.Error as error:
            self._room.release()
            raise unreachable(error, self._lease.connection) from None
        except TargetError:
            self._room.release()
            raise

    def _kept(self) -> AdbcConnection | None:
        with self._lock:
            if self._closed:
                raise TargetError(
                    "The lease was given back.", code="lease_refused", hint="Run it again."
                )
            return self._idle.pop() if self._idle else None

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

    def discard(self, connection: AdbcConnection) -> None:
        """Ends a connection that is broken, or whose state is not known."""
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


def _is_reset(connection: AdbcConnection) -> bool:
    try:
        with AdbcStatement(connection) as statement:
            statement.set_sql_query("DISCARD ALL")
            statement.execute_update()
    except adbc_driver_manager.Error:
        return False
    return True


def _conninfo(settings: dict[str, str]) -> str:
    """Libpq's key = value form; values are quoted, so nothing in one can set another."""
    quoted = {
        name: value.replace("\\", "\\\\").replace("'", "\\'")
        for name, value in settings.items()
        if value
    }
    return " ".join(f"{name}='{value}'" for name, value in quoted.items())
