from __future__ import annotations

import time

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

from jupyter_zt.errors import AuthenticationError, ConfigError, UnavailableError
from jupyter_zt.identity import TokenVerifier, human_from_claims
from tests.identity import world


class Clock:
    def __init__(self) -> None:
        self.wall = time.time()
        self.steady = 0.0

    def pass_seconds(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(forger: world.Forger, http: httpx.AsyncClient, clock: Clock) -> TokenVerifier:
    return TokenVerifier(
        forger.issuer,
        [world.CLIENT_ID],
        ["RS256", "ES256"],
        http,
        now=lambda: clock.wall,
        monotonic=lambda: clock.steady,
    )


async def test_verified_claims_name_the_person(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    claims = await verifier.verify(forger.sign(preferred_username="ana", name="Ana Lyst"))
    human = human_from_claims(claims, world.ROLES)
    assert (human.subject, human.name, human.roles) == ("analyst", "ana", {"analyst"})


async def test_groups_without_a_role_give_none(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    claims = await verifier.verify(forger.sign(groups=["staff"]))
    assert human_from_claims(claims, world.ROLES).roles == frozenset()


async def test_a_verdict_is_remembered_until_the_token_expires(
    forger: world.Forger, verifier: TokenVerifier, clock: Clock
) -> None:
    token = forger.sign(exp=forger.now + 100)
    claims = await verifier.verify(token)
    assert await verifier.verify(token) is claims
    clock.pass_seconds(200)
    with pytest.raises(AuthenticationError) as refusal:
        await verifier.verify(token)
    assert refusal.value.code == "login_expired"


async def test_clocks_may_differ_by_a_minute_and_no_more(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    await verifier.verify(forger.sign(iat=forger.now + 55, nbf=forger.now + 55))
    await verifier.verify(forger.sign(exp=forger.now - 50))
    with pytest.raises(AuthenticationError):
        await verifier.verify(forger.sign(exp=forger.now - 65))


async def test_a_rotated_key_is_fetched(forger: world.Forger, verifier: TokenVerifier) -> None:
    await verifier.verify(forger.sign())
    new = ECKey.generate_key("P-256", {"use": "sig"}, auto_kid=True)
    forger.jwks.append(dict(new.as_dict(private=False)))
    token = forger.sign(new, {"alg": "ES256"})
    with pytest.raises(AuthenticationError):
        await verifier.verify(token)
    assert forger.fetches == 1


async def test_a_rotated_key_is_believed_once_fetching_is_allowed_again(
    forger: world.Forger, verifier: TokenVerifier, clock: Clock
) -> None:
    await verifier.verify(forger.sign())
    new = ECKey.generate_key("P-256", {"use": "sig"}, auto_kid=True)
    forger.jwks.append(dict(new.as_dict(private=False)))
    clock.pass_seconds(11)
    await verifier.verify(forger.sign(new, {"alg": "ES256"}))


async def test_a_withdrawn_key_is_no_longer_believed(
    forger: world.Forger, verifier: TokenVerifier, clock: Clock
) -> None:
    token = forger.sign(exp=forger.now + 9000)
    await verifier.verify(token)
    other = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)
    forger.jwks[:] = [dict(other.as_dict(private=False))]
    clock.pass_seconds(3700)
    with pytest.raises(AuthenticationError) as refusal:
        await verifier.verify(token)
    assert refusal.value.code == "unknown_key"


async def test_known_keys_outlast_a_provider_that_is_down(
    forger: world.Forger, verifier: TokenVerifier, clock: Clock
) -> None:
    await verifier.verify(forger.sign())
    forger.down = True
    clock.pass_seconds(4000)
    assert (await verifier.verify(forger.sign(exp=forger.now + 9000))).sub == "analyst"


async def test_no_keys_close_the_door_and_recovery_opens_it(
    forger: world.Forger, verifier: TokenVerifier, clock: Clock
) -> None:
    forger.down = True
    for _ in range(3):
        with pytest.raises(UnavailableError) as refusal:
            await verifier.verify(forger.sign())
        assert refusal.value.code == "identity_provider_unreachable"
    forger.down = False
    clock.pass_seconds(2)
    await verifier.verify(forger.sign())


async def test_another_issuer_in_the_discovery_document_closes_the_door(
    forger: world.Forger, http: httpx.AsyncClient
) -> None:
    mistaken = TokenVerifier(forger.issuer + "/", [world.CLIENT_ID], ["RS256"], http)
    with pytest.raises(UnavailableError):
        await mistaken.verify(forger.sign())


@pytest.mark.parametrize("algorithms", [["none"], ["HS256"], ["RS256", "HS512"], []])
async def test_symmetric_algorithms_can_not_be_configured(
    algorithms: list[str], http: httpx.AsyncClient
) -> None:
    with pytest.raises(ConfigError):
        TokenVerifier("https://id.example", [world.CLIENT_ID], algorithms, http)


async def test_plain_http_is_for_loopback_only(http: httpx.AsyncClient) -> None:
    with pytest.raises(ConfigError) as refusal:
        TokenVerifier("http://id.example", [world.CLIENT_ID], ["RS256"], http)
    assert refusal.value.code == "insecure_issuer"


async def test_warm_verification_takes_microseconds(
    forger: world.Forger, verifier: TokenVerifier
) -> None:
    token = forger.sign()
    await verifier.verify(token)
    started = time.perf_counter()
    for _ in range(1000):
        await verifier.verify(token)
    assert (time.perf_counter() - started) / 1000 < 0.0001
