"""The server's half of proof of possession (RFC 9449, section 4.3): is this proof for this request?

A token that was stolen is of no use without its key. A proof that was stolen is good for one
method, one address, one token, one minute, and once.
"""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from jupyter_zt.errors import AuthenticationError
from jupyter_zt.identity.proof_key import TYPE
from jupyter_zt.identity.replays import Replays
from jupyter_zt.identity.unique_names import UniqueNames

ALGORITHMS = ("ES256", "Ed25519")
"""Of proofs (RFC 7518, RFC 9864)."""
WINDOW_SECONDS = 60
"""A proof is that old, or that far ahead of our clock, at most."""
_MAX_PROOF_BYTES = 4096
_MAX_HEADERS = 1024
_MAX_ID_CHARACTERS = 256
_DEFAULT_PORTS = {"http": 80, "https": 443}
_JSON = UniqueNames()


@dataclass(frozen=True, slots=True)
class _Signer:
    """What a proof's header says: it is the same in all proofs of one key."""

    algorithm: str
    key: ECKey | OKPKey
    thumbprint: str


class ProofVerifier:
    """Verifies proofs, and remembers those that were used.

    Args:
        origins: Of this server as its clients write them (``https://zt.example.org``).
        now: Wall clock, seconds since 1970.
        replays: Proofs that were used.
    """

    def __init__(
        self,
        origins: Collection[str],
        *,
        now: Callable[[], float] = time.time,
        replays: Replays | None = None,
    ) -> None:
        self._origins = frozenset(_normal(origin) for origin in origins)
        self._now = now
        self._replays = replays or Replays(2 * WINDOW_SECONDS, now=now)
        self._signers: OrderedDict[str, _Signer] = OrderedDict()

    def verify(self, proof: str, method: str, path: str, *, ath: str = "", key: str = "") -> str:
        """The thumbprint of the key that made this proof, for this very request.

        Args:
            proof: Value of the request's only DPoP header.
            method: Of the request.
            path: Of the request, as it came: no query, nothing decoded.
            ath: Hash of the token that the request shows; "" at the token endpoint.
            key: Thumbprint that the token is bound to; "" at the token endpoint.

        Raises:
            AuthenticationError: `bad_proof`, `proof_algorithm`, `proof_of_another_key`,
                `proof_for_another_request`, `proof_for_another_token`, `proof_expired` or
                `proof_replayed`.
            UnavailableError: `too_many_proofs`.
        """
        # (1) Whose proof: its header has the type, an allowed algorithm and a public key.
        signer = self._signer(proof)

        # (2) The key is the token's, before its signature costs anything.
        if key and not hmac.compare_digest(signer.thumbprint, key):
            raise _refused(
                "proof_of_another_key", "The proof was made with another key than the token's."
            )

        # (3) Signature.
        try:
            signed = jws.deserialize_compact(proof, signer.key, algorithms=[signer.algorithm])
            claims = _JSON.decode(signed.payload.decode())
        except (JoseError, ValueError, RecursionError) as error:
            raise _refused("bad_proof", "The proof is not signed.") from error
        if not isinstance(claims, dict):
            raise _refused("bad_proof", "The proof has no claims.")

        # (4) For this method, at this address, with this token, now.
        self._check_request(claims, method, path)
        if not hmac.compare_digest(str(claims.get("ath", "")).encode(), ath.encode()):
            raise _refused("proof_for_another_token", "The proof was made for another token.")

        # (5) Once. Last, so that only who has the key can use up an id.
        proof_id = claims.get("jti")
        if not isinstance(proof_id, str) or not 0 < len(proof_id) <= _MAX_ID_CHARACTERS:
            raise _refused("bad_proof", "The proof has no id.")
        if not self._replays.is_new(signer.thumbprint, proof_id):
            raise _refused("proof_replayed", "The proof was used before.")
        return signer.thumbprint

    def _check_request(self, claims: dict[str, Any], method: str, path: str) -> None:
        target = claims.get("htu")
        if claims.get("htm") != method:
            raise _refused("proof_for_another_request", "The proof was made for another method.")
        if not isinstance(target, str) or not self._is_here(target, path):
            raise _refused("proof_for_another_request", "The proof was made for another address.")
        issued_at = claims.get("iat")
        if not isinstance(issued_at, int | float) or isinstance(issued_at, bool):
            raise _refused("bad_proof", "The proof does not say when it was made.")
        if not abs(self._now() - issued_at) <= WINDOW_SECONDS:
            raise _refused("proof_expired", "The proof was made too long ago, or in the future.")

    def _is_here(self, target: str, path: str) -> bool:
        origin = target.removesuffix(path)
        if origin in self._origins:
            return target == origin + path
        try:
            parts = urlsplit(target)
            return _normal(target) in self._origins and (parts.path or "/") == path
        except ValueError:
            return False

    def _signer(self, proof: str) -> _Signer:
        if len(proof) > _MAX_PROOF_BYTES:
            raise _refused("bad_proof", "The proof is too long.")
        header = proof.partition(".")[0]
        signer = self._signers.get(header)
        if signer is None:
            signer = _read_header(proof)
            self._signers[header] = signer
            if len(self._signers) > _MAX_HEADERS:
                self._signers.popitem(last=False)
        else:
            self._signers.move_to_end(header)
        return signer


def _read_header(proof: str) -> _Signer:
    try:
        header = jws.extract_compact(proof.encode("ascii")).headers()
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise _refused("bad_proof", "This is no proof.") from error
    if header.get("typ") != TYPE:
        raise _refused("bad_proof", f"A proof has the type {TYPE}.")
    algorithm, given = header.get("alg"), header.get("jwk")
    if algorithm not in ALGORITHMS:
        raise AuthenticationError(
            "The proof is signed with an algorithm that is not allowed here.",
            code="proof_algorithm",
            hint=f"Allowed: {', '.join(ALGORITHMS)}.",
        )
    if not isinstance(given, dict) or "d" in given or "crit" in header:
        raise _refused("bad_proof", "A proof shows its public key, and nothing else.")
    try:
        key = _public_key(algorithm, given)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise _refused("bad_proof", "The proof's key has no valid form.") from error
    return _Signer(algorithm, key, key.thumbprint())


def _public_key(algorithm: str, given: dict[str, Any]) -> ECKey | OKPKey:
    """The key from the members that make it, and no others."""
    is_ec = algorithm == "ES256"
    kind = ("EC", "P-256") if is_ec else ("OKP", "Ed25519")
    members = {name: given[name] for name in ("kty", "crv", "x", *(["y"] if is_ec else []))}
    if (members["kty"], members["crv"]) != kind:
        raise ValueError("the key is not of the algorithm's kind")
    return ECKey.import_key(members) if is_ec else OKPKey.import_key(members)


def _normal(url: str) -> str:
    """Scheme, host and port of an address (RFC 3986, section 6.2: case, default ports)."""
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    host = (parts.hostname or "").lower()
    shown = f"[{host}]" if ":" in host else host
    is_default = port == _DEFAULT_PORTS.get(parts.scheme)
    return f"{parts.scheme.lower()}://{shown}" + ("" if is_default else f":{port}")


def _refused(code: str, message: str) -> AuthenticationError:
    hint = "Each request needs a new DPoP proof (RFC 9449)."
    return AuthenticationError(message, code=code, hint=hint)
