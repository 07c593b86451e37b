"""The front end's types are made from `labextension/openapi.json`, which the gateway prints."""

from __future__ import annotations

from pathlib import Path

from jupyter_zt.gateway.openapi import document

OPENAPI = Path(__file__).parents[2] / "labextension" / "openapi.json"


def test_front_end_types_follow_the_gateways_api() -> None:
    assert OPENAPI.read_text() == document(), "run `jlpm types` in labextension/ and commit"
