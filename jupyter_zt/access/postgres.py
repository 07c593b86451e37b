"""The admin side of one PostgreSQL target: masked views, and leases on them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg

from jupyter_zt.access.admin import AdminConnection, AdminPool
from jupyter_zt.access.catalog import Relation, read_relations
from jupyter_zt.access.grants import (
    DEFAULT_TIMEOUTS,
    Timeouts,
    create_role,
    plan_write,
    settings_of,
)
from jupyter_zt.access.names import Names
from jupyter_zt.access.reach import close_public
from jupyter_zt.access.scram import scram_verifier
from jupyter_zt.access.setup import drop_stricter, prepare_roles, prepare_stricter
from jupyter_zt.access.views import MaskColumn, View, synchronise
from jupyter_zt.errors import ConfigError, TargetError
from jupyter_zt.model import (
    ColumnMask,
    Facts,
    Lease,
    LeaseKind,
    LeastMasks,
    PostgresEndpoint,
    quote_identifier,
    quote_literal,
    strictened,
)

TERMINATE_MILLISECONDS = 1000
CANCEL_GRACE_SECONDS = 0.5
"""How long a cancelled statement may take to stop before its session is ended."""


class PostgresAccess:
    """Makes and drops the short-lived roles that commands run as.

    Args:
        name: The connection's name.
        endpoint: Where the target is.
        user: Role with CREATEROLE that may pass on rights on the base relations.
        password: Gives the admin's password at each use, so that it can be rotated.
        base_schema: Schema with the real tables.
        masks: Relation -> column -> classification.
        mask_column: `jupyter_zt.masking.postgres_column`.
        workspace: Sets this gateway's leases, views and pseudonyms apart from those of others.
    """

    def __init__(
        self,
        name: str,
        endpoint: PostgresEndpoint,
        *,
        user: str,
        password: Callable[[], str],
        base_schema: str,
        masks: Mapping[str, Mapping[str, ColumnMask]],
        mask_column: MaskColumn,
        workspace: str = "jupyter-zt",
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.name = name
        self.names = Names.of(workspace, name, endpoint.database, base_schema, user)
        self.findings: tuple[str, ...] = ()
        self._database = endpoint.database
        self._admin = AdminPool(name, endpoint, user, password)
        self._masks = masks
        self._mask_column = mask_column
        self._timeouts = timeouts
        self._clock = clock
        self._randomness = randomness
        self._views: tuple[View, ...] | None = None
        self._stricter: dict[LeastMasks, tuple[View, ...]] = {}
        self._leases: dict[str, Lease] = {}
        self._preparing = asyncio.Lock()
        # Grants change one row of the catalog per relation: two at once and PostgreSQL refuses one.
        self._granting = asyncio.Lock()

    async def prepare(self) -> tuple[str, ...]:
        """Brings roles, keys and masked views in step, and sweeps the leases of an earlier run.

        Returns:
            Findings that an admin should know, one sentence each: hidden columns, what could not
            be closed. They are kept in `findings` too.

        Raises:
            ConfigError: The admin role lacks a right; the hint says what to grant.
            TargetError: The target can't be reached (``target_unreachable``).
        """
        async with self._preparing:
            async with self._admin.connection() as connection:
                await self._sweep(connection)
                async with connection.transaction():
                    await prepare_roles(connection, self.names)
                    await drop_stricter(connection, self.names)
                    self._stricter.clear()
                    closed = await close_public(connection, self.names, self._database)
                self._views = await self._synchronise(connection)
            notes = [note for view in self._views for note in view.notes]
            missing = sorted(self._masks.keys() - {view.base.name for view in self._views})
            notes += [
                f"{relation} is classified, and there is no such table" for relation in missing
            ]
            self.findings = (*closed, *notes)
            return self.findings

    async def synchronise(self) -> None:
        """Makes the views anew that the schema has left behind; costs one query when none has.

        Raises:
            ConfigError, TargetError: As `prepare`.
        """
        await self._ready()
        async with self._preparing, self._admin.connection() as connection:
            self._views = await self._synchronise(connection)

    async def lease_read(
        self,
        session: str,
        ttl_seconds: int,
        statement_seconds: float | None = None,
        masks: LeastMasks = (),
    ) -> Lease:
        """A role that can read the masked views, and nothing else.

        Args:
            session: Whose it is.
            ttl_seconds: How long the target takes it.
            statement_seconds: Narrows how long one statement may take.
            masks: What the views mask at least, beyond the classification.

        Raises:
            ConfigError, TargetError: As `prepare`.
        """
        await self._ready()
        names = self.names.stricter(masks)
        settings = settings_of(names.masked, self._narrowed(statement_seconds), read_only=True)
        if masks:
            await self._make_stricter(masks)
        async with self._admin.connection() as connection:
            if not masks:
                self._views = await self._synchronise(connection)
            return await self._create(
                connection,
                LeaseKind.READ,
                names.reader,
                session,
                ttl_seconds,
                settings,
                [],
                (f"USAGE ON SCHEMA {names.masked}", f"SELECT ON {names.masked}.*"),
            )

    async def lease_write(
        self,
        session: str,
        facts: Facts,
        ttl_seconds: int,
        statement_seconds: float | None = None,
        masks: LeastMasks = (),
    ) -> Lease:
        """A role that can do what one approved write needs. Drop it right after.

        What `masks` ask to be masked it can't read either.

        Raises:
            PermissionDeniedError: No lease allows such a write.
            ConfigError, TargetError: As `prepare`.
        """
        await self._ready()
        names = self.names
        settings = settings_of(names.base, self._narrowed(statement_seconds), read_only=False)
        async with self._granting, self._admin.connection() as connection:
            self._views = await self._synchronise(connection)
            grants = plan_write(names, facts, self._columns(), strictened(self._masks, masks))
            words = [f"USAGE ON SCHEMA {names.base}", *(grant.words(names) for grant in grants)]
            lines = [grant.sql(names) for grant in grants]
            if grants[0].rights[0].startswith("INSERT"):
                for sequence in await self._sequences(connection, grants[0].relation):
                    words.append(f"USAGE ON SEQUENCE {sequence}")
                    lines.append(f"GRANT USAGE ON SEQUENCE {sequence}")
            return await self._create(
                connection,
                LeaseKind.WRITE,
                names.writer,
                session,
                ttl_seconds,
                settings,
                lines,
                tuple(words),
            )

    async def check_write(self, facts: Facts, masks: LeastMasks = ()) -> None:
        """Whether a lease could allow this write, so that nobody is asked in vain.

        Raises:
            PermissionDeniedError, ConfigError, TargetError: As `lease_write`.
        """
        await self._ready()
        plan_write(self.names, facts, self._columns(), strictened(self._masks, masks))

    async def drop(self, lease: Lease) -> None:
        """Ends the lease's sessions, then the role. Dropping twice is fine.

        Raises:
            TargetError: It can't be reached; the role expires, and is swept at the next start.
        """
        async with self._granting, self._admin.connection() as connection:
            await self._drop_role(connection, lease.role)
        self._leases.pop(lease.role, None)

    async def drop_session(self, session: str) -> None:
        """Drops every lease of the session.

        Raises:
            TargetError: As `drop`.
        """
        for lease in [lease for lease in self._leases.values() if lease.session == session]:
            await self.drop(lease)

    async def cancel(self, lease: Lease) -> None:
        """Stops whatever the lease runs, within a second.

        Raises:
            TargetError: The target can't be reached.
        """
        running = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND state <> 'idle'"
        async with self._admin.connection() as connection:
            await connection.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = $1", lease.role
            )
            deadline = asyncio.get_running_loop().time() + CANCEL_GRACE_SECONDS
            while await connection.fetchval(running, lease.role):
                if asyncio.get_running_loop().time() > deadline:
                    await connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1",
                        lease.role,
                    )
                    return
                await asyncio.sleep(0.02)

    async def sweep(self) -> int:
        """Drops every lease of this connection at the target, known here or not.

        Returns:
            How many roles were dropped.

        Raises:
            TargetError: The target can't be reached.
        """
        async with self._granting, self._admin.connection() as connection:
            return await self._sweep(connection)

    async def columns(self, masks: LeastMasks = ()) -> Mapping[str, Mapping[str, ColumnMask]]:
        """View -> column -> the mask that is really applied, to a lease with these masks.

        Raises:
            ConfigError, TargetError: As `prepare`.
        """
        await self._ready()
        return self.applied(masks)

    def applied(self, masks: LeastMasks = ()) -> Mapping[str, Mapping[str, ColumnMask]]:
        """The same, as it was at the last lease with these masks; empty before the first."""
        views = self._stricter.get(masks) if masks else self._views
        return {view.base.name: view.masks for view in views or ()}

    async def relations(self) -> tuple[Relation, ...]:
        """The masked views, with their columns as a reader of theirs sees them.

        Raises:
            ConfigError, TargetError: As `prepare`.
        """
        await self._ready()
        async with self._admin.connection() as connection:
            self._views = await self._synchronise(connection)
            names = [view.base.name for view in self._views]
            found = await read_relations(connection, self.names.masked, names)
        return tuple(found.values())

    async def leases(self) -> list[str]:
        """Roles of this connection's leases that there are at the target."""
        async with self._admin.connection() as connection:
            return await self._lease_roles(connection)

    async def close(self) -> None:
        """Drops the leases that are known, and the connections of the admin."""
        for lease in list(self._leases.values()):
            try:
                await self.drop(lease)
            except (TargetError, ConfigError):
                break
        await self._admin.close()

    def _narrowed(self, statement_seconds: float | None) -> Timeouts:
        usual = self._timeouts
        if statement_seconds is None or statement_seconds >= usual.statement_seconds:
            return usual
        return replace(usual, statement_seconds=statement_seconds)

    def _columns(self) -> dict[str, tuple[str, ...]]:
        return {view.base.name: tuple(view.masks) for view in self._views or ()}

    async def _ready(self) -> None:
        if self._views is None:
            await self.prepare()

    async def _make_stricter(self, masks: LeastMasks) -> None:
        names = self.names.stricter(masks)
        wanted = strictened(self._masks, masks)
        # Locks before the connection: whoever holds one must not wait for the other's connection.
        async with (
            self._preparing,
            self._granting,
            self._admin.connection() as connection,
            connection.transaction(),
        ):
            if masks not in self._stricter:
                await prepare_stricter(connection, self.names, names)
            self._stricter[masks] = await synchronise(connection, names, wanted, self._mask_column)

    async def _synchronise(self, connection: AdminConnection) -> tuple[View, ...]:
        async with connection.transaction():
            return await synchronise(connection, self.names, self._masks, self._mask_column)

    async def _create(
        self,
        connection: AdminConnection,
        kind: LeaseKind,
        group: str,
        session: str,
        ttl_seconds: int,
        settings: Mapping[str, str],
        grants: Sequence[str],
        privileges: tuple[str, ...],
    ) -> Lease:
        names = self.names
        secret = self._randomness(32).hex()
        lease = Lease(
            connection=self.name,
            session=session,
            kind=kind,
            role=names.lease(kind, self._randomness(8)),
            secret=secret,
            expires_at=self._clock() + timedelta(seconds=ttl_seconds),
            privileges=privileges,
        )
        statements = create_role(
            names,
            lease.role,
            group,
            scram_verifier(secret, self._randomness(16)),
            lease.expires_at,
            settings,
        )
        statements += [f"{grant} TO {quote_identifier(lease.role)}" for grant in grants]
        # Known before it is made: whoever stops waiting in between, its session's end drops it.
        self._leases[lease.role] = lease
        # One round trip is one transaction. Losing it in a crash of the target loses nothing.
        await connection.execute("; ".join(["SET LOCAL synchronous_commit = off", *statements]))
        return lease

    async def _sequences(self, connection: AdminConnection, relation: str) -> list[str]:
        rows = await connection.fetch(
            "SELECT d.objid::regclass::text AS name FROM pg_catalog.pg_depend AS d"
            " JOIN pg_catalog.pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'"
            " WHERE d.deptype = 'a' AND d.refobjid = $1::regclass",
            f"{quote_identifier(self.names.base)}.{quote_identifier(relation)}",
        )
        return [row["name"] for row in rows]

    async def _sweep(self, connection: AdminConnection) -> int:
        roles = await self._lease_roles(connection)
        for role in roles:
            await self._drop_role(connection, role)
        self._leases.clear()
        return len(roles)

    async def _lease_roles(self, connection: AdminConnection) -> list[str]:
        rows = await connection.fetch(
            "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname LIKE $1",
            self.names.lease_pattern,
        )
        return [row["rolname"] for row in rows]

    async def _drop_role(self, connection: AdminConnection, role: str) -> None:
        quoted, literal = quote_identifier(role), quote_literal(role)
        try:
            # Committed on its own, so that no new session begins while the old ones end.
            await connection.execute(f"ALTER ROLE {quoted} NOLOGIN")
            await connection.execute(
                f"SELECT pg_terminate_backend(pid, {TERMINATE_MILLISECONDS})"
                f" FROM pg_stat_activity WHERE usename = {literal};"
                f"DROP OWNED BY {quoted}; DROP ROLE {quoted}"
            )
        except asyncpg.UndefinedObjectError:
            return
