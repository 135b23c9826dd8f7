"""Disks that lie: each ignores some syncs, as a program would that forgot them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tests.power_cut.recording import Sync
from tests.power_cut.replay import Vouches

RECEIVED = "/data/received"


def _is_image(sync: Sync) -> bool:
    return sync.path.startswith(RECEIVED) and sync.path.endswith((".part", ".dcm"))


def _is_folder_of_images(sync: Sync) -> bool:
    return sync.path.startswith(RECEIVED) and not _is_image(sync)


def _is_database(sync: Sync) -> bool:
    return "node.sqlite" in sync.path


LIES: Mapping[str, Vouches] = MappingProxyType(
    {
        "files": lambda sync: not _is_image(sync),
        "folders": lambda sync: not _is_folder_of_images(sync),
        "database": lambda sync: not _is_database(sync),
    }
)
"""By what is not synced."""
