"""All tables of the shop, from one seed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from jupyter_zt.cli.demo.shop.people import make_customers
from jupyter_zt.cli.demo.shop.sales import make_orders, make_products
from jupyter_zt.cli.demo.shop.tickets import make_tickets

SEED = 20_250_101


def make_tables(customers: int, orders: int, tickets: int, seed: int = SEED) -> dict[str, pa.Table]:
    """The shop's tables in the order in which they can be loaded.

    Args:
        customers: Rows of `customers`.
        orders: Rows of `orders`; `payments` has a few less.
        tickets: Rows of `support_tickets`.
        seed: The same seed makes the same shop.
    """
    # A stream for each table: more orders don't change the customers.
    streams = [np.random.Generator(np.random.PCG64([seed, table])) for table in range(4)]
    people = make_customers(streams[0], customers)
    products, prices = make_products(streams[1])
    sold, payments = make_orders(streams[2], orders, customers, prices)
    cards = payments["card_number"].drop_null()
    return {
        "customers": people,
        "products": products,
        "orders": sold,
        "payments": payments,
        "support_tickets": make_tickets(streams[3], tickets, people, cards),
    }
