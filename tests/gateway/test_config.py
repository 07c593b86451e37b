"""The configuration directory: an error names file, line and what to write instead."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx
import pytest
import yaml
from joserfc.jwk import ECKey

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


SERVICE = """\
services:
  nightly:
    owner: data platform
    connections: [warehouse]
    actions: [read]
    issuer: {url: "https://ci.example", subject: "repo:x:*"}
"""
PUBLIC = ECKey.generate_key("P-256")


@pytest.mark.parametrize(
    ("written", "instead", "line", "said"),
    [
        ("    owner: data platform\n", "", 24, "owner"),
        ("[warehouse]", "[crm]", 26, "warehouse, llm"),
        ("[read]", "[read]\n    roles: [reviewer]", 28, "analyst"),
        ("[read]", "[read]\n    roles: [admin]", 28, "analyst"),
        ("[read]", "[read]\n    keys: {file: nightly.pub}", 24, "either"),
        ('    issuer: {url: "https://ci.example", subject: "repo:x:*"}\n', "", 24, "either"),
        ('"repo:x:*"', '"*"', 28, "subject"),
        ('"repo:x:*"', '""', 28, "subject"),
        ('"repo:x:*"', "a, algorithms: [none]", 28, "can't be used"),
        ('"repo:x:*"', "a, algorithms: [HS256]", 28, "can't be used"),
        ('"repo:x:*"', "a, max_seconds: 86400", 28, "3600"),
        ("https://ci.example", "ci.example", 28, "url"),
    ],
)
def test_an_error_in_a_service_names_file_and_line(
    tmp_path: Path, written: str, instead: str, line: int, said: str
) -> None:
    assert load(tmp_path, GOOD + SERVICE).values.services["nightly"].roles == ["analyst"]
    assert written in SERVICE
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD + SERVICE.replace(written, instead))
    assert (caught.value.line, caught.value.file) == (line, str(tmp_path / "gateway.yaml"))
    assert said in caught.value.diagnostics()


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (PUBLIC.as_dict(private=True), "This is a private key"),
        ({"kty": "oct", "k": "aHVudGVyMg"}, "This is a private key"),
        (ECKey.generate_key("secp256k1").as_dict(private=False), "no key for signatures"),
        ({"kty": "RSA", "e": "AQAB", "n": "sbbb"}, "no key for signatures"),
        ({}, "no key for signatures"),
    ],
)
def test_a_service_has_public_keys_for_signatures_and_no_others(
    tmp_path: Path, key: dict[str, str], said: str
) -> None:
    document = yaml.safe_load(GOOD + SERVICE)
    del document["services"]["nightly"]["issuer"]
    document["services"]["nightly"]["keys"] = [key]
    with pytest.raises(ConfigError, match=said) as caught:
        load(tmp_path, yaml.safe_dump(document))
    for name in ("d", "k"):
        assert key.get(name, "not there") not in caught.value.diagnostics()
    # The same in a file is found when the gateway starts.
    document["services"]["nightly"]["keys"] = {"file": "nightly.pub"}
    service = load(tmp_path, yaml.safe_dump(document)).values.services["nightly"]
    (tmp_path / "nightly.pub").write_text(json.dumps(key))
    with pytest.raises(ConfigError, match=said):
        service.registration("nightly", tmp_path, ["https://zt"], httpx.AsyncClient())
    (tmp_path / "nightly.pub").write_bytes(PUBLIC.as_pem(private=False))
    found = service.registration("nightly", tmp_path, ["https://zt"], httpx.AsyncClient())
    assert found.own is not None


def test_a_services_issuer_is_reached_by_https(tmp_path: Path) -> None:
    services = load(
        tmp_path, GOOD + SERVICE.replace("https://ci.example", "http://ci.example")
    ).values.services
    with pytest.raises(ConfigError) as caught:
        services["nightly"].registration("nightly", tmp_path, ["https://zt"], httpx.AsyncClient())
    assert caught.value.code == "insecure_issuer"
