"""How bright equal tissues are in different places: coil and saturation."""

from __future__ import annotations

import numpy as np

from grading.phantom.image.lattice import Field
from grading.phantom.image.scan import Coil, Scan
from grading.phantom.image.view import LONGEST_STRIDE, View
from grading.phantom.spine.place import Place

CANAL_MM = 7.0
"""Behind the posterior margin: where sensitivity is 1 and distances are taken from."""
CUBIC_REACH_MM = 120.0
"""At which the polynomial's arguments are 1; beyond it they stay there."""
NEGLIGIBLE = 1e-3


def sensitivity(coil: Coil, view: View) -> Field:
    """Return the coil's sensitivity at each pixel, (rows, columns), 1 at the canal."""
    at = view.knots(LONGEST_STRIDE)
    behind = _behind_canal(at)
    centre = at[at.shape[0] // 2, at.shape[1] // 2]
    x, y, z = (
        np.clip(value / CUBIC_REACH_MM, -1, 1)
        for value in (at.left - centre.left, behind, at.up - centre.up)
    )
    terms = (x, z, x * y, x * x, z * z, y * y * y, x * x * x)
    cubic = sum(a * term for a, term in zip(coil.cubic, terms, strict=True))
    field = np.exp(behind / coil.reach_mm + cubic)
    return view.spread(field.astype(np.float32), LONGEST_STRIDE)


def saturation(scan: Scan, view: View) -> Field:
    """Return the share of magnetisation left at each pixel, (rows, columns)."""
    at = view.knots(LONGEST_STRIDE)
    behind = at.y - np.float32(CANAL_MM)
    left = np.ones(at.shape, np.float32)
    if scan.saturation is not None:
        band = scan.saturation
        dark = _step((-behind - band.distance_mm) / band.edge_mm)
        left *= 1 - (1 - band.left) * dark
    if scan.crosstalk is not None and np.ptp(at.left) > np.ptp(at.up):
        band = scan.crosstalk
        dark = np.exp(-(((behind - band.distance_mm) / band.edge_mm) ** 2))
        left *= 1 - (1 - band.left) * dark
    return view.spread(left.astype(np.float32), LONGEST_STRIDE)


def _behind_canal(at: Place) -> Field:
    """Return how far behind the canal points lie, in the direction of the table."""
    centre = at[at.shape[0] // 2, at.shape[1] // 2]
    back = centre.back - centre.y + np.float32(CANAL_MM)
    return np.asarray(at.back - back, np.float32)


def _step(value: Field) -> Field:
    """Return 0 far below zero, 1 far above it."""
    return np.asarray(0.5 + 0.5 * np.tanh(value), np.float32)
