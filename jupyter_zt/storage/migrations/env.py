"""What Alembic runs: every pending migration, in the transaction that `open_database` began."""

from __future__ import annotations

from alembic import context

from jupyter_zt.storage.metadata import metadata

# SQLite's DDL is transactional once BEGIN is ours: a kill in the middle leaves the old tables.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
