from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from jupyter_zt.masking import postgres_column
from jupyter_zt.model import (
    ColumnMask,
    MaskKind,
    SourceColumn,
    TypeFamily,
    quote_identifier,
    quote_literal,
)
from tests.fixtures_postgres import PostgresServer


@pytest.fixture
async def clear(any_postgres: PostgresServer) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(any_postgres.superuser_dsn)
    await connection.execute(
        "CREATE TEMP TABLE keys (domain text, key bytea);"
        "INSERT INTO keys VALUES ('email', sha256('k1')), ('x', sha256('k2'))"
    )
    yield connection
    await connection.close()


async def masked(
    connection: asyncpg.Connection,
    value: str,
    type_name: str,
    family: TypeFamily,
    kind: MaskKind,
    argument: str = "",
    tag: str = "x",
) -> object:
    column = SourceColumn("r", 'a"; drop', type_name, family)
    made = postgres_column(column, ColumnMask("r", column.name, tag, kind, argument), "keys")
    return await connection.fetchval(
        f"SELECT {made.expression} FROM (SELECT {value}::{type_name} AS "
        f"{quote_identifier(column.name)}) AS t"
    )


@pytest.mark.parametrize(
    ("value", "type_name", "family", "kind", "argument", "shown"),
    [
        ("'a@b.de'", "text", TypeFamily.TEXT, MaskKind.HIDE, "", None),
        ("'a@b.de'", "text", TypeFamily.TEXT, MaskKind.REDACT, "", "[x]"),
        ("5", "integer", TypeFamily.INTEGER, MaskKind.REDACT, "", None),
        ("5999", "integer", TypeFamily.INTEGER, MaskKind.BUCKET, "5000", "5000-9999"),
        ("5000", "numeric(8,2)", TypeFamily.NUMERIC, MaskKind.BUCKET, "5000", "5000-9999"),
        ("9999.99", "numeric", TypeFamily.NUMERIC, MaskKind.BUCKET, "5000", "5000-9999"),
        ("-1", "bigint", TypeFamily.INTEGER, MaskKind.BUCKET, "10", "-10--1"),
        ("9223372036854775807", "bigint", TypeFamily.INTEGER, MaskKind.BUCKET, f"1{'0' * 18}",
         f"9{'0' * 18}-{'9' * 19}"),
        ("'NaN'", "numeric", TypeFamily.NUMERIC, MaskKind.BUCKET, "10", None),
        ("'-Infinity'", "float8", TypeFamily.FLOAT, MaskKind.BUCKET, "10", None),
        ("'1980-05-06'", "date", TypeFamily.DATE, MaskKind.BUCKET, "year", 1980),
        ("'1980-05-06'", "date", TypeFamily.DATE, MaskKind.BUCKET, "decade", 1980),
        ("'1989-05-06'", "date", TypeFamily.DATE, MaskKind.BUCKET, "decade", 1980),
        ("'1980-05-06'", "date", TypeFamily.DATE, MaskKind.BUCKET, "month", "1980-05"),
        ("'infinity'", "date", TypeFamily.DATE, MaskKind.BUCKET, "year", None),
        ("'-infinity'", "timestamptz", TypeFamily.TIMESTAMPTZ, MaskKind.PARTIAL, "year", None),
        ("'2000-01-01 00:30+01'", "timestamptz", TypeFamily.TIMESTAMPTZ, MaskKind.BUCKET, "year",
         1999),
        ("'+49 170 123-4567'", "text", TypeFamily.TEXT, MaskKind.PARTIAL, "last4", "****4567"),
        ("'1234'", "text", TypeFamily.TEXT, MaskKind.PARTIAL, "last4", "****"),
        ("4111111111111111", "bigint", TypeFamily.INTEGER, MaskKind.PARTIAL, "last4", "****1111"),
        ("'a@b.de'", "text", TypeFamily.TEXT, MaskKind.PARTIAL, "domain", "***@b.de"),
        ("'write to a@b.de or Bob'", "text", TypeFamily.TEXT, MaskKind.PARTIAL, "domain",
         "***@***"),
        ("'Bob'", "text", TypeFamily.TEXT, MaskKind.PARTIAL, "domain", "***@***"),
        ("'Ada Lovelace'", "varchar(80)", TypeFamily.TEXT, MaskKind.PARTIAL, "initial", "A."),
        ("'A'", "text", TypeFamily.TEXT, MaskKind.PARTIAL, "initial", ""),
        ("'Ada'", "text", TypeFamily.TEXT, MaskKind.CLEAR, "", "Ada"),
        ("NULL", "text", TypeFamily.TEXT, MaskKind.PARTIAL, "domain", None),
        ("NULL", "text", TypeFamily.TEXT, MaskKind.PARTIAL, "last4", None),
        ("NULL", "text", TypeFamily.TEXT, MaskKind.PSEUDONYM, "", None),
        ("NULL", "integer", TypeFamily.INTEGER, MaskKind.BUCKET, "10", None),
    ],
)  # fmt: skip
async def test_each_mask_shows_what_it_says(
    clear: asyncpg.Connection,
    value: str,
    type_name: str,
    family: TypeFamily,
    kind: MaskKind,
    argument: str,
    shown: object,
) -> None:
    assert await masked(clear, value, type_name, family, kind, argument) == shown


@pytest.mark.parametrize(
    ("family", "kind", "argument"),
    [
        (TypeFamily.TEXT, MaskKind.BUCKET, "5000"),
        (TypeFamily.INTEGER, MaskKind.BUCKET, "year"),
        (TypeFamily.DATE, MaskKind.BUCKET, "5000"),
        (TypeFamily.DATE, MaskKind.PARTIAL, "domain"),
        (TypeFamily.PLAIN, MaskKind.PARTIAL, "last4"),
    ],
)
def test_a_mask_that_does_not_fit_its_type_hides_the_column_and_says_so(
    family: TypeFamily, kind: MaskKind, argument: str
) -> None:
    column = SourceColumn("r", "c", "whatever", family)
    made = postgres_column(column, ColumnMask("r", "c", "x", kind, argument), "keys")
    assert made.expression == "NULL::whatever"
    assert made.mask.kind is MaskKind.HIDE
    assert "does not fit" in made.note
    assert not made.reads


def test_an_unclassified_column_is_hidden() -> None:
    made = postgres_column(SourceColumn("r", "c", "text", TypeFamily.TEXT), None, "keys")
    assert made.expression == "NULL::text"
    assert made.mask.tag == "unclassified"


async def test_the_same_value_has_the_same_token_in_every_type_of_text_and_no_setting_changes_it(
    clear: asyncpg.Connection,
) -> None:
    kind = MaskKind.PSEUDONYM
    token = await masked(clear, "'a@b.de'", "text", TypeFamily.TEXT, kind, tag="email")
    assert isinstance(token, str)
    assert token.startswith("email_")
    assert len(token) == len("email_") + 20
    for type_name in ("varchar", "varchar(20)", "char(20)"):
        same = await masked(clear, "'a@b.de'", type_name, TypeFamily.TEXT, kind, tag="email")
        assert same == token
    number = await masked(clear, "42", "integer", TypeFamily.INTEGER, kind)
    assert number == await masked(clear, "'42'", "text", TypeFamily.TEXT, kind)
    assert token != await masked(clear, "'a@b.de'", "text", TypeFamily.TEXT, kind)
    for value, type_name, family in (
        ("'1980-05-06'", "date", TypeFamily.DATE),
        ("'1980-05-06 07:08:09+00'", "timestamptz", TypeFamily.TIMESTAMPTZ),
        ("1.1", "float8", TypeFamily.FLOAT),
    ):
        await clear.execute("SET DateStyle = 'ISO'; SET TimeZone = 'UTC'; RESET extra_float_digits")
        first = await masked(clear, value, type_name, family, kind)
        await clear.execute(
            "SET DateStyle = 'German'; SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = -15"
        )
        assert await masked(clear, value, type_name, family, kind) == first


async def test_without_its_key_a_pseudonym_is_missing_and_not_the_value(
    clear: asyncpg.Connection,
) -> None:
    await clear.execute("DELETE FROM keys")
    assert (
        await masked(clear, "'a@b.de'", "text", TypeFamily.TEXT, MaskKind.PSEUDONYM, tag="email")
        is None
    )


@pytest.mark.parametrize("name", ['a"b', "a'b", "a; drop table x --", "Ünïcødé", "select", "$1"])
async def test_no_name_and_no_text_breaks_out_of_its_quotes(
    clear: asyncpg.Connection, name: str
) -> None:
    row = await clear.fetchrow(f"SELECT {quote_literal(name)} AS {quote_identifier(name)}")
    assert dict(row) == {name: name}


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_that_postgresql_can_not_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="identifier"):
        quote_identifier(name)
