"""`zt.react`: a language model proposes, policy decides, the gateway acts, everything is recorded.

The model is a connection like any other, so each call of it is an action with a record. Each action
that it proposes takes the path of a tool cell and names that record as its cause. All of them are
done as a registered agent: the gateway holds them to its ceiling.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from zt_kernel import tool
from zt_kernel.actions import Outcome
from zt_kernel.errors import ZTError, ZTInterrupted, ZTRefused
from zt_kernel.masked_frame import MaskedFrame
from zt_kernel.react_prompt import (
    ACTION,
    FINAL,
    MAX_OBSERVATION_CHARACTERS,
    Exchange,
    MalformedReplyError,
    Proposal,
    read_reply,
    request,
)
from zt_kernel.react_view import StepView
from zt_kernel.session_card import SessionCard, session

DEFAULT_AGENT = "react"
DEFAULT_MODEL = "llm"
DEFAULT_MAX_STEPS = 6
_MODEL_KIND = "llm"
_SHOWN_ROWS = 8
TABLES_QUERY = (
    "select table_name, string_agg(column_name, ', ' order by ordinal_position) as columns"
    " from information_schema.columns"
    " where table_schema not in ('information_schema', 'pg_catalog')"
    " group by table_name order by table_name"
)


@dataclass(frozen=True, slots=True)
class Step:
    """What happened in one step."""

    thought: str
    connection: str
    command: str
    observation: str
    record: str
    model_record: str
    status: str


@dataclass(slots=True)
class ReactRun:
    """How a run ended.

    Attributes:
        answer: The model's answer, or "" when it gave none.
        stopped: Why it ended.
    """

    goal: str
    model: str
    answer: str = ""
    stopped: str = ""
    steps: list[Step] = field(default_factory=list)

    @property
    def records(self) -> list[str]:
        """Records of the actions that succeeded: what the answer can be checked against."""
        return [step.record for step in self.steps if step.status == "ok" and step.record]

    def __repr__(self) -> str:
        head = f"Answer: {self.answer}" if self.answer else f"No answer: {self.stopped}"
        which = "record" if len(self.records) == 1 else "records"
        seen = f"It saw {which} {', '.join(self.records)}." if self.records else "It saw no data."
        return f"{head}\n{seen} Written by {self.model}; check it against them."

    def _repr_mimebundle_(
        self,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
    ) -> dict[str, Any]:
        text = repr(self)
        lines = "".join(f"<p>{escape(line)}</p>" for line in text.splitlines())
        return {"text/plain": text, "text/html": lines}


def react(
    goal: str,
    *,
    agent: str = DEFAULT_AGENT,
    model: str = DEFAULT_MODEL,
    connections: Sequence[str] = (),
    max_steps: int = DEFAULT_MAX_STEPS,
) -> ReactRun:
    """Lets a language model work on a goal, one recorded action at a time.

    Args:
        goal: What you want to know or have done.
        agent: As which registered agent it acts, unless this session is one's already.
        model: Connection of the language model.
        connections: Those that it may use; all of this session's by default.
        max_steps: Calls of the model after which it ends without an answer.

    Returns:
        The run: its answer, steps, and the records to check it against.

    Raises:
        ZTRefused: The goal is empty, a connection is unknown, or the model may not be called.
        ZTError: The model or the gateway failed.
        ZTInterrupted: The stop button.
    """
    if not goal.strip():
        raise ZTRefused(
            "There is no goal.",
            code="empty_command",
            hint="Write what you want to know below %%react.",
        )
    card = session()
    acting = card.agent or agent
    usable, about = _usable(_offered(card, acting), model, connections)
    run = ReactRun(goal=goal.strip(), model=f"{model} ({about})" if about else model)
    tables = _tables(usable, acting)
    exchanges: list[Exchange] = []
    asked_before: dict[tuple[str, str], str] = {}
    malformed_before = False
    forms: tuple[str, ...] = (ACTION, FINAL)
    for number in range(1, max_steps + 1):
        view = StepView(number)
        view.show()
        if number == max_steps:
            forms = (FINAL,)
        try:
            asked = request(run.goal, usable, tables, exchanges, forms)
            thinking = tool.run(model, asked, agent=acting)
        except (ZTError, ZTInterrupted) as error:
            view.show(status="failed", observation=str(error))
            raise
        model_record = str(thinking.result.get("record") or "")
        try:
            reply, proposal = read_reply(thinking.result.get("body") or {})
        except MalformedReplyError as error:
            view.show(status="malformed", observation=f"The model's reply is unusable: {error}.")
            if malformed_before:
                run.stopped = "the model's replies are unusable"
                return run
            malformed_before = True
            exchanges.append(Exchange(reply="", observation=f"Reply with one JSON object: {error}"))
            continue
        malformed_before = False
        if proposal.final:
            view.show(thought=proposal.thought, status="final", model_record=model_record)
            run.answer, run.stopped = proposal.final, "answered"
            return run
        step = _act(proposal, model_record, acting, view)
        run.steps.append(step)
        exchanges.append(Exchange(reply=reply, observation=step.observation))
        before = asked_before.get((step.connection, step.command))
        if step.status != "ok" and before is not None:
            run.stopped = "it asked twice for what had been refused"
            return run
        if before is not None:
            forms = (FINAL,)  # it goes in circles: what it has seen must do
        asked_before[step.connection, step.command] = step.status
    run.stopped = f"{max_steps} steps are used up"
    return run


def _act(proposal: Proposal, model_record: str, agent: str, view: StepView) -> Step:
    view.show(
        thought=proposal.thought,
        action={"connection": proposal.connection, "command": proposal.command},
        status="acting",
        model_record=model_record,
    )
    try:
        outcome = tool.run(proposal.connection, proposal.command, cause=model_record, agent=agent)
    except ZTInterrupted as error:
        view.show(status="failed", observation=error.message)
        raise
    except ZTError as error:
        status = "refused" if isinstance(error, ZTRefused) else "failed"
        observation = f"{error.title}: {error.message} {error.hint}".strip()
        record = error.record
    else:
        status, observation = "ok", _observation(outcome)
        record = str(outcome.result.get("record") or "")
    observation = observation[:MAX_OBSERVATION_CHARACTERS]
    view.show(status=status, observation=observation, record=record)
    return Step(
        thought=proposal.thought,
        connection=proposal.connection,
        command=proposal.command,
        observation=observation,
        record=record,
        model_record=model_record,
        status=status,
    )


def _observation(outcome: Outcome) -> str:
    if outcome.table is None:
        return str(outcome.result.get("command_tag") or "done")
    rows = outcome.table.num_rows
    frame = MaskedFrame.of(outcome)
    text = str(frame.head(_SHOWN_ROWS).to_csv(index=False)).strip()
    return text if rows <= _SHOWN_ROWS else f"{text}\n({rows} rows, first {_SHOWN_ROWS} shown)"


def _offered(card: SessionCard, agent: str) -> list[dict[str, str]]:
    """The connections that this agent may use. Raises `ZTRefused` for one that is not there."""
    known = next((item for item in card.agents if item.get("name") == agent), None)
    if known is None:
        names = ", ".join(str(item.get("name")) for item in card.agents)
        raise ZTRefused(
            f"There is no agent {agent!r} at this gateway.",
            code="unknown_agent",
            hint=f"There are: {names or 'none'}.",
            who="an administrator can register one (agents: in gateway.yaml)",
        )
    return [item for item in card.connections if item["name"] in known.get("connections", ())]


def _usable(
    offered: Sequence[dict[str, str]], model: str, wanted: Sequence[str]
) -> tuple[list[dict[str, str]], str]:
    names = {item["name"] for item in offered}
    unknown = [name for name in [model, *wanted] if name not in names]
    if unknown:
        raise ZTRefused(
            f"There is no connection {unknown[0]!r} in this session.",
            code="unknown_connection",
            hint=f"There are: {', '.join(sorted(names)) or 'none'}.",
            who="an administrator can add a connection, or give you access",
        )
    usable = [
        item
        for item in offered
        if item.get("kind") != _MODEL_KIND and (not wanted or item["name"] in wanted)
    ]
    about = next(item.get("description", "") for item in offered if item["name"] == model)
    return usable, about


def _tables(connections: Sequence[dict[str, str]], agent: str) -> str:
    """What tables there are, looked up like everything else: through the gateway."""
    lines = []
    for item in connections:
        if item.get("kind") != "postgres":
            continue
        try:
            outcome = tool.run(item["name"], TABLES_QUERY, agent=agent)
        except ZTError:
            continue  # policy may keep the catalog closed; the model then knows the names only
        if outcome.table is not None:
            lines += [
                f"{item['name']}: {row['table_name']}({row['columns']})"
                for row in outcome.table.to_pylist()
            ]
    return "\n".join(lines)
