"""Work out a smooth quantity at some pixels, and the others between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


def enlarge(coarse: Field, stride: int) -> Field:
    """Interpolate linearly so that knots lie ``stride`` pixels apart.

    No matrix product: its last bits may depend on the number of threads.

    Parameters
    ----------
    coarse
        (..., rows, columns), at least one of each.

    Returns
    -------
    NDArray
        (..., stride * (rows - 1) + 1, stride * (columns - 1) + 1).
    """
    if stride == 1:
        return coarse
    # Columns first: the larger half of the work then runs along memory.
    return _enlarged_rows(_enlarged_columns(coarse, stride), stride)


def _enlarged_rows(coarse: Field, stride: int) -> Field:
    step = np.diff(coarse, axis=-2)
    count = stride * step.shape[-2] + 1
    shape = (*coarse.shape[:-2], count, coarse.shape[-1])
    tall: Field = np.empty(shape, coarse.dtype)
    tall[..., -1, :] = coarse[..., -1, :]
    for phase in range(stride if count > 1 else 0):
        share = np.float32(phase / stride)
        tall[..., phase:-1:stride, :] = coarse[..., :-1, :] + share * step
    return tall


def _enlarged_columns(coarse: Field, stride: int) -> Field:
    step = np.diff(coarse, axis=-1)
    count = stride * step.shape[-1] + 1
    wide: Field = np.empty((*coarse.shape[:-1], count), coarse.dtype)
    wide[..., -1] = coarse[..., -1]
    for phase in range(stride if count > 1 else 0):
        share = np.float32(phase / stride)
        wide[..., phase:-1:stride] = coarse[..., :-1] + share * step
    return wide


def knots(count: int, stride: int) -> int:
    """Return how many knots ``stride`` pixels apart reach over so many pixels."""
    return -(-(count - 1) // stride) + 1
