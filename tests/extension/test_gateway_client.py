from __future__ import annotations

import pytest

from jupyter_zt.errors import AuthenticationError, UnavailableError
from jupyter_zt.extension.gateway_client import GatewayClient
from tests.extension.gateway_double import Gateway


async def test_a_gateway_that_is_away_is_unreachable_with_a_hint() -> None:
    client = GatewayClient("http://127.0.0.1:1", "secret")

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


async def test_the_broker_s_secret_goes_to_broker_endpoints_only() -> None:
    gateway = Gateway()
    client = gateway.client()

    with pytest.raises(AuthenticationError):
        await client.me("token")
    await client.open_session("token", notebook="a.ipynb", kernel="k", sandbox={})

    me, opened = gateway.requests
    assert "zt-broker" not in me.headers
    assert opened.headers["zt-broker"] == "broker secret"
    assert opened.headers["authorization"] == "Bearer token"
    await client.close()


async def test_a_session_s_secret_is_in_no_repr() -> None:
    client = Gateway().client()

    session = await client.open_session("token", notebook="a.ipynb", kernel="k", sandbox={})

    assert session.attestation == "secret"
    assert "secret" not in repr(session)
    await client.close()


async def test_a_lone_surrogate_in_an_output_is_recorded_as_a_replacement() -> None:
    gateway = Gateway()
    client = gateway.client()
    session = await client.open_session("token", notebook="a.ipynb", kernel="k", sandbox={})

    await client.post_cell(session, {"source": "\ud800x"})

    assert gateway.cells[0]["source"].endswith("x")
    await client.close()
