from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity import RelyingParty, human_from_claims
from jupyter_zt.identity.demo_accounts import Account
from tests.identity import world

CALLBACK = "http://127.0.0.1:1/oidc/callback"
AFTER = "http://127.0.0.1:1/logged-out"


@pytest.fixture(scope="module")
def canaille() -> Iterator[world.Canaille]:
    with world.canaille(CALLBACK, AFTER) as provider:
        yield provider


def party(issuer: str, http: httpx.AsyncClient, **options: object) -> RelyingParty:
    return RelyingParty(
        issuer, world.CLIENT_ID, world.CLIENT_SECRET, CALLBACK, ["profile"], http, **options
    )


async def test_demo_login_gives_roles_and_refreshes(
    tmp_path: Path, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    with world.demo_provider(tmp_path) as provider:
        relying = party(provider.memory.issuer, http)
        url, state = await relying.start_login()
        callback = world.choose(browser, url, "reviewer", stop=CALLBACK)
        tokens = await relying.finish_login(state, world.query_of(callback))

        human = human_from_claims(tokens.claims, world.ROLES)
        assert (human.subject, human.name, human.roles) == ("reviewer", "reviewer", {"reviewer"})
        assert human.key == f"{provider.memory.issuer}#reviewer"
        assert "auth_time" in tokens.claims.raw

        provider.memory.accounts["reviewer"] = Account("reviewer", ("auditors",), "")
        renewed = await relying.refresh(tokens)
        assert renewed.id_token != tokens.id_token
        assert renewed.refresh_token != tokens.refresh_token
        assert renewed.claims.raw["auth_time"] == tokens.claims.raw["auth_time"]
        assert human_from_claims(renewed.claims, world.ROLES).roles == {"auditor"}


async def test_a_refresh_token_used_twice_ends_the_login(
    tmp_path: Path, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    with world.demo_provider(tmp_path) as provider:
        relying = party(provider.memory.issuer, http)
        url, state = await relying.start_login()
        callback = world.choose(browser, url, "analyst", stop=CALLBACK)
        tokens = await relying.finish_login(state, world.query_of(callback))
        renewed = await relying.refresh(tokens)
        for used in (tokens, renewed):
            with pytest.raises(AuthenticationError) as refusal:
                await relying.refresh(used)
            assert refusal.value.code == "login_expired"


async def test_a_revoked_login_can_not_be_refreshed(
    tmp_path: Path, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    with world.demo_provider(tmp_path) as provider:
        relying = party(provider.memory.issuer, http)
        url, state = await relying.start_login()
        callback = world.choose(browser, url, "analyst", stop=CALLBACK)
        tokens = await relying.finish_login(state, world.query_of(callback))
        await relying.revoke(tokens)
        with pytest.raises(AuthenticationError) as refusal:
            await relying.refresh(tokens)
        assert refusal.value.code == "login_expired"


async def test_logout_leads_through_the_provider_and_back(
    tmp_path: Path, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    with world.demo_provider(tmp_path, after_logout=AFTER) as provider:
        url = await party(provider.memory.issuer, http).logout_url(AFTER)
        assert "id_token_hint" not in url
        assert browser.get(url, stop=AFTER).headers["location"] == AFTER
        elsewhere = browser.get(url.replace("logged-out", "elsewhere"))
        assert elsewhere.status_code == 200
        assert "logged out" in elsewhere.text


async def test_login_at_npm_oidc_provider(
    node_packages: Path, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    with world.node_provider(node_packages, CALLBACK, AFTER) as issuer:
        relying = party(issuer, http)
        url, state = await relying.start_login()
        callback = world.choose_at_node(browser, url, "analyst", stop=CALLBACK)
        tokens = await relying.finish_login(state, world.query_of(callback))
        human = human_from_claims(tokens.claims, world.ROLES)
        assert (human.name, human.roles) == ("analyst", {"analyst"})

        renewed = await relying.refresh(tokens)
        assert renewed.refresh_token != tokens.refresh_token
        assert renewed.claims.groups == ("analysts",)
        assert (await relying.logout_url(AFTER)).startswith(issuer)
        await relying.revoke(renewed)
        with pytest.raises(AuthenticationError):
            await relying.refresh(renewed)


async def test_login_at_canaille_which_renews_no_id_tokens(
    canaille: world.Canaille, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    relying = RelyingParty(
        canaille.issuer,
        world.CLIENT_ID,
        world.CLIENT_SECRET,
        CALLBACK,
        ["profile", "groups"],
        http,
        algorithms=["RS512"],
        userinfo=True,
    )
    url, state = await relying.start_login()
    callback = world.choose_at_canaille(browser, url, "analyst", stop=CALLBACK)
    tokens = await relying.finish_login(state, world.query_of(callback))
    human = human_from_claims(tokens.claims, world.ROLES)
    assert (human.subject, human.roles) == ("analyst", {"analyst"})

    canaille.change("analyst", groups=["reviewers"])
    renewed = await relying.refresh(tokens)
    assert renewed.refresh_token != tokens.refresh_token
    assert renewed.id_token == tokens.id_token
    assert human_from_claims(renewed.claims, world.ROLES).roles == {"reviewer"}

    with pytest.raises(AuthenticationError) as refusal:
        await relying.refresh(tokens)
    assert refusal.value.code == "login_expired"

    assert (await relying.logout_url(AFTER)).startswith(canaille.issuer)
    await relying.revoke(renewed)
    with pytest.raises(AuthenticationError):
        await relying.refresh(renewed)


async def test_an_account_locked_at_canaille_is_not_renewed(
    canaille: world.Canaille, http: httpx.AsyncClient, browser: world.Browser
) -> None:
    relying = party(canaille.issuer, http, algorithms=["RS512"])
    url, state = await relying.start_login()
    callback = world.choose_at_canaille(browser, url, "reviewer", stop=CALLBACK)
    tokens = await relying.finish_login(state, world.query_of(callback))
    canaille.change("reviewer", locked=True)
    with pytest.raises(AuthenticationError) as refusal:
        await relying.refresh(tokens)
    assert refusal.value.code == "login_expired"
