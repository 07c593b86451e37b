from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jupyter_zt.errors import AuthenticationError, UnavailableError, ZTError
from jupyter_zt.extension.login_attempts import ATTEMPT_SECONDS, Attempts
from jupyter_zt.extension.logins import Login, Logins
from jupyter_zt.identity import Claims, LoginState, Tokens
from tests.identity.world import ROLES


class Clock:
    def __init__(self) -> None:
        self.at = time.time()

    def __call__(self) -> float:
        return self.at


class Provider:
    """Gives out token after token, as a provider with rotation does: each refresh token once."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.renewals = 0
        self.asked = 0
        self.groups = ("analysts",)
        self.lifetime = timedelta(minutes=10)
        self.problem: ZTError | None = None
        self.answering = asyncio.Event()
        self.answering.set()

    def tokens(self) -> Tokens:
        issued = datetime.fromtimestamp(self.clock.at, UTC)
        claims = Claims(
            iss="https://id.example",
            sub="ana",
            subject="ana",
            name="ana",
            groups=self.groups,
            issued_at=issued,
            expires_at=issued + self.lifetime,
            algorithm="RS256",
            raw={},
        )
        number = str(self.renewals)
        return Tokens(f"id-{number}", "access", f"refresh-{number}", claims)

    async def renew(self, tokens: Tokens) -> Tokens:
        self.asked += 1
        await self.answering.wait()
        if self.problem is not None:
            raise self.problem
        if tokens.refresh_token != f"refresh-{self.renewals}":
            raise AuthenticationError("used twice", code="login_expired")
        self.renewals += 1
        return self.tokens()


class Socket:
    def __init__(self) -> None:
        self.closed: tuple[int | None, str | None] | None = None

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        self.closed = (code, reason)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def provider(clock: Clock) -> Provider:
    return Provider(clock)


@pytest.fixture
async def login(provider: Provider, clock: Clock) -> Login:
    return Login(
        provider.tokens(), renew=provider.renew, roles=ROLES, ends_at=clock() + 36000, now=clock
    )


async def test_a_fresh_token_is_given_as_it_is(login: Login, provider: Provider) -> None:
    assert await login.fresh_id_token() == "id-0"
    assert provider.renewals == 0


async def test_concurrent_callers_share_one_renewal(
    login: Login, provider: Provider, clock: Clock
) -> None:
    clock.at += 560
    tokens = await asyncio.gather(*(login.fresh_id_token() for _ in range(20)))
    assert set(tokens) == {"id-1"}
    assert provider.renewals == 1


async def test_a_caller_that_goes_away_does_not_lose_the_rotated_token(
    login: Login, provider: Provider, clock: Clock
) -> None:
    clock.at += 560
    provider.answering.clear()
    caller = asyncio.create_task(login.fresh_id_token())
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    provider.answering.set()
    assert await login.fresh_id_token() == "id-1"
    clock.at += 560
    assert await login.fresh_id_token() == "id-2"


async def test_groups_are_read_again_at_each_renewal(
    login: Login, provider: Provider, clock: Clock
) -> None:
    assert login.human.roles == {"analyst"}
    provider.groups = ("reviewers",)
    clock.at += 560
    await login.fresh_id_token()
    assert login.human.roles == {"reviewer"}


async def test_a_long_id_token_does_not_put_off_the_next_look_at_the_provider(
    login: Login, provider: Provider, clock: Clock
) -> None:
    provider.lifetime = timedelta(hours=8)
    clock.at += 560
    await login.fresh_id_token()
    provider.groups = ("reviewers",)
    clock.at += 590
    assert await login.fresh_id_token() == "id-1"
    clock.at += 20
    # Nobody waits for it: the ID token is good for hours.
    assert await login.fresh_id_token() == "id-1"
    await asyncio.sleep(0)
    assert (login.tokens.id_token, login.human.roles) == ("id-2", {"reviewer"})


async def test_a_provider_that_is_down_is_not_asked_by_every_request(
    login: Login, provider: Provider, clock: Clock
) -> None:
    provider.problem = UnavailableError("gone", code="identity_provider_unreachable")
    clock.at += 560
    for _ in range(20):
        assert await login.fresh_id_token() == "id-0"
    assert provider.asked == 1
    clock.at += 6
    await login.fresh_id_token()
    assert provider.asked == 2


async def test_an_account_disabled_at_the_provider_ends_before_its_id_token_does(
    login: Login, provider: Provider, clock: Clock
) -> None:
    provider.lifetime = timedelta(hours=8)
    clock.at += 560
    await login.fresh_id_token()
    provider.problem = AuthenticationError("disabled", code="login_expired")
    clock.at += 610
    await login.fresh_id_token()
    await asyncio.sleep(0)
    assert login.ended


async def test_a_refused_renewal_ends_the_login_and_its_sockets(
    login: Login, provider: Provider, clock: Clock
) -> None:
    socket = Socket()
    login.attach(socket)
    provider.problem = AuthenticationError("disabled", code="login_expired")
    clock.at += 560
    with pytest.raises(AuthenticationError):
        await login.fresh_id_token()
    assert login.ended
    assert socket.closed == (4401, "login_expired")


async def test_an_unreachable_provider_ends_the_login_when_its_token_expires(
    login: Login, provider: Provider, clock: Clock
) -> None:
    provider.problem = UnavailableError("gone", code="identity_provider_unreachable")
    clock.at += 560
    assert await login.fresh_id_token() == "id-0"
    clock.at += 50
    with pytest.raises(UnavailableError):
        await login.fresh_id_token()
    assert login.ended


async def test_a_login_without_refresh_token_lives_as_long_as_its_id_token(
    provider: Provider, clock: Clock
) -> None:
    tokens = replace(provider.tokens(), refresh_token="")
    login = Login(tokens, renew=provider.renew, roles=ROLES, ends_at=clock() + 36000, now=clock)
    clock.at += 599
    assert await login.fresh_id_token() == "id-0"
    clock.at += 2
    with pytest.raises(AuthenticationError):
        await login.fresh_id_token()


async def test_a_login_ends_at_its_longest_life(login: Login, clock: Clock) -> None:
    while clock() < login._ends_at - 560:
        clock.at += 560
        await login.fresh_id_token()
    clock.at += 600
    with pytest.raises(AuthenticationError):
        await login.fresh_id_token()


async def test_work_in_the_background_finds_the_person_until_the_last_logout(
    provider: Provider, clock: Clock
) -> None:
    logins = Logins(provider.renew, ROLES, max_seconds=36000, now=clock)
    first, second = logins.start(provider.tokens()), logins.start(provider.tokens())
    key = "https://id.example#ana"
    assert first[0] != second[0]
    assert logins.find(first[0]) is first[1]
    first[1].end()
    assert logins.find(first[0]) is None
    assert await logins.id_token(key) == "id-0"
    second[1].end()
    with pytest.raises(AuthenticationError):
        await logins.id_token(key)
    with pytest.raises(AuthenticationError):
        await logins.id_token("https://id.example#bob")


async def test_who_watches_is_told_of_each_login_and_of_each_end_once(
    provider: Provider, clock: Clock
) -> None:
    logins = Logins(provider.renew, ROLES, max_seconds=36000, now=clock)
    told: list[tuple[str, int]] = []
    logins.watch(lambda key: told.append((key, len(list(logins.of_person(key))))))
    key = "https://id.example#ana"
    _, login = logins.start(provider.tokens())
    assert told == [(key, 1)]
    provider.problem = AuthenticationError("disabled", code="login_expired")
    clock.at += 560
    with pytest.raises(AuthenticationError):
        await login.fresh_id_token()
    login.end()
    assert told == [(key, 1), (key, 0)]


def test_an_attempt_is_used_once_by_its_browser_within_its_time() -> None:
    at = 0.0
    attempts = Attempts(monotonic=lambda: at)
    attempt = attempts.start(LoginState("s", "n", "v"), "/lab")
    for state, binding in (("s", "another"), ("s", ""), ("x", attempt.binding)):
        with pytest.raises(AuthenticationError):
            attempts.take(state, binding)
    assert attempts.take("s", attempt.binding) is attempt
    with pytest.raises(AuthenticationError):
        attempts.take("s", attempt.binding)
    late = attempts.start(LoginState("t", "n", "v"), "/lab")
    at = ATTEMPT_SECONDS + 1
    with pytest.raises(AuthenticationError):
        attempts.take("t", late.binding)
