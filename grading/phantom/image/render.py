"""One slice of a spine, as a scanner would store it."""

from __future__ import annotations

import numpy as np

from grading.phantom.image.lattice import Field
from grading.phantom.image.paint import paint
from grading.phantom.image.scan import Scan
from grading.phantom.image.scanner import acquire
from grading.phantom.image.scene import Scene
from grading.phantom.image.tissues import Tissues
from grading.phantom.image.view import view
from grading.phantom.spine.cut import Cut
from grading.phantom.spine.parts import Spine


def render(
    spine: Spine | Scene,
    cut: Cut,
    thickness_mm: float,
    tissues: Tissues,
    scan: Scan,
    rng: np.random.Generator,
) -> Field:
    """Return a slice's stored values.

    Parameters
    ----------
    spine
        A `Scene` saves work where many slices of one patient are rendered.
    thickness_mm
        Along the cut's normal, half on either side; 0 for a mere plane.
    tissues, scan
        Drawn once for a series.

    Returns
    -------
    NDArray
        (rows, columns) float32, whole numbers from 0.
    """
    scene = spine if isinstance(spine, Scene) else Scene.of(spine)
    seen = view(scene.axis, cut, thickness_mm)
    return acquire(paint(scene, seen, tissues, rng), seen, scan, rng)
