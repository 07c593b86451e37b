"""Single rooms, in this process: policy, the log, identity."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import httpx

from jupyter_zt.identity import TokenVerifier
from jupyter_zt.model import RecordKind, Verdict
from jupyter_zt.policy import PolicySet
from tests.bench.figures import ROUNDS, Figure
from tests.fixtures_recording import draft, open_log
from tests.identity import world
from tests.policy.decisions import CONNECTIONS, DEMO, decide

TIMES = 300
# Another relation each time: neither the text nor its facts were decided before.
STATEMENT = "SELECT name, total FROM customers c JOIN orders_{} o ON o.id = c.id WHERE c.id = 7"


def policy() -> Iterator[Figure]:
    """A small statement from its text to the decision."""
    policies = PolicySet({"demo.cedar": DEMO}, CONNECTIONS)
    cold, cached = [], []
    for turn in range(ROUNDS):
        texts = [STATEMENT.format(turn * TIMES + number) for number in range(TIMES)]
        cold += [_decided(policies, text) for text in texts]
        cached += [_decided(policies, texts[0]) for _ in texts]
    yield Figure("policy_cold_p50", median(cold), "ms", ROUNDS, aim=1)
    yield Figure("policy_cached_p50", median(cached), "ms", ROUNDS, aim=0.1)


def log_append() -> Iterator[Figure]:
    """One durable record at a time."""
    yield Figure("log_append_p50", asyncio.run(_appends()), "ms", ROUNDS, aim=1)


def token() -> Iterator[Figure]:
    """An ID token that was verified a moment ago."""
    yield Figure("token_warm_p50", asyncio.run(_verifications()), "ms", ROUNDS, aim=0.2)


def _decided(policies: PolicySet, text: str) -> float:
    started = time.perf_counter()
    decision = decide(policies, text)
    assert decision.verdict is Verdict.ALLOW
    return (time.perf_counter() - started) * 1000


async def _appends() -> float:
    taken = []
    with tempfile.TemporaryDirectory(prefix="zt-bench-") as folder, open_log(Path(folder)) as log:
        for number in range(ROUNDS * TIMES):
            record = draft(RecordKind.INTENT, action=f"a_{number}")
            started = time.perf_counter()
            await log.append([record])
            taken.append((time.perf_counter() - started) * 1000)
    return median(taken)


async def _verifications() -> float:
    taken = []
    with world.forger() as forger:
        async with httpx.AsyncClient() as http:
            verifier = TokenVerifier(forger.issuer, [world.CLIENT_ID], ["RS256"], http)
            signed = forger.sign()
            await verifier.verify(signed)
            for _ in range(ROUNDS * TIMES):
                started = time.perf_counter()
                await verifier.verify(signed)
                taken.append((time.perf_counter() - started) * 1000)
    return median(taken)
