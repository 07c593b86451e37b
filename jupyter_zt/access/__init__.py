"""Short-lived identities at the targets, and where the gateway's own secrets are.

`PostgresAccess` holds the admin credential of one PostgreSQL target. Its `prepare` makes a schema
of masked views; `lease_read` and `lease_write` make roles that are good for minutes and for nothing
more than a session's reads, or one approved write. The target enforces what a lease may do::

    lease = await access.lease_read(session, ttl_seconds=3600)
    ...                                      # connectors run commands as the lease
    await access.drop(lease)                 # close the connector's connections first

Passwords of leases never reach the target: it gets their SCRAM verifiers, so its statement log
holds nothing that anybody could log in with.
"""

from __future__ import annotations

from jupyter_zt.access.grants import Timeouts
from jupyter_zt.access.postgres import PostgresAccess
from jupyter_zt.access.secrets import SecretReference, read_secret

__all__ = ["PostgresAccess", "SecretReference", "Timeouts", "read_secret"]
