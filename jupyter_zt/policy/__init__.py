"""Policy: commands to facts, facts and principal to a decision."""

from __future__ import annotations

from jupyter_zt.policy.cedar import verbs_of
from jupyter_zt.policy.ceiling import within_ceiling
from jupyter_zt.policy.policy_set import PolicySet
from jupyter_zt.policy.postgres import analyze_postgres
from jupyter_zt.policy.postgres_constants import postgres_constants

__all__ = ["PolicySet", "analyze_postgres", "postgres_constants", "verbs_of", "within_ceiling"]
