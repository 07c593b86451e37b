"""One session of the command line: opened, renewed while it lives, sealed at its end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pyarrow as pa

from jupyter_zt.cli.client.frames import Event, read_frames
from jupyter_zt.cli.client.values import json_rows
from jupyter_zt.cli.json_lines import Request
from jupyter_zt.client import open_sessions
from jupyter_zt.client.acting import Acting
from jupyter_zt.client.api import GatewayApi
from jupyter_zt.errors import UnavailableError, ZTError, error_from_problem

COMPLETED, HELD, DENIED, FAILED = "completed", "held", "denied", "failed"
_REFUSED = frozenset({"denied", "expired"})
_RETRY_SECONDS = 5.0
_CANCEL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one command.

    Attributes:
        status: `COMPLETED`, `HELD`, `DENIED` or `FAILED`.
        code: Stable and machine-readable; "" when it is completed, ``truncated`` when that was
            not all.
        masked: Column -> how it is masked.
        record: Leaf of the record that the gateway made of it, or "".
    """

    status: str
    code: str = ""
    message: str = ""
    hint: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[list[object]] = field(default_factory=list)
    masked: dict[str, str] = field(default_factory=dict)
    record: str = ""

    @classmethod
    def of_error(cls, error: ZTError, record: str = "") -> Outcome:
        """A failure before, or outside of, the gateway's own word."""
        return cls(FAILED, error.code, error.message, error.hint, record=record)

    def to_json(self) -> dict[str, object]:
        """As a line of a batch says it."""
        return {
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "columns": self.columns,
            "rows": self.rows,
            "masked": self.masked,
            "record": self.record,
        }


class Session:
    """A session of the person who is logged in, or of a service.

    Args:
        api: Of their gateway.
        who: They.
        agent: The registered agent that acts in it, if one does.

    Raises:
        ZTError: Nobody is logged in, or the gateway opens no session.
    """

    def __init__(self, api: GatewayApi, who: Acting, agent: str | None = None) -> None:
        self._api = api
        self._who = who
        renew_at = who.renew_at()
        opened = api.open_session(agent)
        self.id = opened["id"]
        self._id_token = self._shown()
        open_sessions.opened(self.id)
        self._over = threading.Event()
        self._renewing = threading.Thread(target=self._keep_renewed, args=[renew_at - time.time()])
        shown = (lambda: self._id_token) if who.id_token else None
        self._http = api.runtime(self.id, shown, agent)
        self._renewing.start()

    def _shown(self) -> str:
        """The person's ID token, fresh; "" for a service."""
        return self._who.id_token() if self._who.id_token else ""

    def run(self, connection: str, request: Request, on_held: Callable[[Event], bool]) -> Outcome:
        """Runs one command.

        Args:
            connection: Name of the target.
            request: The command.
            on_held: Is told when another person has to approve it (the event's ``approval``), and
                says whether to wait for them. Without waiting the request is withdrawn.
        """
        body = json.dumps(
            {
                "connection": connection,
                "command": request.command,
                "parameters": request.parameters,
            }
        )
        headers = {"Content-Type": "application/json"}
        try:
            with self._http.stream(
                "POST", "/v1/actions", content=body, headers=headers
            ) as response:
                if response.is_error:
                    problem = json.loads(response.read() or b"null")
                    return Outcome.of_error(error_from_problem(response.status_code, problem))
                return self._read(response, on_held)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return Outcome.of_error(self._api.unreachable(error))
        except (httpx.TransportError, ValueError, pa.ArrowException):
            return Outcome.of_error(_gone())
        except ZTError as error:
            return Outcome.of_error(error)

    def seal(self) -> bytes:
        """Ends the session.

        Returns:
            Its sealed recording.

        Raises:
            ZTError: It can't be sealed: nobody is logged in any more, or the gateway is gone.
        """
        self._over.set()
        if self._renewing.is_alive():
            self._renewing.join()
        self._http.close()
        sealed = self._api.seal(self.id)
        open_sessions.ended(self.id)
        return sealed

    def _read(self, response: httpx.Response, on_held: Callable[[Event], bool]) -> Outcome:
        action = record = ""
        masked: dict[str, str] = {}
        arrow: list[bytes] = []
        for frame in read_frames(response.iter_raw()):
            if isinstance(frame, bytes):
                arrow.append(frame)
                continue
            match frame["event"]:
                case "accepted":
                    action, record = str(frame["action"]), str(frame["record"])
                case "held":
                    if not on_held(frame["approval"]):
                        self._withdraw(action)
                        return _not_waited_for(frame["approval"], record)
                case "schema":
                    masked = {
                        column["name"]: column["mask"]["kind"]
                        for column in frame["columns"]
                        if column["mask"]
                    }
                case "error":
                    return _refusal(frame)
                case "result":
                    return _completed(frame, b"".join(arrow), masked)
        return Outcome.of_error(_gone(), record)

    def _withdraw(self, action: str) -> None:
        # Hanging up withdraws it too; so it is withdrawn before the next command is sent.
        with suppress(httpx.TransportError):
            self._http.post(f"/v1/actions/{action}/cancel", timeout=_CANCEL_SECONDS)

    def _keep_renewed(self, wait: float) -> None:
        """The session is as fresh as the login; a command may take longer than an ID token."""
        while not self._over.wait(wait):
            try:
                renew_at = self._who.renew_at()
                self._id_token = self._shown()
                self._api.renew(self.id)
            except ZTError:
                # What it means is said where it matters: the next command is refused.
                wait = _RETRY_SECONDS
            else:
                wait = max(_RETRY_SECONDS, renew_at - time.time())


def _completed(event: Event, arrow: bytes, masked: dict[str, str]) -> Outcome:
    columns: list[str] = []
    rows: list[list[object]] = []
    if arrow:
        table = pa.ipc.open_stream(arrow).read_all()
        columns, rows = table.column_names, json_rows(table)
    elif "body" in event:
        columns, rows = ["answer"], [[event["body"]]]
    cut = event["truncated"]
    return Outcome(
        COMPLETED,
        code="truncated" if cut else "",
        message=f"Cut at {cut['limit']} {cut['value']}." if cut else str(event["command_tag"]),
        hint=str(cut["hint"]) if cut else "",
        columns=columns,
        rows=rows,
        masked=masked,
        record=str(event["record"]),
    )


def _refusal(event: Event) -> Outcome:
    return Outcome(
        DENIED if event["status"] in _REFUSED else FAILED,
        str(event["code"]),
        str(event["message"]),
        str(event["hint"]),
        record=str(event["record"]),
    )


def _not_waited_for(approval: Event, record: str) -> Outcome:
    return Outcome(
        HELD,
        "approval_required",
        f"This needs the approval of {approval['quorum']} with the role "
        f"{approval['reviewer_role']}; the request was withdrawn.",
        "With --wait it waits for them.",
        record=record,
    )


def _gone() -> UnavailableError:
    return UnavailableError(
        "The gateway broke off before its answer was complete: what became of it is in its log.",
        code="gateway_gone",
        hint="Run it again once the gateway is back, if it was only a read.",
    )
