"""TLS to the gateway: whose certificates are believed, and how a wrong one is told."""

from __future__ import annotations

import ssl

from jupyter_zt.errors import ConfigError, UnavailableError


def tls_context(ca_file: str, setting: str) -> ssl.SSLContext:
    """How the gateway's certificate is verified: its chain, its dates, and the name asked for.

    Args:
        ca_file: PEM file with the authorities that are believed; "" for the system's.
        setting: Where it was named, for the error.

    Raises:
        ConfigError: `bad_gateway_ca_file`.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{setting} can't be used: {error}",
            file=ca_file,
            code="bad_gateway_ca_file",
            hint="Write the path of a PEM file with the certificate of the authority that signed "
            "the gateway's.",
        ) from error


def untrusted(url: str, error: BaseException | None) -> UnavailableError | None:
    """What to say where TLS is why the gateway can't be reached; None where it is not.

    Args:
        url: The gateway's.
        error: Of the connection, perhaps with the one of TLS behind it.
    """
    behind = error
    while behind is not None and not isinstance(behind, ssl.SSLError):
        behind = behind.__cause__ or behind.__context__
    # Hanging up in the middle of the handshake says nothing of a certificate.
    if behind is None or isinstance(behind, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return None
    reason = (
        behind.verify_message
        if isinstance(behind, ssl.SSLCertVerificationError)
        else (behind.reason or "TLS failed").replace("_", " ").lower()
    )
    return UnavailableError(
        f"Who answers at {url} can't show that it is the gateway ({reason}), so nothing was sent.",
        code="gateway_not_trusted",
        hint="The gateway's certificate (`gateway.tls` in gateway.yaml) must be for this address, "
        "and signed by an authority that is believed here: see docs/deployment.md.",
    )
