"""What the shop sells and has sold: products, orders, payments."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jupyter_zt.cli.demo.shop.identifiers import card_numbers

CATEGORIES = {
    "Kitchen": ("Espresso machine", "Chef's knife", "Cast-iron pan", "Kettle", "Grinder", "Scale"),
    "Outdoor": ("Tent", "Sleeping bag", "Headlamp", "Hiking boots", "Rucksack", "Stove"),
    "Audio": ("Headphones", "Turntable", "Bookshelf speaker", "Microphone", "Amplifier", "Cable"),
    "Home": ("Desk lamp", "Wool blanket", "Bookcase", "Armchair", "Wall clock", "Rug"),
    "Garden": ("Secateurs", "Watering can", "Seed set", "Wheelbarrow", "Hose", "Bird feeder"),
    "Books": ("Atlas", "Cookbook", "Field guide", "Novel", "Sketchbook", "Dictionary"),
}
LINES = (
    "Basic",
    "Classic",
    "Compact",
    "Studio",
    "Nordic",
    "Alpine",
    "Heritage",
    "Pro",
    "Mini",
    "XL",
)
STATUSES = ("delivered", "shipped", "paid", "pending", "cancelled", "returned")
STATUS_SHARES = (0.78, 0.07, 0.05, 0.03, 0.04, 0.03)
METHODS = ("card", "bank_transfer", "wallet")
METHOD_SHARES = (0.72, 0.16, 0.12)
FIRST_ORDER = np.datetime64("2020-01-01T00:00:00", "s")
SECONDS_OF_ORDERS = 1980 * 86_400


def make_products(draw: np.random.Generator) -> tuple[pa.Table, NDArray[np.int64]]:
    """All products, and their prices in cents in the order of their ids."""
    names = [
        (f"{line} {thing.lower()}", category)
        for category, things in CATEGORIES.items()
        for thing in things
        for line in LINES
    ]
    cents = (np.round(draw.lognormal(3.7, 0.8, size=len(names))) * 100 + 95).astype(np.int64)
    table = pa.table(
        {
            "id": pa.array(range(1, len(names) + 1), pa.int64()),
            "name": [name for name, _ in names],
            "category": [category for _, category in names],
            "price": money(cents),
            "stock": pa.array(draw.integers(0, 900, size=len(names))),
        }
    )
    return table, cents


def make_orders(
    draw: np.random.Generator, count: int, customers: int, prices: NDArray[np.int64]
) -> tuple[pa.Table, pa.Table]:
    """Orders, and the payments of those that got that far."""
    # A square makes some customers, and some products, much more frequent than others.
    customer = 1 + (draw.random(count) ** 2 * customers).astype(np.int64)
    product = (draw.random(count) ** 2 * len(prices)).astype(np.int64)
    quantity = 1 + draw.geometric(0.6, size=count) % 9
    total = prices[product] * quantity
    status = draw.choice(len(STATUSES), size=count, p=STATUS_SHARES)
    ordered = FIRST_ORDER + np.sort(draw.integers(0, SECONDS_OF_ORDERS, size=count))
    ids = np.arange(1, count + 1)
    orders = pa.table(
        {
            "id": pa.array(ids),
            "customer_id": pa.array(customer),
            "product_id": pa.array(product + 1),
            "quantity": pa.array(quantity),
            "total": money(total),
            "status": pa.array(STATUSES).take(pa.array(status)),
            "ordered_at": pa.array(ordered),
        }
    )
    paid = ~np.isin(status, [STATUSES.index("pending"), STATUSES.index("cancelled")])
    return orders, _payments(draw, ids[paid], total[paid], ordered[paid])


def _payments(
    draw: np.random.Generator,
    orders: NDArray[np.int64],
    cents: NDArray[np.int64],
    ordered: NDArray[np.datetime64],
) -> pa.Table:
    count = len(orders)
    method = draw.choice(len(METHODS), size=count, p=METHOD_SHARES)
    cards = pa.array(card_numbers(draw, count)).cast(pa.string())
    by_card = pa.array(method == METHODS.index("card"))
    return pa.table(
        {
            "id": pa.array(np.arange(1, count + 1)),
            "order_id": pa.array(orders),
            "method": pa.array(METHODS).take(pa.array(method)),
            "card_number": pc.if_else(by_card, cards, pa.scalar(None, pa.string())),
            "amount": money(cents),
            "paid_at": pa.array(ordered + draw.integers(20, 3 * 86_400, size=count)),
        }
    )


def money(cents: NDArray[np.int64]) -> pa.Array:
    """Amounts as text with two decimals: exact, unlike a float."""
    whole = pa.array(cents // 100).cast(pa.string())
    rest = pc.utf8_lpad(pa.array(cents % 100).cast(pa.string()), width=2, padding="0")
    return pc.binary_join_element_wise(whole, rest, ".")
