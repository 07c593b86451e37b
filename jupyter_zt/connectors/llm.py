"""Chat completions of an OpenAI-compatible endpoint. The key stays here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from jupyter_zt.errors import TargetError

MAX_ANSWER_BYTES = 8 << 20
CONNECT_SECONDS = 5.0

_REFUSALS = {
    401: ("model_key_refused", "does not accept the gateway's key"),
    403: ("model_key_refused", "does not allow this to the gateway's key"),
    404: ("model_unknown", "has no such model or path"),
    413: ("model_input_too_long", "says that the conversation is too long"),
    429: ("model_busy", "has too many requests"),
}


class LlmTarget:
    """One model behind one endpoint.

    Args:
        name: The connection's name, for messages.
        url: Up to and including ``/v1``.
        model: The only model that is asked, whatever the caller writes.
        key: Gives the bearer key at each call, so that it can be rotated; None for no key.
        timeout_seconds: For the whole answer.
        transport: For tests; None for the network.
    """

    def __init__(
        self,
        name: str,
        url: str,
        model: str,
        *,
        key: Callable[[], str] | None = None,
        timeout_seconds: float = 120,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self._url = url.rstrip("/") + "/chat/completions"
        self._model = model
        self._key = key
        # A new client costs 19 ms, so one is kept. A redirect would carry the key elsewhere.
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    async def complete(self, payload: Mapping[str, object]) -> dict[str, object]:
        """One chat completion.

        Args:
            payload: As the API takes it (``messages``, ``temperature``, ...). ``model`` is set
                here, and ``stream`` is off.

        Returns:
            The answer's JSON object.

        Raises:
            TargetError: It can't be reached, refused, failed, or gave no JSON. Nothing of its
                answer is in the message: a broken endpoint may echo the key.
        """
        headers = {}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key()}"
        body = {**payload, "model": self._model, "stream": False}
        try:
            async with self._client.stream(
                "POST", self._url, json=body, headers=headers
            ) as response:
                answer = await self._read(response)
        except httpx.TimeoutException:
            raise TargetError(
                f"{self.name} took too long to answer.",
                code="model_timeout",
                hint="Try again, or ask for a shorter answer (max_tokens).",
            ) from None
        except httpx.HTTPError:
            raise TargetError(
                f"{self.name} can't be reached.",
                code="target_unreachable",
                hint="Ask an administrator whether the model's endpoint is up.",
            ) from None
        return answer

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _read(self, response: httpx.Response) -> dict[str, object]:
        if response.status_code != httpx.codes.OK:
            code, words = _REFUSALS.get(
                response.status_code, ("model_failed", f"answered {response.status_code}")
            )
            raise TargetError(
                f"{self.name} {words}.",
                code=code,
                hint="Ask an administrator to check this connection in gateway.yaml.",
            )
        content = bytearray()
        async for part in response.aiter_bytes():
            content += part
            if len(content) > MAX_ANSWER_BYTES:
                raise TargetError(f"{self.name} answered too much.", code="model_failed")
        try:
            answer = httpx.Response(200, content=bytes(content)).json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise TargetError(f"{self.name} did not answer with JSON.", code="model_failed")
        return answer
