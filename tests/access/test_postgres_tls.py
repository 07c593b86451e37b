"""TLS to a real PostgreSQL: both drivers verify the server, and refuse another's certificate."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import pwd
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jupyter_zt.access import PostgresAccess
from jupyter_zt.connectors import Limits, PostgresTarget
from jupyter_zt.errors import TargetError
from jupyter_zt.masking import Classification, postgres_column
from jupyter_zt.model import PostgresEndpoint
from tests.fixtures_postgres import (
    ADMIN,
    ADMIN_PASSWORD,
    CLASSIFICATION,
    PostgresServer,
    debian_bin,
    running_server,
)


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.crt"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = folder / f"{name}.key"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    private.chmod(0o600)
    return path


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
