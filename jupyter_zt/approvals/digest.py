"""What a consent is bound to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import rfc8785

from jupyter_zt.model import Action, Principal

DIGEST_CONTEXT = "jupyter-zt approval v1"
"""Domain separation: a digest of something else can never pass for an approval's."""


def approval_digest(
    action: Action,
    principal: Principal,
    *,
    privileges: Sequence[str],
    policy_digest: str,
    nonce: str,
) -> str:
    """Digest over everything that may not change between the vote and the execution.

    Args:
        action: Exact command bytes, parameters in order, connection and session count.
        principal: Human, agent and session that ask.
        privileges: What the lease will be allowed at the target.
        policy_digest: The policy set that decided.
        nonce: Fresh per approval, so that two identical requests are two consents.

    Returns:
        Hex SHA-256 over canonical JSON (RFC 8785). Parameters are tagged with their type, since
        canonical JSON writes ``1`` and ``1.0`` the same.
    """
    bound = {
        "context": DIGEST_CONTEXT,
        "action": action.id,
        "connection": action.connection,
        "command_sha256": action.command_sha256,
        "parameters": [[type(value).__name__, repr(value)] for value in action.parameters],
        "human": principal.human.key,
        "agent": principal.agent,
        "session": principal.session,
        "privileges": list(privileges),
        "policy": policy_digest,
        "nonce": nonce,
    }
    return hashlib.sha256(rfc8785.dumps(bound)).hexdigest()
