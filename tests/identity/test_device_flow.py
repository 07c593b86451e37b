"""The device flow (RFC 8628) against real providers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jupyter_zt.errors import AuthenticationError, UnavailableError
from jupyter_zt.identity import (
    DeviceClient,
    TokenVerifier,
    dump_tokens,
    human_from_claims,
    load_tokens,
)
from jupyter_zt.identity.demo_provider import DemoProvider
from tests.identity import world

CALLBACK = "http://127.0.0.1:1/oidc/callback"
SCOPES = ["profile", "groups", "offline_access"]


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[DemoProvider]:
    with world.demo_provider(tmp_path) as running:
        yield running


def client(issuer: str, http: httpx.AsyncClient, **options: object) -> DeviceClient:
    return DeviceClient(issuer, world.CLI_CLIENT_ID, SCOPES, http, **options)


class Patience:
    """Waits no time at all; does something when it is asked to wait for the nth time."""

    def __init__(self, **doing: object) -> None:
        self.waited: list[float] = []
        self._doing = doing

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        act = self._doing.get(f"at_{len(self.waited)}")
        if callable(act):
            act()


async def test_person_decides_while_the_program_asks(
    provider: DemoProvider, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    device_client = client(provider.memory.issuer, http)
    device = await device_client.start()
    assert device.device_code not in repr(device)
    patience = Patience(
        at_2=lambda: world.decide_device(browser, device.verification_uri_complete, "reviewer")
    )
    tokens = await device_client.finish(device, sleep=patience)
    human = human_from_claims(tokens.claims, world.ROLES)
    assert (human.name, human.roles) == ("reviewer", {"reviewer"})
    assert tokens.claims.raw["aud"] == world.CLI_CLIENT_ID
    renewed = await device_client.refresh(load_tokens(dump_tokens(tokens)))
    assert renewed.refresh_token != tokens.refresh_token
    await device_client.revoke(renewed)
    with pytest.raises(AuthenticationError) as refusal:
        await device_client.refresh(renewed)
    assert refusal.value.code == "login_expired"


async def test_program_that_asks_too_often_slows_down(
    provider: DemoProvider, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    device_client = client(provider.memory.issuer, http)
    device = await device_client.start()
    patience = Patience(
        at_4=lambda: world.decide_device(browser, device.verification_uri_complete, "analyst")
    )
    await device_client.finish(device, sleep=patience)
    # The first question is in time; the second and the third come at once.
    assert patience.waited == [2, 2, 7, 12]


async def test_person_says_no(
    provider: DemoProvider, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    device_client = client(provider.memory.issuer, http)
    device = await device_client.start()
    said = world.decide_device(browser, device.verification_uri_complete, "")
    assert "Cancelled" in said.text
    with pytest.raises(AuthenticationError) as refusal:
        await device_client.finish(device, sleep=Patience())
    assert refusal.value.code == "login_denied"


async def test_code_that_nobody_enters_expires_at_the_provider(
    tmp_path: Path, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    with world.demo_provider(tmp_path, device_code_seconds=0) as provider:
        # The program's own clock stands still, so the provider has to say it.
        device_client = client(provider.memory.issuer, http, now=lambda: -1.0)
        device = await device_client.start()
        with pytest.raises(AuthenticationError) as refusal:
            await device_client.finish(device, sleep=Patience())
        assert refusal.value.code == "device_code_expired"
        assert browser.get(device.verification_uri_complete).status_code == 400


async def test_program_stops_asking_when_the_code_must_have_expired(
    provider: DemoProvider, http: httpx.AsyncClient
) -> None:
    time = [0.0]
    device_client = client(provider.memory.issuer, http, now=lambda: time[0])
    device = await device_client.start()
    with pytest.raises(AuthenticationError) as refusal:
        await device_client.finish(
            device, sleep=Patience(at_2=lambda: time.__setitem__(0, device.expires_seconds))
        )
    assert refusal.value.code == "device_code_expired"


async def test_device_code_gives_tokens_once_and_to_its_own_client_only(
    provider: DemoProvider, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    device_client = client(provider.memory.issuer, http)
    device = await device_client.start()
    world.decide_device(browser, device.verification_uri_complete, "analyst")
    stolen = await http.post(
        f"{provider.memory.issuer}/token",
        data={
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": device.device_code,
        },
        auth=(world.CLIENT_ID, world.CLIENT_SECRET),
    )
    assert stolen.status_code in {400, 401}, stolen.text
    await device_client.finish(device, sleep=Patience())
    with pytest.raises(AuthenticationError) as refusal:
        await device_client.finish(device, sleep=Patience())
    assert refusal.value.code == "login_refused"


async def test_first_decision_on_a_code_counts(
    provider: DemoProvider, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    device = await client(provider.memory.issuer, http).start()
    page = browser.get(device.verification_uri_complete)
    assert device.user_code in page.text
    assert "demo" in page.text
    browser.submit(page, {"account": "analyst"})
    assert browser.submit(page, {"account": "admin"}).status_code == 400
    assert next(iter(provider.memory.devices.values())).family.account == "analyst"  # type: ignore[union-attr]


async def test_code_is_found_however_it_is_typed(
    provider: DemoProvider, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    device = await client(provider.memory.issuer, http).start()
    page = browser.get(device.verification_uri)
    assert "Code that your command line shows" in page.text
    typed = device.user_code.lower().replace("-", " ")
    found = browser.get(f"{device.verification_uri}?user_code={typed.replace(' ', '+')}")
    assert device.user_code in found.text
    assert browser.get(f"{device.verification_uri}?user_code=BBBB-BBBB").status_code == 400


async def test_confidential_client_gets_no_device_code_and_a_public_one_no_redirect(
    provider: DemoProvider, http: httpx.AsyncClient
) -> None:
    issuer = provider.memory.issuer
    web = await http.post(f"{issuer}/device_authorization", data={"client_id": world.CLIENT_ID})
    assert web.json()["error"] == "invalid_client"
    query = f"client_id={world.CLI_CLIENT_ID}&response_type=code&redirect_uri=http://127.0.0.1/"
    assert (await http.get(f"{issuer}/authorize?{query}")).status_code == 400


async def test_provider_that_goes_away_is_asked_less_and_less_often(
    tmp_path: Path, http: httpx.AsyncClient
) -> None:
    with world.demo_provider(tmp_path) as provider:
        time = [0.0]
        device_client = client(provider.memory.issuer, http, now=lambda: time[0])
        device = await device_client.start()
    patience = Patience(at_5=lambda: time.__setitem__(0, 10_000.0))
    with pytest.raises(AuthenticationError):
        await device_client.finish(device, sleep=patience)
    assert patience.waited == [2, 4, 8, 16, 32]


async def test_provider_without_device_flow_is_a_clear_error(
    forger: world.Forger, http: httpx.AsyncClient
) -> None:
    with pytest.raises(UnavailableError) as refusal:
        await client(forger.issuer, http).start()
    assert refusal.value.code == "no_device_flow"


async def test_tokens_for_another_client_are_refused(
    forger: world.Forger, http: httpx.AsyncClient
) -> None:
    from jupyter_zt.identity import DeviceCode

    forger.token_response = {
        "token_type": "Bearer",
        "access_token": "a",
        "id_token": forger.sign(aud="somebody-else"),
    }
    device = DeviceCode("secret", "BBBB-CCCC", forger.issuer, "", 600, 1)
    with pytest.raises(AuthenticationError) as refusal:
        await client(forger.issuer, http).finish(device, sleep=Patience())
    assert refusal.value.code == "wrong_audience"


@pytest.mark.parametrize("kept", [{}, {"id_token": 1}, dict.fromkeys(("id_token",), "a.b.c")])
def test_kept_tokens_that_are_none_are_refused(kept: dict[str, object]) -> None:
    with pytest.raises(AuthenticationError) as refusal:
        load_tokens({"access_token": "", "refresh_token": "", **kept})
    assert refusal.value.code == "bad_token"


async def test_device_flow_at_npm_oidc_provider(
    node_packages: Path, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    with world.node_provider(
        node_packages, "http://127.0.0.1:1/a", "http://127.0.0.1:1/b"
    ) as issuer:
        device_client = DeviceClient(
            issuer, world.CLI_CLIENT_ID, ["profile", "offline_access"], http
        )
        device = await device_client.start()
        patience = Patience(
            at_2=lambda: world.decide_device_at_node(
                browser, device.verification_uri_complete, "analyst"
            )
        )
        tokens = await device_client.finish(device, sleep=patience)
        assert human_from_claims(tokens.claims, world.ROLES).roles == {"analyst"}
        renewed = await device_client.refresh(tokens)
        verifier = TokenVerifier(issuer, [world.CLI_CLIENT_ID], ["RS256"], http)
        assert (await verifier.verify(renewed.id_token)).groups == ("analysts",)
        await device_client.revoke(renewed)
        with pytest.raises(AuthenticationError):
            await device_client.refresh(renewed)
