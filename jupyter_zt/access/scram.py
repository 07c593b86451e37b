"""The SCRAM-SHA-256 verifier of a password (RFC 5802, RFC 7677), as PostgreSQL stores it.

Sent in place of the password, it keeps the password out of the target's statement log: whoever
reads the verifier can't log in with it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

ITERATIONS = 4096
"""RFC 7677's minimum. The passwords here are 256 random bits, so stretching adds nothing."""


def scram_verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>``.

    Args:
        password: ASCII only, so SASLprep (RFC 4013) leaves it as it is.
        salt: Fresh random bytes, 16 by convention.
        iterations: Rounds of PBKDF2.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{_b64(salt)}${_b64(stored_key)}:{_b64(server_key)}"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
