"""Policy: commands to facts, facts and principal to a decision."""

from __future__ import annotations

from jupyter_zt.policy.policy_set import PolicySet
from jupyter_zt.policy.postgres import analyze_postgres

__all__ = ["PolicySet", "analyze_postgres"]
