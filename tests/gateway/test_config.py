"""The configuration directory: an error names file, line and what to write instead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_zt.access.secrets import SecretReference, read_secret
from jupyter_zt.errors import ConfigError
from jupyter_zt.gateway.config import Configuration

GOOD = """\
gateway: {listen: 127.0.0.1:8900}
identity:
  issuer: https://id.example
  audiences: [jupyter-zt]
  roles: {analyst: [analysts], reviewer: [reviewers]}
broker:
  secret: {file: secrets/broker}
connections:
  warehouse:
    kind: postgres
    database: shop
    user: zt_admin
    password: {file: secrets/warehouse}
  llm:
    kind: llm
    url: http://127.0.0.1:9500/v1
    model: tiny
agents:
  react:
    owner: data platform
    connections: [warehouse, llm]
    actions: [read, model_call]
"""


def load(directory: Path, text: str) -> Configuration:
    (directory / "gateway.yaml").write_text(text)
    return Configuration.load(directory)


def test_a_good_configuration_loads(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert config.values.gateway.port == 8900
    assert set(config.values.connections) == {"warehouse", "llm"}
    warehouse = config.values.connections["warehouse"]
    assert warehouse.kind == "postgres"
    assert config.secret(warehouse.password).file == tmp_path / "secrets/warehouse"
    agent = config.values.agents["react"].agent("react")
    assert {verb.value for verb in agent.verbs} == {"select", "explain", "model_call"}
    assert not agent.may_ask


def test_the_runtime_folder_is_the_same_after_a_restart(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).runtime == load(tmp_path, GOOD).runtime


@pytest.mark.parametrize(
    ("written", "instead", "line", "said"),
    [
        ("    user: zt_admin\n", "    usr: zt_admin\n", 12, "usr"),
        ("    database: shop\n", "", 9, "database"),
        ("    kind: llm\n", "    kind: oracle\n", 14, "kind: postgres or kind: llm"),
        ("{file: secrets/warehouse}", "hunter2", 13, "never the secret"),
        ("{file: secrets/broker}", "{file: a, env: B}", 7, "either"),
        ("  issuer: https://id.example\n", "  issuer: id.example\n", 3, "issuer"),
        ("[jupyter-zt]", "[]", 4, "audiences"),
        ("[jupyter-zt]", "[jupyter-zt]\n  algorithms: [RS256, none]", 5, "none can't be used"),
        ("[jupyter-zt]", "[jupyter-zt]\n  algorithms: [HS256]", 5, "HS256 can't be used"),
        ("[jupyter-zt]", "[jupyter-zt]\n  algorithms: []", 5, "algorithms"),
        ("[jupyter-zt]", "[jupyter-zt]\n  subject_claim: ''", 5, "subject_claim"),
        ("[analysts]", "[{}]", 5, "analyst"),
        ("[analysts]", "[{email: 7}]", 5, "analyst"),
        ("reviewer: [reviewers]", "boss: [bosses]", 5, "boss"),
        ("127.0.0.1:8900", "here", 1, "HOST:PORT"),
        ("    owner: data platform\n", "", 19, "owner"),
        ("[warehouse, llm]", "[warehouse, crm]", 21, "warehouse, llm"),
        ("[read, model_call]", "[read, everything]", 22, "everything"),
        ("[read, model_call]\n", "[read]\n    may_approve: true\n", 23, "may_approve"),
    ],
)
def test_an_error_names_file_and_line(
    tmp_path: Path, written: str, instead: str, line: int, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace(written, instead))
    error = caught.value
    assert error.file == str(tmp_path / "gateway.yaml")
    assert error.line == line
    assert said in error.diagnostics()


def test_a_secret_is_never_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace("{file: secrets/warehouse}", "hunter2"))
    assert "hunter2" not in caught.value.diagnostics()


def test_what_is_not_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD + "  : : [\n")
    assert caught.value.code == "not_yaml"
    assert caught.value.line >= 18


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        Configuration.load(tmp_path)


def test_a_runtime_folder_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    long = GOOD.replace("8900}", "8900, runtime: " + "x" * 100 + "}")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, long)
    assert "too long" in caught.value.message


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("value\n")
    path.chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        read_secret(SecretReference(file=path))
    assert caught.value.code == "secret_exposed"
    path.chmod(0o600)
    assert read_secret(SecretReference(file=path)) == "value"


def test_a_secret_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with pytest.raises(ConfigError):
        read_secret(SecretReference(file=path))
    path.touch(mode=0o600)
    with pytest.raises(ConfigError):
        read_secret(SecretReference(file=path))
    with pytest.raises(ConfigError):
        read_secret(SecretReference(env="ZT_TEST_NO_SUCH_VARIABLE"))
    os.environ["ZT_TEST_SECRET"] = "value"
    try:
        assert read_secret(SecretReference(env="ZT_TEST_SECRET")) == "value"
    finally:
        del os.environ["ZT_TEST_SECRET"]
