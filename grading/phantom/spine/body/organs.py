"""Organs of the belly, crude: seen at the edge of a spine's slices, and unsharp.

Places are typical ones; they were read off the same slices as the muscles'.
"""

from __future__ import annotations

from grading.phantom.spine.body.stations import Anchor
from grading.phantom.spine.body.torso import SIDES, Torso
from grading.phantom.spine.parts import Part
from grading.phantom.spine.solids import Ellipsoid, Inside, Solid, Whole
from grading.phantom.spine.tissues import Tissue

Triple = tuple[float, float, float]

KIDNEY_X_MM = (58.0, 70.0)
"""From lean to stout: fat pushes kidneys outwards."""
KIDNEY_Y_MM = -6.0
KIDNEY_STATION = {1: 1.2, -1: 1.5}
"""The left one stands higher."""
KIDNEY_STRAY_MM = (-5.0, 5.0)
KIDNEY_STRAY = (-0.3, 0.3)
"""In stations; all strays and sizes of this module are choices."""
KIDNEY_SIZE = (0.9, 1.08)
KIDNEY_MM = (26.0, 31.0, 54.0)
"""Half width, depth and height: an adult's is some 11 cm long."""
SINUS_SHARE = 0.42
"""Of the kidney's size that its fatty sinus has."""
LIVER_MM = (72.0, 86.0, 95.0)
LIVER_PLACE = (-86.0, -76.0, -1.9)
"""x, y and station of its centre."""
LOOPS: tuple[tuple[float, float, float, float], ...] = (
    (-70, -62, 4.2, 22),
    (-88, -40, 3.2, 22),
    (82, -36, 3.0, 15),
    (86, -44, 4.2, 14),
    (-30, -88, 2.2, 17),
    (18, -96, 2.8, 19),
    (45, -78, 2.0, 18),
    (-12, -102, 4.0, 20),
    (32, -98, 4.6, 18),
    (-44, -92, 5.2, 18),
    (52, -70, 0.6, 22),
    (8, -112, 5.8, 24),
)
"""x, y, station and half width of loops of bowel: typical, then moved about."""
LOOP_STRAY_MM = 9.0
LOOP_SIZE = (0.75, 1.15)
LOOP_DEPTH = (0.65, 1.0)
"""Half depth over half width."""
LOOP_LENGTH = (0.9, 2.2)
"""Half height over half width."""
FULLER = (0.95, 1.3)
"""How much farther in front they lie, from lean to stout."""
GAS_SHARE = 0.35
"""Of loops that hold gas."""
GAS_SIZE = (0.4, 0.62)
"""Of the loop's, along and deep."""
GAS_WIDER = 0.2
"""Gas spreads out under the front of a loop: so much more of its width."""
GAS_FORWARD = 0.35
"""How far in front of the loop's middle its centre lies, in half depths."""


def organ_parts(torso: Torso, cavity: Solid) -> tuple[Part, ...]:
    """Return liver, kidneys with their sinuses, and bowel with gas, back to front."""
    kidneys, sinuses = _draw_kidneys(torso)
    loops, gas = _draw_bowel(torso)
    liver = Inside((torso.place(_ellipsoid(torso, LIVER_PLACE, LIVER_MM)), cavity))
    return (
        Part("liver", Tissue.LIVER, liver),
        Part("bowel", Tissue.BOWEL, Whole(loops)),
        *([Part("gas", Tissue.AIR, Whole(gas))] if gas else []),
        Part("kidneys", Tissue.KIDNEY, kidneys),
        Part("renal sinuses", Tissue.FAT, sinuses),
    )


def _draw_kidneys(torso: Torso) -> tuple[Solid, Solid]:
    kidneys, sinuses = [], []
    for side, _ in SIDES:
        x = torso.between(*KIDNEY_X_MM) + torso.draw(*KIDNEY_STRAY_MM)
        y = KIDNEY_Y_MM + torso.draw(*KIDNEY_STRAY_MM)
        station = KIDNEY_STATION[side] + torso.draw(*KIDNEY_STRAY)
        size = torso.draw(*KIDNEY_SIZE)
        half = _scaled(KIDNEY_MM, size)
        sinus = _scaled(KIDNEY_MM, size * SINUS_SHARE)
        kidneys.append(torso.place(_ellipsoid(torso, (x, y, station), half), side))
        # The sinus opens towards the great vessels.
        hilum = (x - half[0] * 0.5, y - half[1] * 0.2, station)
        sinuses.append(torso.place(_ellipsoid(torso, hilum, sinus), side))
    return Whole(tuple(kidneys)), Whole(tuple(sinuses))


def _draw_bowel(torso: Torso) -> tuple[tuple[Solid, ...], tuple[Solid, ...]]:
    """Return loops, and the gas that rises to the front of some."""
    loops, gas = [], []
    fuller = torso.between(*FULLER)
    for x, y, station, half_width in LOOPS:
        stray = torso.rng.uniform(-LOOP_STRAY_MM, LOOP_STRAY_MM, 2)
        place = (x + float(stray[0]), y * fuller + float(stray[1]), station)
        half = half_width * torso.draw(*LOOP_SIZE)
        high = half * torso.draw(*LOOP_LENGTH)
        deep = half * torso.draw(*LOOP_DEPTH)
        loops.append(torso.place(_ellipsoid(torso, place, (half, deep, high))))
        if torso.draw(0, 1) < GAS_SHARE:
            front = (place[0], place[1] - GAS_FORWARD * deep, station)
            share = torso.draw(*GAS_SIZE)
            size = (half * (share + GAS_WIDER), deep * share, high * share)
            gas.append(torso.place(_ellipsoid(torso, front, size)))
    return tuple(loops), tuple(gas)


def _ellipsoid(torso: Torso, place: Triple, half_mm: Triple) -> Ellipsoid:
    """Return an ellipsoid at x, y (behind the back of the spine) and a station."""
    x, y, station = place
    up = torso.stations.up(station)
    back = torso.stations.line(Anchor.BACK, up)
    width, depth, height = (torso.size * half for half in half_mm)
    return Ellipsoid(
        torso.size * x,
        float(back) + torso.size * y,
        float(up),
        width,
        depth,
        height,
        height,
    )


def _scaled(half_mm: Triple, size: float) -> Triple:
    width, depth, height = half_mm
    return width * size, depth * size, height * size
