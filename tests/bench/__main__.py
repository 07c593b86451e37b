"""Runs the benchmarks and prints one JSON line for each figure."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

from tests.bench import policies, reads, remote, rooms, starts
from tests.bench.figures import Figure
from tests.bench.stand import Stand, stand

ON_THE_STAND: dict[str, Callable[[Stand], Iterable[Figure]]] = {
    "gateway_memory": reads.gateway_memory,  # first: what a process takes once counts, too
    "one_row": reads.one_row,
    "rows_100k": reads.rows_100k,
    "rows_1m": reads.rows_1m,
    "rows_1m_masked": reads.rows_1m_masked,
    "kernel_start": starts.kernel_start,
}
ALONE: dict[str, Callable[[], Iterable[Figure]]] = {
    "policy_cold": policies.policy_cold,
    "policy_cached": policies.policy_cached,
    "policy_50_lines": policies.policy_50_lines,
    "policy_throughput": policies.policy_throughput,
    "policy_false_blocks": policies.policy_false_blocks,
    "log_append": rooms.log_append,
    "token": rooms.token,
    "verify_request": remote.verify_request,
    "relay": remote.relay,
    "demo_ready_second_start": starts.demo_ready_second_start,
}


def main() -> int:
    """0 when every figure that has a requirement meets it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=[*ON_THE_STAND, *ALONE], metavar="NAME", default="")
    only = parser.parse_args().only
    fine = True
    for figure in _figures(only):
        print(figure.line(), flush=True)
        fine &= figure.ok is not False
    return 0 if fine else 1


def _figures(only: str) -> Iterable[Figure]:
    for name, bench in ALONE.items():
        if only in {"", name}:
            yield from bench()
    chosen = [bench for name, bench in ON_THE_STAND.items() if only in {"", name}]
    if not chosen:
        return
    with stand() as running:
        for on_stand in chosen:
            yield from on_stand(running)


if __name__ == "__main__":
    sys.exit(main())
