"""The attacks on identity of the threat model: each is tried for real, and refused."""

from __future__ import annotations

import base64
import gzip
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from joserfc.jwk import RSAKey
from starlette.responses import JSONResponse, RedirectResponse, Response

from jupyter_zt.errors import AuthenticationError, ConfigError, UnavailableError
from jupyter_zt.identity import LoginState, RelyingParty, TokenVerifier, human_from_claims
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


@pytest.fixture
def browser() -> Iterator[world.Browser]:
    browser = world.Browser()
    yield browser
    browser.close()


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


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({"typ": "at+jwt"}, {}),
        ({"typ": "application/at+jwt"}, {}),
        ({"typ": "logout+jwt"}, {}),
        ({"typ": "dpop+jwt"}, {}),
        # Keycloak's access and refresh tokens.
        ({}, {"typ": "Bearer"}),
        ({}, {"typ": "Refresh"}),
    ],
    ids=str,
)
async def test_another_kind_of_token_of_the_same_provider(
    header: dict[str, Any], claims: dict[str, Any], forger: world.Forger, verifier: TokenVerifier
) -> None:
    assert await refused(verifier, forger.sign(header=header, **claims)) == "wrong_token_type"


@pytest.mark.parametrize("moment", [10**18, 1e308, -(10**18)])
async def test_times_beyond_the_calendar(
    moment: float, forger: world.Forger, verifier: TokenVerifier
) -> None:
    assert await refused(verifier, forger.sign(exp=abs(moment))) == "bad_token"
    assert await refused(verifier, forger.sign(iat=-abs(moment))) == "bad_token"


async def test_header_and_claims_nested_without_end(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    nested = b"[" * 8000
    assert await refused(verifier, f"{part(nested)}.{part({})}.{part(b'x')}") == "bad_token"
    claims = world.sign_bytes(forger.key, b'{"sub":' + nested)
    assert await refused(verifier, claims) == "bad_token"


async def test_groups_that_the_provider_left_out(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    # Entra ID above 200 groups: nobody is taken for a person without any.
    token = forger.sign(groups=None, _claim_names={"groups": "src1"}, _claim_sources={"src1": {}})
    assert await refused(verifier, token) == "too_many_groups"


async def test_one_person_by_two_names_could_approve_for_themselves(
    forger: world.Forger, http: httpx.AsyncClient
) -> None:
    clients = [world.CLIENT_ID, world.CLI_CLIENT_ID]
    forger.metadata["subject_types_supported"] = ["pairwise"]
    by_sub = TokenVerifier(forger.issuer, clients, ["RS256"], http)
    assert await refused(by_sub, forger.sign()) == "pairwise_subjects"
    by_oid = TokenVerifier(forger.issuer, clients, ["RS256"], http, subject_claim="oid")
    people = [
        human_from_claims(await by_oid.verify(forger.sign(aud=client, sub=client, oid="o-1")), {})
        for client in clients
    ]
    assert [person.key for person in people] == [f"{forger.issuer}#o-1"] * 2
    for missing in ({}, {"oid": 7}, {"oid": ""}, {"oid": ["o-1"]}):
        assert await refused(by_oid, forger.sign(**missing)) == "bad_token"


@pytest.mark.parametrize("verified", [None, False, "true", 1])
async def test_email_address_that_nobody_verified_gives_no_role(
    verified: object, forger: world.Forger, verifier: TokenVerifier
) -> None:
    claims = await verifier.verify(forger.sign(email="eva@example.org", email_verified=verified))
    role_map = {"reviewer": [{"email": "eva@example.org"}]}
    assert human_from_claims(claims, role_map).roles == frozenset()


# --- the way to the provider ----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
async def test_redirect_to_another_providers_documents(
    path: str, forger: world.Forger, verifier: TokenVerifier
) -> None:
    with world.forger() as attacker:
        forger.answers[path] = RedirectResponse(attacker.issuer + path)
        with pytest.raises(UnavailableError):
            await verifier.verify(forger.sign(attacker.key))
        assert attacker.fetches == 0


async def test_redirect_of_the_code_and_the_clients_secret(
    forger: world.Forger, party: RelyingParty
) -> None:
    with world.forger() as attacker:
        # 307 would have them sent again, body and all.
        forger.answers["/token"] = RedirectResponse(attacker.issuer + "/token", 307)
        with pytest.raises(UnavailableError):
            await party.finish_login(STATE, answer(forger))
        assert attacker.token_requests == []


@pytest.mark.parametrize(
    "flood",
    [
        Response(b'{"keys": [' + b" " * (1 << 21) + b"]}"),
        Response(
            gzip.compress(b'{"keys": [' + b" " * (1 << 26) + b"]}"),
            headers={"Content-Encoding": "gzip"},
        ),
        Response(b"[" * 100_000),
    ],
    ids=["large", "compressed", "nested"],
)
async def test_documents_without_end(
    flood: Response, forger: world.Forger, verifier: TokenVerifier
) -> None:
    forger.answers["/jwks"] = flood
    with pytest.raises(UnavailableError):
        await verifier.verify(forger.sign())


@pytest.mark.parametrize(
    "address", ["http://id.example", "http://127.0.0.1.example.org", "ftp://127.0.0.1", "//x", ""]
)
async def test_no_environment_allows_an_issuer_without_tls(
    address: str, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    with pytest.raises(ConfigError) as refusal:
        TokenVerifier(address, [world.CLIENT_ID], ["RS256"], http)
    assert refusal.value.code == "insecure_issuer"


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


async def test_mix_up_of_two_providers(
    tmp_path: Path, forger: world.Forger, party: RelyingParty, browser: world.Browser
) -> None:
    # The person is led to another provider, which sends the code on to the first one's callback.
    with world.demo_provider(tmp_path, redirect_uri=CALLBACK) as other:
        url, state = await party.start_login()
        elsewhere = url.replace(f"{forger.issuer}/authorize", f"{other.memory.issuer}/authorize")
        query = world.query_of(world.choose(browser, elsewhere, "analyst", stop=CALLBACK))
        assert f"state={state.state}" in query
        with pytest.raises(AuthenticationError) as refusal:
            await party.finish_login(state, query)
    assert refusal.value.code == "bad_login_response"
    assert forger.token_requests == []


# --- userinfo -------------------------------------------------------------------------------------


@pytest.fixture
def asking(forger: world.Forger, http: httpx.AsyncClient) -> RelyingParty:
    """A relying party that asks the userinfo endpoint, too."""
    return RelyingParty(
        forger.issuer, world.CLIENT_ID, world.CLIENT_SECRET, CALLBACK, [], http, userinfo=True
    )


async def test_userinfo_adds_what_the_id_token_lacks_and_changes_none_of_its_own(
    forger: world.Forger, asking: RelyingParty
) -> None:
    respond(forger, forger.sign(nonce=STATE.nonce, groups=None, sid="s", auth_time=5))
    forger.userinfo_response = {
        "sub": "analyst",
        "groups": ["reviewers"],
        "name": "Ana",
        "iss": "https://evil.example",
        "exp": 99999999999,
        "sid": "another",
        "auth_time": 6,
        "nonce": "another",
    }
    tokens = await asking.finish_login(STATE, answer(forger))
    assert (tokens.claims.groups, tokens.claims.name) == (("reviewers",), "Ana")
    raw = tokens.claims.raw
    assert (raw["iss"], raw["sid"], raw["auth_time"]) == (forger.issuer, "s", 5)
    assert tokens.claims.expires_at.timestamp() == forger.now + 600


@pytest.mark.parametrize("sub", ["admin", None, "", ["analyst"], "Analyst"])
async def test_userinfo_of_another_subject(
    sub: object, forger: world.Forger, asking: RelyingParty
) -> None:
    respond(forger, forger.sign(nonce=STATE.nonce))
    forger.userinfo_response = {"sub": sub, "groups": ["admins"]}
    assert await login_refused(asking, answer(forger)) == "foreign_token"


async def test_userinfo_of_another_subject_at_a_renewal(
    forger: world.Forger, asking: RelyingParty
) -> None:
    respond(forger, forger.sign(nonce=STATE.nonce))
    forger.token_response["refresh_token"] = "rt"
    forger.userinfo_response = {"sub": "analyst"}
    tokens = await asking.finish_login(STATE, answer(forger))
    forger.userinfo_response = {"sub": "admin", "groups": ["admins"]}
    with pytest.raises(AuthenticationError) as refusal:
        await asking.refresh(tokens)
    assert refusal.value.code == "foreign_token"


@pytest.mark.parametrize(
    "unusable",
    [
        Response('{"sub": "analyst", "sub": "admin"}'),
        Response("[]"),
        Response("a.b.c", media_type="application/jwt"),
        Response(status_code=500),
    ],
    ids=["twice", "list", "signed", "failing"],
)
async def test_userinfo_that_can_not_be_read(
    unusable: Response, forger: world.Forger, asking: RelyingParty
) -> None:
    respond(forger, forger.sign(nonce=STATE.nonce))
    forger.answers["/userinfo"] = unusable
    with pytest.raises((UnavailableError, AuthenticationError)):
        await asking.finish_login(STATE, answer(forger))


async def test_userinfo_that_the_provider_refuses(
    forger: world.Forger, asking: RelyingParty
) -> None:
    respond(forger, forger.sign(nonce=STATE.nonce))
    forger.token_response["access_token"] = "another"
    assert await login_refused(asking, answer(forger)) == "login_refused"


# --- renewals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (JSONResponse({"error": "invalid_grant"}, 400), AuthenticationError),
        (JSONResponse({"error": "access_denied"}, 403), AuthenticationError),
        (JSONResponse({"access_token": "at"}), AuthenticationError),
        (JSONResponse({"access_token": "at", "token_type": "DPoP"}), AuthenticationError),
        (JSONResponse({"error": "temporarily_unavailable"}, 400), UnavailableError),
        (JSONResponse({"error": "server_error"}, 400), UnavailableError),
        (JSONResponse({"message": "slow down"}, 429), UnavailableError),
        (Response("<h1>Bad gateway</h1>", 502), UnavailableError),
        (RedirectResponse("/elsewhere"), UnavailableError),
    ],
    ids=lambda value: str(getattr(value, "body", value))[:60],
)
async def test_renewal_that_is_refused_ends_the_login_and_one_that_fails_does_not(
    said: Response, error: type[Exception], forger: world.Forger, party: RelyingParty
) -> None:
    respond(forger, forger.sign(nonce=STATE.nonce))
    forger.token_response["refresh_token"] = "rt"
    tokens = await party.finish_login(STATE, answer(forger))
    forger.answers["/token"] = said
    with pytest.raises(error):
        await party.refresh(tokens)


async def test_renewal_without_an_id_token_does_not_prolong_the_one_there_is(
    forger: world.Forger, http: httpx.AsyncClient
) -> None:
    wall = float(forger.now)
    party = RelyingParty(
        forger.issuer,
        world.CLIENT_ID,
        world.CLIENT_SECRET,
        CALLBACK,
        [],
        http,
        now=lambda: wall,
    )
    respond(forger, forger.sign(nonce=STATE.nonce))
    forger.token_response["refresh_token"] = "rt-1"
    tokens = await party.finish_login(STATE, answer(forger))
    del forger.token_response["id_token"]
    forger.token_response["refresh_token"] = "rt-2"
    renewed = await party.refresh(tokens)
    assert (renewed.id_token, renewed.refresh_token) == (tokens.id_token, "rt-2")
    wall += 700
    with pytest.raises(AuthenticationError) as refusal:
        await party.refresh(renewed)
    assert refusal.value.code == "login_expired"


# --- the demo provider ----------------------------------------------------------------------------


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
