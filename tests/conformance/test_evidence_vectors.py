"""Vectors that others published, for what the evidence is made of."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from jupyter_zt.errors import EvidenceError
from jupyter_zt.recording.verify.merkle import check_consistency, check_inclusion
from jupyter_zt.recording.verify.note import VerifierKey, key_id
from jupyter_zt.recording.verify.strict_json import canonical_json, parse_json

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"


def vectors(name: str) -> Any:
    path = VECTORS / name
    return json.loads(path.read_text()) if path.exists() else None


MERKLE = vectors("merkle_rfc6962.json") or {"inclusion": [], "consistency": []}
ED25519 = vectors("wycheproof_ed25519_test.json") or {"testGroups": []}
JCS = vectors("rfc8785_jcs.json") or []

pytestmark = pytest.mark.skipif(
    not VECTORS.exists(), reason="the published vectors are not here: ../shared/vectors"
)


def _hashes(encoded: list[str] | None) -> list[bytes]:
    return [base64.b64decode(item) for item in encoded or []]


def _name(case: dict[str, Any]) -> str:
    return str(case["name"])


@pytest.mark.parametrize("case", MERKLE["inclusion"], ids=_name)
def test_merkle_inclusion(case: dict[str, Any]) -> None:
    leaf, root = (base64.b64decode(case[name]) for name in ("leafHash", "root"))
    try:
        check_inclusion(case["leafIdx"], case["treeSize"], leaf, _hashes(case["proof"]), root)
    except EvidenceError:
        assert case["wantErr"]
    else:
        assert not case["wantErr"]


@pytest.mark.parametrize("case", MERKLE["consistency"], ids=_name)
def test_merkle_consistency(case: dict[str, Any]) -> None:
    old, new = (base64.b64decode(case[name]) for name in ("root1", "root2"))
    try:
        check_consistency(case["size1"], case["size2"], _hashes(case["proof"]), old, new)
    except EvidenceError:
        assert case["wantErr"]
    else:
        assert not case["wantErr"]


CASES = [
    pytest.param(group["publicKey"]["pk"], case, id=f"tc{case['tcId']}")
    for group in ED25519["testGroups"]
    for case in group["tests"]
]


@pytest.mark.parametrize(("public", "case"), CASES)
def test_ed25519(public: str, case: dict[str, Any]) -> None:
    message, key = bytes.fromhex(case["msg"]), bytes.fromhex(public)
    Ed25519PublicKey.from_public_bytes(key)
    pinned = VerifierKey("wycheproof", key_id("wycheproof", key), key)
    try:
        pinned.check(message, bytes.fromhex(case["sig"]))
    except EvidenceError:
        assert case["result"] != "valid"
    else:
        assert case["result"] != "invalid"


@pytest.mark.parametrize("case", JCS, ids=_name)
def test_canonical_json(case: dict[str, Any]) -> None:
    assert canonical_json(parse_json(case["input"])) == case["output"]
    assert rfc8785.dumps(json.loads(case["input"])).decode() == case["output"]
