"""State: tables, migrations and the one way to open the database."""

from __future__ import annotations

from jupyter_zt.storage.database import connect_for_writing, open_database, write_transaction
from jupyter_zt.storage.key_file import load_or_create_key
from jupyter_zt.storage.metadata import metadata

__all__ = [
    "connect_for_writing",
    "load_or_create_key",
    "metadata",
    "open_database",
    "write_transaction",
]
