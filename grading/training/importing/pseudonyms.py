"""Keys for patients that are not their Patient IDs.

A Patient ID can be guessed by trying all of them, so a plain hash hides nothing: the
pseudonym needs a secret key. The key stays beside the manifest for the next import of
the same archive and must not be handed on with it. Under the node's own key the
pseudonyms are those of ``lumbar-node export-grades``.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from grading.evaluation.delimited import CasesError

KEY_NAME = "pseudonyms.key"
KEY_BYTES = 32
DIGITS = 16
"""Hexadecimal; among a million patients two meet less than once in 10^7 archives."""


class Pseudonyms:
    """Gives every person a pseudonym, always the same under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, person: str) -> str:
        """Return the pseudonym of a Patient ID with its issuer."""
        digest = hmac.digest(
            self._key, person.encode(errors="surrogateescape"), "sha256"
        )
        return f"p{digest.hex()[:DIGITS]}"


def pseudonyms_of(folder: Path) -> Pseudonyms:
    """Return the pseudonyms of a folder; its key is made at the first import.

    Raises
    ------
    CasesError
        The key is too short to hide anybody, as after a crash while it was written.
    OSError
        The key cannot be read or written.
    """
    path = folder / KEY_NAME
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
    key = path.read_bytes()
    if len(key) < KEY_BYTES:
        found = f"the key has {len(key)} bytes instead of {KEY_BYTES}"
        raise CasesError(path, None, f"{found}; put it back from a copy, or remove it")
    return Pseudonyms(key)
