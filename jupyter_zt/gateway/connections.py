"""The configured targets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pyarrow as pa

from jupyter_zt.access import PostgresAccess, Timeouts, read_secret
from jupyter_zt.connectors import Limits, LlmTarget, PostgresTarget
from jupyter_zt.errors import InvalidInputError, NotFoundError
from jupyter_zt.gateway.answers import Answer, ModelAnswer, messages_of
from jupyter_zt.gateway.config import Configuration, Llm, Postgres
from jupyter_zt.gateway.targets import Column, Leasing, TableColumn, Tables, Target
from jupyter_zt.masking import Classification, postgres_column, result_masks
from jupyter_zt.model import (
    Action,
    ColumnMask,
    Facts,
    Lease,
    LeastMasks,
    MaskKind,
    Obligation,
    PostgresEndpoint,
    Verb,
)
from jupyter_zt.policy import analyze_postgres, postgres_constants

GATEWAYS_OWN = frozenset({Obligation.HOLD, Obligation.STEP_UP})
"""Obligations that concern people, whatever the target is."""

TABLES_SECONDS = 5.0
"""How long the list of tables is kept: a kernel that asks all the time costs the target nothing."""

_LEAKY = frozenset({MaskKind.PARTIAL, MaskKind.BUCKET})

Masks = Mapping[str, Mapping[str, ColumnMask]]


class PostgresLeases:
    """Leases of one PostgreSQL target; their connections close before their roles go."""

    def __init__(self, access: PostgresAccess, target: PostgresTarget) -> None:
        self._access = access
        self._target = target

    async def check(self, facts: Facts, masks: LeastMasks) -> None:
        """Whether a lease could allow this write."""
        await self._access.check_write(facts, masks)

    async def lease_read(
        self, session: str, ttl_seconds: int, statement_seconds: float | None, masks: LeastMasks
    ) -> Lease:
        """A role that reads masked views only."""
        return await self._access.lease_read(session, ttl_seconds, statement_seconds, masks)

    async def lease_write(
        self,
        session: str,
        facts: Facts,
        ttl_seconds: int,
        statement_seconds: float | None,
        masks: LeastMasks,
    ) -> Lease:
        """A role that can do just this write."""
        return await self._access.lease_write(session, facts, ttl_seconds, statement_seconds, masks)

    async def drop(self, lease: Lease) -> None:
        """Closes its connections, then drops the role."""
        await self._target.release(lease)
        await self._access.drop(lease)

    async def drop_session(self, session: str) -> None:
        """Closes the session's connections, then drops its roles."""
        await self._target.release_session(session)
        await self._access.drop_session(session)


class PostgresConnection:
    """A PostgreSQL connection: leases from `access`, data from `connectors`."""

    kind = "postgres"
    carries = GATEWAYS_OWN | {Obligation.MAX_ROWS, Obligation.MASK}

    def __init__(self, name: str, settings: Postgres, config: Configuration, masks: Masks) -> None:
        self.name = name
        self.description = settings.description
        self._masks = masks
        self._tables: Tables = {}
        self._tables_at = float("-inf")
        self._tables_lock = asyncio.Lock()
        self._untrusted = frozenset(settings.untrusted)
        root = settings.sslrootcert
        endpoint = PostgresEndpoint(
            settings.host,
            settings.port,
            settings.database,
            sslmode=settings.sslmode,
            sslrootcert=str(config.directory / root) if root else "",
        )
        limits = settings.limits
        reference = config.secret(settings.password)
        self._access = PostgresAccess(
            name,
            endpoint,
            user=settings.user,
            password=lambda: read_secret(reference),
            base_schema=settings.schema_,
            masks=masks,
            mask_column=postgres_column,
            workspace=config.values.gateway.name,
            timeouts=Timeouts(statement_seconds=limits.statement_seconds),
        )
        self._target = PostgresTarget(name, endpoint)
        self.leasing: Leasing | None = PostgresLeases(self._access, self._target)
        self._limits = Limits(
            max_rows=limits.max_rows,
            max_bytes=limits.max_bytes,
            statement_seconds=limits.statement_seconds,
        )

    def analyze(self, action: Action) -> Facts:
        """Facts by PostgreSQL's own parser."""
        return analyze_postgres(action.command)

    def constants(self, action: Action) -> frozenset[str]:
        """The command's constants and its parameters, where a leaky column is among its own.

        By the column's name alone, in whichever relation: rather one too many than one too few.
        """
        leaky = {
            column
            for columns in self._masks.values()
            for column, mask in columns.items()
            if mask.kind in _LEAKY
        }
        read = self.analyze(action).columns_read
        if not leaky or not (leaky & read or "*" in read):
            return frozenset()
        return postgres_constants(action.command) | {repr(value) for value in action.parameters}

    def untrusted(self, facts: Facts) -> bool:
        """By the relation's name, in whichever schema."""
        read = {name.rpartition(".")[2].strip('"') for name in facts.relations_read}
        return bool(read) and ("*" in self._untrusted or not self._untrusted.isdisjoint(read))

    def privileges(self, facts: Facts) -> tuple[str, ...]:
        """The facts that a write's lease is made from."""
        written = ",".join(sorted(facts.columns_written)) or "*"
        read = ",".join(sorted(facts.columns_read))
        relations = ",".join(sorted(facts.relations_written))
        return (f"{facts.verb.value} {relations} ({written})", f"reads ({read})")

    async def estimate(self, lease: Lease | None, action: Action, comment: str) -> int | None:
        """By the target's plan, made as the lease's role."""
        if lease is None:
            raise NotFoundError("There is no lease to plan this on.", code="no_lease")
        return await self._target.estimate(lease, action.command, action.parameters, comment)

    @asynccontextmanager
    async def execute(
        self, lease: Lease | None, action: Action, comment: str, max_rows: int | None
    ) -> AsyncIterator[Answer]:
        """Runs the statement as the lease's role."""
        if lease is None:
            raise NotFoundError("There is no lease to run this on.", code="no_lease")
        limits = self._limits
        if max_rows is not None:
            limits = replace(limits, max_rows=min(max_rows, limits.max_rows))
        async with self._target.execute(
            lease, action.command, action.parameters, limits=limits, comment=comment
        ) as stream:
            yield stream

    def columns(self, facts: Facts, schema: pa.Schema, masks: LeastMasks) -> list[Column]:
        """Marks by name; what protects the values is the view."""
        applied = self._access.applied(masks)
        marks = result_masks(schema.names, facts.relations_read, applied)
        return [
            {
                "name": field.name,
                "type": str(field.type),
                "mask": {"kind": mask.kind.value, "tag": mask.tag} if mask else None,
            }
            for field, mask in zip(schema, marks, strict=True)
        ]

    async def tables(self) -> Tables:
        """The masked views."""
        async with self._tables_lock:
            if self._tables_at + TABLES_SECONDS < time.monotonic():
                self._tables = await self._read_tables()
                self._tables_at = time.monotonic()
            return self._tables

    async def _read_tables(self) -> Tables:
        relations = await self._access.relations()
        masks = self._masks = await self._access.columns()
        return {
            relation.name: tuple(
                TableColumn(column.name, column.type, masks[relation.name][column.name])
                for column in relation.columns
            )
            for relation in relations
        }

    async def prepare(self) -> None:
        """Masked views in step with schema and classification; old leases swept."""
        await self._access.prepare()
        self._masks = await self._access.columns()

    async def close(self) -> None:
        """Closes everything."""
        await self._target.close()
        await self._access.close()


class LlmConnection:
    """A language model behind an OpenAI-compatible endpoint."""

    kind = "llm"
    carries = GATEWAYS_OWN | {Obligation.MAX_ROWS}

    def __init__(self, name: str, settings: Llm, config: Configuration) -> None:
        self.name = name
        self.description = settings.description
        self.leasing: Leasing | None = None
        reference = config.secret(settings.key) if settings.key else None
        self._target = LlmTarget(
            name,
            settings.url,
            settings.model,
            key=(lambda: read_secret(reference)) if reference else None,
            timeout_seconds=settings.timeout_seconds,
        )

    def analyze(self, action: Action) -> Facts:
        """A well-formed list of messages is a model call; anything else is unknown."""
        try:
            messages_of(action.command)
        except InvalidInputError as error:
            return Facts(verb=Verb.UNKNOWN, unknown=error.message)
        return Facts(verb=Verb.MODEL_CALL)

    def constants(self, action: Action) -> frozenset[str]:
        """A model has no columns."""
        del action
        return frozenset()

    def untrusted(self, facts: Facts) -> bool:
        """A model says what it was asked."""
        del facts
        return False

    def privileges(self, facts: Facts) -> tuple[str, ...]:
        """Calling the configured model."""
        return (facts.verb.value,)

    async def estimate(self, lease: Lease | None, action: Action, comment: str) -> int | None:
        """A model has no rows."""
        del lease, action, comment
        return None

    @asynccontextmanager
    async def execute(
        self, lease: Lease | None, action: Action, comment: str, max_rows: int | None
    ) -> AsyncIterator[Answer]:
        """One chat completion."""
        del lease, comment, max_rows
        yield ModelAnswer(await self._target.complete(messages_of(action.command)))

    def columns(self, facts: Facts, schema: pa.Schema, masks: LeastMasks) -> list[Column]:
        """A model's answer has none."""
        return []

    async def tables(self) -> Tables:
        """A model has none."""
        return {}

    async def prepare(self) -> None:
        """Nothing to prepare."""

    async def close(self) -> None:
        """Closes the HTTP client."""
        await self._target.close()


def build_targets(config: Configuration, classification: Classification) -> dict[str, Target]:
    """All configured connections."""
    targets: dict[str, Target] = {}
    for name, settings in config.values.connections.items():
        match settings:
            case Postgres():
                masks = classification.for_connection(name)
                targets[name] = PostgresConnection(name, settings, config, masks)
            case Llm():
                targets[name] = LlmConnection(name, settings, config)
    return targets
