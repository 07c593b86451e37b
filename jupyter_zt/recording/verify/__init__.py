"""The offline verifier of recordings.

Small on purpose, so that an auditor can read all of it: this package imports the shared errors,
`cryptography` (one Ed25519 check) and the standard library, and nothing else.
"""

from __future__ import annotations

from jupyter_zt.recording.verify.report import CellVerdict, Report, Verdict
from jupyter_zt.recording.verify.verifier import verify

__all__ = ["CellVerdict", "Report", "Verdict", "verify"]
