"""One disc on several sagittal images becomes one place in the patient."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from grading.headers import ImageHeader, Vector
from grading.landmarks.found import SagittalFound
from grading.levels.geometry import (
    at,
    centre_lps_mm,
    dot,
    length_mm,
    minus,
    normal_of,
    plus,
)

SAME_DISC_MM = 10.0
"""Sightings closer than this, seen from the side, are one disc: discs of adults lie
20 to 40 mm apart."""
OUTLIER_MM = 6.0
"""A sighting farther than this from the median of its disc is left out."""
VOTES = 0.4
"""What a smaller share of the images shows is not there, two images at least."""
IMAGES_TO_VOTE = 3
"""With fewer images there is nobody to outvote a sighting."""
NEAREST_IMAGES = 3
"""A disc lies where so many images nearest to the canal show it."""
LOOKED_AT = 5
"""Images around each place of the canal that are looked at, so that a disc missed on
one is seen on others; they span some 20 mm, a vertebra 45."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A disc on one image, LPS in mm."""

    image: int
    centre: Vector
    margin: Vector | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where several images show one disc, LPS in mm."""

    centre: Vector
    margin: Vector | None
    """Midpoint of the posterior margin; None where no image told it."""
    weight: float
    """The confidences of all sightings together."""


def places(
    images: Sequence[ImageHeader],
    found: Sequence[SagittalFound],
    canal: Sequence[Vector] = (),
) -> list[Place]:
    """Return every disc that parallel sagittal images agree on, in no order.

    Parameters
    ----------
    canal
        Places in the spinal canal. A disc of a scoliotic spine is taken from the
        images that lie nearest to the canal at its height.
    """
    side = normal_of(images[0])
    return [
        _place(cluster, _next_to_canal(cluster, images, canal), side)
        for cluster in _clusters(_sightings(images, found), side)
        if len(cluster) >= _least(found)
    ]


def sacrum_place(
    images: Sequence[ImageHeader], found: Sequence[SagittalFound]
) -> Vector | None:
    """Return where the images show the sacrum, None where they do not."""
    seen = [
        at(image, one.sacrum.point)
        for image, one in zip(images, found, strict=True)
        if one.sacrum is not None
    ]
    return median(seen) if len(seen) >= _least(found) else None


def across_mm(a: Vector, b: Vector, side: Vector) -> float:
    """Return the distance of two places as the view along ``side`` shows it."""
    way = minus(a, b)
    return length_mm(plus(way, side, -dot(way, side)))


def median(seen: Sequence[Vector]) -> Vector:
    """Return the median along each axis of at least one place."""
    x, y, z = (statistics.median(them) for them in zip(*seen, strict=True))
    return (x, y, z)


def _least(found: Sequence[SagittalFound]) -> int:
    """Return how many images must show a thing, of those that show anything."""
    looked = sum(bool(one.discs) for one in found)
    return max(2, math.ceil(VOTES * looked)) if looked >= IMAGES_TO_VOTE else 1


def _sightings(
    images: Sequence[ImageHeader], found: Sequence[SagittalFound]
) -> list[Sighting]:
    return [
        Sighting(
            number,
            at(image, disc.centre.point),
            at(image, disc.margin) if disc.margin else None,
            disc.centre.confidence,
        )
        for number, (image, one) in enumerate(zip(images, found, strict=True))
        for disc in one.discs
    ]


def _clusters(sightings: Sequence[Sighting], side: Vector) -> list[list[Sighting]]:
    """Gather the sightings of each disc, the surest first; at most one per image."""
    clusters: list[list[Sighting]] = []
    for sighting in sorted(sightings, key=lambda one: -one.confidence):
        near = [
            cluster
            for cluster in clusters
            if all(one.image != sighting.image for one in cluster)
            and _off_mm(cluster, sighting, side) <= SAME_DISC_MM
        ]
        if near:
            min(near, key=lambda one: _off_mm(one, sighting, side)).append(sighting)
        else:
            clusters.append([sighting])
    return clusters


def _off_mm(cluster: Sequence[Sighting], sighting: Sighting, side: Vector) -> float:
    middle = median([one.centre for one in cluster])
    return across_mm(middle, sighting.centre, side)


def _next_to_canal(
    cluster: Sequence[Sighting],
    images: Sequence[ImageHeader],
    canal: Sequence[Vector],
) -> list[Sighting]:
    """Keep the sightings of the images nearest to the canal at the disc's height."""
    if not canal:
        return list(cluster)
    middle = median([one.centre for one in cluster])
    side = normal_of(images[0])
    beside = min(canal, key=lambda where: across_mm(where, middle, side))
    return sorted(cluster, key=lambda one: off_plane_mm(images[one.image], beside))[
        :NEAREST_IMAGES
    ]


def off_plane_mm(image: ImageHeader, where: Vector) -> float:
    """Return how far a place lies from an image's plane, on either side."""
    return abs(dot(minus(where, centre_lps_mm(image)), normal_of(image)))


def _place(
    cluster: Sequence[Sighting], near: Sequence[Sighting], side: Vector
) -> Place:
    middle = median([one.centre for one in near])
    kept = [one for one in near if across_mm(one.centre, middle, side) <= OUTLIER_MM]
    margins = [one.margin for one in kept or near if one.margin is not None]
    return Place(
        centre=median([one.centre for one in kept or near]),
        margin=median(margins) if margins else None,
        weight=math.fsum(one.confidence for one in cluster),
    )


def nearest_images(images: Sequence[ImageHeader], canal: Sequence[Vector]) -> list[int]:
    """Choose the sagittal images that show the canal, a few for each of its places.

    Without any place in the canal, those in the middle of the series.
    """
    if not canal:
        canal = [median([centre_lps_mm(image) for image in images])]
    chosen = {
        index
        for where in canal
        for index in sorted(
            range(len(images)), key=lambda number: off_plane_mm(images[number], where)
        )[:LOOKED_AT]
    }
    return sorted(chosen)
