"""The shop that the demo's database holds: made up, always the same, realistic where it matters.

Names come from eight countries, national ids and card numbers pass their check digits, telephone
numbers come from ranges kept for fiction where a country has one, and mail domains are reserved for
examples (RFC 2606). The free text of support tickets holds personal data, as such text does.
"""

from __future__ import annotations

from jupyter_zt.cli.demo.shop.load import CUSTOMERS, ORDERS, is_loaded, load
from jupyter_zt.cli.demo.shop.tables import make_tables

__all__ = ["CUSTOMERS", "ORDERS", "is_loaded", "load", "make_tables"]
