"""What goes over the wire, as pydantic models: the OpenAPI document is made from these."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Scalar = str | int | float | bool | None
ShortText = Annotated[str, Field(max_length=512)]
AgentName = Annotated[str, Field(min_length=1, max_length=64)]
MAX_COMMAND_CHARACTERS = 1024 * 1024
MAX_PARAMETERS = 1000
MAX_EXACT_INTEGER = 2**53 - 1
"""Beyond it JSON's readers may round (RFC 8259, section 6)."""


class Wire(BaseModel):
    """Base: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """Every error's body."""

    code: str
    message: str
    hint: str


class Health(BaseModel):
    """Answer of `/healthz`."""

    status: Literal["ok"]
    version: str


class Me(BaseModel):
    """Who is asking, as the gateway sees them."""

    issuer: str
    subject: str
    name: str
    roles: list[str]
    service: bool = Field(description="It is no person, but a registered service.")


class LoginSettings(BaseModel):
    """How a command line logs its person in: by device flow (RFC 8628) at this provider."""

    issuer: str
    client_id: str
    scopes: list[str]
    algorithms: list[str]


class ConnectionInfo(BaseModel):
    """One connection that may be named in an action."""

    name: str
    kind: str
    description: str


class Sandbox(Wire):
    """How the kernel is confined, as the broker says."""

    state: Literal["sandboxed", "unsandboxed"]
    detail: ShortText


class OpenSession(Wire):
    """A broker asks for a session for a kernel of its person. Who acts is the token's to say."""

    notebook: ShortText
    kernel: ShortText
    sandbox: Sandbox
    remote: bool = False


class OpenHeadless(OpenSession):
    """A process that runs a notebook without a Jupyter server asks for its kernel's session.

    Nobody vouches for it: what it says of cells is recorded as the kernel's own word.
    """

    headless: Literal[True]


class OpenCommandLine(Wire):
    """A person's command line asks for a session. It has no broker, so nothing it says counts."""

    remote: bool = False


class OpenedSession(BaseModel):
    """A new session. The socket is alone in its folder; a remote session has none ("").

    A remote session's API is below `/v1/sessions/{id}/runtime`.
    """

    id: str
    socket: str
    expires_at: str


class HeldSession(BaseModel):
    """A kernel's session; `revoked` says what its runtime is told once it was."""

    id: str
    revoked: Problem | None


class HeldSessions(BaseModel):
    """All of them."""

    revision: str
    sessions: list[HeldSession]


class Renewed(BaseModel):
    """Until when the session's person is logged in."""

    expires_at: str


class SessionInfo(BaseModel):
    """One session, for its person or an administrator."""

    id: str
    human: str
    service: bool = Field(description="`human` names no person, but a registered service.")
    agent: str | None
    notebook: str
    kernel: str
    sandbox: Sandbox
    opened_at: str
    expires_at: str
    state: Literal["open", "suspended", "revoked", "sealed"]
    connections: list[ConnectionInfo]


class RevokeRequest(Wire):
    """Why sessions end. Their people are told, and the log keeps it."""

    reason: ShortText = ""


class RevokedSessions(BaseModel):
    """What the kill switch did: how many sessions, and which of them could not be recorded."""

    revoked: str
    unrecorded: list[str]


class Stop(BaseModel):
    """Who stopped new sessions."""

    by: str
    at: str
    reason: str


class Stopped(BaseModel):
    """Whether new sessions are stopped."""

    stopped: Stop | None


class AgentInfo(BaseModel):
    """An agent that actions may be done as, and its ceiling."""

    name: str
    connections: list[str]
    actions: list[str]
    may_ask_for_approval: bool
    max_rows: str


class SessionHuman(BaseModel):
    """The session's person or service, as the runtime may know them."""

    name: str
    roles: list[str]
    service: bool


class SessionSelf(BaseModel):
    """Who the runtime is: the answer on the session's own socket."""

    id: str
    human: SessionHuman
    agent: str | None
    agents: list[AgentInfo]
    notebook: str
    expires_at: str
    sandbox: Sandbox
    connections: list[ConnectionInfo]
    gateway_version: str


class ShownMask(BaseModel):
    """How a column is masked, and what it holds."""

    kind: str
    tag: str


class ShownColumn(BaseModel):
    """A column as a session sees it; `type` is the target's name for what is shown."""

    name: str
    type: str
    mask: ShownMask | None


class ShownTable(BaseModel):
    """A table that a session may read, with those of its columns that it may read."""

    name: str
    columns: list[ShownColumn]


class ShownTables(BaseModel):
    """What there is to read on a connection. Names and types only: no row, no count."""

    connection: str
    tables: list[ShownTable]


class CellReport(Wire):
    """A cell that ran in the kernel, as the broker saw it."""

    msg_id: ShortText
    cell_id: ShortText
    source: str
    outputs: list[dict[str, object]]
    status: Literal["ok", "error", "aborted"]


class Recorded(BaseModel):
    """Where a record stands in the log."""

    leaf: str


class SealRequest(Wire):
    """What the broker counted, to be compared with the log."""

    cells_seen: Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]


class ActionRequest(Wire):
    """One command for one connection."""

    connection: ShortText
    command: Annotated[str, Field(max_length=MAX_COMMAND_CHARACTERS)]
    parameters: Annotated[list[Scalar], Field(max_length=MAX_PARAMETERS)] = []
    cell: ShortText = ""
    cause: Annotated[str, Field(pattern=r"^[0-9]{0,18}$")] = ""
    agent: AgentName | None = None
    max_rows: Annotated[int, Field(ge=1, le=MAX_EXACT_INTEGER)] | None = None

    @field_validator("parameters")
    @classmethod
    def _shown_as_they_are(cls, parameters: list[Scalar]) -> list[Scalar]:
        """A reviewer's browser reads numbers as doubles: only those that stay the same pass."""
        for value in parameters:
            if isinstance(value, float) and not isfinite(value):
                raise ValueError("a number is finite")
            if isinstance(value, int) and abs(value) > MAX_EXACT_INTEGER:
                raise ValueError("pass an integer beyond 2^53 as a string")
        return parameters


class Requester(BaseModel):
    """Who asks for consent: a person, or a registered service."""

    subject: str
    name: str
    service: bool


class VoteInfo(BaseModel):
    """One person's word."""

    name: str
    approve: bool
    reason: str
    at: str


class ApprovalInfo(BaseModel):
    """A held action, with the exact command that will run if it is approved."""

    id: str
    action: str
    state: Literal[
        "open",
        "approved",
        "executing",
        "executed",
        "denied",
        "expired",
        "cancelled",
        "voided",
        "outcome_unknown",
    ]
    digest: str
    command: str
    parameters: list[Scalar]
    connection: str
    requester: Requester
    agent: str | None
    notebook: str
    reasons: list[str]
    facts: dict[str, object]
    reviewer_role: str
    quorum: str
    votes: list[VoteInfo]
    opened_at: str
    expires_at: str
    mine: bool
    may_decide: bool


class ApprovalList(BaseModel):
    """Requests that this person made or may decide."""

    revision: str
    approvals: list[ApprovalInfo]


class VoteRequest(Wire):
    """A decision, bound to the digest of what was shown."""

    approve: bool
    reason: str = ""
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
