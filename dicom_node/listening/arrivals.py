"""An image as it arrives: what the wire says about it, and its encoded dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrival:
    """One C-STORE; any text of it may be none that the standard allows."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    calling_ae_title: str
    peer_address: str
    peer_port: int
    dataset: memoryview
    """Encoded in the transfer syntax; nobody has looked into it."""


Keeps = Callable[[Arrival], int]
"""Keeps an image and returns the status of the C-STORE-RSP; raises nothing."""
