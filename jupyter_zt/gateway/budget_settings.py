"""`budgets:` in gateway.yaml: how much may be taken before it is refused."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from jupyter_zt.gateway.section import Section

LIMITS = ("calls", "rows", "bytes", "constants", "model_tokens", "pending")


class Budget(Section):
    """One budget.

    Attributes:
        per: Whose use is added up. Per agent means one agent for one person.
        connection: Only actions on this one; "" for all.
        window_seconds: Counts begin anew so often; never where it is left out.
        constants: Different values that leaky columns (partial, bucket) are compared with.
        pending: Requests that wait for approval at the same time.
    """

    name: str = Field(min_length=1, max_length=64)
    per: Literal["session", "human", "agent", "connection"]
    connection: str = ""
    window_seconds: int | None = Field(default=None, ge=1)
    calls: int | None = Field(default=None, ge=0)
    rows: int | None = Field(default=None, ge=0)
    bytes: int | None = Field(default=None, ge=0)
    constants: int | None = Field(default=None, ge=0)
    model_tokens: int | None = Field(default=None, ge=0)
    pending: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _limits_something(self) -> Budget:
        if all(getattr(self, limit) is None for limit in LIMITS):
            msg = f"write at least one limit: {', '.join(LIMITS)}"
            raise ValueError(msg)
        return self
