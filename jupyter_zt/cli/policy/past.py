"""Past actions and what was decided about them, from a gateway's log or from recordings."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jupyter_zt.errors import ConfigError, EvidenceError
from jupyter_zt.model import Action, Facts, History, Human, Principal, Verdict
from jupyter_zt.policy import analyze
from jupyter_zt.policy.compare import Asked
from jupyter_zt.policy.words import GROUP_OF

# Denied by another part of the gateway, which no policy can change: an agent's ceiling, budgets,
# what a write's lease could not allow.
OTHER_ROOMS = frozenset(
    {
        "agent_action", "agent_connection", "agent_may_not_ask", "budget_spent", "lease_refused",
        "masked_source", "undefined_column", "unknown_agent", "unknown_connection",
        "unknown_relation", "write_not_supported",
    }
)  # fmt: skip

_KIND_OF_GROUP = {"model": "llm", "http_read": "http", "http_write": "http"}


@dataclass(frozen=True, slots=True)
class Past:
    """One action that was decided.

    Attributes:
        leaf: Of the record of its intent.
        at: When it was recorded, UTC.
        command: Its text; None where the log no longer has it.
        facts: As recorded.
        history: What its session had done before.
        decision: The record of the decision.
    """

    leaf: int
    at: datetime
    principal: Principal
    connection: str
    command: str | None
    facts: Facts
    history: History
    decision: Mapping[str, Any]

    @property
    def by_policy(self) -> bool:
        """Whether a policy set decided it, and no other part of the gateway."""
        return self.decision.get("code", "") not in OTHER_ROOMS

    def asked(self, kinds: Mapping[str, str]) -> Asked:
        """As it is put to a policy set: with today's facts where its text is known.

        Args:
            kinds: Connection -> kind, of those that are known.
        """
        kind = kinds.get(self.connection) or _kind(self.facts)
        facts = self.facts
        if self.command is not None and kind != "http":
            facts = replace(
                analyze(kind, self.command),
                estimated_rows=self.facts.estimated_rows,
                tags=self.facts.tags,
            )
        action = Action("", self.principal.session, self.connection, self.command or "")
        return Asked(self.principal, action, kind, facts, self.history)


def read_log(directory: Path, since: datetime | None = None) -> list[Past]:
    """The decided actions of a gateway's log, oldest first.

    Args:
        directory: Of its configuration; the gateway may be running.
        since: Leave out what is older.

    Raises:
        ConfigError: There is no log, or it can't be read.
    """
    from jupyter_zt.gateway.config import Configuration

    database = Configuration.load(directory).state / "gateway.db"
    query = "SELECT leaf, data FROM log_leaves WHERE kind IN ('intent', 'decision') ORDER BY leaf"
    try:
        address = f"file:{quote(str(database))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            rows = connection.execute(query).fetchall()
            bodies = dict(connection.execute("SELECT hash, body FROM log_bodies").fetchall())
    except sqlite3.Error as error:
        hint = "A gateway writes it: --config names its configuration directory."
        raise ConfigError(
            f"The log can't be read: {error}.", file=str(database), hint=hint
        ) from error
    records = [(int(leaf), json.loads(data)) for leaf, data in rows]
    found = _pasts(records, {bytes(key).hex(): body for key, body in bodies.items()})
    return [past for past in found if since is None or past.at >= since]


def read_recordings(paths: Sequence[Path]) -> list[Past]:
    """The decided actions of recordings. They are not verified: `jupyter zt verify` does that.

    Raises:
        ConfigError: One is no recording.
    """
    from jupyter_zt.recording.verify.bundle import parse_bundle

    found: list[Past] = []
    for path in paths:
        try:
            notebook = json.loads(path.read_text("utf-8"))
            bundle = parse_bundle(notebook["metadata"]["zt"]["recording"])
        except (OSError, ValueError, KeyError, TypeError, EvidenceError) as error:
            raise ConfigError("This is no recording.", file=str(path)) from error
        records = [
            (entry.leaf, dict(entry.fields))
            for entry in bundle.entries
            if entry.kind in {"intent", "decision"}
        ]
        found += _pasts(records, bundle.bodies)
    return sorted(found, key=lambda past: past.at)


def _pasts(
    records: Sequence[tuple[int, Mapping[str, Any]]], bodies: Mapping[str, bytes | None]
) -> Iterator[Past]:
    intents: dict[str, tuple[int, Mapping[str, Any]]] = {}
    histories: dict[str, History] = {}
    for place, record in records:
        action = str(record.get("action", ""))
        if record["kind"] == "intent":
            intents[action] = (place, record)
            continue
        if action not in intents:
            continue
        leaf, intent = intents.pop(action)
        body = bodies.get(intent.get("bodies", {}).get("command", ""))
        facts = Facts.from_json(intent["facts"])
        principal = _principal(intent["principal"])
        history = histories.get(principal.session, History())
        histories[principal.session] = history.after(facts, Verdict(record["verdict"]))
        yield Past(
            leaf,
            datetime.fromisoformat(intent["at"]).astimezone(UTC),
            principal,
            str(intent["connection"]),
            None if body is None else body.decode("utf-8", "surrogatepass"),
            facts,
            history,
            record,
        )


def _principal(said: Mapping[str, Any]) -> Principal:
    human = said.get("human") or said["service"]
    person = Human(human["iss"], human["sub"], human["name"], frozenset(said["roles"]))
    return Principal(person, said["session"], said["agent"] or None)


def _kind(facts: Facts) -> str:
    group = GROUP_OF.get(facts.verb, "read")
    return _KIND_OF_GROUP.get(group, "kubernetes" if group.startswith("kubernetes") else "postgres")
