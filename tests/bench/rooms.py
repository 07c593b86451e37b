"""Single rooms, in this process: the log, identity."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import httpx

from jupyter_zt.identity import TokenVerifier
from jupyter_zt.model import RecordKind
from tests.bench.figures import ROUNDS, Figure
from tests.fixtures_recording import draft, open_log
from tests.identity import world

TIMES = 300


def log_append() -> Iterator[Figure]:
    """One durable record at a time."""
    yield Figure("log_append_p50", asyncio.run(_appends()), "ms", ROUNDS, aim=1)


def token() -> Iterator[Figure]:
    """An ID token that was verified a moment ago."""
    yield Figure("token_warm_p50", asyncio.run(_verifications()), "ms", ROUNDS, aim=0.2)


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
