"""Policy: commands to facts, facts and principal to a decision."""

from __future__ import annotations

from jupyter_zt.policy.analyzers import analyze
from jupyter_zt.policy.ceiling import within_ceiling, within_service
from jupyter_zt.policy.http import HttpSurface, analyze_http
from jupyter_zt.policy.kubernetes import analyze_kubernetes
from jupyter_zt.policy.openapi import OpenApi
from jupyter_zt.policy.policy_set import NOTHING_KNOWN, Classified, PolicySet, policy_files
from jupyter_zt.policy.postgres import analyze_postgres
from jupyter_zt.policy.postgres_constants import postgres_constants
from jupyter_zt.policy.sql import analyze_sql
from jupyter_zt.policy.words import verbs_of

__all__ = [
    "NOTHING_KNOWN",
    "Classified",
    "HttpSurface",
    "OpenApi",
    "PolicySet",
    "analyze",
    "analyze_http",
    "analyze_kubernetes",
    "analyze_postgres",
    "analyze_sql",
    "policy_files",
    "postgres_constants",
    "verbs_of",
    "within_ceiling",
    "within_service",
]
