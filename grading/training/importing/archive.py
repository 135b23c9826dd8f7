"""What lies in an archive: the images of every DICOM file below a folder.

Only headers are read here. Which series are of use is judged as the node judges them,
so that nothing is learned from that the node would never grade.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pydicom
from pydicom import Dataset
from pydicom.errors import InvalidDicomError

from grading.grades import SeriesVerdict, SliceKey
from grading.headers import ImageHeader, image_headers
from grading.levels.slabs import slabs
from grading.series import SeriesHeaders, gradable_images, judge
from grading.training.importing.labels import LeftOut

PHANTOM_MANUFACTURER = "lumbar-node phantom"
"""How Manufacturer (0008,0070) begins in every image of this project's phantom."""
REPORT = "SR"
"""Modality of a structured report."""


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """One frame of one file."""

    file: str
    """Below the archive's folder, with slashes."""
    study: str
    person: str
    """Patient ID with its issuer: never leaves the import. Empty where unknown."""
    header: ImageHeader
    instance_number: int | None

    @property
    def key(self) -> SliceKey:
        """What tells it from every other image."""
        return self.header.key

    @property
    def phantom(self) -> bool:
        """True for an image that this project's phantom was drawn into."""
        return self.header.manufacturer.startswith(PHANTOM_MANUFACTURER)

    @property
    def scanner(self) -> str:
        """Maker, model and field strength, as far as the header tells."""
        tesla = self.header.field_strength_tesla
        field = f"{tesla:g} T" if tesla else ""
        words = (self.header.manufacturer, self.header.model_name, field)
        return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Archive:
    """Every image and every structured report below a folder."""

    folder: Path
    images: Mapping[SliceKey, ArchivedImage]
    reports: Mapping[str, Dataset]
    """Structured reports by their file."""
    left_out: tuple[LeftOut, ...]
    """Files that could not be read, and second copies."""

    @cached_property
    def verdicts(self) -> Mapping[str, SeriesVerdict]:
        """What the node would say of each series, by its UID."""
        return {uid: judge(headers) for uid, headers in self._series.items()}

    @cached_property
    def gradable(self) -> frozenset[SliceKey]:
        """The images that the node would grade."""
        return frozenset(
            image.key
            for uid, headers in self._series.items()
            if self.verdicts[uid].graded
            for image in gradable_images(headers)
        )

    @cached_property
    def slabs(self) -> Mapping[str, tuple[tuple[SliceKey, ...], ...]]:
        """The slabs of each study as the node numbers them, cranial to caudal."""
        by_study: dict[str, list[ImageHeader]] = {}
        for key in sorted(self.gradable, key=_order):
            by_study.setdefault(self.images[key].study, []).append(
                self.images[key].header
            )
        return {
            study: tuple(
                tuple(headers[index].key for index in slab.members)
                for slab in slabs(headers)
            )
            for study, headers in by_study.items()
        }

    @cached_property
    def _series(self) -> Mapping[str, SeriesHeaders]:
        by_series: dict[str, list[ImageHeader]] = {}
        for key in sorted(self.images, key=_order):
            by_series.setdefault(key.series_instance_uid, []).append(
                self.images[key].header
            )
        return {uid: SeriesHeaders(uid, tuple(of)) for uid, of in by_series.items()}


def read_archive(folder: Path) -> Archive:
    """Read the headers of every file below ``folder``; other files are listed.

    Raises
    ------
    NotADirectoryError
        There is no such folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder; name one that holds DICOM")
    images: dict[SliceKey, ArchivedImage] = {}
    reports: dict[str, Dataset] = {}
    left_out: list[LeftOut] = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder).as_posix()
        ds = _read(file)
        if isinstance(ds, str):
            left_out.append(LeftOut(ds, file=name))
        elif ds.get("Modality") == REPORT:
            reports[name] = ds
        else:
            left_out.extend(_add(images, name, ds))
    return Archive(folder, images, reports, tuple(left_out))


def _read(file: Path) -> Dataset | str:
    """Return a dataset without its pixels, or why there is none."""
    try:
        return pydicom.dcmread(file, stop_before_pixels=True)
    except InvalidDicomError:
        return "not a DICOM file"
    # Bytes from anywhere: whatever the parser raises, the other files count.
    except Exception as error:  # noqa: BLE001
        return f"damaged: {type(error).__name__} while reading"


def _add(
    images: dict[SliceKey, ArchivedImage], name: str, ds: Dataset
) -> Iterator[LeftOut]:
    """Take the frames of one file; yields what cannot be taken."""
    if "Rows" not in ds:
        yield LeftOut("not an image", file=name)
        return
    for image in _frames(name, ds):
        key = image.key
        if not all((image.study, key.series_instance_uid, key.sop_instance_uid)):
            yield LeftOut("lacks the UID of its study, series or itself", file=name)
            return
        if images.setdefault(key, image) is not image:
            yield LeftOut(f"a second copy of {images[key].file}", file=name)
            return


def _frames(name: str, ds: Dataset) -> Iterator[ArchivedImage]:
    patient_id = _text(ds, "PatientID")
    issuer = _text(ds, "IssuerOfPatientID")
    number = _text(ds, "InstanceNumber")
    for header in image_headers(ds):
        yield ArchivedImage(
            file=name,
            study=_text(ds, "StudyInstanceUID"),
            person=f"{issuer}\0{patient_id}" if patient_id else "",
            header=header,
            instance_number=int(number) if number.isdigit() else None,
        )


def _text(ds: Dataset, keyword: str) -> str:
    """Return a value as text, empty where it is absent or breaks its VR."""
    try:
        value = ds.get(keyword)
    # A value that cannot be converted says nothing, and the rest still counts.
    except Exception:  # noqa: BLE001
        return ""
    return "" if value is None else str(value).strip()


def _order(key: SliceKey) -> tuple[str, str, int]:
    return (key.series_instance_uid, key.sop_instance_uid, key.frame)
