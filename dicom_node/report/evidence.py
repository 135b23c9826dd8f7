"""The graded images that the objects refer to, found by series, instance and frame.

SOP Instance UIDs repeat between the series of real archives, so nothing here is
keyed by them alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import MRImageStorage

from grading.grades import SliceKey
from grading.headers import ImageHeader, image_headers


@dataclass(frozen=True, slots=True)
class Instance:
    """One SOP Instance of the evidence."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    frames: int
    dataset: Dataset
    headers: tuple[ImageHeader, ...]
    """One per frame."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An instance, and which of its frames are meant."""

    instance: Instance
    frames: tuple[int, ...]
    """Counted from 1; empty where all are meant (PS3.3 table 10-3)."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The instances of the graded series, in the order they were given."""

    instances: Mapping[tuple[str, str], Instance]
    """By Series and SOP Instance UID."""

    @property
    def first(self) -> Dataset:
        """The dataset that patient and study are taken from."""
        return next(iter(self.instances.values())).dataset

    def by_series(self) -> list[tuple[Instance, ...]]:
        """Return the instances of each series."""
        series: dict[str, list[Instance]] = {}
        for instance in self.instances.values():
            series.setdefault(instance.series_instance_uid, []).append(instance)
        return [tuple(instances) for instances in series.values()]

    def holds(self, key: SliceKey) -> bool:
        """Tell whether a slice is among the evidence."""
        found = self.instances.get((key.series_instance_uid, key.sop_instance_uid))
        return found is not None and 1 <= key.frame <= found.frames

    def instance(self, key: SliceKey) -> Instance:
        """Return the instance that holds a slice.

        Raises
        ------
        ValueError
            The slice is not among the evidence.
        """
        if not self.holds(key):
            raise ValueError(
                f"frame {key.frame} of image {key.sop_instance_uid} in series "
                f"{key.series_instance_uid} was graded but is not among the evidence; "
                "pass every graded instance"
            )
        return self.instances[key.series_instance_uid, key.sop_instance_uid]

    def header(self, key: SliceKey) -> ImageHeader:
        """Return what a slice says of itself; errors as in :meth:`instance`."""
        return self.instance(key).headers[key.frame - 1]

    def reference(self, key: SliceKey) -> Reference:
        """Refer to one slice; errors as in :meth:`instance`."""
        return self.references([key])[0]

    def references(self, keys: Iterable[SliceKey]) -> list[Reference]:
        """Refer to slices, once per instance; errors as in :meth:`instance`."""
        frames: dict[tuple[str, str], list[int]] = {}
        for key in keys:
            instance = self.instance(key)
            place = (instance.series_instance_uid, instance.sop_instance_uid)
            frames.setdefault(place, []).append(key.frame)
        return [
            _reference(self.instances[place], numbers)
            for place, numbers in frames.items()
        ]


def evidence_of(datasets: Sequence[Dataset]) -> Evidence:
    """Index the datasets of the graded series.

    Raises
    ------
    ValueError
        There is none, so there is no patient and no study to report on.
    """
    if not datasets:
        raise ValueError("a report needs at least one image as evidence, got none")
    instances: dict[tuple[str, str], Instance] = {}
    for ds in datasets:
        instance = _instance(ds)
        place = (instance.series_instance_uid, instance.sop_instance_uid)
        instances.setdefault(place, instance)
    return Evidence(instances)


def _instance(ds: Dataset) -> Instance:
    headers = tuple(image_headers(ds))
    return Instance(
        series_instance_uid=str(ds.get("SeriesInstanceUID", "")),
        sop_instance_uid=str(ds.get("SOPInstanceUID", "")),
        sop_class_uid=_sop_class_uid(ds),
        frames=len(headers),
        dataset=ds,
        headers=headers,
    )


def _sop_class_uid(ds: Dataset) -> str:
    """Return the SOP class that the archive knows an image under.

    A dataset without one was stored under the class of its file meta, right or
    wrong, so that is the class by which it can be found again.
    """
    meta = getattr(ds, "file_meta", None) or Dataset()
    stated = ds.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")
    return str(stated or MRImageStorage)


def _reference(instance: Instance, frames: Sequence[int]) -> Reference:
    graded = tuple(sorted(set(frames)))
    return Reference(instance, () if len(graded) == instance.frames else graded)
