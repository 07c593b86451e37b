"""Appends the gateway's records: each says who acted, and by which policies it was decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from jupyter_zt.gateway.sessions import LiveSession, SessionBook
from jupyter_zt.model import Record, RecordDraft
from jupyter_zt.recording import Also, Log


class Records:
    """The log, for writing. What a room drafts gets the session's principal and the policy set.

    Args:
        log: Where they go.
        sessions: Knows whose session it is.
        policy_digest: Of the set that decides now.
    """

    def __init__(self, log: Log, sessions: SessionBook, policy_digest: Callable[[], str]) -> None:
        self._log = log
        self._sessions = sessions
        self._policy_digest = policy_digest

    async def append(self, drafts: Sequence[RecordDraft], also: Also | None = None) -> list[Record]:
        """As `Log.append`, with `principal` and `policy` set where the draft does not.

        Raises:
            LogUnavailableError: They are not durable. Nothing may go upstream.
        """
        return await self._log.append([self._stamp(draft) for draft in drafts], also)

    def _stamp(self, draft: RecordDraft) -> RecordDraft:
        fields: dict[str, object] = {"policy": self._policy_digest(), **draft.fields}
        if draft.session and "principal" not in fields:
            session = self._sessions.get(draft.session)
            agent = session.agent or session.acting.get(str(fields.get("action")))
            fields["principal"] = principal_fields(session, agent)
        return replace(draft, fields=fields)


def principal_fields(session: LiveSession, agent: str | None) -> dict[str, object]:
    """The principal as records name it (recording format v1, Records)."""
    human = session.human
    return {
        # A service is no human, and no record calls it one.
        "service" if human.is_service else "human": {
            "iss": human.issuer,
            "sub": human.subject,
            "name": human.name,
        },
        "agent": agent or "",
        "session": session.id,
        "roles": sorted(human.roles),
    }
