"""From a command's text to the decision, in this process; and what the starter packs refuse."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import jupyter_zt.policy
from jupyter_zt.model import Verdict
from jupyter_zt.policy import PolicySet
from tests.bench.figures import ROUNDS, Figure
from tests.policy.decisions import CONNECTIONS, DEMO, decide
from tests.policy.vectors import VECTORS, plain_selects

TIMES = 300
CORES = 2
PACKS = Path(jupyter_zt.policy.__file__).parent / "packs"
READERS = ("demo", "read-only-analyst", "careful-writer", "production-on-call")

# Another relation each time: neither the text nor its facts were decided before.
STATEMENT = "SELECT name, total FROM customers c JOIN orders_{} o ON o.id = c.id WHERE c.id = 7"
CTE = """\
{joint} part{part}_{number} AS (
  SELECT c.id, c.city, count(*) AS orders, sum(o.total) AS total, max(o.ordered_at) AS latest
  FROM customers c
  JOIN orders o ON o.customer_id = c.id AND o.status <> 'void'
  LEFT JOIN products p ON p.id = o.product_id
  WHERE c.country = 'DE' AND o.ordered_at >= date '2024-0{part}-01' AND lower(p.name) LIKE 'a%'
  GROUP BY c.id, c.city
  HAVING sum(o.total) > 100
)"""


def policy_cold() -> Iterator[Figure]:
    """A small statement that was never seen."""
    policies = demo()
    taken = [_milliseconds(policies, STATEMENT.format(number)) for number in range(ROUNDS * TIMES)]
    yield Figure("policy_cold", median(taken), "ms", ROUNDS, required=1, aim=0.5)


def policy_cached() -> Iterator[Figure]:
    """The same text, person and policy set as before."""
    policies = demo()
    taken = [_milliseconds(policies, STATEMENT.format("same")) for _ in range(ROUNDS * TIMES)]
    yield Figure("policy_cached", median(taken), "ms", ROUNDS, required=0.1)


def policy_50_lines() -> Iterator[Figure]:
    """A query of 50 lines that was never seen."""
    policies = demo()
    texts = [long_query(number) for number in range(ROUNDS * 30)]
    assert texts[0].count("\n") + 1 == 50
    taken = [_milliseconds(policies, text) for text in texts]
    yield Figure("policy_50_lines", median(taken), "ms", ROUNDS, required=5)


def policy_throughput() -> Iterator[Figure]:
    """Small statements that were never seen, by one process for each of two cores."""
    with multiprocessing.get_context("spawn").Pool(CORES) as pool:
        pool.map(_decide_many, range(CORES))  # warm
        started = time.perf_counter()
        counts = pool.map(_decide_many, range(CORES, 3 * CORES), chunksize=1)
        seconds = time.perf_counter() - started
    yield Figure("policy_throughput", sum(counts) / seconds, "decisions/s", 1, more_is_better=True)


def policy_false_blocks() -> Iterator[Figure]:
    """Share of plain SELECTs (PostgreSQL's own tests) that a starter pack refuses an analyst.

    Of those without listed functions; calls of user-defined functions count, and are what is
    refused: nobody knows what such a function does. ``..., known``: without those calls.
    """
    if not VECTORS.is_dir():
        return
    selects = plain_selects()
    rates = {}
    for name in READERS:
        known, others = (_refused(name, selects[kind]) for kind in ("known", "user_defined"))
        total = len(selects["known"]) + len(selects["user_defined"])
        rates[name] = (known + others) / total
        rates[f"{name}, known"] = known / len(selects["known"])
    yield Figure("policy_false_blocks", max(rates.values()), "share", 1, parts=rates)


def demo() -> PolicySet:
    return PolicySet({"demo.cedar": DEMO}, CONNECTIONS)


def long_query(number: int) -> str:
    parts = [
        CTE.format(joint="WITH" if part == 1 else ",", part=part, number=number)
        for part in range(1, 6)
    ]
    unions = [f"SELECT * FROM part{part}_{number}" for part in range(1, 6)]
    return "\n".join([*parts, unions[0], *(f"UNION ALL {it}" for it in unions[1:])])


def _milliseconds(policies: PolicySet, text: str) -> float:
    started = time.perf_counter()
    decision = decide(policies, text)
    taken = (time.perf_counter() - started) * 1000
    assert decision.verdict is Verdict.ALLOW
    return taken


def _decide_many(batch: int) -> int:
    policies = demo()
    for number in range(2000):
        decide(policies, STATEMENT.format(f"{batch}_{number}"))
    return 2000


def _refused(pack: str, commands: list[str]) -> int:
    policies = PolicySet.load(PACKS / f"{pack}.cedar", CONNECTIONS)
    # What is allowed with fewer rows is no refusal.
    allowed = {"", "obligation_unsupported"}
    return sum(decide(policies, command).code not in allowed for command in commands)
