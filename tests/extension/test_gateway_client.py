from __future__ import annotations

import pytest

from jupyter_zt.errors import AuthenticationError, UnavailableError
from jupyter_zt.extension.gateway_client import GatewayClient
from tests.extension.gateway_double import Gateway


async def _id_token(person: str) -> str:
    return person


async def test_a_gateway_that_is_away_is_unreachable_with_a_hint() -> None:
    client = GatewayClient("http://127.0.0.1:1", "secret", _id_token)

    with pytest.raises(UnavailableError) as caught:
        await client.me("token")

    assert caught.value.code == "gateway_unreachable"
    assert "jupyter zt gateway" in caught.value.hint
    assert not await client.healthy()
    await client.close()


async def test_an_error_of_the_gateway_keeps_code_message_and_hint() -> None:
    client = Gateway().client()

    with pytest.raises(AuthenticationError) as caught:
        await client.me("token")

    assert (caught.value.code, caught.value.hint) == ("login_expired", "Log in.")
    await client.close()


async def test_the_broker_s_secret_and_id_tokens_go_to_the_token_endpoint_only() -> None:
    gateway = Gateway()
    client = gateway.client()

    with pytest.raises(AuthenticationError):
        await client.me("me")
    session = await client.open_session("me", notebook="a.ipynb", kernel="k", sandbox={})
    await client.post_cell(session, {"source": "1"})

    assert [exchange["client_secret"] for exchange in gateway.exchanges] == ["broker secret"] * 3
    pages, kernels, own = gateway.exchanges
    assert pages["subject_token"] == kernels["subject_token"] == "id token of me"
    assert (pages["scope"], kernels["scope"]) == ("read approve", "session")
    assert (own["grant_type"], own["scope"]) == ("client_credentials", "attest")
    for request, token in zip(gateway.requests, ("token 1", "token 2"), strict=True):
        assert request.headers["authorization"] == f"DPoP {token}"
        assert "secret" not in str(request.headers)
    await client.close()


async def test_a_token_of_a_person_who_left_is_given_back() -> None:
    gateway = Gateway()
    client = gateway.client()
    await client.open_session("me", notebook="a.ipynb", kernel="k", sandbox={})

    await client.leave("somebody else")
    assert gateway.revoked == []
    await client.leave("me")
    assert gateway.revoked == ["token 1"]
    await client.leave("me")
    assert gateway.revoked == ["token 1"]
    await client.close()


async def test_a_lone_surrogate_in_an_output_is_recorded_as_a_replacement() -> None:
    gateway = Gateway()
    client = gateway.client()
    session = await client.open_session("token", notebook="a.ipynb", kernel="k", sandbox={})

    await client.post_cell(session, {"source": "\ud800x"})

    assert gateway.cells[0]["source"].endswith("x")
    await client.close()
