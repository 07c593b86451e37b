"""An action with what analysis and policy said of it: what the pipeline carries along."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_zt.gateway.targets import Target
from jupyter_zt.model import Action, Decision, Facts


@dataclass(frozen=True, slots=True)
class Understood:
    """What is to be done, and by which word of policy."""

    action: Action
    target: Target
    facts: Facts
    decision: Decision
