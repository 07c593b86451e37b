"""Where it is measured: PostgreSQL, a gateway process, a kernel in its sandbox, a plain process."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from jupyter_zt.extension.sandbox import set_session_opener
from jupyter_zt.extension.session_opener import SandboxState
from tests import fixtures_postgres
from tests.bench.direct import Direct
from tests.fixtures_gateway import REDIRECT, Gateway, Session
from tests.identity import world
from tests.kernel.running_kernel import RunningKernel

ROWS = 1_000_000
LOGIN_SECONDS = 7200
READER, READER_PASSWORD = "bench_reader", "reader"
COLUMNS = (
    *("id", "customer_id", "name", "email", "phone"),
    *("address", "national_id", "total", "rating", "ordered_at"),
)
CONSTANTS = ("name", "email", "phone", "address", "national_id")

# One table and three relations over it: all clear, five masked by constants, one pseudonym.
TABLE = f"""
SET search_path = shop;
CREATE TABLE sales AS
SELECT n AS id, (n * 7919 % 100000)::integer AS customer_id,
       'Person ' || n % 100000 AS name, 'person' || n % 100000 || '@mail.example' AS email,
       '+49 170 ' || lpad((n * 104729 % 10000000)::text, 7, '0') AS phone,
       n % 500 || ' Main Street, City ' || n % 40 AS address,
       lpad((n * 15485863 % 100000000000)::text, 11, '0') AS national_id,
       (n % 50000 + 0.99)::numeric(10, 2) AS total, sqrt(n) AS rating,
       timestamptz '2021-01-01 00:00:00+00' + n * interval '83 seconds' AS ordered_at
FROM generate_series(1::bigint, {ROWS}) AS n;
CREATE UNIQUE INDEX ON sales (id);
CREATE VIEW sales_constants AS SELECT * FROM sales;
CREATE VIEW sales_pseudonym AS SELECT * FROM sales;
ANALYZE sales;
"""


class Broker:
    """Opens a session at the gateway for each kernel, and seals it, as the Jupyter server does."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._sessions: dict[str, Session] = {}

    async def open(self, kernel_id: str, notebook: str, sandbox_state: SandboxState) -> Path:
        sandbox = {"state": sandbox_state.state, "detail": sandbox_state.detail}
        session = await asyncio.to_thread(self._gateway.open, kernel=kernel_id, sandbox=sandbox)
        self._sessions[kernel_id] = session
        return Path(session.socket).parent

    async def closed(self, kernel_id: str, restart: bool) -> None:  # noqa: FBT001
        if not restart:
            await asyncio.to_thread(self._sessions.pop(kernel_id).seal)

    def __enter__(self) -> Self:
        set_session_opener(self)
        return self

    def __exit__(self, *exc: object) -> None:
        set_session_opener(None)


@dataclass(frozen=True, slots=True)
class Stand:
    """Everything, running.

    Attributes:
        masked: Schema of the masked views, which the plain process may read too.
    """

    gateway: Gateway
    kernel: RunningKernel
    direct: Direct
    masked: str
    folder: Path

    def in_kernel(self, query: str, times: int = 1) -> dict[str, Any]:
        """As `Direct.run`, through the kernel and the gateway."""
        ran = self.kernel.run(f"measure({query!r}, {times})")
        assert ran.reply["status"] == "ok", ran.text
        answer: dict[str, Any] = json.loads(ran.text)
        return answer


_MEASURE = """
import gc, json, time, zt_kernel

def measure(query, times):
    seconds, frame = [], None
    gc.collect()
    for _ in range(times):
        frame = None
        started = time.perf_counter()
        frame = zt_kernel.sql("warehouse", query)
        seconds.append(time.perf_counter() - started)
    types = [str(kind) for kind in frame.dtypes]
    print(json.dumps({"seconds": seconds, "rows": len(frame), "dtypes": types}))
"""


@contextmanager
def stand() -> Iterator[Stand]:
    """Starts all of it; about ten seconds."""
    with ExitStack() as stack:
        server = contextmanager(fixtures_postgres.running_server)(fixtures_postgres.debian_bin())
        postgres = stack.enter_context(server)
        folder = Path(tempfile.mkdtemp(prefix="zt-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres.sql(TABLE, postgres.admin_dsn)
        gateway = stack.enter_context(_gateway(folder, postgres))
        masked = _let_read(postgres)
        stack.enter_context(Broker(gateway))
        (folder / "work").mkdir()
        kernel = RunningKernel(folder / "work")
        stack.callback(kernel.stop)
        kernel.run(_MEASURE)
        uri = f"postgresql://{READER}:{READER_PASSWORD}@127.0.0.1:{postgres.port}/shop"
        direct = stack.enter_context(Direct(uri))
        yield Stand(gateway, kernel, direct, masked, folder)


@contextmanager
def _gateway(folder: Path, postgres: fixtures_postgres.PostgresServer) -> Iterator[Gateway]:
    with world.demo_provider(
        folder / "identity", REDIRECT, id_token_seconds=LOGIN_SECONDS
    ) as provider:
        configuration = folder / "gateway"
        configuration.mkdir(mode=0o700)
        gateway = Gateway(configuration, postgres, provider.memory.issuer)
        warehouse = gateway.configuration["connections"]["warehouse"]
        warehouse["limits"] = {"max_rows": ROWS, "statement_seconds": 300}
        gateway.write()
        (configuration / "classification.yaml").write_text(json.dumps(_classification()))
        gateway.start()
        try:
            yield gateway
        finally:
            gateway.stop()
            shutil.rmtree(gateway.configuration["gateway"]["runtime"], ignore_errors=True)


def _classification() -> dict[str, Any]:
    clear: dict[str, Any] = dict.fromkeys(COLUMNS, "clear")
    constants = {name: {"tag": name, "mask": "redact"} for name in CONSTANTS}
    pseudonym = {"email": {"tag": "email", "mask": "pseudonym"}}
    return {
        "warehouse": {
            "sales": clear,
            "sales_constants": clear | constants,
            "sales_pseudonym": clear | pseudonym,
        }
    }


def _let_read(postgres: fixtures_postgres.PostgresServer) -> str:
    """A login for the plain process that reads the table, and the masked views for comparison."""
    masked = str(
        postgres.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'zt_masked_%'")[0][0]
    )
    postgres.sql(
        f"CREATE ROLE {READER} LOGIN PASSWORD '{READER_PASSWORD}';"
        f"GRANT USAGE ON SCHEMA shop, {masked} TO {READER};"
        f"GRANT SELECT ON ALL TABLES IN SCHEMA shop, {masked} TO {READER};"
    )
    return masked
