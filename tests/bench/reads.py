"""Reading: one row, many rows, and what the gateway's memory does meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

from tests.bench.figures import ROUNDS, Figure, Side, interleaved, medians, ratio
from tests.bench.stand import ROWS, Stand

ONE_ROW_TIMES = 60
SYNCS = 20
MIB = 1024 * 1024


def one_row(stand: Stand) -> Iterator[Figure]:
    """Milliseconds that kernel and gateway add to a query of one row."""
    gateway, direct = _query("sales", 1), _query("shop.sales", 1)
    p50s: dict[str, list[float]] = {"gateway": [], "direct": []}
    p99s: dict[str, list[float]] = {"gateway": [], "direct": []}
    syncs: list[float] = []
    for warm in (True, *(False,) * ROUNDS):
        taken = {
            "gateway": stand.in_kernel(gateway, ONE_ROW_TIMES)["seconds"],
            "direct": stand.direct.run("adbc", direct, ONE_ROW_TIMES)["seconds"],
        }
        if not warm:
            syncs.append(_sync_milliseconds(stand.gateway.folder))
            for side, seconds in taken.items():
                p50s[side].append(median(seconds) * 1000)
                p99s[side].append(quantiles(seconds, n=100)[98] * 1000)
    for name, sides, required, aim in (("p50", p50s, 4.0, 0.6), ("p99", p99s, None, 4.0)):
        more = [g - d for g, d in zip(sides["gateway"], sides["direct"], strict=True)]
        yield Figure(
            f"one_row_{name}_over_adbc", median(more), "ms", ROUNDS, required, aim,
            parts={**medians(sides), "two_syncs_of_this_disk": 2 * median(syncs)},
        )  # fmt: skip


def rows_100k(stand: Stand) -> Iterator[Figure]:
    """100,000 rows to pandas, against what people use today."""
    yield from _clear(stand, "rows_100k", 100_000, required=(None, None))


def rows_1m(stand: Stand) -> Iterator[Figure]:
    """1,000,000 rows to pandas, against what people use today."""
    yield from _clear(stand, "rows_1m", ROWS, required=(1.6, 3.0))


def rows_1m_masked(stand: Stand) -> Iterator[Figure]:
    """The same with masks, which the target applies."""
    taken = interleaved(
        {
            "constants": _gateway(stand, "sales_constants", ROWS),
            "adbc": _direct(stand, "adbc", "shop.sales", ROWS),
            "pseudonym": _gateway(stand, "sales_pseudonym", ROWS),
            "adbc_pseudonym": _direct(stand, "adbc", f"{stand.masked}.sales_pseudonym", ROWS),
        }
    )
    parts = medians(taken)
    yield Figure(
        "rows_1m_five_constants_vs_adbc", ratio(taken["constants"], taken["adbc"]), "x", ROUNDS,
        aim=1.15, parts={"gateway": parts["constants"], "adbc": parts["adbc"]},
    )  # fmt: skip
    yield Figure(
        "rows_1m_pseudonym_vs_same_view",
        ratio(taken["pseudonym"], taken["adbc_pseudonym"]), "x", ROUNDS,
        aim=1.10, parts={"gateway": parts["pseudonym"], "adbc": parts["adbc_pseudonym"]},
    )  # fmt: skip


def gateway_memory(stand: Stand) -> Iterator[Figure]:
    """Peak of the gateway's resident memory during a query, over what it was before."""
    process = Path("/proc") / str(stand.gateway.pid)
    stand.in_kernel(_query("sales", 1))
    grown = []
    for _ in range(ROUNDS):
        before = _resident(process, "VmRSS")
        # 5 resets the peak (proc(5), clear_refs).
        (process / "clear_refs").write_text("5")
        stand.in_kernel(_query("sales", ROWS))
        grown.append((_resident(process, "VmHWM") - before) / MIB)
    yield Figure(
        "gateway_memory_growth", max(grown), "MiB", ROUNDS, required=64, aim=20,
        parts={"median": median(grown), "first": grown[0]},
    )  # fmt: skip


def _clear(
    stand: Stand, name: str, rows: int, required: tuple[float | None, float | None]
) -> Iterator[Figure]:
    # Only what ends in the same frame is compared.
    through, direct = _query("sales", rows), _query("shop.sales", rows)
    assert stand.in_kernel(through)["dtypes"] == stand.direct.run("adbc", direct)["dtypes"]
    taken = interleaved(
        {
            "gateway": _gateway(stand, "sales", rows),
            "adbc": _direct(stand, "adbc", "shop.sales", rows),
            "read_sql": _direct(stand, "read_sql", "shop.sales", rows),
        }
    )
    parts = medians(taken)
    yield Figure(
        f"{name}_vs_adbc", ratio(taken["gateway"], taken["adbc"]), "x", ROUNDS, required[0],
        aim=1.10, parts=parts,
    )  # fmt: skip
    yield Figure(
        f"{name}_faster_than_read_sql", ratio(taken["read_sql"], taken["gateway"]), "x", ROUNDS,
        required[1], aim=4, more_is_better=True, parts=parts,
    )  # fmt: skip


def _query(relation: str, rows: int) -> str:
    if rows == ROWS:
        return f"SELECT * FROM {relation}"
    return f"SELECT * FROM {relation} WHERE id <= {rows}"


def _gateway(stand: Stand, relation: str, rows: int) -> Side:
    def measure() -> float:
        ran = stand.in_kernel(_query(relation, rows))
        assert ran["rows"] == rows, ran
        return float(ran["seconds"][0])

    return measure


def _direct(stand: Stand, how: str, relation: str, rows: int) -> Side:
    def measure() -> float:
        ran = stand.direct.run(how, _query(relation, rows))
        assert ran["rows"] == rows, ran
        return float(ran["seconds"][0])

    return measure


def _sync_milliseconds(folder: Path) -> float:
    """What the disk takes to make a page durable: an action waits for that twice.

    Once for its intent, before anything goes upstream, and once for its result.
    """
    taken = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(2 * SYNCS):
            file.seek(0)
            file.write(bytes(64 * 1024))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - started) * 1000)
    return median(taken[SYNCS:])


def _resident(process: Path, field: str) -> int:
    """Bytes, from a line such as ``VmRSS:  123 kB``."""
    for line in (process / "status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)
