"""What people do today: a plain Python process that talks to the database itself.

`Direct` starts it; run as a program it answers one JSON line for each line that it reads.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

REPOSITORY = Path(__file__).parents[2]


class Direct:
    """The process, from outside."""

    def __init__(self, uri: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.direct", uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            text=True,
        )

    def run(self, how: str, query: str, times: int = 1) -> dict[str, Any]:
        """Seconds of each run, and the number of rows and the dtypes of the last frame."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([how, query, times]) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)


def main(uri: str) -> None:
    import adbc_driver_postgresql.dbapi
    import pandas as pd
    import sqlalchemy

    from zt_kernel.actions import Column
    from zt_kernel.tables import to_pandas

    kept = adbc_driver_postgresql.dbapi.connect(uri, autocommit=True)
    engine = sqlalchemy.create_engine(uri.replace("postgresql://", "postgresql+psycopg://"))

    def adbc(query: str) -> pd.DataFrame:
        """To pandas just as the kernel does it."""
        with kept.cursor() as cursor:
            cursor.execute(query)
            table = cursor.fetch_arrow_table()
        columns = [
            Column(name=item.name, type=getattr(item.type, "type_name", str(item.type)))
            for item in table.schema
        ]
        return to_pandas(table, columns)

    def read_sql(query: str) -> pd.DataFrame:
        with engine.connect() as connection:
            return pd.read_sql(query, connection)

    ways: dict[str, Callable[[str], pd.DataFrame]] = {"adbc": adbc, "read_sql": read_sql}
    for line in sys.stdin:
        how, query, times = json.loads(line)
        seconds = []
        frame = None
        gc.collect()
        for _ in range(times):
            frame = None
            started = time.perf_counter()
            frame = ways[how](query)
            seconds.append(time.perf_counter() - started)
        assert frame is not None
        types = [str(kind) for kind in frame.dtypes]
        print(json.dumps({"seconds": seconds, "rows": len(frame), "dtypes": types}), flush=True)
        del frame


if __name__ == "__main__":
    main(sys.argv[1])
