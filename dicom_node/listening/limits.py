"""What one peer, and all of them together, may take of the receiver."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PDU_BYTES = 131_072
"""Length of a P-DATA-TF that we offer: large enough that an image takes few of them,
and what DCMTK sends at most."""
MAX_ASSOCIATE_BYTES = 1_048_576
"""128 presentation contexts of 100 transfer syntaxes each fit in."""
MAX_COMMAND_BYTES = 65_536
"""A C-STORE-RQ's command set has some 300 bytes; one with long texts, some thousand."""
CONTROL_BYTES = 4
"""A-ASSOCIATE-RJ, A-RELEASE and A-ABORT PDUs have this length, always (PS3.8 9.3)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Places, sizes, and deadlines in seconds; each deadline is absolute.

    A peer cannot push one out by sending a byte now and then.
    """

    max_associations: int = 25
    """Established at the same time."""
    max_connections: int = 200
    """Open at the same time, those that have not said anything included."""
    max_connections_per_address: int = 50
    setup_seconds: float = 10.0
    """From the connection to a complete A-ASSOCIATE-RQ, TLS included."""
    idle_seconds: float = 60.0
    """From the end of one PDU, or of our answer, to the end of the next PDU."""
    message_seconds: float = 1800.0
    """From the first to the last PDU of one DIMSE message."""
    close_seconds: float = 1.0
    """For the peer to close after the last PDU (the ARTIM timer of PS3.8 9.1.5)."""
    max_object_bytes: int = 536_870_912
    """Of one dataset: it is held in memory until it is whole."""
    memory_bytes: int = 1_073_741_824
    """Of all datasets that are coming in, together; not less than the one above."""
    memory_seconds: float = 30.0
    """For room in it. Senders give up a connection that takes nothing after 60 s."""
