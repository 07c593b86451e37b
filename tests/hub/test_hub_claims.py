"""Whose tokens the gateway believes, by the word of a real Hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from jupyter_zt import storage
from jupyter_zt.errors import AuthenticationError, ConfigError, UnavailableError
from jupyter_zt.gateway.hub_logins import HubLogins
from jupyter_zt.identity import Client, HubTokens, HubVerifier, human_from_claims
from tests.hub import stand
from tests.hub.visitor import Visitor

GATEWAY = "access:services!service=zt-gateway"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def verifier(hub: stand.Hub, clock: Clock) -> AsyncIterator[HubVerifier]:
    async with httpx.AsyncClient(timeout=10) as http:
        yield HubVerifier(f"{hub.url}/hub/", hub.api, "zt-gateway", http, now=clock)


@pytest.fixture(scope="module")
def ada(hub: stand.Hub) -> Iterator[Visitor]:
    visitor = Visitor(hub, "ada")
    visitor.visit()
    yield visitor
    visitor.log_out()
    visitor.http.close()


async def refused(verifier: HubVerifier, token: str) -> str:
    with pytest.raises(AuthenticationError) as caught:
        await verifier.verify(token)
    return caught.value.code


async def test_a_login_at_ones_own_server_is_believed_for_a_minute(
    verifier: HubVerifier, hub: stand.Hub, ada: Visitor, clock: Clock
) -> None:
    claims = await verifier.verify(ada.token())
    assert (claims.iss, claims.sub, claims.name) == (f"{hub.url}/hub/", "ada", "ada")
    assert claims.groups == ("data-science",)
    assert claims.expires_at.timestamp() == clock.now + 60
    assert human_from_claims(claims, {"analyst": ["data-science"]}).roles == {"analyst"}


async def test_what_the_hub_does_not_know_is_refused(verifier: HubVerifier) -> None:
    assert await refused(verifier, "0123456789abcdef" * 2) == "login_expired"
    for malformed in ("", "a b", "x\r\nHost: y", "é", "a" * 600):
        assert await refused(verifier, malformed) == "bad_token"


async def test_a_token_made_by_hand_is_no_login(verifier: HubVerifier, hub: stand.Hub) -> None:
    scopes = [GATEWAY, "access:servers!server=ada/"]
    made = hub.call("POST", "/users/ada/tokens", json={"scopes": scopes}).json()["token"]
    assert await refused(verifier, made) == "not_a_login"


async def test_a_services_token_is_no_persons(verifier: HubVerifier) -> None:
    assert await refused(verifier, stand.ADMIN_TOKEN) == "not_a_person"


async def test_a_login_made_for_another_service_is_refused(hub: stand.Hub, ada: Visitor) -> None:
    async with httpx.AsyncClient() as http:
        other = HubVerifier(f"{hub.url}/hub/", hub.api, "another-service", http)
        assert await refused(other, ada.token()) == "wrong_audience"


async def test_a_login_at_another_persons_server_is_refused(
    verifier: HubVerifier, hub: stand.Hub
) -> None:
    grace = Visitor(hub, "grace")
    assert grace.visit("bob").status_code == 200
    assert await refused(verifier, grace.token("bob")) == "another_persons_server"
    grace.log_out()


async def test_a_login_that_may_do_more_is_refused(hub: stand.Hub, ada: Visitor) -> None:
    answer = hub.call("GET", "/user", ada.token()).json()
    for more in ("admin:users", "access:services", "read:users!user=ada", "self", "inherit"):
        said = answer | {"scopes": [*answer["scopes"], more]}
        async with answering(httpx.Response(200, json=said)) as http:
            verifier = HubVerifier("http://hub", hub.api, "zt-gateway", http)
            assert await refused(verifier, ada.token()) == "token_too_powerful"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"Location": "http://elsewhere/"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
    ],
)
async def test_an_answer_that_is_no_hubs_vouches_for_nobody(answer: httpx.Response) -> None:
    async with answering(answer) as http:
        verifier = HubVerifier("http://hub", "http://hub/hub/api", "zt-gateway", http)
        with pytest.raises(UnavailableError) as caught:
            await verifier.verify("0123456789abcdef")
    assert caught.value.code == "identity_provider_unreachable"


def answering(answer: httpx.Response) -> httpx.AsyncClient:
    """In place of a Hub, for what a real one does not say."""
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer))


async def test_the_end_of_a_login_is_noticed_within_seconds(
    verifier: HubVerifier, hub: stand.Hub, clock: Clock
) -> None:
    ada = Visitor(hub, "ada")
    ada.visit()
    token = ada.token()
    await verifier.verify(token)
    ada.log_out()
    await verifier.verify(token)  # remembered
    clock.now += 5.1
    assert await refused(verifier, token) == "login_expired"


async def test_groups_are_what_they_are_now(
    verifier: HubVerifier, hub: stand.Hub, ada: Visitor, clock: Clock
) -> None:
    await verifier.verify(ada.token())
    hub.call("POST", "/groups/data-stewards/users", json={"users": ["ada"]})
    try:
        clock.now += 5.1
        claims = await verifier.verify(ada.token())
        assert set(claims.groups) == {"data-science", "data-stewards"}
    finally:
        hub.call("DELETE", "/groups/data-stewards/users", json={"users": ["ada"]})


async def test_a_login_is_as_old_as_the_gateway_knows_it_also_after_a_restart(
    verifier: HubVerifier, ada: Visitor, tmp_path: Path
) -> None:
    engine = storage.open_database(f"sqlite:///{tmp_path / 'gateway.db'}")
    begun = datetime(2026, 1, 1, tzinfo=UTC)

    async def since(now: datetime) -> datetime:
        """Of a gateway that starts at that time."""
        logins = HubLogins(engine, lambda: now)
        believes = HubTokens(verifier, {"analyst": ["data-science"]}, logins.since)
        subject = await believes(ada.token(), Client("broker", frozenset()))
        assert subject.human.roles == {"analyst"}
        return subject.since

    assert await since(begun) == begun
    assert await since(begun + timedelta(days=5)) == begun
    another = Visitor(ada.hub, "ada")
    another.visit()
    claims = await verifier.verify(another.token())
    later = HubLogins(engine, lambda: begun + timedelta(days=6))
    assert later.since(claims.raw["session_id"]) == begun + timedelta(days=6)
    another.log_out()
    engine.dispose()


async def test_a_hub_that_is_down_vouches_for_nobody(ada: Visitor) -> None:
    async with httpx.AsyncClient() as http:
        verifier = HubVerifier("http://hub", "http://127.0.0.1:9/hub/api", "zt-gateway", http)
        with pytest.raises(UnavailableError) as caught:
            await verifier.verify(ada.token())
    assert caught.value.code == "identity_provider_unreachable"


async def test_without_a_hub_there_is_no_verifier() -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(ConfigError, match="public address"):
            HubVerifier("", "", "zt-gateway", http)
