"""The tissues that the phantom tells apart."""

from __future__ import annotations

from enum import IntEnum


class Tissue(IntEnum):
    """What can lie at a point; the numbers are those of a label map."""

    AIR = 0
    SKIN = 1
    SUBCUTANEOUS_FAT = 2
    FAT = 3
    """Between muscles, around vessels and in the foramina."""
    EPIDURAL_FAT = 4
    MUSCLE = 5
    FASCIA = 6
    CORTEX = 7
    MARROW = 8
    NUCLEUS = 9
    ANNULUS = 10
    HERNIATION = 11
    """Disc material past the posterior margin."""
    FLAVUM = 12
    LIGAMENT = 13
    JOINT = 14
    """The space of a facet joint: cartilage, or fluid."""
    DURA = 15
    FLUID = 16
    """Cerebrospinal fluid."""
    ROOTLET = 17
    CORD = 18
    ROOT = 19
    VESSEL = 20
    """Flowing blood: a flow void."""
    VEIN = 21
    """Slow blood, bright: epidural and basivertebral."""
    KIDNEY = 22
    LIVER = 23
    BOWEL = 24
