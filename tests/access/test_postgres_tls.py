"""TLS to a real PostgreSQL: both drivers verify the server, and refuse another's certificate."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_zt.access import PostgresAccess
from jupyter_zt.connectors import Limits, PostgresTarget
from jupyter_zt.errors import TargetError
from jupyter_zt.masking import Classification, postgres_column
from jupyter_zt.model import PostgresEndpoint
from tests.certificates import certificate
from tests.fixtures_postgres import (
    ADMIN,
    ADMIN_PASSWORD,
    CLASSIFICATION,
    PostgresServer,
    debian_bin,
    running_server,
)


@pytest.fixture(scope="module")
def tls_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[PostgresServer, Path]]:
    for server in running_server(debian_bin()):
        certificate(server.data, "server")
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            for name in ("server.crt", "server.key"):
                os.chown(server.data / name, owner.pw_uid, owner.pw_gid)
        server.sql("ALTER SYSTEM SET ssl = on")
        server.sql("SELECT pg_reload_conf()")
        trusted = tmp_path_factory.mktemp("tls") / "root.crt"
        trusted.write_bytes((server.data / "server.crt").read_bytes())
        yield server, trusted


def access_to(endpoint: PostgresEndpoint) -> PostgresAccess:
    return PostgresAccess(
        "warehouse",
        endpoint,
        user=ADMIN,
        password=lambda: ADMIN_PASSWORD,
        base_schema="shop",
        masks=Classification.load(CLASSIFICATION, ["warehouse"]).for_connection("warehouse"),
        mask_column=postgres_column,
    )


async def test_both_drivers_speak_tls_to_a_verified_server(
    tls_server: tuple[PostgresServer, Path],
) -> None:
    server, root = tls_server
    endpoint = replace(server.endpoint, sslmode="verify-full", sslrootcert=str(root))
    access, target = access_to(endpoint), PostgresTarget("warehouse", endpoint)
    try:
        await access.prepare()
        lease = await access.lease_read("s_1", 60)
        used = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        async with target.execute(lease, used, limits=Limits()) as stream:
            rows = [row async for batch in stream for row in batch.to_pylist()]
        assert rows == [{"ssl": True}]
    finally:
        await target.close()
        await access.close()


async def test_a_server_with_another_certificate_is_refused(
    tls_server: tuple[PostgresServer, Path], tmp_path: Path
) -> None:
    server, _ = tls_server
    other = certificate(tmp_path, "other")
    endpoint = replace(server.endpoint, sslmode="verify-full", sslrootcert=str(other))
    access = access_to(endpoint)
    try:
        with pytest.raises(TargetError) as caught:
            await access.prepare()
        assert caught.value.code == "target_unreachable"
    finally:
        await access.close()
