"""Compress a DICOM folder losslessly (JPEG-LS) for ``tests/data``; pixels checked.

How ``tests/data/hitachi`` was made: ``python scripts/compress_study.py IN OUT``,
then the middle images of the series that are only there to be refused were kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import JPEGLSLossless


def compress(source: Path, target: Path) -> None:
    """Write one file compressed, and fail where one pixel or element differs."""
    ds = pydicom.dcmread(source)
    original = ds.pixel_array.copy()
    ds.compress(JPEGLSLossless, generate_instance_uid=False)
    target.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(target)
    again = pydicom.dcmread(target)
    if not np.array_equal(again.pixel_array, original):
        raise SystemExit(f"{source}: pixels differ after compression")


if __name__ == "__main__":
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    for path in sorted(folder.rglob("*.dcm")):
        compress(path, out / path.relative_to(folder))
