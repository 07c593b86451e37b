"""Support tickets: free text in which customers, as customers do, give away personal data."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from importlib.resources import files

import numpy as np
import pyarrow as pa

from jupyter_zt.cli.demo.shop.people import DAYS_OPEN, OPENED

STATUSES = ("closed", "open", "waiting")
STATUS_SHARES = (0.8, 0.12, 0.08)


def make_tickets(
    draw: np.random.Generator, count: int, customers: pa.Table, cards: pa.ChunkedArray
) -> pa.Table:
    """`count` tickets of random customers; `cards` are card numbers to mention."""
    authors = draw.integers(0, customers.num_rows, size=count)
    mentioned = cards.take(pa.array(draw.integers(0, len(cards), size=count))).to_pylist()
    forms = _forms()
    texts = [forms[form] for form in draw.integers(0, len(forms), size=count)]
    states = draw.choice(len(STATUSES), size=count, p=STATUS_SHARES)
    opened = np.sort(draw.integers(0, DAYS_OPEN * 86_400, size=count))
    people = customers.take(pa.array(authors)).to_pylist()
    return pa.table(
        {
            "id": pa.array(range(1, count + 1), pa.int64()),
            "customer_id": pa.array(authors + 1),
            "subject": [subject for subject, _ in texts],
            "body": [
                body.format(card=card, card_end=card[-4:], **person)
                for (_, body), card, person in zip(texts, mentioned, people, strict=True)
            ],
            "status": [STATUSES[state] for state in states],
            "opened_at": pa.array(OPENED + timedelta(seconds=int(second)) for second in opened),
        }
    )


def _forms() -> list[tuple[str, str]]:
    """Subject and body, with names of columns in braces."""
    text = files("jupyter_zt.cli.demo.shop").joinpath("tickets.toml").read_text(encoding="utf-8")
    return [(form["subject"], form["body"]) for form in tomllib.loads(text)["ticket"]]
