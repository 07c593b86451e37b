"""Connections of the admin role to one target, with the target's errors turned into ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias
from urllib.parse import quote

import asyncpg

from jupyter_zt.errors import ConfigError, TargetError
from jupyter_zt.model import PostgresEndpoint, quote_identifier

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 60.0
LOCK_TIMEOUT = "5s"
CONNECTIONS = 4

AdminConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)


class AdminPool:
    """A few kept connections; opened at the first use, and again after the target was away.

    Args:
        name: The connection's name, for messages.
        endpoint: Where the target is.
        user: The admin role.
        password: Gives its password at each login, so that it can be rotated.
    """

    def __init__(
        self, name: str, endpoint: PostgresEndpoint, user: str, password: Callable[[], str]
    ) -> None:
        self._name = name
        self._endpoint = endpoint
        self._user = user
        self._password = password
        self._pool: asyncpg.Pool | None = None

    async def close(self) -> None:
        """Closes the connections."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AdminConnection]:
        """A connection of the admin role.

        Raises:
            ConfigError: The login or a right is missing; the hint says what to grant.
            TargetError: The target can't be reached (``target_unreachable``), or refused.
        """
        name, user = self._name, self._user
        try:
            if self._pool is None:
                self._pool = await self._open()
            async with self._pool.acquire(timeout=CONNECT_SECONDS) as connection:
                yield connection
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            raise ConfigError(
                f"{name} does not accept the admin role {user!r}.",
                code="admin_login",
                hint="Check user and password of this connection in gateway.yaml.",
            ) from error
        except asyncpg.InvalidCatalogNameError as error:
            raise ConfigError(
                f"{name} has no database {self._endpoint.database!r}.", code="no_database"
            ) from error
        except asyncpg.InsufficientPrivilegeError as error:
            raise ConfigError(
                f"The admin role {user!r} lacks a right on {name}.",
                code="admin_privileges",
                hint=f"As a superuser run: ALTER ROLE {quote_identifier(user)} CREATEROLE,"
                " and make it the owner of what was made there before (zt_...).",
            ) from error
        except _UNREACHABLE as error:
            raise TargetError(
                f"{name} can't be reached.",
                code="target_unreachable",
                hint="Ask an administrator whether the database is up. Nothing was executed.",
            ) from error
        except asyncpg.PostgresError as error:
            raise TargetError(
                f"{name} refused to make a lease (SQLSTATE {error.sqlstate}).",
                code="lease_refused",
                hint="Ask an administrator to look at the database's log.",
                sqlstate=error.sqlstate or "",
            ) from error

    async def _open(self) -> asyncpg.Pool:
        endpoint = self._endpoint
        query = f"?sslmode={endpoint.sslmode}"
        if endpoint.sslrootcert:
            query += f"&sslrootcert={quote(endpoint.sslrootcert, safe='/')}"
        return await asyncpg.create_pool(
            f"postgresql://{query}",
            host=endpoint.host,
            port=endpoint.port,
            database=endpoint.database,
            user=self._user,
            password=self._password,
            min_size=1,
            max_size=CONNECTIONS,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            server_settings={
                "application_name": "jupyter-zt",
                "search_path": "pg_catalog",
                "standard_conforming_strings": "on",
                "lock_timeout": LOCK_TIMEOUT,
            },
        )
