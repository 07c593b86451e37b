"""What every section of the configuration is."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")]
"""Of a connection, an agent or a service."""


class Section(BaseModel):
    """Base: what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
