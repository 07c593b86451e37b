"""Anybody can tell the server that somebody has logged out: only the provider is believed."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from jupyter_zt.errors import AuthenticationError, UnavailableError
from jupyter_zt.extension.logins import Logins
from jupyter_zt.identity import Logout, RelyingParty, Tokens
from tests.identity import world
from tests.identity.jupyter import Jupyter, Person, jupyter_with_demo_provider
from tests.identity.logout_tokens import EVENTS, logout_token, of_demo, send

ANOTHER_EVENT = {"http://schemas.openid.net/event/another": {}}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10) as client:
        yield client


@pytest.fixture
def forger() -> Iterator[world.Forger]:
    with world.forger() as provider:
        yield provider


@pytest.fixture
def party(forger: world.Forger, http: httpx.AsyncClient) -> RelyingParty:
    return RelyingParty(
        forger.issuer, world.CLIENT_ID, world.CLIENT_SECRET, "http://127.0.0.1:1/c", [], http
    )


async def refused(party: RelyingParty, token: str) -> str:
    with pytest.raises(AuthenticationError) as refusal:
        await party.logouts.accept(token)
    return refusal.value.code


# --- section 2.6, rule by rule --------------------------------------------------------------------


@pytest.mark.parametrize("media_type", ["logout+jwt", "LOGOUT+JWT", "application/logout+jwt"])
async def test_logout_token_of_the_provider_says_whose_logins_have_ended(
    media_type: str, forger: world.Forger, party: RelyingParty
) -> None:
    header = {"typ": media_type}
    both = await party.logouts.accept(logout_token(forger.issuer, forger.key, header, sid="s-1"))
    assert (both.sub, both.sid) == ("analyst", "s-1")
    one = await party.logouts.accept(
        logout_token(forger.issuer, forger.key, header, sub=None, sid="s")
    )
    assert (one.sub, one.sid) == ("", "s")


@pytest.mark.parametrize("media_type", ["JWT", None])
async def test_logout_token_from_before_it_had_a_type_is_accepted(
    media_type: str | None, forger: world.Forger, party: RelyingParty
) -> None:
    token = logout_token(forger.issuer, forger.key, {"typ": media_type})
    assert (await party.logouts.accept(token)).sub == "analyst"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://evil.example"}, "wrong_issuer"),
        ({"iss": None}, "bad_token"),
        ({"aud": "somebody-else"}, "wrong_audience"),
        ({"aud": [world.CLIENT_ID, "somebody-else"]}, "wrong_audience"),
        ({"aud": None}, "bad_token"),
        ({"azp": "somebody-else"}, "wrong_audience"),
        ({"iat": None}, "bad_token"),
        ({"iat": "now"}, "token_not_yet_valid"),
        ({"iat": 1, "exp": 99999999999}, "token_too_old"),
        ({"iat": 99999999999}, "token_not_yet_valid"),
        ({"nbf": 99999999999}, "token_not_yet_valid"),
        ({"exp": None}, "bad_token"),
        ({"exp": 1}, "token_expired"),
        ({"jti": None}, "bad_token"),
        ({"jti": ""}, "bad_token"),
        ({"jti": 7}, "bad_token"),
        ({"jti": "x" * 256}, "bad_token"),
        ({"sub": None}, "bad_token"),
        ({"sub": "", "sid": ""}, "bad_token"),
        ({"sub": ["analyst"]}, "bad_token"),
        ({"sid": 7}, "bad_token"),
        ({"nonce": "n"}, "wrong_token_type"),
        ({"nonce": ""}, "wrong_token_type"),
        ({"events": None}, "bad_token"),
        ({"events": {}}, "bad_token"),
        ({"events": ANOTHER_EVENT}, "wrong_token_type"),
        ({"events": list(EVENTS)}, "wrong_token_type"),
        ({"events": dict.fromkeys(EVENTS, "yes")}, "wrong_token_type"),
        ({"events": dict.fromkeys(EVENTS)}, "wrong_token_type"),
        ({"typ": "Bearer"}, "wrong_token_type"),
    ],
    ids=str,
)
async def test_logout_token_with_wrong_claims(
    changes: dict[str, Any], code: str, forger: world.Forger, party: RelyingParty
) -> None:
    assert await refused(party, logout_token(forger.issuer, forger.key, **changes)) == code


@pytest.mark.parametrize("media_type", ["at+jwt", "dpop+jwt", "secevent+jwt", "id_token"])
async def test_logout_token_of_another_type(
    media_type: str, forger: world.Forger, party: RelyingParty
) -> None:
    token = logout_token(forger.issuer, forger.key, {"typ": media_type})
    assert await refused(party, token) == "wrong_token_type"


async def test_logout_token_signed_by_somebody_else(
    forger: world.Forger, party: RelyingParty
) -> None:
    other = RSAKey.generate_key(2048, {"kid": str(forger.key.kid)})
    assert await refused(party, logout_token(forger.issuer, other)) == "bad_signature"
    unknown = RSAKey.generate_key(2048, {"kid": "unknown"})
    assert await refused(party, logout_token(forger.issuer, unknown)) == "unknown_key"


async def test_logout_token_that_is_not_signed(forger: world.Forger, party: RelyingParty) -> None:
    _, payload, _ = logout_token(forger.issuer, forger.key).split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"logout+jwt"}').rstrip(b"=").decode()
    assert await refused(party, f"{head}.{payload}.") == "algorithm_not_allowed"


async def test_logout_token_with_a_claim_named_twice(
    forger: world.Forger, party: RelyingParty
) -> None:
    claims = {"iss": forger.issuer, "aud": world.CLIENT_ID, "iat": forger.now, "jti": "j"}
    text = json.dumps({**claims, "exp": forger.now + 60, "events": EVENTS, "sub": "analyst"})
    token = world.sign_bytes(forger.key, (text[:-1] + ', "sub": "admin"}').encode())
    assert await refused(party, token) == "bad_token"


async def test_logout_token_used_again(forger: world.Forger, party: RelyingParty) -> None:
    token = logout_token(forger.issuer, forger.key)
    await party.logouts.accept(token)
    assert await refused(party, token) == "token_replayed"


async def test_logout_token_used_again_later(forger: world.Forger, http: httpx.AsyncClient) -> None:
    wall = float(forger.now)
    party = RelyingParty(
        forger.issuer, world.CLIENT_ID, "x", "http://127.0.0.1:1/", [], http, now=lambda: wall
    )
    token = logout_token(forger.issuer, forger.key, exp=forger.now + 99999)
    await party.logouts.accept(token)
    wall += 300
    assert await refused(party, token) == "token_replayed"
    wall += 100
    assert await refused(party, token) == "token_too_old"


async def test_id_token_used_as_logout_token_and_the_other_way_round(
    forger: world.Forger, party: RelyingParty
) -> None:
    assert await refused(party, forger.sign(nonce="n")) == "bad_token"
    dressed_up = forger.sign(events=EVENTS, jti="j", nonce="n")
    assert await refused(party, dressed_up) == "wrong_token_type"
    with pytest.raises(AuthenticationError) as refusal:
        await party.verifier.verify(logout_token(forger.issuer, forger.key))
    assert refusal.value.code == "wrong_token_type"


async def test_logout_token_while_no_key_is_known(
    forger: world.Forger, party: RelyingParty
) -> None:
    forger.down = True
    with pytest.raises(UnavailableError):
        await party.logouts.accept(logout_token(forger.issuer, forger.key))


# --- which logins -------------------------------------------------------------------------------


async def login_of(forger: world.Forger, party: RelyingParty, **claims: Any) -> Tokens:
    return Tokens("id", "access", "refresh", await party.verifier.verify(forger.sign(**claims)))


async def test_a_logout_ends_the_session_it_names_or_all_of_a_person(
    forger: world.Forger, party: RelyingParty
) -> None:
    logins = Logins(party.refresh, world.ROLES, max_seconds=3600)

    async def start(**claims: Any) -> Any:
        return logins.start(await login_of(forger, party, **claims))[1]

    here, there = await start(sid="here"), await start(sid="there")
    unnamed, other = await start(), await start(sub="other", sid="other")
    assert logins.end_by_provider(Logout("analyst", "nowhere", forger.now)) == [unnamed]
    assert logins.end_by_provider(Logout("", "here", forger.now)) == [here]
    assert [login.ended for login in (here, there, unnamed, other)] == [True, False, True, False]
    assert logins.end_by_provider(Logout("analyst", "", forger.now)) == [there]
    assert logins.end_by_provider(Logout("other", "here", forger.now)) == []
    assert not other.ended


async def test_a_login_that_is_under_way_does_not_outlive_its_logout(
    forger: world.Forger, party: RelyingParty
) -> None:
    logins = Logins(party.refresh, world.ROLES, max_seconds=3600)
    logins.end_by_provider(Logout("analyst", "", forger.now + 5))
    logins.end_by_provider(Logout("", "gone", forger.now - 5))
    for claims in ({}, {"sub": "other", "sid": "gone"}):
        with pytest.raises(AuthenticationError) as refusal:
            logins.start(await login_of(forger, party, **claims))
        assert refusal.value.code == "login_expired"
    logins.start(await login_of(forger, party, iat=forger.now + 10))
    logins.start(await login_of(forger, party, sub="other", sid="new"))


async def test_a_renewal_that_is_under_way_does_not_bring_a_login_back(
    forger: world.Forger, party: RelyingParty
) -> None:
    answering = asyncio.Event()
    tokens = await login_of(forger, party, exp=forger.now + 30, iat=forger.now - 600)

    async def renew(_: Tokens) -> Tokens:
        await answering.wait()
        return await login_of(forger, party)

    logins = Logins(renew, world.ROLES, max_seconds=3600)
    _, login = logins.start(tokens)
    asking = asyncio.create_task(login.fresh_id_token())
    await asyncio.sleep(0)
    logins.end_by_provider(Logout("analyst", "", forger.now))
    answering.set()
    with pytest.raises(AuthenticationError):
        await asking
    assert login.tokens is tokens


# --- a real server --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    with jupyter_with_demo_provider(tmp_path_factory.mktemp("backchannel")) as running:
        yield running


async def test_logout_at_the_provider_leaves_no_login_no_socket_and_no_refresh_token(
    server: Jupyter,
) -> None:
    assert server.provider is not None
    here, there = server.person("analyst"), server.person("analyst")
    other = server.person("analyst2")
    kernel = here.call("POST", "/api/kernels", {"name": "python3"}).json()["id"]
    channels = await here.channels(kernel)
    assert not isinstance(channels, int)

    answer = send(server.url, of_demo(server.provider, "analyst"))

    assert (answer.status_code, answer.content) == (200, b"")
    assert "no-store" in answer.headers["cache-control"]
    assert "set-cookie" not in answer.headers
    while await channels.read_message() is not None:
        pass
    assert channels.close_code == 4401
    for person in (here, there):
        ended = person.call("GET", "/api/contents")
        assert (ended.status_code, ended.json()["reason"]) == (401, "login_expired")
        assert isinstance(await person.channels(kernel), int)
    assert other.call("GET", "/api/contents").status_code == 200
    memory = server.provider.memory
    world.wait_until(
        lambda: all(
            issued.family.revoked
            for issued in memory.refresh.values()
            if issued.family.account == "analyst"
        ),
        seconds=10,
    )
    again = server.person("analyst")
    assert again.call("DELETE", f"/api/kernels/{kernel}").status_code == 204


@pytest.mark.parametrize(
    "options",
    [
        {"data": {}},
        {"data": {"logout_token": ""}},
        {"data": {"logout_token": "a.b.c"}},
        {"data": {"logout_token": ["TOKEN", "TOKEN"]}},
        {"json": {"logout_token": "TOKEN"}},
        {"content": "logout_token=TOKEN", "headers": {"Content-Type": "text/plain"}},
        {"content": b"\xff\xfe", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"params": {"logout_token": "TOKEN"}},
        {"params": {"logout_token": "TOKEN"}, "data": {"logout_token": "TOKEN"}},
        {"headers": {"Authorization": "Bearer TOKEN"}},
    ],
    ids=str,
)
def test_logout_that_is_not_one_token_in_a_form(options: dict[str, Any], server: Jupyter) -> None:
    assert server.provider is not None
    person = server.person("reviewer")
    token = of_demo(server.provider, "reviewer")

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(part) for name, part in value.items()}
        if isinstance(value, list):
            return [filled(part) for part in value]
        return value.replace("TOKEN", token) if isinstance(value, str) else value

    answer = httpx.post(f"{server.url}/zt/backchannel-logout", **filled(options))
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"
    assert token not in answer.text
    assert person.call("GET", "/api/contents").status_code == 200


def test_logout_by_other_methods(server: Jupyter) -> None:
    person = server.person("reviewer")
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = person.call(method, "/zt/backchannel-logout")
        assert answer.status_code >= 400, method


def test_logout_with_a_large_body_is_not_read(server: Jupyter) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 10) as flood:
        flood.sendall(
            b"POST /zt/backchannel-logout HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000000\r\n\r\n"
        )
        # The answer comes before any of the body was sent.
        assert flood.recv(64).startswith(b"HTTP/1.1 400")


def test_logout_token_does_its_work_once(server: Jupyter) -> None:
    assert server.provider is not None
    token = of_demo(server.provider, "auditor")
    assert send(server.url, token).status_code == 200
    person: Person = server.person("auditor")
    replayed = send(server.url, token)
    assert (replayed.status_code, replayed.json()["code"]) == (400, "token_replayed")
    assert person.call("GET", "/api/contents").status_code == 200
