"""What analysis raises inside itself where two readers of a command might read two things."""

from __future__ import annotations

__all__ = ["UnclearError"]


class UnclearError(ValueError):
    """The command is not understood; the text says why. Every analyzer turns it into a fact."""
