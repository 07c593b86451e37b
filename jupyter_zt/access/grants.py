"""The SQL that makes and drops a lease. Pure text: every name is quoted where it enters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jupyter_zt.access.names import Names
from jupyter_zt.errors import PermissionDeniedError
from jupyter_zt.model import ColumnMask, Facts, MaskKind, Verb, quote_identifier, quote_literal

CONNECTIONS_PER_LEASE = 8


@dataclass(frozen=True, slots=True)
class Timeouts:
    """What the target itself ends, whatever the gateway does. Seconds."""

    statement_seconds: float = 120
    lock_seconds: float = 5
    idle_transaction_seconds: float = 60


DEFAULT_TIMEOUTS = Timeouts()


def create_role(
    names: Names,
    role: str,
    group: str,
    verifier: str,
    expires_at: datetime,
    settings: Mapping[str, str],
) -> list[str]:
    """Statements that make one login role, member of a group.

    The admin becomes a member of the role: on every version that is what allows it to cancel the
    role's statements and to drop what the role owns, superuser or not.
    """
    quoted = quote_identifier(role)
    create = (
        f"CREATE ROLE {quoted} LOGIN PASSWORD {quote_literal(verifier)}"
        f" VALID UNTIL {quote_literal(expires_at.isoformat())}"
        f" CONNECTION LIMIT {CONNECTIONS_PER_LEASE}"
        f" IN ROLE {quote_identifier(group)} ROLE {quote_identifier(names.admin)}"
    )
    # search_path alone takes a list; every other value is one literal.
    pinned = [f"ALTER ROLE {quoted} SET {name} = {value}" for name, value in settings.items()]
    return [create, *pinned]


def settings_of(schema: str, timeouts: Timeouts, *, read_only: bool) -> dict[str, str]:
    """What a lease's sessions begin with. ``pg_temp`` last: nothing there shadows a view."""
    return {
        "search_path": f"{quote_identifier(schema)}, pg_temp",
        "default_transaction_read_only": "on" if read_only else "off",
        "statement_timeout": _milliseconds(timeouts.statement_seconds),
        "lock_timeout": _milliseconds(timeouts.lock_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(timeouts.idle_transaction_seconds),
    }


def _milliseconds(seconds: float) -> str:
    return quote_literal(f"{max(1, round(seconds * 1000))}ms")


@dataclass(frozen=True, slots=True)
class WriteGrant:
    """Rights on one base relation."""

    relation: str
    rights: tuple[str, ...]

    def sql(self, names: Names) -> str:
        """The GRANT, up to ``TO``."""
        place = f"{quote_identifier(names.base)}.{quote_identifier(self.relation)}"
        return f"GRANT {', '.join(self.rights)} ON {place}"

    def words(self, names: Names) -> str:
        """As the record shows it."""
        return f"{', '.join(self.rights)} ON {names.base}.{self.relation}"


def plan_write(
    names: Names,
    facts: Facts,
    columns: Mapping[str, Sequence[str]],
    masks: Mapping[str, Mapping[str, ColumnMask]],
) -> tuple[WriteGrant, ...]:
    """Exactly what one approved write needs.

    (1) INSERT, UPDATE or DELETE on the relation that is written, by column where the facts name
        columns.
    (2) SELECT on the clear columns of that relation that the statement refers to.
    (3) SELECT on the clear columns that it refers to in other relations.

    No write reads a masked column, in its WHERE neither: a value that is copied into a clear
    column, or the count of the rows that a guess meets, would tell what the mask hides.

    Args:
        names: Names at the target.
        facts: Of the approved command.
        columns: Base relation -> its columns, for every classified relation.
        masks: Relation -> column -> classification.

    Raises:
        PermissionDeniedError: It writes what is not classified, reads what is masked, or does it in
            a way that no lease allows.
    """
    verbs = {Verb.INSERT: "INSERT", Verb.UPDATE: "UPDATE", Verb.DELETE: "DELETE"}
    if facts.verb not in verbs:
        raise PermissionDeniedError(
            f"There is no lease for {facts.verb.value}.",
            code="write_not_supported",
            hint="Write it as INSERT, UPDATE or DELETE.",
        )
    written = {_bare(names, relation, columns) for relation in facts.relations_written}
    if len(written) != 1:
        raise PermissionDeniedError(
            "A lease is for a write to exactly one relation.",
            code="write_not_supported",
            hint="Split it into one statement per relation.",
        )
    (target,) = written
    rights = [_change(facts, target, verbs[facts.verb], columns[target])]
    _refuse_masked(facts, target, columns[target], _clear(masks[target]))
    readable = facts.columns_read & frozenset(columns[target])
    if readable:
        rights.append(f"SELECT ({_quoted(readable)})")
    grants = [WriteGrant(target, tuple(rights))]
    for relation in sorted(facts.relations_read):
        name = _bare(names, relation, columns)
        readable = facts.columns_read & _clear(masks[name]) & frozenset(columns[name])
        if name != target and readable:
            grants.append(WriteGrant(name, (f"SELECT ({_quoted(readable)})",)))
    return tuple(grants)


def _refuse_masked(
    facts: Facts, target: str, columns: Sequence[str], clear: frozenset[str]
) -> None:
    """Says before anybody is asked what the target would refuse. ``*`` is a whole row."""
    hidden = frozenset(columns) - clear
    read = hidden if "*" in facts.columns_read else hidden & facts.columns_read
    if not read:
        return
    names = ", ".join(f"{target}.{name}" for name in columns if name in read)
    raise PermissionDeniedError(
        f"A write can't read masked columns: {names}.",
        code="masked_source",
        hint="Name the rows by a clear column, such as the key, and write constants.",
    )


def _change(facts: Facts, target: str, right: str, columns: Sequence[str]) -> str:
    unknown = facts.columns_written - frozenset(columns)
    if unknown or (facts.verb is Verb.UPDATE and not facts.columns_written):
        raise PermissionDeniedError(
            f"{target} has no column {min(unknown)}." if unknown else "It sets no known column.",
            code="undefined_column",
            hint=f"Columns: {', '.join(columns)}.",
        )
    if not facts.columns_written or facts.verb is Verb.DELETE:
        return right
    return f"{right} ({_quoted(facts.columns_written)})"


def _clear(masks: Mapping[str, ColumnMask]) -> frozenset[str]:
    return frozenset(name for name, mask in masks.items() if mask.kind is MaskKind.CLEAR)


def _quoted(names: frozenset[str]) -> str:
    return ", ".join(quote_identifier(name) for name in sorted(names))


def _bare(names: Names, relation: str, columns: Mapping[str, Sequence[str]]) -> str:
    schema, _, name = relation.rpartition(".")
    if schema not in {"", names.base} or name not in columns:
        raise PermissionDeniedError(
            f"{relation} is not a relation of this connection.",
            code="unknown_relation",
            hint="Relations that are not in the classification can't be read or written.",
        )
    return name
