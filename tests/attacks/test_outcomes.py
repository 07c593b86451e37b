"""No record says of an action that its end is unknown when the gateway knows it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from jupyter_zt.model import RecordKind
from tests.fixtures_gateway import Gateway


class _Model(BaseHTTPRequestHandler):
    """Answers each chat completion with one word."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"choices": [{"message": {"role": "assistant", "content": "yes"}}]})
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def model_endpoint() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def test_an_answered_model_call_has_its_outcome(own_gateway: Gateway) -> None:
    with model_endpoint() as port:
        own_gateway.configuration["connections"]["llm"] = {
            "kind": "llm",
            "url": f"http://127.0.0.1:{port}/v1",
            "model": "yes",
        }
        own_gateway.write()
        own_gateway.restart()
        first, second = own_gateway.open(), own_gateway.open()
        for session in (first, second):
            answer = session.run('{"messages": []}', "llm").last
            assert answer["status"] == "completed", answer
    first.seal()
    own_gateway.restart()
    for session in (first, second):
        kinds = [record["kind"] for record in session.records()]
        assert RecordKind.MODEL_CALL in kinds
        assert RecordKind.UNKNOWN_OUTCOME not in kinds, kinds
