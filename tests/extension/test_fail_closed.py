"""A server that Jupyter ZT can't guard does not start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from traitlets.config import Config

from jupyter_zt.errors import ConfigError
from jupyter_zt.extension import configure
from jupyter_zt.extension.preconditions import (
    check_gateway_url,
    check_recordings_folder,
    read_broker_secret,
)


def serve(folder: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Run a Jupyter server with this configuration until it gives up."""
    (folder / "root").mkdir()
    secret = folder / "client_secret"
    secret.write_text("secret")
    secret.chmod(0o600)
    (folder / "jupyter_server_config.py").write_text("\n".join([*lines, ""]))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    names = ("CONFIG", "DATA", "RUNTIME")
    return subprocess.run(
        [
            *(sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser"),
            *(f"--ServerApp.root_dir={folder / 'root'}", f"--port={port}"),
            *("--ServerApp.jpserver_extensions", "jupyter_zt=True"),
        ],
        env={**os.environ, **{f"JUPYTER_{name}_DIR": str(folder) for name in names}},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


CONFIGURED = (
    "from jupyter_zt.extension import configure; configure(c)",
    "c.ZTIdentityProvider.issuer = 'http://127.0.0.1:1'",
    "c.ZTIdentityProvider.public_url = 'http://127.0.0.1:2/'",
)


def test_a_server_without_our_settings_does_not_start_and_says_which_line_is_missing(
    tmp_path: Path,
) -> None:
    ended = serve(tmp_path)

    assert ended.returncode != 0
    assert "from jupyter_zt.extension import configure; configure(c)" in ended.stderr
    assert "identity_provider_class is not ZTIdentityProvider" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "is running at" not in ended.stderr


def test_doors_left_open_keep_the_server_from_starting_and_each_is_named(tmp_path: Path) -> None:
    stock = "jupyter_server.services.kernels.connection.channels.ZMQChannelsWebsocketConnection"
    ended = serve(
        tmp_path,
        *CONFIGURED,
        f"c.ZTIdentityProvider.client_secret_file = {str(tmp_path / 'client_secret')!r}",
        "c.ServerApp.authorizer_class = 'jupyter_server.auth.AllowAllAuthorizer'",
        "c.ServerApp.disable_check_xsrf = True",
        "c.ServerApp.terminals_enabled = True",
        "c.ServerApp.allow_unauthenticated_access = True",
        f"c.ServerApp.kernel_websocket_connection_class = {stock!r}",
    )

    assert ended.returncode != 0
    assert "server_not_guarded" in ended.stderr
    assert "is running at" not in ended.stderr
    for door in (
        "authorizer_class",
        "disable_check_xsrf",
        "terminals_enabled",
        "allow_unauthenticated_access",
        "kernel_websocket_connection_class",
    ):
        assert f"c.ServerApp.{door} is" in ended.stderr


def test_a_server_without_the_gateway_s_secret_does_not_start(tmp_path: Path) -> None:
    secret = f"c.ZTIdentityProvider.client_secret_file = {str(tmp_path / 'client_secret')!r}"

    ended = serve(tmp_path, *CONFIGURED, secret)

    assert ended.returncode != 0
    assert "c.ZT.broker_secret_file is not set" in ended.stderr
    assert "is running at" not in ended.stderr


@pytest.mark.parametrize("url", ["https://zt.example.org", "http://127.0.0.1:8900"])
def test_tokens_go_to_the_gateway_over_tls_or_loopback(url: str) -> None:
    check_gateway_url(url)


@pytest.mark.parametrize("url", ["http://zt.example.org", "http://10.0.0.1:8900", "", "file:///x"])
def test_tokens_do_not_go_over_a_network_in_clear(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_gateway_url(url)

    assert caught.value.code == "bad_gateway_url"


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("x\n")
    file.chmod(0o640)

    with pytest.raises(ConfigError) as caught:
        read_broker_secret(str(file))

    assert caught.value.code == "broker_secret_open"
    file.chmod(0o600)
    assert read_broker_secret(str(file)) == "x"


def test_recordings_that_a_kernel_could_move_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    for good in (root / "evidence", tmp_path / "evidence", tmp_path / "link" / "evidence"):
        check_recordings_folder(good, root)
        check_recordings_folder(good, tmp_path / "link")

    for bad in (root / "kept" / "evidence", tmp_path / "link/kept/evidence", root, tmp_path):
        with pytest.raises(ConfigError) as caught:
            check_recordings_folder(bad, root)
        assert caught.value.code == "bad_recordings_dir"


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe"])
def test_a_secret_that_is_none_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    file.chmod(0o600)

    with pytest.raises(ConfigError) as caught:
        read_broker_secret(str(file))

    assert caught.value.code == "no_broker_secret"


def test_settings_made_before_are_kept() -> None:
    c = Config()
    c.ServerApp.tornado_settings = {"headers": {"X-Own": "1"}, "own": 2}

    configure(c)

    settings = c.ServerApp.tornado_settings
    assert settings["own"] == 2
    assert settings["headers"]["X-Own"] == "1"
    assert "script-src 'self'" in settings["headers"]["Content-Security-Policy"]


def test_configuring_imports_nothing_heavy() -> None:
    heavy = "{'httpx', 'nh3', 'jupyter_server', 'zmq', 'tornado'}"
    code = f"import sys, jupyter_zt.extension; print(sorted({heavy} & set(sys.modules)))"

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )

    assert ended.stdout.strip() == "[]"
