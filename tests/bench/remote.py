"""Tokens and relays: what verifying a request costs, and what a relay adds to one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import Request

from jupyter_zt.gateway.callers import Callers
from jupyter_zt.gateway.token_revocations import TokenRevocations
from jupyter_zt.identity import GatewayTokens, ProofKey, ProofVerifier
from jupyter_zt.identity.gateway_tokens import READ
from jupyter_zt.model import Human
from jupyter_zt.storage import open_database
from tests import fixtures_postgres
from tests.bench.figures import ROUNDS, Figure, medians
from tests.fixtures_gateway import Gateway, running_gateway
from tests.relayed import RelayingBroker

# Another process, as a kernel is: the relay has this one's interpreter for itself.
_CLIENT = """
import json, sys, time
from statistics import median
from zt_kernel.gateway import Gateway

def one(gateway):
    started = time.perf_counter()
    gateway.get("/v1/session")
    return (time.perf_counter() - started) * 1000

sides = [Gateway(path) for path in sys.argv[1:3]]
for side in sides * 100:
    one(side)
direct, relayed = [], []
for _ in range(int(sys.argv[3])):
    direct.append(one(sides[0]))
    relayed.append(one(sides[1]))
added = median(b - a for a, b in zip(direct, relayed))
print(json.dumps({"added": added, "direct": median(direct), "relayed": median(relayed)}))
"""

URL = "https://gateway.example"
PATH = "/v1/me"
TIMES = 300


def verify_request() -> Iterator[Figure]:
    """A request of somebody who has asked before: token, revocation, proof, scope."""
    with tempfile.TemporaryDirectory(prefix="zt-bench-") as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'state.db'}")
        tokens = GatewayTokens(Ed25519PrivateKey.generate(), URL)
        callers = Callers(tokens, ProofVerifier([URL]), TokenRevocations(engine, time.time))
        key = ProofKey()
        token, _ = tokens.issue(
            client="broker",
            key=key.thumbprint,
            scopes=frozenset({READ}),
            human=Human("https://id.example", "analyst", "analyst", frozenset({"analyst"})),
        )
        taken = []
        for _ in range(ROUNDS):
            requests = [_request(token, key) for _ in range(TIMES)]
            for request in requests:
                started = time.perf_counter()
                callers.authenticate(request, READ)
                taken.append((time.perf_counter() - started) * 1000)
        engine.dispose()
    yield Figure(
        "verify_request_p50", median(taken), "ms", ROUNDS, required=0.2,
        parts={"p99": sorted(taken)[len(taken) * 99 // 100]},
    )  # fmt: skip


def relay() -> Iterator[Figure]:
    """A session on the gateway's own socket and one through a relay over TLS; and their start."""
    server = contextmanager(fixtures_postgres.running_server)(fixtures_postgres.debian_bin())
    with ExitStack() as stack:
        postgres = stack.enter_context(server)
        folder = Path(tempfile.mkdtemp(prefix="zt-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        gateway = stack.enter_context(running_gateway(folder, postgres, tls=True))
        yield from _requests(gateway)
        yield _session_start(gateway)


def _requests(gateway: Gateway) -> Iterator[Figure]:
    with RelayingBroker(gateway) as broker:
        sockets = [gateway.open().socket, broker.open().socket]
        command = [sys.executable, "-c", _CLIENT, *sockets, str(ROUNDS * TIMES)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    parts = json.loads(ran.stdout)
    added = parts.pop("added")
    yield Figure("relay_request_added_p50", added, "ms", ROUNDS, required=0.5, parts=parts)


def _session_start(gateway: Gateway) -> Figure:
    """Milliseconds until a kernel has its session: a broker that was just started, and one warm."""
    taken: dict[str, list[float]] = {"cold": [], "warm": []}
    for _ in range(ROUNDS):
        with RelayingBroker(gateway) as broker:
            gateway.token("analyst")
            for side in taken.values():
                started = time.perf_counter()
                broker.open()
                side.append((time.perf_counter() - started) * 1000)
    return Figure(
        "session_start", median(taken["cold"]), "ms", ROUNDS, required=150, parts=medians(taken)
    )


def _request(token: str, key: ProofKey) -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "headers": [
                (b"host", b"gateway.example"),
                (b"authorization", f"DPoP {token}".encode()),
                (b"dpop", key.prove("GET", URL + PATH, token).encode()),
            ],
        }
    )
