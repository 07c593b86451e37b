"""Whose kernel is it? A kernel belongs to the person who started it, as long as it lives.

One registry per server process: kernels don't outlive the server, so nothing is kept on disk.
"""

from __future__ import annotations

from jupyter_server.base.call_context import CallContext

__all__ = ["claim", "may_see", "owner_of", "release"]

_owners: dict[str, str] = {}


def claim(kernel_id: str, human_key: str) -> None:
    """From now on the kernel belongs to this person (`Human.key`)."""
    _owners[kernel_id] = human_key


def release(kernel_id: str) -> None:
    """The kernel is gone."""
    _owners.pop(kernel_id, None)


def owner_of(kernel_id: str) -> str | None:
    """`Human.key` of the owner; None for a kernel that nobody claimed."""
    return _owners.get(kernel_id)


def may_see(kernel_id: str) -> bool:
    """Whether the person of the request under way may know of this kernel. The server itself may.

    A background task keeps the context of the request that started it: once that request is
    answered, what runs on is the server.
    """
    handler = CallContext.get(CallContext.JUPYTER_HANDLER)
    if handler is None or handler._finished:  # noqa: SLF001 - tornado has no public word for it
        return True
    person = handler.current_user
    return person is not None and owner_of(kernel_id) == person.username
