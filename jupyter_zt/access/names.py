"""Names at the target: roles and schemas of one connection of one workspace."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

from jupyter_zt.model import LeaseKind, LeastMasks, quote_identifier


@dataclass(frozen=True, slots=True)
class Names:
    """What this gateway calls its own things at the target.

    Roles belong to a whole server, so their names carry a prefix of workspace, connection and
    database: two gateways on one server never sweep each other's leases.

    Attributes:
        admin: Role that the gateway logs in as.
        base: Schema with the real tables.
        masked: Schema with the masked views.
        keys: Schema with the key table, open to the owner alone.
        owner: Role that owns views and keys. Nobody can log in as it.
        reader: Role that may use the masked views; read leases are members.
        writer: Role that may name the base schema; write leases are members.
    """

    prefix: str
    admin: str
    base: str
    masked: str
    keys: str
    owner: str
    reader: str
    writer: str

    @classmethod
    def of(cls, workspace: str, connection: str, database: str, base: str, admin: str) -> Names:
        """The names for one connection."""
        seed = f"{workspace}\0{connection}\0{database}\0{base}".encode()
        prefix = hashlib.sha256(seed).hexdigest()[:8]
        return cls(
            prefix=prefix,
            admin=admin,
            base=base,
            masked=f"zt_masked_{prefix}",
            keys=f"zt_keys_{prefix}",
            owner=f"zt_owner_{prefix}",
            reader=f"zt_reader_{prefix}",
            writer=f"zt_writer_{prefix}",
        )

    def stricter(self, masks: LeastMasks) -> Names:
        """The names of the views that mask at least so much. The keys are those of all views."""
        if not masks:
            return self
        seed = json.dumps([(tag, kind.value) for tag, kind in masks])
        suffix = f"_{hashlib.sha256(seed.encode()).hexdigest()[:8]}"
        return replace(
            self,
            masked=self.masked + suffix,
            owner=self.owner + suffix,
            reader=self.reader + suffix,
        )

    @property
    def key_table(self) -> str:
        """Quoted name of the table with the keys of pseudonyms."""
        return f"{quote_identifier(self.keys)}.pseudonym"

    def lease(self, kind: LeaseKind, randomness: bytes) -> str:
        """Name of a new lease's role, 63 bytes at most."""
        return f"zt_{kind.value[0]}_{self.prefix}_{randomness.hex()}"

    @property
    def lease_pattern(self) -> str:
        """LIKE pattern of the roles of this connection's leases."""
        return rf"zt\__\_{self.prefix}\_%"
