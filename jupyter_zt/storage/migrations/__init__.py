"""Alembic migrations, one numbered file each."""
