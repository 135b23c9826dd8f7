"""Datasets to series: which series is gradable, and why the others are not.

ImageType DERIVED means nothing here: some scanners write it on every image of a
study.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from grading.decoding import Undecodable, decoded
from grading.errors import NotGradable
from grading.grades import Plane, SeriesVerdict, SliceKey, Weighting, quoted
from grading.headers import ImageHeader, image_headers
from grading.upright import (
    AS_STORED,
    MAX_TURN_IN_PLANE_DEG,
    Turn,
    turn_in_plane_deg,
    turn_of,
)
from grading.weighting import contrast, evidence, is_silent, weighting_of

log = logging.getLogger(__name__)

MAX_TILT_FROM_PLANE_DEG = 45.0
"""A slab along L5/S1 tilts by up to about 40 degrees; beyond 45 another plane is
nearer."""
SPACING_MM = (0.05, 10.0)
"""Between pixels: from finer to coarser than any clinical MRI is stored."""
MIN_SLICES = 3
"""Fewer images than this are a localizer or a broken transfer, not a stack."""
LEVELS_ONLY = "sagittal T2-weighted, for the levels only"
OTHER_BODY_PARTS = {
    "HEAD", "BRAIN", "NECK", "CSPINE", "TSPINE", "CHEST", "BREAST", "HEART", "SHOULDER",
    "ELBOW", "WRIST", "HAND", "HIP", "KNEE", "ANKLE", "FOOT", "PROSTATE", "LIVER",
}  # fmt: skip
"""Body Part Examined (0018,0015) that rules the lumbar spine out (PS3.16 annex L)."""


@dataclass(frozen=True, slots=True)
class SeriesHeaders:
    """One series before its pixels are read."""

    series_instance_uid: str
    images: tuple[ImageHeader, ...]

    @property
    def description(self) -> str:
        """SeriesDescription of the first image that has one."""
        return next((i.description for i in self.images if i.description), "")


@dataclass(frozen=True, slots=True)
class Slice:
    """One image with its pixels, upright: whoever names sides may go by its own."""

    header: ImageHeader
    """Of the image as it lies here."""
    pixels: NDArray[np.float32]
    """``(rows, columns)``, stored units, whatever sign and scale they have."""
    turn: Turn = AS_STORED
    """Between this and the image as stored, which alone others know."""


@dataclass(frozen=True, slots=True)
class LoadedSeries:
    """A series ready to be looked at; slices in no particular order."""

    series_instance_uid: str
    slices: tuple[Slice, ...]
    notes: tuple[str, ...] = ()


def group_series(datasets: Iterable[Dataset]) -> list[SeriesHeaders]:
    """Read the headers of all images and group them by series.

    The order of the datasets does not matter: series come back by their UID, images
    by theirs.
    """
    return group_images(image for ds in datasets for image in image_headers(ds))


def group_images(headers: Iterable[ImageHeader]) -> list[SeriesHeaders]:
    """Group images whose headers have been read by series, as `group_series` does."""
    by_series: dict[str, list[ImageHeader]] = {}
    for image in headers:
        by_series.setdefault(image.key.series_instance_uid, []).append(image)
    return [
        SeriesHeaders(uid, tuple(sorted(images, key=_by_uid_and_frame)))
        for uid, images in sorted(by_series.items())
    ]


def judge(series: SeriesHeaders) -> SeriesVerdict:
    """Say whether a series is axial T2-weighted lumbar MR, and why or why not.

    A sagittal T2-weighted one is not graded but kept for the levels.
    """
    plane = _plane(series.images)
    weighting = weighting_of(series.images, series.description)
    refusal = _refusal(series, plane, weighting)
    for_levels = plane is Plane.SAGITTAL and refusal is None
    physics = evidence(series.images, weighting)
    first = series.images[0]
    return SeriesVerdict(
        series_instance_uid=series.series_instance_uid,
        description=series.description,
        plane=plane,
        weighting=weighting,
        graded=refusal is None and not for_levels,
        reason=refusal
        or (
            f"{LEVELS_ONLY}: {physics}"
            if for_levels
            else f"axial T2-weighted: {physics}"
        ),
        slices=len(series.images),
        manufacturer=first.manufacturer,
        model_name=first.model_name,
        field_strength_tesla=first.field_strength_tesla,
        for_levels=for_levels,
    )


def load(series: SeriesHeaders, datasets: Mapping[SliceKey, Dataset]) -> LoadedSeries:
    """Decode the T2-weighted images of a series to be graded or to tell levels.

    ``datasets`` gives the dataset that holds each image.

    Raises
    ------
    NotGradable
        Too few images could be decoded.
    """
    slices, unreadable = [], 0
    images = gradable_images(series)
    for image in images:
        try:
            pixels = decode(datasets[image.key], image.key.frame)
        except NotGradable as error:
            log.warning("%s", error, extra={"action": "decode"})
            unreadable += 1
            continue
        slices.append(upright(image, pixels))
    if len(slices) < MIN_SLICES:
        raise NotGradable(
            f"unreadable: only {len(slices)} of {len(images)} images could be decoded, "
            f"at least {MIN_SLICES} are needed; send the series again"
        )
    notes = (
        (f"{unreadable} slice(s) of {quoted(series.description)} could not be read.",)
        if unreadable
        else ()
    )
    return LoadedSeries(series.series_instance_uid, tuple(slices), notes)


def upright(image: ImageHeader, pixels: NDArray[np.float32]) -> Slice:
    """Lay an image as stored the way that networks have learned to see it."""
    turn = turn_of(image, _image_plane(image))
    return Slice(turn.header(image), turn.pixels(pixels), turn)


def gradable_images(series: SeriesHeaders) -> list[ImageHeader]:
    """Return the T2-weighted images of a series: a double echo holds others too."""
    silent = is_silent(series.images)
    return [
        image
        for image in series.images
        if silent or contrast(image.acquisition) is Weighting.T2
    ]


def decode(ds: Dataset, frame: int = 1) -> NDArray[np.float32]:
    """Decode one frame, counted from 1, to ``(rows, columns)`` in stored units.

    MONOCHROME1 comes back negated, so that bright always means much signal.

    Raises
    ------
    NotGradable
        The pixels are missing, truncated, coloured, or in an encoding that no
        installed decoder reads.
    """
    uid = ds.get("SOPInstanceUID", "")
    try:
        pixels = decoded(ds, index=frame - 1)
    except Undecodable as error:
        # Whether there are several is for the caller: the header may say anything.
        which = f"frame {frame} of image {uid}" if frame > 1 else f"image {uid}"
        raise NotGradable(f"{which} cannot be decoded: {error}") from error
    if pixels.ndim != len(("rows", "columns")):
        raise NotGradable(f"image {uid} is not a grey-scale image")
    grey = pixels.astype(np.float32)
    return -grey if ds.get("PhotometricInterpretation") == "MONOCHROME1" else grey


def _by_uid_and_frame(image: ImageHeader) -> tuple[str, int]:
    return (image.key.sop_instance_uid, image.key.frame)


def _refusal(series: SeriesHeaders, plane: Plane, weighting: Weighting) -> str | None:
    """Return the first reason against any use, in the order a person would give."""
    images = series.images
    checks = (
        _refused_modality(images),
        _refused_localizer(weighting),
        _refused_geometry(images),
        _refused_plane(images, plane, weighting),
        _refused_turn(images, plane),
        _refused_weighting(series, weighting),
        _refused_body_part(images),
        _refused_count(images),
    )
    return next((reason for reason in checks if reason), None)


def _refused_modality(images: Sequence[ImageHeader]) -> str | None:
    modality = images[0].modality
    if modality != "MR":
        return f"not MR: modality is {modality or 'not stated'}"
    if images[0].samples_per_pixel != 1:
        return "not a grey-scale image: a picture or a screen copy"
    return None


def _refused_localizer(weighting: Weighting) -> str | None:
    return "localizer" if weighting is Weighting.LOCALIZER else None


def _refused_geometry(images: Sequence[ImageHeader]) -> str | None:
    return _refused_missing(images) or _refused_spacing(images)


def _refused_spacing(images: Sequence[ImageHeader]) -> str | None:
    """Refuse what no MRI has; it would also cost memory without end to resample."""
    least, most = SPACING_MM
    odd = [
        mm
        for image in images
        for mm in image.spacing_mm or ()
        if not least <= mm <= most
    ]
    if odd:
        return f"pixel spacing of {odd[0]:g} mm, not between {least:g} and {most:g}"
    return None


def _refused_missing(images: Sequence[ImageHeader]) -> str | None:
    missing = sum(
        image.normal is None or image.position_lps_mm is None or not image.spacing_mm
        for image in images
    )
    if missing:
        return (
            f"no usable image position, orientation or pixel spacing in {missing} of "
            f"{len(images)} images"
        )
    return None


def _refused_plane(
    images: Sequence[ImageHeader], plane: Plane, weighting: Weighting
) -> str | None:
    if plane is Plane.AXIAL or (plane is Plane.SAGITTAL and weighting is Weighting.T2):
        return None
    worst = max(_angle_from_body_axis_deg(image) for image in images)
    return f"not axial: normal {worst:.0f} degrees from the body axis"


def _refused_turn(images: Sequence[ImageHeader], plane: Plane) -> str | None:
    """Refuse what lies on its side: no network has learned to see it so."""
    if plane is not Plane.AXIAL:
        return None
    turned = max(turn_in_plane_deg(image) for image in images)
    if turned <= MAX_TURN_IN_PLANE_DEG:
        return None
    return (
        f"turned by {turned:.0f} degrees within its plane, more than "
        f"{MAX_TURN_IN_PLANE_DEG:.0f}: the patient's left is not at a side of the image"
    )


def _refused_weighting(series: SeriesHeaders, weighting: Weighting) -> str | None:
    if weighting is Weighting.T2:
        return None
    physics = evidence(series.images, weighting)
    if weighting is Weighting.T2_FAT_SUPPRESSED:
        return f"fat-suppressed: {physics}"
    if weighting is Weighting.UNKNOWN:
        return (
            "weighting unknown: the header gives no TE, and the description "
            f"'{series.description}' does not say T2"
        )
    return f"not T2-weighted ({weighting.value}): {physics}"


def _refused_body_part(images: Sequence[ImageHeader]) -> str | None:
    body_part = images[0].body_part.upper()
    if body_part in OTHER_BODY_PARTS:
        return f"not the lumbar spine: body part examined is {body_part}"
    return None


def _refused_count(images: Sequence[ImageHeader]) -> str | None:
    if len(images) < MIN_SLICES:
        return f"too few slices: {len(images)}, at least {MIN_SLICES} are needed"
    return None


def _plane(images: Sequence[ImageHeader]) -> Plane:
    """Return the plane nearest to all images, UNKNOWN where they differ."""
    planes = {_image_plane(image) for image in images}
    return planes.pop() if len(planes) == 1 else Plane.UNKNOWN


def _image_plane(image: ImageHeader) -> Plane:
    normal = image.normal
    if normal is None:
        return Plane.UNKNOWN
    if _angle_from_body_axis_deg(image) <= MAX_TILT_FROM_PLANE_DEG:
        return Plane.AXIAL
    left, posterior, superior = (abs(component) for component in normal)
    nearest = max(left, posterior, superior)
    if nearest == left:
        return Plane.SAGITTAL
    return Plane.CORONAL if nearest == posterior else Plane.UNKNOWN


def _angle_from_body_axis_deg(image: ImageHeader) -> float:
    normal = image.normal
    if normal is None:
        return math.nan
    return math.degrees(math.acos(min(1.0, abs(normal[2]))))
