"""docs/deployment.md, and `gateway.tls`: what is loaded, and what is refused."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from traitlets.config import Config

from jupyter_zt.errors import ConfigError
from jupyter_zt.extension.app import ZT
from jupyter_zt.extension.preconditions import check_gateway_url, gateway_tls
from jupyter_zt.gateway.config import Configuration
from tests.certificates import certificate

DOCUMENT = Path(__file__).parents[2] / "docs/deployment.md"
REST = {
    "identity": {"issuer": "https://id.example", "audiences": ["jupyter-zt"], "roles": {}},
    "broker": {"secret": {"file": "broker"}},
    "connections": {},
}


def snippet(language: str) -> str:
    written = DOCUMENT.read_text()
    [text] = re.findall(rf"^```{language}\n(.*?)^```$", written, re.DOTALL | re.MULTILINE)
    return str(text)


def load(folder: Path, gateway: Any) -> Configuration:
    (folder / "gateway.yaml").write_text(yaml.safe_dump({"gateway": gateway, **REST}))
    return Configuration.load(folder)


@pytest.fixture
def gateway(tmp_path: Path) -> Any:
    """What the document says, with its files."""
    (tmp_path / "tls").mkdir()
    certificate(tmp_path / "tls", "zt")
    return yaml.safe_load(snippet("yaml"))["gateway"]


def test_the_documents_gateway_and_jupyter_server_find_each_other(
    tmp_path: Path, gateway: Any
) -> None:
    listen = load(tmp_path, gateway).values.gateway
    c = Config()
    exec(compile(ast.parse(snippet("python")), "jupyter_server_config.py", "exec"), {"c": c})
    assert set(c.ZT) <= set(ZT.class_trait_names(config=True))
    check_gateway_url(c.ZT.gateway_url)
    assert c.ZT.gateway_url == listen.origins[0]
    assert (listen.host, listen.port) == ("10.0.0.5", 8900)
    files = listen.tls_files(tmp_path)
    assert gateway_tls(c.ZT.gateway_url, files["ssl_certfile"]) is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tls": None, "url": ""}, "in clear"),
        ({"tls": None, "url": "http://zt.example.org"}, "in clear"),
        ({"listen": "10.0.0.5"}, "HOST:PORT"),
        ({"listen": "10.0.0.5:99999"}, "HOST:PORT"),
        ({"tls": {"certificate": "tls/zt.crt"}}, "key"),
    ],
)
def test_tokens_never_travel_in_clear_and_half_a_setting_is_none(
    tmp_path: Path, gateway: Any, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {**gateway, **changes})
    assert said in caught.value.message


def test_a_key_that_others_may_read_or_that_is_not_there_is_refused(
    tmp_path: Path, gateway: Any
) -> None:
    listen = load(tmp_path, gateway).values.gateway
    key = tmp_path / "tls/zt.key"
    key.chmod(0o640)
    with pytest.raises(ConfigError, match="others may read the key"):
        listen.tls_files(tmp_path)
    key.unlink()
    with pytest.raises(ConfigError, match="can't be read"):
        listen.tls_files(tmp_path)


def test_a_ca_file_that_is_none_keeps_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("none")
    for path in (tmp_path / "ca.crt", tmp_path / "missing.crt"):
        with pytest.raises(ConfigError) as caught:
            gateway_tls("https://zt.example.org", str(path))
        assert caught.value.code == "bad_gateway_ca_file"
    assert gateway_tls("http://127.0.0.1:8900", "") is None
