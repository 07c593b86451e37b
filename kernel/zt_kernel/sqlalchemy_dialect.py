"""`create_engine("zt://warehouse")`: SQLAlchemy and `pandas.read_sql` through the gateway.

PostgreSQL's SQL by SQLAlchemy's own compiler, values bound to ``$1``. The URL holds the name of a
connection and nothing else: there is no login to put there.

Each statement is one action and is done when it returns. `commit()` has nothing to do; `rollback()`
after a write warns, because what was written stays. Savepoints and isolation levels are refused.
"""

from __future__ import annotations

import re
import warnings
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc, types
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine.default import DefaultDialect

from zt_kernel import catalog, dbapi
from zt_kernel.errors import ZTError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_TYPE = re.compile(r"([a-z_ ]+?)(?:\((\d+)(?:,(\d+))?\))?( with(?:out)? time zone)?((?:\[\])*)")


class _Numeric(types.Numeric[Any]):
    """The gateway gives short decimals as floats: here they become decimals again."""

    def result_processor(self, dialect: Any, coltype: object) -> Any:
        places = self.scale if self.scale is not None else None

        def exact(value: Any) -> Any:
            if not isinstance(value, float):
                return value
            return Decimal(repr(value)) if places is None else Decimal(f"{value:.{places}f}")

        def rounded(value: Any) -> Any:
            return None if value is None else float(value)

        return exact if self.asdecimal else rounded


class _JSON(JSON):
    render_bind_cast = True


class _JSONB(JSONB):
    render_bind_cast = True


class ZTDialect(PGDialect):
    """PostgreSQL's dialect, on connections of this session."""

    driver = "zt"
    supports_statement_cache = True
    default_paramstyle = "numeric_dollar"
    supports_native_uuid = False  # they come as text, and go as text
    colspecs = {  # noqa: RUF012 - as in SQLAlchemy
        **PGDialect.colspecs,
        types.Numeric: _Numeric,
        types.JSON: _JSON,
        JSONB: _JSONB,
    }
    # Policy may refuse RETURNING and sequences, and nothing here needs them.
    insert_returning = update_returning = delete_returning = False
    preexecute_autoincrement_sequences = False
    use_insertmanyvalues = False

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("paramstyle", self.default_paramstyle)
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]

    @classmethod
    def import_dbapi(cls) -> Any:
        """`zt_kernel.dbapi`."""
        return dbapi

    def create_connect_args(self, url: URL) -> Any:
        """The connection's name.

        Raises:
            ArgumentError: There is more in the URL, or less.
        """
        if not url.host or url.username or url.password or url.port or url.database or url.query:
            raise exc.ArgumentError(
                "Write zt://NAME with a connection that %zt lists, and nothing else:"
                " no user, password, port or database."
            )
        return [url.host], {}

    def initialize(self, connection: Any) -> None:
        """Asks nothing: what PostgreSQL's dialect would look up is settled by the gateway."""
        self.server_version_info = (15, 0)
        self.default_schema_name = None
        self._backslash_escapes = False

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Warns where something was written: a pool rolls back whatever is given back to it."""
        try:
            dbapi_connection.rollback()
        except dbapi.NotSupportedError as error:
            warnings.warn(str(error), exc.SAWarning, stacklevel=2)

    def do_ping(self, dbapi_connection: Any) -> bool:
        """There is nothing that could have gone stale."""
        return True

    def do_savepoint(self, connection: Any, name: str) -> None:
        """Refused: a block that can't be undone must not look as if it could."""
        raise _no_transactions("Savepoints")

    def do_begin_twophase(self, connection: Any, xid: Any) -> None:
        """Refused."""
        raise _no_transactions("Two-phase commits")

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        """Each statement stands alone."""
        return "AUTOCOMMIT"

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        """Each statement stands alone."""
        return "AUTOCOMMIT"

    def get_isolation_level_values(self, dbapi_conn: Any) -> Any:
        """That is the only one."""
        return ["AUTOCOMMIT"]

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        """It is so already; SQLAlchemy refuses the others."""

    # ------------------------------------------------------------------ what there is to read

    def get_schema_names(self, connection: Any, **kw: Any) -> list[str]:
        """Tables are named without a schema."""
        return []

    def get_table_names(self, connection: Any, schema: str | None = None, **kw: Any) -> list[str]:
        """The tables that this session may read."""
        return [table.name for table in _tables(connection, schema)]

    def has_table(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> bool:
        """Whether this session may read such a table."""
        return any(table.name == table_name for table in _tables(connection, schema))

    def get_columns(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[Any]:
        """The columns that this session may read, with the types that masks leave.

        Raises:
            NoSuchTableError: There is no such table for this session.
        """
        for table in _tables(connection, schema):
            if table.name == table_name:
                return [
                    {
                        "name": column.name,
                        "type": _type(column.type),
                        "nullable": True,
                        "default": None,
                        "comment": f"masked ({column.mask}): {column.tag}" if column.mask else None,
                    }
                    for column in table.columns
                ]
        raise exc.NoSuchTableError(table_name)

    def get_pk_constraint(self, connection: Any, table_name: str, **kw: Any) -> Any:
        """A masked view has no keys."""
        return {"constrained_columns": [], "name": None}

    def get_table_comment(self, connection: Any, table_name: str, **kw: Any) -> Any:
        """None is told."""
        return {"text": None}

    def get_table_options(self, connection: Any, table_name: str, **kw: Any) -> Any:
        """None are told."""
        return {}

    def _none(self, connection: Any, *args: Any, **kw: Any) -> list[Any]:
        return []

    get_view_names = get_materialized_view_names = _none
    get_temp_table_names = get_temp_view_names = _none
    get_foreign_keys = get_indexes = get_unique_constraints = get_check_constraints = _none
    # PostgreSQL's dialect reads its catalog for many tables at once; these ask one by one.
    get_multi_columns = DefaultDialect.get_multi_columns
    get_multi_pk_constraint = DefaultDialect.get_multi_pk_constraint
    get_multi_foreign_keys = DefaultDialect.get_multi_foreign_keys
    get_multi_indexes = DefaultDialect.get_multi_indexes
    get_multi_unique_constraints = DefaultDialect.get_multi_unique_constraints
    get_multi_check_constraints = DefaultDialect.get_multi_check_constraints
    get_multi_table_comment = DefaultDialect.get_multi_table_comment
    get_multi_table_options = DefaultDialect.get_multi_table_options


def _tables(connection: Any, schema: str | None) -> tuple[catalog.Table, ...]:
    if schema:
        return ()
    try:
        return catalog.tables(connection.connection.dbapi_connection.name)
    except ZTError as error:
        raise exc.OperationalError(None, None, dbapi.translated(error)) from error


def _type(text: str) -> Any:
    """SQLAlchemy's type for PostgreSQL's name of one; text for what it does not know."""
    found = _TYPE.fullmatch(text)
    if found is None:
        return types.TEXT()
    name, first, second, zone, dimensions = found.groups()
    made: Any
    known = PGDialect.ischema_names.get(name)
    if name in {"timestamp", "time"}:
        plain = types.TIMESTAMP if name == "timestamp" else types.TIME
        made = plain(timezone=zone == " with time zone")
    elif known is None:
        made = types.TEXT()
    elif name == "numeric":
        made = known(int(first), int(second or 0)) if first else known()
    elif name.startswith("character") and first:
        made = known(int(first))
    else:
        made = known()
    return ARRAY(made) if dimensions else made


def _no_transactions(what: str) -> exc.NotSupportedError:
    error = dbapi.NotSupportedError(
        f"{what} are not available: each statement is an action of its own.",
        code="no_transactions",
        hint="Run the statements one by one.",
    )
    return exc.NotSupportedError(None, None, error)
