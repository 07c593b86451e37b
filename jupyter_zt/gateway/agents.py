"""`agents:` in gateway.yaml: programs that act for a human, each within a ceiling."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from jupyter_zt.gateway.section import Section
from jupyter_zt.model import Agent
from jupyter_zt.policy import verbs_of


def _known(action: str) -> str:
    try:
        verbs_of(action)
    except KeyError as error:
        msg = f"there is no action {action!r}; docs/policy.md lists them"
        raise ValueError(msg) from error
    return action


class AgentSettings(Section):
    """One agent.

    Attributes:
        owner: Who answers for it: a team, an address.
        connections: Names of those that it may use.
        actions: As in a policy: a group (``read``) or a verb (``select``).
        may_ask_for_approval: Whether its actions may be held; otherwise those are denied.
        max_rows: Of one result.
        statement_seconds: Of one statement.
    """

    owner: str = Field(min_length=1, max_length=256)
    description: str = ""
    connections: list[str] = Field(min_length=1)
    actions: list[Annotated[str, AfterValidator(_known)]] = Field(min_length=1)
    may_ask_for_approval: bool = False
    max_rows: int | None = Field(default=None, ge=1)
    statement_seconds: float | None = Field(default=None, gt=0, le=24 * 3600)

    def agent(self, name: str) -> Agent:
        """As the decision sees it."""
        return Agent(
            name=name,
            owner=self.owner,
            connections=frozenset(self.connections),
            verbs=frozenset().union(*(verbs_of(action) for action in self.actions)),
            may_ask=self.may_ask_for_approval,
            max_rows=self.max_rows,
            statement_seconds=self.statement_seconds,
        )
