"""What a start after a crash adds to the log. Nothing is retried."""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import select

from jupyter_zt.model import Record, RecordDraft, RecordKind
from jupyter_zt.recording.group import Group, OpenAction
from jupyter_zt.storage.log_tables import log_leaves

__all__ = ["recover", "unknown_outcome"]


def recover(group: Group, waiting: Collection[str]) -> list[Record]:
    """Close every intent that may have gone upstream, then say that the log was recovered.

    Args:
        group: The first commit after the start.
        waiting: Actions that wait for consent. Nothing of them went upstream: they stay open.
    """
    size = group.frontier.size
    lost = [item for item in group.open_actions.items() if item[0] not in waiting]
    lost.sort(key=lambda item: item[1].leaf)
    records = [group.add(unknown_outcome(group, action, entry)) for action, entry in lost]
    fields = {"size": str(size), "unknown_outcomes": str(len(lost))}
    records.append(group.add(RecordDraft(RecordKind.RECOVERY, "", fields)))
    return records


def unknown_outcome(group: Group, action: str, entry: OpenAction) -> RecordDraft:
    """The record that closes an intent of which nobody knows how it ended."""
    query = select(log_leaves.c.data).where(log_leaves.c.leaf == entry.leaf)
    intent = json.loads(group.connection.execute(query).scalar_one())
    kept = {name: intent[name] for name in ("principal", "connection", "policy") if name in intent}
    fields = {**kept, "action": action, "intent": str(entry.leaf)}
    return RecordDraft(RecordKind.UNKNOWN_OUTCOME, entry.session, fields)
