"""Who this kernel acts for, and what it may ask for: `%zt`, `zt.session()`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from zt_kernel.gateway import session_gateway

HELP = """\
%zt                        who you are, your connections, the session, the sandbox
%zt tables warehouse       the tables that you may read there
%zt columns warehouse      their columns: type, mask (`%zt columns warehouse orders` for one table)
%zt sample warehouse orders 5   five rows
%%sql warehouse            runs the cell as one SQL statement on the connection `warehouse`
%%sql warehouse df <<      the same, and assigns the result to `df`
%sql warehouse select 1    the same on one line; `df = %sql warehouse select 1` works too
   where id = :customer    binds the notebook's variable `customer`: its value is never SQL
   --limit 100             ends the result after 100 rows     (options follow the connection)
   --to orders.parquet     writes the rows to a file in the notebook's folder; --overwrite
   --as arrow              a pyarrow.Table; polars where it is installed
%%react                    lets the language model work on the goal that the cell holds,
                           as the registered agent `react` (--agent NAME for another)
zt.sql("warehouse", "select * from orders where id = :id", parameters={"id": 17}, limit=10)
zt.react("How many orders were placed in May?")
zt.session()               what %zt shows, as an object"""


# JupyterLab aligns the cells of an output's table to the right.
_LEFT_TH = '<th style="text-align: left">'
_LEFT_TD = '<td style="text-align: left">'


class SessionCard:
    """This session as the gateway knows it.

    Attributes:
        facts: The gateway's answer.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts

    @property
    def connections(self) -> list[dict[str, str]]:
        """The connections that an action may name: name, kind, description."""
        return [dict(item) for item in self.facts.get("connections") or ()]

    @property
    def agent(self) -> str:
        """The agent that this whole session is for; "" for none."""
        return str(self.facts.get("agent") or "")

    @property
    def agents(self) -> list[dict[str, Any]]:
        """Registered agents that actions may be done as: name, connections, actions."""
        return [dict(item) for item in self.facts.get("agents") or ()]

    def rows(self) -> list[tuple[str, str]]:
        """What there is to know, as (label, text)."""
        human = self.facts.get("human") or {}
        sandbox = self.facts.get("sandbox") or {}
        until = _time(self.facts.get("expires_at"))
        roles = ", ".join(str(role) for role in human.get("roles") or ()) or "no role"
        rows = [
            ("Service" if human.get("service") else "You", f"{human.get('name', '?')} ({roles})"),
            ("Agent", self.agent or "none"),
            ("Session", f"{self.facts.get('id', '?')}, until {until}"),
            ("Notebook", str(self.facts.get("notebook") or "?")),
            ("Sandbox", _sandbox(sandbox)),
            ("Gateway", str(self.facts.get("gateway_version") or "?")),
        ]
        for item in self.connections:
            about = f"{item.get('kind', '')}: {item.get('description', '')}".rstrip(": ")
            rows.append((f"Connection {item.get('name', '?')}", about))
        return rows

    def _repr_mimebundle_(
        self,
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
    ) -> dict[str, Any]:
        """As a table, and as plain text."""
        cells = "".join(
            f"<tr>{_LEFT_TH}{escape(label)}</th>{_LEFT_TD}{escape(text)}</td></tr>"
            for label, text in self.rows()
        )
        return {"text/html": f"<table>{cells}</table>", "text/plain": repr(self)}

    def __repr__(self) -> str:
        width = max(len(label) for label, _ in self.rows())
        return "\n".join(f"{label.ljust(width)}  {text}" for label, text in self.rows())


def session() -> SessionCard:
    """Asks the gateway who this session is.

    Raises:
        ZTError: The gateway can't be reached, or the session has ended.
    """
    return SessionCard(session_gateway().get("/v1/session"))


def _time(expires_at: object) -> str:
    try:
        return f"{datetime.fromisoformat(str(expires_at)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return "?"


def _sandbox(sandbox: Mapping[str, Any]) -> str:
    detail = str(sandbox.get("detail") or "")
    if sandbox.get("state") == "sandboxed":
        return f"sandboxed ({detail})" if detail else "sandboxed"
    return f"NOT SANDBOXED: this kernel can reach whatever its user can. {detail}".rstrip()
