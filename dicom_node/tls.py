"""DICOM over TLS, in both directions: contexts, and whether the files suit.

After the BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile (PS3.15 B.12):
TLS 1.3, or 1.2 with the four cipher suites of RFC 9325 4.2; nothing older, no
compression, no renegotiation. Both sides show a certificate unless told otherwise.
"""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from dicom_node.config import TlsSection
from dicom_node.errors import ConfigError

CIPHERS_OF_TLS_1_2 = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
"""RFC 9325 4.2, in OpenSSL's words. Those of TLS 1.3 are good as they come."""
SECURITY_LEVEL = 2
"""OpenSSL's: no key under 112 bits of strength, so RSA from 2048 bits on."""
RENEW_BEFORE = timedelta(days=30)
"""From then on we say that a certificate is about to expire."""
OWN_NAME = "lumbar-node"


def inbound(section: TlsSection) -> ssl.SSLContext:
    """Return what connections to us are secured with.

    Raises
    ------
    ConfigError
        A file is missing, unreadable, or not what it should be.
    """
    context = _with_our_certificate(ssl.PROTOCOL_TLS_SERVER, section)
    context.verify_mode = (
        ssl.CERT_OPTIONAL
        if section.accept_clients_without_certificate
        else ssl.CERT_REQUIRED
    )
    return context


def outbound(section: TlsSection) -> ssl.SSLContext:
    """Return what our connections to others are secured with.

    Raises
    ------
    ConfigError
        A file is missing, unreadable, or not what it should be.
    """
    return _with_our_certificate(ssl.PROTOCOL_TLS_CLIENT, section)


def expiry(section: TlsSection) -> datetime:
    """Check the files, and return when the first certificate among them ends.

    Our certificate is tried on itself, by a handshake in memory: so it is valid today,
    fits its key, and may serve on both sides of a connection.

    Raises
    ------
    ConfigError
        A file does not suit; the message names it and the cure.
    """
    _check_modes(section)
    authorities = outbound(section).get_ca_certs()
    ends = [_end(found) for found in authorities]
    if not ends:
        raise ConfigError(
            f"tls.peer_ca: {section.peer_ca} holds no certificate of an authority; "
            "name the file of the one that signs your peers' certificates"
        )
    if min(ends) < datetime.now(UTC):
        raise ConfigError(
            f"tls.peer_ca: {section.peer_ca} holds an authority that ended on "
            f"{min(ends):%Y-%m-%d}; take it out, or replace it"
        )
    return min([*ends, _end(_shown_to_ourselves(section))])


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    ciphers = (*CIPHERS_OF_TLS_1_2, f"@SECLEVEL={SECURITY_LEVEL}")
    context.set_ciphers(":".join(ciphers))
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _with_our_certificate(protocol: int, section: TlsSection) -> ssl.SSLContext:
    context = _context(protocol)
    for key, path in _files(section).items():
        try:
            path.read_bytes()
        except OSError as error:
            _unfit(key, path, f"cannot be read ({error.strerror})", READABLE)
    try:
        context.load_cert_chain(section.certificate, section.key, _no_password)
    except _Protected:
        _unfit("key", section.key, "is protected by a password", UNPROTECT)
    except ssl.SSLError as error:
        _unfit("certificate", section.certificate, _words(error), PAIR)
    try:
        context.load_verify_locations(cafile=section.peer_ca)
    except ssl.SSLError as error:
        _unfit("peer_ca", section.peer_ca, _words(error), AUTHORITY)
    return context


READABLE = "it must be a file that the service may read (root:lumbar-node, mode 0640)"
UNPROTECT = "the service starts without a person; write it anew with `openssl pkey`"
PAIR = "it must be a PEM file with the certificate of tls.key, and what signed it"
AUTHORITY = "it must be a PEM file with the authority that signs peers' certificates"


class _Protected(Exception):
    """A key asks for a password."""


def _no_password() -> NoReturn:
    raise _Protected


def _unfit(key: str, path: Path, what: str, cure: str) -> NoReturn:
    raise ConfigError(f"tls.{key}: {path} {what}; {cure}")


def _words(error: ssl.SSLError) -> str:
    reason = (error.reason or "not PEM").replace("_", " ").lower()
    return f"does not suit ({reason})"


def _files(section: TlsSection) -> dict[str, Path]:
    return {
        "certificate": section.certificate,
        "key": section.key,
        "peer_ca": section.peer_ca,
    }


def _check_modes(section: TlsSection) -> None:
    for key, path in _files(section).items():
        forbidden = stat.S_IWGRP | stat.S_IWOTH
        if key == "key":
            forbidden |= stat.S_IRWXO
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError as error:
            _unfit(key, path, f"cannot be read ({error.strerror})", READABLE)
        if mode & forbidden:
            cure = f"chmod {mode & ~forbidden:o} {path}"
            _unfit(key, path, f"has mode {mode:04o}, which is open to others", cure)


def _shown_to_ourselves(section: TlsSection) -> dict[str, Any]:
    """Return our certificate as a peer that trusts it sees it."""
    sides = []
    for protocol in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER):
        context = _context(protocol)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_cert_chain(section.certificate, section.key, _no_password)
        context.load_verify_locations(cafile=section.certificate)
        sides.append(context)
    try:
        return _handshake_in_memory(*sides)
    except ssl.SSLCertVerificationError as error:
        _unfit("certificate", section.certificate, f"{error.verify_message}", VALID)


VALID = "it must be valid today, for server and client authentication both"


def _handshake_in_memory(
    client: ssl.SSLContext, server: ssl.SSLContext
) -> dict[str, Any]:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(back, there, server_hostname=OWN_NAME),
        server.wrap_bio(there, back, server_side=True),
    ]
    waiting = list(ends)
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                continue
    return ends[0].getpeercert() or {}


def _end(certificate: dict[str, Any]) -> datetime:
    seconds = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return datetime.fromtimestamp(seconds, UTC)
