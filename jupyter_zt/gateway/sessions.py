"""Live sessions: (human, agent, notebook, kernel), each with its socket.

A broker opens one for a kernel; a person's command line opens its own.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, insert, select, update

from jupyter_zt.errors import AuthenticationError, NotFoundError, PermissionDeniedError
from jupyter_zt.gateway.clients import BROKER
from jupyter_zt.gateway.sockets import SessionSocket
from jupyter_zt.identity import GatewayToken
from jupyter_zt.model import ADMIN, History, Human, Lease, LeastMasks, Principal
from jupyter_zt.storage import write_transaction
from jupyter_zt.storage.gateway_tables import sessions

Reporter = Literal["broker", "kernel", ""]
"""Who reports the cells of a session, as its `cell` records say; "" for nobody."""

SandboxState = Literal["sandboxed", "unsandboxed"]
SessionState = Literal["open", "suspended", "revoked", "sealed"]

COMMAND_LINE = "command line"
"""Stands for the notebook, and for what confines it, in a session that has no broker."""

OPEN: SessionState = "open"
SUSPENDED: SessionState = "suspended"
"""Its human is not logged in. It acts again once it is renewed."""

REVOKED: SessionState = "revoked"
"""Ended by a person. It never acts again; what its kernel runs is recorded until its seal."""

SEALED: SessionState = "sealed"


@dataclass(frozen=True, slots=True)
class Revoked:
    """Who ended a session, when (ISO 8601, UTC) and why."""

    by: str
    at: str
    reason: str

    def error(self) -> PermissionDeniedError:
        """What everybody who still comes with the session is told."""
        why = f": {self.reason}" if self.reason else "."
        return PermissionDeniedError(
            f"This session was revoked by {self.by}{why}",
            code="session_revoked",
            hint="Ask them before you go on. A restarted kernel opens a new session, unless new "
            "ones are stopped too.",
        )


@dataclass(slots=True, eq=False)
class LiveSession:
    """One session. Mutable: what changes while it lives is here and nowhere else.

    Attributes:
        expires_at: Until when its human's login has been shown to be valid.
        authenticated_at: When its human last showed who they are; None where nobody says.
        client: Who opened it: a broker, or the command line's client, for which nobody vouches.
        key: Thumbprint of the key that opened it: with it, its broker steers it.
        remote: Reached by its relay or its command line, not on a socket of this host.
        leases: Read lease per connection, agent and least masks, made on demand.
        running: Tasks of actions under way.
        cell_actions: Message id of a cell -> sequence numbers of its intents.
        history: What policy may know of its past.
        acting: Action under way -> the agent as which it is done, where the session has none.
    """

    id: str
    human: Human
    agent: str | None
    notebook: str
    kernel: str
    sandbox_state: SandboxState
    sandbox_detail: str
    client: str
    key: str
    remote: bool
    opened_at: datetime
    expires_at: datetime
    authenticated_at: datetime | None
    state: SessionState = OPEN
    revoked: Revoked | None = None
    socket: SessionSocket | None = None
    leases: dict[tuple[str, str | None, LeastMasks], Lease] = field(default_factory=dict)
    lease_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    sealing: asyncio.Lock = field(default_factory=asyncio.Lock)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    cell_actions: dict[str, list[str]] = field(default_factory=dict)
    acting: dict[str, str] = field(default_factory=dict)
    history: History = field(default_factory=History)

    def principal(self, agent: str | None) -> Principal:
        """Who acts on this session's socket, as this agent."""
        return Principal(human=self.human, session=self.id, agent=agent)

    def acting_as(self, named: str | None) -> str | None:
        """The agent that an action is done as. The runtime can narrow itself, and never widen.

        Args:
            named: What the runtime says.

        Raises:
            PermissionDeniedError: The session is another agent's.
        """
        if named is not None and self.agent is not None and named != self.agent:
            raise PermissionDeniedError(
                f"This session is the agent {self.agent}'s: nothing in it is done as another.",
                code="other_agent",
                hint="Leave the agent's name out.",
            )
        return self.agent or named

    @property
    def reporter(self) -> Reporter:
        """Who reports its cells."""
        if self.by_broker:
            return "broker"
        return "kernel" if self.kernel else ""

    @property
    def by_broker(self) -> bool:
        """Whether a broker opened it, and reports its cells."""
        return self.client == BROKER

    def check_alive(self, now: datetime) -> None:
        """Whether it may act.

        Raises:
            AuthenticationError: It is over, or its human's login has expired.
            PermissionDeniedError: `session_revoked`.
        """
        if self.state == SEALED:
            raise AuthenticationError("This session is over.", code="session_over")
        if self.revoked is not None:
            raise self.revoked.error()
        if self.state == SUSPENDED or now >= self.expires_at:
            raise AuthenticationError(
                "Your login has expired.",
                code="login_expired",
                hint="Log in again in JupyterLab, or on the command line: jupyter zt login",
            )


class SessionBook:
    """All sessions of this gateway, in memory and in its database."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock
        self._live: dict[str, LiveSession] = {}

    def new(
        self,
        token: GatewayToken,
        human: Human,
        *,
        notebook: str,
        kernel: str,
        sandbox: tuple[SandboxState, str],
        remote: bool,
    ) -> LiveSession:
        """A session that is not kept yet, for who asks with this token."""
        return LiveSession(
            id=_new_id(),
            human=human,
            agent=token.agent,
            notebook=notebook,
            kernel=kernel,
            sandbox_state=sandbox[0],
            sandbox_detail=sandbox[1],
            client=token.client,
            key=token.key,
            remote=remote,
            opened_at=self._clock(),
            expires_at=token.login_expires_at,
            authenticated_at=token.authenticated_at,
        )

    def new_command_line(self, token: GatewayToken, human: Human, *, remote: bool) -> LiveSession:
        """A session without a broker that is not kept yet: its own person steers it."""
        return self.new(
            token,
            human,
            notebook=COMMAND_LINE,
            kernel="",
            sandbox=("unsandboxed", COMMAND_LINE),
            remote=remote,
        )

    def keep(self, session: LiveSession) -> None:
        """From now on it can be found."""
        self._live[session.id] = session

    def write(self, connection: Connection, session: LiveSession) -> None:
        """Inserts it, inside the transaction of its `session_open` record."""
        connection.execute(
            insert(sessions).values(
                id=session.id,
                issuer=session.human.issuer,
                subject=session.human.subject,
                name=session.human.name,
                roles=json.dumps(sorted(session.human.roles)),
                agent=session.agent,
                notebook=session.notebook,
                kernel=session.kernel,
                sandbox_state=session.sandbox_state,
                sandbox_detail=session.sandbox_detail,
                client=session.client,
                key=session.key,
                remote=session.remote,
                opened_at=session.opened_at.isoformat(),
                expires_at=session.expires_at.isoformat(),
                authenticated_at=_text(session.authenticated_at),
                state=session.state,
            )
        )

    def renew(self, session: LiveSession, human: Human, token: GatewayToken) -> None:
        """The same human has shown a fresh login; roles are what they are now.

        Raises:
            PermissionDeniedError: It is somebody else's, or was revoked.
        """
        if (human.issuer, human.subject) != (session.human.issuer, session.human.subject):
            raise PermissionDeniedError("This session belongs to somebody else.")
        if session.revoked is not None:
            raise session.revoked.error()
        session.human, session.expires_at = human, token.login_expires_at
        session.authenticated_at = token.authenticated_at
        with write_transaction(self._engine) as connection:
            connection.execute(
                update(sessions)
                .where(sessions.c.id == session.id)
                .values(
                    expires_at=session.expires_at.isoformat(),
                    authenticated_at=_text(session.authenticated_at),
                    roles=json.dumps(sorted(human.roles)),
                )
            )

    def mark(
        self,
        connection: Connection,
        session: LiveSession,
        before: Sequence[SessionState],
        after: SessionState,
    ) -> None:
        """Keeps its new state, inside the transaction of the record that says why.

        One that is not in a state of `before` any more stays as it is: nothing undoes a revocation.
        """
        revoked = json.dumps(asdict(session.revoked)) if session.revoked else None
        connection.execute(
            update(sessions)
            .where(sessions.c.id == session.id, sessions.c.state.in_(before))
            .values(state=after, revoked=revoked)
        )

    def mark_sealed(self, connection: Connection, session_id: str) -> None:
        """Inside the transaction of its `seal` record."""
        connection.execute(update(sessions).where(sessions.c.id == session_id).values(state=SEALED))

    def load_unsealed(self) -> list[LiveSession]:
        """Sessions that were not sealed when the gateway stopped; they are kept again."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(sessions).where(sessions.c.state != SEALED)).all()
        for row in rows:
            self.keep(_session(row))
        return list(self._live.values())

    def get(self, session_id: str) -> LiveSession:
        """A live session, or one that was sealed. Raises `NotFoundError`."""
        if session_id in self._live:
            return self._live[session_id]
        with self._engine.connect() as connection:
            row = connection.execute(
                select(sessions).where(sessions.c.id == session_id)
            ).one_or_none()
        if row is None:
            raise NotFoundError("There is no such session.", code="unknown_session")
        return _session(row)

    def attested(self, session_id: str, key: str) -> LiveSession:
        """The session of a kernel that whoever has this key opened.

        Raises:
            PermissionDeniedError: It is another's, or a command line's.
        """
        session = self.get(session_id)
        if not session.reporter:
            raise PermissionDeniedError(
                "This is a command line's session: no broker vouches for what it shows.",
                code="no_broker",
            )
        if session.key != key:
            raise PermissionDeniedError("Only the broker that opened the session may do this.")
        return session

    def held_by(self, key: str) -> list[LiveSession]:
        """Those of kernels that whoever has this key opened, and that are not sealed."""
        return [one for one in self.live() if one.reporter and one.key == key]

    def live(self) -> list[LiveSession]:
        """All that are not sealed."""
        return [session for session in self._live.values() if session.state != SEALED]

    def visible_to(self, human: Human) -> list[LiveSession]:
        """One's own sessions that are not sealed; an administrator sees all."""
        return [
            session
            for session in self.live()
            if ADMIN in human.roles or session.human.key == human.key
        ]

    def unsealed(self, session: LiveSession) -> bool:
        """Whether its seal is not durable yet: it is open, or its end was cut short."""
        return session.id in self._live

    def forget(self, session: LiveSession) -> None:
        """No longer live."""
        self._live.pop(session.id, None)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _session(row: Row[Any]) -> LiveSession:
    return LiveSession(
        id=row.id,
        human=Human(row.issuer, row.subject, row.name, frozenset(json.loads(row.roles))),
        agent=row.agent,
        notebook=row.notebook,
        kernel=row.kernel,
        sandbox_state=row.sandbox_state,
        sandbox_detail=row.sandbox_detail,
        client=row.client,
        key=row.key,
        remote=row.remote,
        opened_at=datetime.fromisoformat(row.opened_at),
        expires_at=datetime.fromisoformat(row.expires_at),
        authenticated_at=(
            datetime.fromisoformat(row.authenticated_at) if row.authenticated_at else None
        ),
        state=row.state,
        revoked=Revoked(**json.loads(row.revoked)) if row.revoked else None,
    )


def _new_id() -> str:
    return f"s_{secrets.token_hex(16)}"
