"""Wycheproof's JSON Web Signature vectors, through the verifier of ID tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity import Provider
from jupyter_zt.identity.signed_tokens import ASYMMETRIC_ALGORITHMS, ID_TOKEN, SignedTokens
from tests.identity import world

VECTORS = Path(__file__).parents[2] / "../shared/vectors/wycheproof_json_web_signature_test.json"

# Valid signatures that are refused all the same, each for a reason.
STRICTER = {
    # The key says that it is for "ES521", which is no algorithm.
    "rfc7520": 1,
}


def groups() -> list[dict[str, Any]]:
    if not VECTORS.exists():
        return []
    return list(json.loads(VECTORS.read_text())["testGroups"])


@pytest.fixture(scope="module")
def forger() -> Iterator[world.Forger]:
    with world.forger() as provider:
        yield provider


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10) as client:
        yield client


@pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not on this machine")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("group", groups(), ids=lambda group: group["comment"])
async def test_wycheproof_signatures(
    group: dict[str, Any], forger: world.Forger, http: httpx.AsyncClient
) -> None:
    key = group.get("public")
    # Groups with no public key are signed with a shared secret, which is never believed.
    forger.jwks = [key] if key else []
    signed = SignedTokens(
        forger.issuer,
        [world.CLIENT_ID],
        ASYMMETRIC_ALGORITHMS,
        Provider(forger.issuer, http).keys,
    )
    if not key:
        forger.jwks = [dict(forger.key.as_dict(private=False))]
    stricter = 0
    for case in group["tests"]:
        about = (case["tcId"], case["comment"], case["jws"][:200])
        try:
            await signed.payload(case["jws"], ID_TOKEN)
            accepted = True
        except AuthenticationError as refusal:
            accepted = False
            reason = refusal.code
        if case["result"] == "invalid" or not key:
            assert not accepted, about
        elif not accepted:
            assert group["comment"] in STRICTER, (reason, *about)
            stricter += 1
    assert stricter == STRICTER.get(group["comment"], 0)


@pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not on this machine")
def test_no_vector_is_left_out() -> None:
    assert sum(len(group["tests"]) for group in groups()) == 201
