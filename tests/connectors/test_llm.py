from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from jupyter_zt.connectors import LlmTarget
from jupyter_zt.errors import TargetError

KEY = "sk-a-key-of-the-tests"


def target(answer: Callable[[httpx.Request], httpx.Response]) -> LlmTarget:
    return LlmTarget(
        "llm",
        "http://model.example/v1",
        "small",
        key=lambda: KEY,
        transport=httpx.MockTransport(answer),
    )


async def test_the_configured_model_is_asked_with_the_gateways_key() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"choices": [], "model": "small"})

    model = target(answer)
    payload = {"messages": [], "model": "large", "stream": True, "temperature": 0}
    assert (await model.complete(payload))["model"] == "small"
    assert str(asked[0].url) == "http://model.example/v1/chat/completions"
    assert asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert json.loads(asked[0].content) == {
        "messages": [],
        "model": "small",
        "stream": False,
        "temperature": 0,
    }
    await model.close()


def _refused(request: httpx.Request) -> httpx.Response:
    return httpx.Response(401, json={"error": f"bad {request.headers['authorization']}"})


def _moved(_: httpx.Request) -> httpx.Response:
    return httpx.Response(307, headers={"location": "http://elsewhere.example/"})


def _no_json(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text=f"<html>{request.headers['authorization']}</html>")


def _list(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=[])


def _huge(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=b"x" * (9 << 20))


def _down(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"no route with {request.headers['authorization']}")


def _slow(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout(f"waited with {request.headers['authorization']}")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (_refused, "model_key_refused"),
        (_moved, "model_failed"),
        (_no_json, "model_failed"),
        (_list, "model_failed"),
        (_huge, "model_failed"),
        (_down, "target_unreachable"),
        (_slow, "model_timeout"),
    ],
)
async def test_no_failure_repeats_the_key(
    answer: Callable[[httpx.Request], httpx.Response], code: str
) -> None:
    model = target(answer)
    with pytest.raises(TargetError) as caught:
        await model.complete({"messages": []})
    assert caught.value.code == code
    assert KEY not in f"{caught.value.diagnostics()}{caught.value!r}"
    assert caught.value.__cause__ is None
    await model.close()
