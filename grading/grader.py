"""A loaded bundle at work: a study's datasets in, `StudyGrades` out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from pydicom import Dataset

from grading.bundle import Bundle
from grading.errors import NotGradable
from grading.grades import (
    Finding,
    Grading,
    LevelGrade,
    Region,
    SeriesVerdict,
    SliceGrade,
    SliceKey,
    StudyGrades,
    mean_grading,
)
from grading.levels import Slab, slabs
from grading.network import MultiTaskResNet
from grading.preprocess import Preprocessing, crop, default_region
from grading.series import SeriesHeaders, Slice, group_series, judge, load

log = logging.getLogger(__name__)

MAX_ONE_LEVEL_MM = 32.0
"""A longer slab reaches from one disc into the next: discs lie 34 to 38 mm apart."""


@dataclass(frozen=True, slots=True)
class Series:
    """A judged series before its pixels are read."""

    headers: SeriesHeaders
    verdict: SeriesVerdict


@dataclass(frozen=True, slots=True)
class Loaded:
    """The slices that could be decoded, and what became of each series."""

    verdicts: tuple[SeriesVerdict, ...]
    slices: tuple[Slice, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A slice with its place and region, ready for the network."""

    key: SliceKey
    slab: int
    position_mm: float
    region: Region
    tensor: torch.Tensor
    """``(1, grid, grid) float32``."""


class Grader:
    """Grades studies with one bundle on one device.

    Parameters
    ----------
    device
        ``auto`` takes the GPU where there is one; else a name that torch knows.
    """

    def __init__(self, bundle: Bundle, device: str = "auto") -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._bundle = bundle
        self._device = torch.device(device)
        self._network = MultiTaskResNet(bundle.card.backbone, bundle.card.heads)
        self._network.load_state_dict(bundle.state_dict)
        self._network.eval()
        self._return_to_device()
        self._network.to(memory_format=torch.channels_last)

    @property
    def bundle(self) -> Bundle:
        """The bundle that grades."""
        return self._bundle

    def grade(self, datasets: Sequence[Dataset]) -> StudyGrades:
        """Grade one study; the datasets of all its series, in any order.

        Raises
        ------
        NotGradable
            No series is axial T2-weighted lumbar MR, or too few of its images can
            be read; the message says what each series is.
        """
        judged = [Series(found, judge(found)) for found in group_series(datasets)]
        verdicts = tuple(series.verdict for series in judged)
        if not any(verdict.graded for verdict in verdicts):
            raise NotGradable(_nothing_to_grade(verdicts))
        loaded = _load(judged, datasets)
        if not loaded.slices:
            raise NotGradable(_nothing_to_grade(loaded.verdicts))
        prepared, found_slabs = prepare(loaded.slices, self._bundle.card.preprocessing)
        probabilities = self.probabilities([slice_.tensor for slice_ in prepared])
        slice_grades = tuple(
            self._slice_grade(
                slice_, {name: rows[i] for name, rows in probabilities.items()}
            )
            for i, slice_ in enumerate(prepared)
        )
        return StudyGrades(
            study_instance_uid=str(datasets[0].get("StudyInstanceUID", "")),
            model=self._bundle.identity,
            series=loaded.verdicts,
            slices=slice_grades,
            levels=level_grades(slice_grades, len(found_slabs)),
            notes=(*loaded.notes, *_notes(slice_grades, found_slabs)),
        )

    def probabilities(
        self, tensors: Sequence[torch.Tensor]
    ) -> Mapping[str, list[tuple[float, ...]]]:
        """Return each head's calibrated probabilities for each slice.

        The whole study is one batch. Where the GPU's memory does not suffice,
        smaller batches are tried, then the CPU.
        """
        batch = torch.stack(list(tensors))
        size = len(batch)
        while True:
            try:
                return self._in_batches(batch, size, self._device)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
            if size == 1:
                break
            size = (size + 1) // 2
            log.warning("the GPU's memory does not suffice: batches of %d now", size)
        log.warning("the GPU's memory does not hold one slice: grading on the CPU")
        self._network.to("cpu")
        try:
            return self._in_batches(batch, len(batch), torch.device("cpu"))
        finally:
            self._return_to_device()

    def _return_to_device(self) -> None:
        """Go back to the GPU, or stay on the CPU where it has no room any more."""
        try:
            self._network.to(self._device)
        except torch.OutOfMemoryError:
            self._device = torch.device("cpu")
            self._network.to(self._device)
            log.warning(
                "the GPU's memory does not hold the network: on the CPU from now on"
            )

    def _slice_grade(
        self, prepared: Prepared, probabilities: Mapping[str, tuple[float, ...]]
    ) -> SliceGrade:
        gradings = {
            name: self._grading(name, values) for name, values in probabilities.items()
        }
        return SliceGrade(
            key=prepared.key,
            slab=prepared.slab,
            position_mm=prepared.position_mm,
            region=prepared.region,
            grades={finding: gradings.pop(finding.value) for finding in Finding},
            further=gradings,
        )

    def _grading(self, head: str, values: tuple[float, ...]) -> Grading:
        p0, p1, p2, p3 = values
        threshold = self._bundle.card.thresholds.get(head)
        return Grading(
            (p0, p1, p2, p3),
            temperature=self._temperature(head),
            threshold=threshold.probability if threshold else None,
        )

    def _temperature(self, head: str) -> float:
        return self._bundle.card.calibration.get(head, 1.0)

    @torch.inference_mode()
    def _in_batches(
        self, batch: torch.Tensor, size: int, device: torch.device
    ) -> Mapping[str, list[tuple[float, ...]]]:
        found: dict[str, list[tuple[float, ...]]] = {}
        for part in torch.split(batch, size):
            on_device = part.to(device, memory_format=torch.channels_last)
            for name, logits in self._network(on_device).items():
                softened = torch.softmax(
                    logits.double() / self._temperature(name), dim=1
                )
                found.setdefault(name, []).extend(map(tuple, softened.tolist()))
        return found


def prepare(
    slices: Sequence[Slice], spec: Preprocessing
) -> tuple[list[Prepared], list[Slab]]:
    """Place every slice in its slab and cut its region out, cranial to caudal."""
    found = slabs([slice_.header for slice_ in slices])
    prepared = [
        _prepared(slices[index], number, position_mm, spec)
        for number, slab in enumerate(found, start=1)
        for index, position_mm in zip(slab.members, slab.positions_mm, strict=True)
    ]
    return prepared, found


def level_grades(
    slice_grades: Sequence[SliceGrade], slab_count: int
) -> tuple[LevelGrade, ...]:
    """Give each slab the mean probabilities of its slices.

    The key slice is the one most certain of the reported grades, so that a reader
    who looks at one slice sees what the report says.
    """
    by_slab: dict[int, list[SliceGrade]] = {}
    for slice_grade in slice_grades:
        by_slab.setdefault(slice_grade.slab, []).append(slice_grade)
    return tuple(
        _level_grade(members, slab, slab_count)
        for slab, members in sorted(by_slab.items())
    )


def _level_grade(members: Sequence[SliceGrade], slab: int, slabs: int) -> LevelGrade:
    means = {
        finding: mean_grading([member.grades[finding] for member in members])
        for finding in Finding
    }

    def certainty(member: SliceGrade) -> float:
        return sum(
            member.grades[finding].probabilities[mean.grade]
            for finding, mean in means.items()
        )

    return LevelGrade(
        level=members[0].level,
        slab=slab,
        slabs=slabs,
        key_slice=max(members, key=certainty).key,
        slices=tuple(member.key for member in members),
        grades=means,
    )


def _load(judged: Sequence[Series], datasets: Sequence[Dataset]) -> Loaded:
    """Decode the slices of every series to grade; one that fails is not graded."""
    by_instance = {
        (str(ds.get("SeriesInstanceUID", "")), str(ds.get("SOPInstanceUID", ""))): ds
        for ds in datasets
    }
    verdicts: list[SeriesVerdict] = []
    slices: list[Slice] = []
    notes: list[str] = []
    for series in judged:
        if not series.verdict.graded:
            verdicts.append(series.verdict)
            continue
        by_key = {
            image.key: by_instance[
                image.key.series_instance_uid, image.key.sop_instance_uid
            ]
            for image in series.headers.images
        }
        try:
            axial = load(series.headers, by_key)
        except NotGradable as error:
            verdicts.append(replace(series.verdict, graded=False, reason=str(error)))
            continue
        verdicts.append(series.verdict)
        slices.extend(axial.slices)
        notes.extend(axial.notes)
    return Loaded(tuple(verdicts), tuple(slices), tuple(notes))


def _prepared(
    slice_: Slice, slab: int, position_mm: float, spec: Preprocessing
) -> Prepared:
    header = slice_.header
    if header.spacing_mm is None:
        raise ValueError("a judged series has a pixel spacing on every image")
    rows, columns = slice_.pixels.shape
    region = default_region(rows, columns, spec)
    tensor = crop(slice_.pixels, header.spacing_mm, region, spec)
    return Prepared(header.key, slab, position_mm, region, tensor)


def _nothing_to_grade(verdicts: Sequence[SeriesVerdict]) -> str:
    reasons = "; ".join(
        f"'{verdict.description or 'no description'}' {verdict.reason}"
        for verdict in verdicts
    )
    return f"no axial T2-weighted lumbar series: {reasons or 'the study has no image'}"


def _notes(slice_grades: Sequence[SliceGrade], found: Sequence[Slab]) -> list[str]:
    notes = []
    if not all(slice_grade.region.located for slice_grade in slice_grades):
        notes.append(
            "Region not located: each slice was graded in a square at the image "
            "centre. Where the spinal canal is not there, the grades mean nothing."
        )
    if any(slice_grade.level is None for slice_grade in slice_grades):
        notes.append(
            "Disc level not determined: slabs are numbered from the head downwards."
        )
    long = [n for n, slab in enumerate(found, 1) if slab.length_mm > MAX_ONE_LEVEL_MM]
    if long:
        numbers = ", ".join(str(number) for number in long)
        notes.append(
            f"Slab {numbers} is longer than one disc level: its grades are a mean "
            "over several levels. Read the slices."
        )
    return notes
