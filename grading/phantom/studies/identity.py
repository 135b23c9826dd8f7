"""Who the phantom is, and the UIDs of its objects.

UIDs are UUIDs below 2.25 (PS3.5 B.2) that follow from the seed and the generator's
version, so a study drawn again is the same study.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from pydicom.uid import UID

from grading.phantom.ranges import GENERATOR_VERSION
from grading.phantom.studies.drawn import DrawnImage, DrawnSeries, DrawnStudy, StudyKey
from grading.phantom.studies.habits import Role
from grading.phantom.studies.vendors import Manner, Order

NAMESPACE = UUID("5c1f6d0a-9b43-5d0f-8f0e-3a1c8a1d7e52")
"""Of this generator's UIDs, drawn once."""
NOTICE = "Computer-made phantom, not a patient: never for clinical use"
"""The first line of whatever leaves this package, and a comment on every image."""
DATE = "20000101"
"""Of everything: a study drawn again has the same bytes."""
STUDY_TIME = "080000"


@dataclass(frozen=True, slots=True)
class Instance:
    """Where one drawn image is found: an object, and a frame of it."""

    image: DrawnImage
    sop_instance_uid: UID
    frame: int
    """From 1; 1 in an object that holds one image."""
    path: str
    """Of the Part 10 file within the study's folder."""


def derived_uid(key: StudyKey, *parts: object) -> UID:
    """Return the UID that always belongs to these parts of one study."""
    whole = (GENERATOR_VERSION, key.seed, key.domain, key.prevalence, key.number)
    return UID(
        f"2.25.{uuid5(NAMESPACE, repr([str(one) for one in whole + parts])).int}"
    )


def study_uid(key: StudyKey) -> UID:
    """Return the Study Instance UID."""
    return derived_uid(key, "study")


def series_uid(key: StudyKey, role: Role) -> UID:
    """Return the Series Instance UID."""
    return derived_uid(key, "series", role)


def patient_name(key: StudyKey, manner: Manner) -> str:
    """Return ``PHANTOM^<seed>^<number>``, in several scripts where the manner does."""
    name = f"PHANTOM^{key.seed}^{key.number}"
    return name + manner.name_suffix.format(number=key.number)


def patient_id(key: StudyKey) -> str:
    """Return a Patient ID that no other phantom has."""
    return f"PHANTOM-{key.seed}-{key.number}-{key.domain}-{key.prevalence}"


def instances(study: DrawnStudy, series: DrawnSeries) -> tuple[Instance, ...]:
    """Return a series' images as objects, in the order in which they are numbered."""
    ordered = in_order(series.images, study.writing.manner.order)
    enhanced = study.writing.enhanced
    return tuple(
        Instance(
            image=image,
            sop_instance_uid=derived_uid(
                study.key, "image", series.role, 1 if enhanced else number
            ),
            frame=number if enhanced else 1,
            path=f"{series.role}/{1 if enhanced else number:04d}.dcm",
        )
        for number, image in enumerate(ordered, start=1)
    )


def in_order(images: tuple[DrawnImage, ...], order: Order) -> tuple[DrawnImage, ...]:
    """Return the images in the order in which a scanner numbers them."""
    if order is Order.FORWARDS:
        return images
    if order is Order.BACKWARDS:
        return images[::-1]
    return tuple(sorted(images, key=lambda one: (one.stack, one.place % 2, one.place)))
