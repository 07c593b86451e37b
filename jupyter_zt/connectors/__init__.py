"""Runs commands at the targets as a lease, and brings back what they answer.

PostgreSQL: `PostgresTarget.execute` gives a stream. Entering it starts the statement as the lease's
role; iterating it gives Arrow record batches, at most one ahead of the reader; leaving it, however
that comes, leaves nothing running at the target::

    async with target.execute(lease, command, parameters, limits=limits, comment=c) as stream:
        stream.schema                    # pyarrow.Schema; None for a write
        async for batch in stream:
            ...
        stream.rows, stream.nbytes       # so far; rows of a write: how many it changed
        stream.truncated                 # None or {"limit", "value", "hint"}
        stream.command_tag               # "UPDATE 3" for a write, else ""
        stream.notes                     # what a person should know about the values

`TargetError` never holds the target's own words; it has ``code``, ``sqlstate``, ``position`` (in
the user's command) and ``outcome_unknown``: the target was lost while a write committed. Before the
lease is dropped, `PostgresTarget.release` closes its connections.

A model: `LlmTarget.complete` takes and gives the JSON of chat completions.
"""

from __future__ import annotations

from jupyter_zt.connectors.limits import Limits
from jupyter_zt.connectors.llm import LlmTarget
from jupyter_zt.connectors.postgres import PostgresTarget
from jupyter_zt.connectors.postgres_stream import PostgresStream

__all__ = ["Limits", "LlmTarget", "PostgresStream", "PostgresTarget"]
