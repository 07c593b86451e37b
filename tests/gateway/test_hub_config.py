"""`identity: {provider: jupyterhub}`: what the Hub tells its own service, and what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_zt.errors import ConfigError
from jupyter_zt.gateway.config import Configuration
from jupyter_zt.gateway.hub_settings import HubIdentity

EXTERNAL = """\
identity:
  provider: jupyterhub
  issuer: https://hub.example.org/hub/
  api_url: https://hub.example.org/hub/api
  service: zt-gateway
  roles: {analyst: [data-science], reviewer: [data-stewards]}
broker:
  secret: {file: secrets/broker}
connections:
  llm: {kind: llm, url: "http://127.0.0.1:9500/v1", model: tiny}
"""


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PUBLIC_HUB_URL", "API_URL", "SERVICE_NAME"):
        monkeypatch.delenv(f"JUPYTERHUB_{name}", raising=False)


def load(directory: Path, text: str) -> HubIdentity:
    (directory / "gateway.yaml").write_text(text)
    identity = Configuration.load(directory).values.identity
    assert isinstance(identity, HubIdentity)
    return identity


def test_an_external_service_is_told_everything(tmp_path: Path) -> None:
    identity = load(tmp_path, EXTERNAL)
    assert identity.api_url == "https://hub.example.org/hub/api"
    assert identity.service == "zt-gateway"


def test_a_service_that_the_hub_starts_needs_to_be_told_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_PUBLIC_HUB_URL", "https://hub.example.org/hub/")
    monkeypatch.setenv("JUPYTERHUB_API_URL", "http://127.0.0.1:8081/hub/api")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_NAME", "gate")
    identity = load(tmp_path, "\n".join(EXTERNAL.splitlines()[:2] + EXTERNAL.splitlines()[5:]))
    assert (identity.issuer, identity.api_url, identity.service) == (
        "https://hub.example.org/hub/",
        "http://127.0.0.1:8081/hub/api",
        "gate",
    )


@pytest.mark.parametrize(
    ("written", "instead", "line", "said"),
    [
        ("  issuer: https://hub.example.org/hub/\n", "", 1, "identity.issuer"),
        ("  service: zt-gateway\n", "", 1, "c.JupyterHub.services"),
        ("  api_url: https://hub.example.org/hub/api\n", "", 1, "identity.api_url"),
        ("https://hub.example.org/hub/api", "http://hub.example.org/hub/api", 4, "https://"),
        ("service: zt-gateway", "service: 'a b'", 5, "identity.service"),
        ("provider: jupyterhub", "provider: jupyter", 1, "provider: jupyterhub"),
        ("service:", "audiences: [x]\n  service:", 5, "audiences"),
        ("reviewer: [data-stewards]", "steward: [data-stewards]", 6, "identity.roles"),
    ],
)
def test_an_error_names_its_line(
    tmp_path: Path, written: str, instead: str, line: int, said: str
) -> None:
    assert written in EXTERNAL
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, EXTERNAL.replace(written, instead))
    assert caught.value.line == line
    assert said in caught.value.diagnostics()
