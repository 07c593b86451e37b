"""The attacks on identity of the threat model: each is tried for real, and refused."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from joserfc.jwk import RSAKey

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity import LoginState, RelyingParty, TokenVerifier
from tests.identity import world

CALLBACK = "http://127.0.0.1:1/oidc/callback"
STATE = LoginState(state="s" * 43, nonce="n" * 43, code_verifier="v" * 64)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10) as client:
        yield client


@pytest.fixture
def forger() -> Iterator[world.Forger]:
    with world.forger() as provider:
        yield provider


@pytest.fixture
def verifier(forger: world.Forger, http: httpx.AsyncClient) -> TokenVerifier:
    return TokenVerifier(forger.issuer, [world.CLIENT_ID], ["RS256"], http)


@pytest.fixture
def party(forger: world.Forger, http: httpx.AsyncClient) -> RelyingParty:
    return RelyingParty(
        forger.issuer, world.CLIENT_ID, world.CLIENT_SECRET, CALLBACK, ["profile"], http
    )


async def refused(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(AuthenticationError) as refusal:
        await verifier.verify(token)
    return refusal.value.code


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


# --- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
async def test_unsigned_token(
    algorithm: str, forger: world.Forger, verifier: TokenVerifier
) -> None:
    token = f"{part({'alg': algorithm})}.{part(forger.claims())}."
    assert await refused(verifier, token) == "algorithm_not_allowed"


async def test_key_confusion_with_the_public_key_as_hmac_secret(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    # joserfc refuses to sign like this, an attacker doesn't.
    signed = f"{part({'alg': 'HS256', 'kid': forger.key.kid})}.{part(forger.claims())}"
    secret = forger.key.as_pem(private=False)
    signature = hmac.digest(secret, signed.encode(), "sha256")
    assert await refused(verifier, f"{signed}.{part(signature)}") == "algorithm_not_allowed"


async def test_allowed_family_but_not_allowed_algorithm(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    unbound = RSAKey.import_key(forger.key.as_pem(private=True))
    token = forger.sign(unbound, {"alg": "RS512", "kid": forger.key.kid})
    assert await refused(verifier, token) == "algorithm_not_allowed"


async def test_signature_by_another_key_with_the_same_kid(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    other = RSAKey.generate_key(2048, {"kid": str(forger.key.kid)})
    assert await refused(verifier, forger.sign(other)) == "bad_signature"


async def test_key_shipped_in_the_header(forger: world.Forger, verifier: TokenVerifier) -> None:
    other = RSAKey.generate_key(2048, {"kid": str(forger.key.kid)})
    header = {"jwk": {"kty": "RSA", **other.as_dict(private=False)}}
    head, payload, signature = forger.sign(other).split(".")
    assert head
    token = f"{part({'alg': 'RS256', 'kid': forger.key.kid, **header})}.{payload}.{signature}"
    assert await refused(verifier, token) in {"bad_signature", "bad_token"}


async def test_key_address_in_the_header_is_not_fetched(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    with world.forger() as attacker:
        token = forger.sign(attacker.key, {"jku": f"{attacker.issuer}/jwks"})
        assert await refused(verifier, token) == "unknown_key"
        assert attacker.fetches == 0


async def test_changed_payload(forger: world.Forger, verifier: TokenVerifier) -> None:
    head, _, signature = forger.sign().split(".")
    token = f"{head}.{part(forger.claims(sub='admin'))}.{signature}"
    assert await refused(verifier, token) == "bad_signature"


async def test_encryption_key_used_for_signing(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    other = RSAKey.generate_key(2048, {"kid": "for-encryption"})
    forger.jwks.append({**other.as_dict(private=False), "use": "enc"})
    assert await refused(verifier, forger.sign(other)) == "unknown_key"


@pytest.mark.filterwarnings("ignore:Key size")
async def test_short_rsa_key_of_the_provider_is_not_believed(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    short = RSAKey.generate_key(1024, {"kid": "short"})
    forger.jwks.append(dict(short.as_dict(private=False)))
    assert await refused(verifier, forger.sign(short)) == "unknown_key"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://evil.example"}, "wrong_issuer"),
        ({"iss": None}, "bad_token"),
        ({"aud": "somebody-else"}, "wrong_audience"),
        ({"aud": ["somebody-else"]}, "wrong_audience"),
        ({"aud": None}, "bad_token"),
        ({"aud": []}, "wrong_audience"),
        ({"aud": [world.CLIENT_ID, "somebody-else"]}, "wrong_audience"),
        ({"aud": [world.CLIENT_ID, "somebody-else"], "azp": world.CLIENT_ID}, "wrong_audience"),
        ({"azp": "somebody-else"}, "wrong_audience"),
        ({"sub": None}, "bad_token"),
        ({"sub": ""}, "bad_token"),
        ({"sub": 7}, "bad_token"),
        ({"sub": "a\nb"}, "bad_token"),
        ({"sub": "x" * 256}, "bad_token"),
        ({"exp": None}, "bad_token"),
        ({"exp": "tomorrow"}, "bad_token"),
        ({"exp": 1}, "login_expired"),
        ({"iat": None}, "bad_token"),
        ({"iat": 99999999999}, "token_not_yet_valid"),
        ({"nbf": 99999999999}, "token_not_yet_valid"),
        ({"groups": "admins"}, "bad_token"),
        ({"groups": [["admins"]]}, "bad_token"),
    ],
)
async def test_wrong_claims(
    changes: dict[str, Any], code: str, forger: world.Forger, verifier: TokenVerifier
) -> None:
    assert await refused(verifier, forger.sign(**changes)) == code


async def test_claim_named_twice(forger: world.Forger, verifier: TokenVerifier) -> None:
    claims = json.dumps(forger.claims())[:-1] + ', "sub": "admin"}'
    token = world.sign_bytes(forger.key, claims.encode())
    assert await refused(verifier, token) == "bad_token"


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "ä.b.c", "x" * 20_000, "{}"])
async def test_no_token_at_all(token: str, verifier: TokenVerifier) -> None:
    assert await refused(verifier, token) == "bad_token"


async def test_storm_of_unknown_kids_fetches_the_keys_once(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    await verifier.verify(forger.sign())
    for number in range(100):
        token = forger.sign(header={"kid": f"made-up-{number}"})
        assert await refused(verifier, token) == "unknown_key"
    assert forger.fetches == 1


# --- the answer that comes back through the browser -----------------------------------------------


def answer(forger: world.Forger, **changes: Any) -> str:
    parameters = {"code": "c", "state": STATE.state, "iss": forger.issuer, **changes}
    return urlencode({name: value for name, value in parameters.items() if value is not None})


async def login_refused(party: RelyingParty, query: str) -> str:
    with pytest.raises(AuthenticationError) as refusal:
        await party.finish_login(STATE, query)
    return refusal.value.code


@pytest.mark.parametrize(
    "changes",
    [
        {"state": None},
        {"state": ""},
        {"state": "another"},
        {"code": None},
        {"code": ""},
        {"iss": None},
        {"iss": "https://evil.example"},
    ],
    ids=str,
)
async def test_answer_of_another_login_or_issuer(
    changes: dict[str, Any], forger: world.Forger, party: RelyingParty
) -> None:
    assert await login_refused(party, answer(forger, **changes)) == "bad_login_response"
    assert forger.token_requests == []


@pytest.mark.parametrize("name", ["code", "state", "iss"])
async def test_parameter_named_twice(name: str, forger: world.Forger, party: RelyingParty) -> None:
    query = f"{answer(forger)}&{name}=other"
    assert await login_refused(party, query) == "bad_login_response"


async def test_error_text_of_the_browser_is_not_repeated(
    forger: world.Forger, party: RelyingParty
) -> None:
    query = answer(forger, error="<script>alert(1)</script>", code=None)
    with pytest.raises(AuthenticationError) as refusal:
        await party.finish_login(STATE, query)
    assert "script" not in refusal.value.message


def respond(forger: world.Forger, id_token: str) -> None:
    forger.token_response = {"id_token": id_token, "access_token": "at", "token_type": "Bearer"}


async def test_code_is_redeemed_with_the_verifier_and_the_exact_redirect_uri(
    forger: world.Forger, party: RelyingParty
) -> None:
    respond(forger, forger.sign(nonce=STATE.nonce))
    await party.finish_login(STATE, answer(forger))
    request = forger.token_requests[0]
    assert request["code_verifier"] == STATE.code_verifier
    assert request["redirect_uri"] == CALLBACK


@pytest.mark.parametrize("nonce", [None, "", "another"])
async def test_id_token_with_another_nonce(
    nonce: str | None, forger: world.Forger, party: RelyingParty
) -> None:
    respond(forger, forger.sign(nonce=nonce))
    assert await login_refused(party, answer(forger)) == "foreign_token"


@pytest.mark.parametrize("at_hash", ["another", "x" * 22])
async def test_access_token_of_another_login(
    at_hash: str, forger: world.Forger, party: RelyingParty
) -> None:
    respond(forger, forger.sign(nonce=STATE.nonce, at_hash=at_hash))
    assert await login_refused(party, answer(forger)) == "foreign_token"


@pytest.mark.parametrize("changes", [{"sub": "admin"}, {"auth_time": 2}, {"nonce": "another"}])
async def test_refresh_that_gives_another_login(
    changes: dict[str, Any], forger: world.Forger, party: RelyingParty
) -> None:
    first = {"nonce": STATE.nonce, "auth_time": 1}
    respond(forger, forger.sign(**first))
    forger.token_response["refresh_token"] = "rt"
    tokens = await party.finish_login(STATE, answer(forger))
    respond(forger, forger.sign(**{**first, **changes}))
    with pytest.raises(AuthenticationError) as refusal:
        await party.refresh(tokens)
    assert refusal.value.code == "foreign_token"


# --- the demo provider ----------------------------------------------------------------------------


@pytest.fixture
def browser() -> Iterator[world.Browser]:
    browser = world.Browser()
    yield browser
    browser.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"nonce": None},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": "http://evil.example/oidc/callback"},
        {"client_id": "nobody"},
        {"response_type": "token"},
    ],
    ids=str,
)
async def test_authorization_request_without_what_protects_it(
    changes: dict[str, Any], tmp_path: Path, browser: world.Browser
) -> None:
    with world.demo_provider(tmp_path, redirect_uri=CALLBACK) as provider:
        parameters = {
            "response_type": "code",
            "client_id": world.CLIENT_ID,
            "redirect_uri": CALLBACK,
            "scope": "openid",
            "state": "s",
            "nonce": "n",
            "code_challenge": "c" * 43,
            "code_challenge_method": "S256",
            **changes,
        }
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        page = browser.get(f"{provider.memory.issuer}/authorize?{query}", stop=CALLBACK)
        assert "<form" not in page.text
        if page.is_redirect:
            assert "error=" in page.headers["location"]
            assert "iss=" in page.headers["location"]
        else:
            assert page.status_code == 400


async def test_replayed_code_ends_what_it_gave(
    tmp_path: Path, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    with world.demo_provider(tmp_path, redirect_uri=CALLBACK) as provider:
        party = RelyingParty(
            provider.memory.issuer, world.CLIENT_ID, world.CLIENT_SECRET, CALLBACK, [], http
        )
        url, state = await party.start_login()
        query = world.query_of(world.choose(browser, url, "analyst", stop=CALLBACK))
        tokens = await party.finish_login(state, query)
        with pytest.raises(AuthenticationError) as refusal:
            await party.finish_login(state, query)
        assert refusal.value.code == "login_refused"
        with pytest.raises(AuthenticationError):
            await party.refresh(tokens)


async def test_stolen_code_without_its_verifier(
    tmp_path: Path, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    with world.demo_provider(tmp_path, redirect_uri=CALLBACK) as provider:
        party = RelyingParty(
            provider.memory.issuer, world.CLIENT_ID, world.CLIENT_SECRET, CALLBACK, [], http
        )
        url, state = await party.start_login()
        query = world.query_of(world.choose(browser, url, "analyst", stop=CALLBACK))
        thief = LoginState(state.state, state.nonce, "w" * 64)
        with pytest.raises(AuthenticationError) as refusal:
            await party.finish_login(thief, query)
        assert refusal.value.code == "login_refused"
