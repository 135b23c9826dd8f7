"""A loaded bundle at work: a study's datasets in, `StudyGrades` out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import torch
from pydicom import Dataset

from grading.aggregate import level_grades
from grading.boxes import Box
from grading.bundle import Bundle, locator_of
from grading.grades import (
    AxialMarks,
    Finding,
    Grading,
    SliceGrade,
    SliceKey,
    StudyGrades,
)
from grading.landmarks.found import Locator
from grading.levels.belonging import Placed
from grading.network import SIDE_HEADS, MultiTaskResNet
from grading.notes import level_notes, region_notes
from grading.placing import find_places
from grading.prepared import Prepared, prepare
from grading.regions import region_finder
from grading.study import StudyReader

log = logging.getLogger(__name__)


class Grader:
    """Grades studies with one bundle on one device.

    Parameters
    ----------
    device
        ``auto`` takes the GPU where there is one; else a name that torch knows.
    locator
        Finds the canal and the discs; the bundle's own networks where None. Without
        either regions lie at the image centre and no level is determined.
    """

    def __init__(
        self,
        bundle: Bundle,
        device: str = "auto",
        locator: Locator | None = None,
    ) -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._bundle = bundle
        self._device = torch.device(device)
        self._locator = locator or locator_of(bundle, self._device)
        self._finder = region_finder(bundle.card)
        self._network = MultiTaskResNet(bundle.card.backbone, bundle.card.heads)
        self._network.load_state_dict(bundle.state_dict)
        self._network.eval()
        self._return_to_device()
        self._network.to(memory_format=torch.channels_last)

    @property
    def bundle(self) -> Bundle:
        """The bundle that grades."""
        return self._bundle

    @property
    def locator(self) -> Locator | None:
        """What finds the canal and the discs; None where nothing does."""
        return self._locator

    def grade(
        self, datasets: Sequence[Dataset], drawn: Mapping[SliceKey, Box] | None = None
    ) -> StudyGrades:
        """Grade one study; the datasets of all its series, in any order.

        Parameters
        ----------
        drawn
            Boxes that a person drew; they win over everything that is found.

        Raises
        ------
        NotGradable
            No series is axial T2-weighted lumbar MR, or too few of its images can
            be read; the message says what each series is.
        """
        study = StudyReader(datasets)
        slices = study.axial()
        found = self._locator.axial(slices) if self._locator else None
        prepared, found_slabs = prepare(slices, self._finder, found, drawn or {})
        placing = find_places(study, prepared, self._locator)
        slice_grades = self._slice_grades(prepared, placing.placed)
        of_levels = level_grades(slice_grades, len(found_slabs))
        return StudyGrades(
            study_instance_uid=str(datasets[0].get("StudyInstanceUID", "")),
            model=self._bundle.identity,
            series=study.verdicts,
            slices=slice_grades,
            levels=of_levels,
            notes=(
                *study.notes,
                *region_notes(slice_grades),
                *placing.notes,
                *level_notes(slice_grades, of_levels, found_slabs),
            ),
            sagittal=placing.view,
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

    def _slice_grades(
        self, prepared: Sequence[Prepared], placed: Sequence[Placed]
    ) -> tuple[SliceGrade, ...]:
        rows = self.probabilities([one.tensor for one in prepared])
        return tuple(
            self._slice_grade(one, where, {name: rows[name][i] for name in rows})
            for i, (one, where) in enumerate(zip(prepared, placed, strict=True))
        )

    def _slice_grade(
        self,
        prepared: Prepared,
        placed: Placed,
        probabilities: Mapping[str, tuple[float, ...]],
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
            level=placed.level,
            through_disc=placed.through_disc,
            roots={
                side: gradings.pop(head)
                for side, head in SIDE_HEADS.items()
                if head in gradings
            },
            marks=prepared.found.marks if prepared.found else AxialMarks(),
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
