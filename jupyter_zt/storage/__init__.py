"""State: tables, migrations and the one way to open the database."""

from __future__ import annotations

from jupyter_zt.storage.database import connect_for_writing, open_database, write_transaction
from jupyter_zt.storage.metadata import metadata

__all__ = ["connect_for_writing", "metadata", "open_database", "write_transaction"]
