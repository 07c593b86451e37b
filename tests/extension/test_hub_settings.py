"""`configure(c)` in a single-user server of JupyterHub."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tornado.web import HTTPError
from traitlets.config import Config

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.extension import configure
from jupyter_zt.extension.hub_logins import HubLogins
from jupyter_zt.identity import hub_claims, human_from_claims
from jupyter_zt.model import Human

MODEL = {"kind": "user", "name": "ada", "groups": ["stewards"], "session_id": "1"}


@pytest.fixture
def _under_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-ada's-server")
    monkeypatch.setenv("JUPYTERHUB_ROOT_DIR", "~/work")
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.usefixtures("_under_hub")
def test_the_hubs_identity_provider_stays_and_everything_else_is_set(tmp_path: Path) -> None:
    c, alone = Config(), Config()
    configure(c)
    assert "identity_provider_class" not in c.ServerApp
    assert c.HubOAuth.cache_max_age == 10
    assert c.ServerApp.root_dir == str(tmp_path / "work")

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("JUPYTERHUB_USER")
        configure(alone)
    others = set(alone.ServerApp) - {"identity_provider_class"}
    assert others <= set(c.ServerApp)
    for name in others - {"cookie_secret"}:
        assert repr(c.ServerApp[name]) == repr(alone.ServerApp[name])


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"kind": "service"}, "not_a_person"),
        ({"session_id": None}, "not_a_login"),
        ({"name": ""}, "bad_token"),
        ({"name": None}, "bad_token"),
        ({"groups": "stewards"}, "bad_token"),
    ],
)
def test_only_a_persons_login_counts(changed: dict[str, Any], code: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        hub_claims(MODEL | changed, "https://hub/", now=0)
    assert caught.value.code == code


class Socket:
    closed: int | None = None

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        self.closed = code


def logins(
    answers: list[Mapping[str, Any] | Exception | None], asked_all: asyncio.Event | None = None
) -> HubLogins:
    """Whose Hub gives these answers, one after the other; the last one for ever."""

    async def ask(_token: str) -> Mapping[str, Any] | None:
        if len(answers) == 1 and asked_all is not None:
            asked_all.set()
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def human(model: Mapping[str, Any]) -> Human:
        return human_from_claims(hub_claims(model, "hub", now=0), {"reviewer": ["stewards"]})

    return HubLogins(ask, human, check_seconds=0.01)


async def test_a_login_that_the_hub_forgets_ends_with_its_sockets() -> None:
    asked = logins([MODEL, HTTPError(502), None])
    told: list[str] = []
    ended = asyncio.Event()
    asked.watch(told.append)
    asked.watch(lambda _: ended.set() if len(told) > 1 else None)
    login = asked.seen("t", MODEL)
    assert login is not None
    socket = Socket()
    login.attach(socket)
    await asyncio.wait_for(ended.wait(), 30)
    assert socket.closed == 4401
    assert told == ["hub#ada", "hub#ada"]
    with pytest.raises(AuthenticationError):
        asked.token("hub#ada")


async def test_a_hub_that_is_away_ends_no_login_and_groups_are_read_again() -> None:
    asked_all = asyncio.Event()
    asked = logins([HTTPError(502), HTTPError(500), MODEL | {"groups": []}], asked_all)
    login = asked.seen("t", MODEL)
    assert login is not None
    assert login.human.roles == {"reviewer"}
    await asyncio.wait_for(asked_all.wait(), 30)
    await asyncio.sleep(0)
    assert login.human.roles == set()
    assert asked.token("hub#ada") == "t"


async def test_a_login_that_ended_here_does_not_come_back() -> None:
    asked = logins([MODEL])
    login = asked.seen("t", MODEL)
    assert login is not None
    asked.end(login)
    assert asked.seen("t", MODEL) is None
    assert asked.seen("another", MODEL) is not None
