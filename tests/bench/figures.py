"""One measured figure, and how it is printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import median

ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result.

    Attributes:
        required: The worst that is accepted; None where the figure is only reported.
        aim: Where it should get to.
        more_is_better: Whether `required` is a least value, not a most.
        parts: What the figure was made from, such as the medians of both sides.
    """

    bench: str
    value: float
    unit: str
    rounds: int
    required: float | None = None
    aim: float | None = None
    more_is_better: bool = False
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool | None:
        if self.required is None:
            return None
        if self.more_is_better:
            return self.value >= self.required
        return self.value <= self.required

    def line(self) -> str:
        told = asdict(self)
        del told["more_is_better"]
        told["value"] = round(self.value, 3)
        told["parts"] = {name: round(value, 3) for name, value in self.parts.items()}
        return json.dumps({**told, "ok": self.ok})


Side = Callable[[], float]


def interleaved(sides: Mapping[str, Side], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Measures every side once a round, beginning with another one each time.

    Each side has been run once before, unmeasured: what is compared is warm.
    """
    names = list(sides)
    for side in sides.values():
        side()
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(sides[name]())
    return taken


def ratio(above: list[float], below: list[float]) -> float:
    """The median of the ratios of each round."""
    return median(a / b for a, b in zip(above, below, strict=True))


def medians(taken: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: median(values) for name, values in taken.items()}
