"""`jupyter zt login`, `logout`, `whoami`: the real gateway, the real provider, real processes."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jupyter_zt.client import places
from jupyter_zt.errors import ConfigError, PermissionDeniedError
from jupyter_zt.identity.demo_provider import DemoProvider
from tests.cli.command_line import CommandLine
from tests.fixtures_gateway import REDIRECT, Gateway
from tests.fixtures_postgres import PostgresServer
from tests.identity import world

KEYRING = '''
import json, os
from pathlib import Path
from keyring.backend import KeyringBackend

class Kept(KeyringBackend):
    """A keyring whose safe is a folder of the test."""
    priority = 5
    path = Path(os.environ["TEST_SAFE"])

    def get_password(self, service, username):
        return json.loads(self.path.read_text()).get(username) if self.path.exists() else None

    def set_password(self, service, username, password):
        if self.path.is_dir():
            raise OSError("locked")
        self.path.write_text(json.dumps({username: password}))

    def delete_password(self, service, username):
        self.path.unlink()
'''


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProvider]:
    state = tmp_path_factory.mktemp("identity")
    with world.demo_provider(state, REDIRECT, device_interval_seconds=1) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    provider: DemoProvider, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    running = Gateway(folder, postgres, provider.memory.issuer)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def line(tmp_path: Path, gateway: Gateway) -> CommandLine:
    return CommandLine(tmp_path / "home", gateway.url)


@pytest.fixture
def short_tokens(provider: DemoProvider) -> Iterator[None]:
    """ID tokens of three seconds: each is due for renewal after two thirds of it."""
    before, provider.memory.id_token_seconds = provider.memory.id_token_seconds, 3
    yield
    provider.memory.id_token_seconds = before


def is_due(line: CommandLine) -> bool:
    from jupyter_zt.identity import load_tokens

    return time.time() > load_tokens(json.loads(line.login_file.read_text())["tokens"]).renew_at


def refresh_token(line: CommandLine) -> str:
    return str(json.loads(line.login_file.read_text())["tokens"]["refresh_token"])


def test_login_whoami_logout(line: CommandLine, provider: DemoProvider) -> None:
    status, said, errors = line.log_in("analyst")
    assert (status, errors) == (0, "")
    assert f"You are analyst at {line.gateway}" in said
    assert stat.S_IMODE(line.login_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(line.login_file.parent.stat().st_mode) == 0o700

    status, said, _ = line.run("whoami")
    assert status == 0
    for fact in ("analyst", "roles     analyst", f"gateway   {line.gateway}", "renewed by itself"):
        assert fact in said
    token = refresh_token(line)
    assert token not in said

    assert line.run("logout")[:2] == (0, "You are logged out.\n")
    assert not line.login_file.exists()
    assert provider.memory.refresh[token].family.revoked
    status, _, errors = line.run("whoami")
    assert status == 2
    assert "[not_logged_in]" in errors
    assert "jupyter zt login" in errors
    assert line.run("logout")[:2] == (0, "You were not logged in.\n")


def test_cancelled_login_keeps_nothing(line: CommandLine) -> None:
    status, _, errors = line.log_in("")
    assert status == 2
    assert "[login_denied]" in errors
    assert not line.login_file.exists()


def test_code_that_nobody_enters_expires(line: CommandLine, provider: DemoProvider) -> None:
    before, provider.memory.device_code_seconds = provider.memory.device_code_seconds, 1
    endpoint = provider.server._endpoints["device_authorization"][0]
    endpoint.EXPIRES_IN = 1
    try:
        status, _, errors = line.run("login", "--gateway", line.gateway)
    finally:
        provider.memory.device_code_seconds = before
        endpoint.EXPIRES_IN = before
    assert status == 2
    assert "[device_code_expired]" in errors
    assert not line.login_file.exists()


def test_processes_that_renew_at_once_stay_logged_in(
    line: CommandLine, provider: DemoProvider
) -> None:
    memory = provider.memory
    before, memory.id_token_seconds = memory.id_token_seconds, 3
    try:
        assert line.log_in("analyst")[0] == 0
    finally:
        # Whoever renews first gets a token that lasts: the others have to find it.
        memory.id_token_seconds = before
    first = refresh_token(line)
    world.wait_until(lambda: is_due(line), seconds=10)
    # The provider ends the login when a refresh token comes twice.
    for process in [line.start("whoami") for _ in range(3)]:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out.startswith(b"analyst")
    assert refresh_token(line) != first
    assert not memory.refresh[first].family.revoked
    assert line.run("whoami")[0] == 0


@pytest.mark.usefixtures("short_tokens")
def test_login_that_the_provider_ended_says_so(line: CommandLine, provider: DemoProvider) -> None:
    assert line.log_in("analyst")[0] == 0
    token = refresh_token(line)
    provider.memory.refresh[token].family.revoked = True
    world.wait_until(lambda: is_due(line), seconds=5)
    status, _, errors = line.run("whoami")
    assert status == 2
    assert "[login_expired]" in errors
    assert "jupyter zt login" in errors


def test_login_file_that_others_can_read_is_refused_with_a_hint(line: CommandLine) -> None:
    assert line.log_in("analyst")[0] == 0
    for mode, command in (
        (0o644, ["whoami"]),
        (0o660, ["whoami"]),
        (0o604, ["exec", "warehouse", "SELECT 1"]),
    ):
        line.login_file.chmod(mode)
        status, _, errors = line.run(*command)
        assert status == 2
        assert "[login_exposed]" in errors
        assert "log in again" in errors
    assert "[login_exposed]" in line.run("logout")[2]
    assert not line.login_file.exists()


def test_login_file_that_is_a_link_or_no_login_is_refused(
    line: CommandLine, tmp_path: Path
) -> None:
    assert line.log_in("analyst")[0] == 0
    kept = line.login_file.rename(tmp_path / "elsewhere")
    line.login_file.symlink_to(kept)
    assert "[login_exposed]" in line.run("whoami")[2]
    line.login_file.unlink()
    for text in ("", "{}", "[]", '{"v":"1","gateway":"x","settings":{},"tokens":{}}'):
        places.write_private(line.login_file, text)
        assert "[bad_token]" in line.run("whoami")[2]


def test_tokens_are_kept_in_the_keyring_where_there_is_one(
    line: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "test_safe.py").write_text(KEYRING)
    safe = tmp_path / "safe"
    line.environment |= {
        "PYTHONPATH": str(tmp_path),
        "PYTHON_KEYRING_BACKEND": "test_safe.Kept",
        "TEST_SAFE": str(safe),
    }
    assert "keyring" in line.log_in("analyst")[1]
    assert not line.login_file.exists()
    assert line.run("whoami")[0] == 0
    assert line.run("logout")[0] == 0
    assert not safe.exists()
    safe.mkdir()  # it can't be written: the file takes over
    assert str(line.login_file) in line.log_in("analyst")[1]


def test_gateway_is_found_by_option_environment_or_pointer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(places.GATEWAY_VARIABLE, raising=False)
    with pytest.raises(ConfigError) as refused:
        places.find_gateway(None)
    assert refused.value.code == "no_gateway"
    places.point_at("http://127.0.0.1:3")
    assert places.find_gateway(None) == "http://127.0.0.1:3"
    monkeypatch.setenv(places.GATEWAY_VARIABLE, "http://127.0.0.1:2/")
    assert places.find_gateway(None) == "http://127.0.0.1:2"
    assert places.find_gateway("https://zt.example.org") == "https://zt.example.org"
    with pytest.raises(ConfigError) as refused:
        places.find_gateway("http://zt.example.org")
    assert refused.value.code == "insecure_gateway"
    monkeypatch.delenv(places.GATEWAY_VARIABLE)
    places.stop_pointing_at("http://127.0.0.1:9")
    assert places.find_gateway(None)
    places.stop_pointing_at("http://127.0.0.1:3")
    with pytest.raises(ConfigError):
        places.find_gateway(None)


def test_state_that_others_can_change_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    places.state_directory().chmod(0o777)
    with pytest.raises(PermissionDeniedError) as refused:
        places.state_directory()
    assert refused.value.code == "state_exposed"


def test_login_needs_no_login_and_says_where_to_go(gateway: Gateway) -> None:
    answer = httpx.get(f"{gateway.url}/v1/login")
    assert answer.json() == {
        "issuer": gateway.issuer,
        "client_id": world.CLI_CLIENT_ID,
        "scopes": ["profile", "groups", "offline_access"],
        "algorithms": ["RS256"],
    }


def test_gateway_without_a_client_for_it_says_who_can_help(
    own_gateway: Gateway, tmp_path: Path
) -> None:
    del own_gateway.configuration["identity"]["cli_client_id"]
    own_gateway.write()
    own_gateway.restart()
    line = CommandLine(tmp_path / "home", own_gateway.url)
    status, _, errors = line.run("login", "--gateway", line.gateway)
    assert status == 2
    assert "[no_command_line_login]" in errors
    own_gateway.stop()
    assert "[gateway_unreachable]" in line.run("login", "--gateway", line.gateway)[2]


@pytest.mark.usefixtures("short_tokens")
def test_interrupted_renewal_keeps_the_new_token(line: CommandLine) -> None:
    """Ctrl-C at any moment: the login that is kept is never one that was used up."""
    assert line.log_in("analyst")[0] == 0
    for seconds in (0.5, 0.8, 1.1):
        world.wait_until(lambda: is_due(line), seconds=5)
        program = (
            "import signal; from jupyter_zt.client import keeper;"
            f"signal.setitimer(signal.ITIMER_REAL, {seconds / 10});"
            "signal.signal(signal.SIGALRM, signal.default_int_handler);"
            "keeper.fresh_login()"
        )
        subprocess.run(
            [sys.executable, "-c", program], env=line.environment, check=False, capture_output=True
        )
    world.wait_until(lambda: is_due(line), seconds=5)
    assert line.run("whoami")[0] == 0
