"""Real studies that may not be published: beside the checkout, or nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE_THE_CHECKOUT = Path(__file__).parents[2] / "shared" / "data"


def shared_data(*parts: str) -> Path:
    """Return a folder or file of the data; without it the test is skipped.

    The environment variable ``LUMBAR_SHARED_DATA`` names another place.
    """
    root = Path(os.environ.get("LUMBAR_SHARED_DATA") or BESIDE_THE_CHECKOUT)
    path = root.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no {'/'.join(parts)} there; set LUMBAR_SHARED_DATA to its folder")
    return path
