"""TLS handshakes that fail, in words that tell what to look at."""

from __future__ import annotations

import ssl


class HandshakeFailed(ConnectionError):
    """The message says why."""


def handshake_failure(error: OSError) -> str:
    """Return why a TLS handshake failed, with what to look at."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: its certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "unknown").replace("_", " ").lower()
        return f"TLS: {reason}; see Encryption in docs/operations.md"
    return "TLS: it closed the connection during the handshake"
