"""Values on the real path against what asyncpg reads from the same PostgreSQL."""

from __future__ import annotations

import base64
import datetime as dt
import pickle
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from tests.fixtures_postgres import PostgresServer
from tests.kernel.running_kernel import RunningKernel

Convert = Callable[[Any], Any]


def same(value: Any) -> Any:
    return value


def midnight(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day)  # noqa: DTZ001 - pandas has no dates


# Expression -> from asyncpg's value to the one in the DataFrame.
TYPES: dict[str, Convert] = {
    "(-32768)::smallint": same,
    "9007199254740993::bigint": same,
    "1234567890.25::numeric(12,2)": float,
    "12345678901234567890.0123456789::numeric(30,10)": same,
    "0.1::numeric": float,
    "1.5::real": same,
    "'-Infinity'::double precision": same,
    "0.1::double precision": same,
    "true": same,
    r"E'\u00e9 ''q'' \n \U0001F600'": same,
    "'ab'::char(5)": same,
    "'2024-02-29'::date": midnight,
    "'2024-03-31 01:30:00.123456+01'::timestamptz": same,
    "'1969-12-31 23:59:59.5'::timestamp": same,
    "'23:59:58.5'::time": same,
    "'2 days -03:04:05.5'::interval": same,
    "'1 mon 2 days'::interval": lambda _: pd.DateOffset(months=1, days=2, nanoseconds=0),
    """'{"a": [1, null]}'::json""": same,
    """'{"b": 1.50}'::jsonb""": same,
    "'00112233-4455-6677-8899-aabbccddeeff'::uuid": str,
    r"'\x00ff10'::bytea": same,
    r"'\x'::bytea": same,
    "'{9007199254740993,NULL,3}'::bigint[]": same,
    "'{1,2}'::integer[]": same,
    "'{}'::integer[]": same,
    """'{a,"b,c",NULL}'::text[]""": same,
    "'{1.5,2}'::double precision[]": same,
    "'{t,NULL}'::boolean[]": same,
    "'{00112233-4455-6677-8899-aabbccddeeff}'::uuid[]": lambda ids: [str(one) for one in ids],
    "'10.0.0.0/8'::cidr::text": same,
}
READ = """
import base64, pickle
found = []
for expression in {expressions!r}:
    frame = zt.sql("lab", f"SELECT v FROM (SELECT {{expression}} AS v) one"
                   " RIGHT JOIN generate_series(1, 2) n ON n = 1 ORDER BY n")
    empty = zt.sql("lab", f"SELECT {{expression}} AS v WHERE false")
    values = [list(v) if hasattr(v, "dtype") and v.shape else v for v in frame["v"]]
    values = [v.item() if hasattr(v, "dtype") else v for v in values]
    found.append((values, (list(empty.columns), len(empty))))
print(base64.b64encode(pickle.dumps(found)).decode())
"""


@pytest.fixture(scope="module")
def read(kernel: RunningKernel) -> dict[str, Any]:
    ran = kernel.run(READ.format(expressions=list(TYPES)))
    assert ran.reply["status"] == "ok", ran.text
    return dict(zip(TYPES, pickle.loads(base64.b64decode(ran.text.strip())), strict=True))


@pytest.fixture(scope="module")
def direct(postgres: PostgresServer) -> dict[str, Any]:
    columns = ", ".join(f"{expression} AS v{place}" for place, expression in enumerate(TYPES))
    (row,) = postgres.sql(f"SELECT {columns}", postgres.admin_dsn)
    return dict(zip(TYPES, row, strict=True))


@pytest.mark.parametrize("expression", TYPES)
def test_a_value_is_what_the_target_holds(
    expression: str, read: dict[str, Any], direct: dict[str, Any]
) -> None:
    (value, missing), empty = read[expression]
    expected = TYPES[expression](direct[expression])
    assert value == expected
    assert type(value) is type(expected) or isinstance(value, dt.datetime | dt.timedelta)
    assert missing is None or pd.isna(missing)
    assert empty == (["v"], 0)


def test_two_columns_of_one_name_stay_apart(kernel: RunningKernel) -> None:
    kernel.run("t = zt.sql('lab', 'SELECT 1 AS a, NULL::int AS b, 2 AS a')")
    assert kernel.value("list(t.columns), int(t.iloc[0, 0]), int(t.iloc[0, 2])") == (
        "(['a', 'b', 'a'], 1, 2)"
    )
