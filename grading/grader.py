"""A loaded bundle at work: a study's datasets in, `StudyGrades` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pydicom import Dataset

from grading.aggregate import level_grades
from grading.boxes import Box
from grading.bundle import Bundle, locator_of
from grading.card import uncovered
from grading.engines.choosing import backbone_engine
from grading.engines.engine import EngineName
from grading.engines.on_onnx import Cache
from grading.engines.on_torch import CPU, device_named
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
from grading.notes import (
    box_notes,
    level_notes,
    region_notes,
    root_notes,
    uncovered_notes,
)
from grading.placing import find_places
from grading.prepared import Prepared, prepare
from grading.regions import region_finder
from grading.study import StudyReader
from grading.trust import EVERY_GRADE


class Grader:
    """Grades studies with one bundle on one device.

    Parameters
    ----------
    device
        ``auto`` takes the GPU where there is one; else a name that torch knows.
    locator
        Finds the canal and the discs; the bundle's own networks where None. Without
        either regions lie at the image centre and no level is determined.
    engine
        What computes the network: see `grading.engines.choosing`. ``onnx`` computes
        on the CPU.
    engine_folder
        Where a network that was exported for ONNX Runtime is kept; nowhere if None.

    Raises
    ------
    EngineError
        The engine is not installed, or computes something else than torch.
    """

    def __init__(
        self,
        bundle: Bundle,
        device: str = "auto",
        locator: Locator | None = None,
        *,
        engine: EngineName = "torch",
        engine_folder: Path | None = None,
    ) -> None:
        on = CPU if engine == "onnx" else device_named(device)
        network = MultiTaskResNet(bundle.card.backbone, bundle.card.heads)
        network.load_state_dict(bundle.state_dict)
        network.eval()
        sha256 = bundle.card.weights_sha256
        cache = Cache(engine_folder, sha256) if engine_folder else None
        grid = bundle.card.preprocessing.grid_pixels
        self._bundle = bundle
        self._locator = locator or locator_of(bundle, on)
        self._finder = region_finder(bundle.card)
        self._engine = backbone_engine(network.backbone, grid, on, engine, cache)
        self._heads = network.heads
        self._uncovered = uncovered(bundle.card)

    @property
    def bundle(self) -> Bundle:
        """The bundle that grades."""
        return self._bundle

    @property
    def engine_words(self) -> str:
        """What computes the network, for a log."""
        return self._engine.words

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
                *box_notes(drawn or (), {one.key for one in slice_grades}),
                *placing.notes,
                *level_notes(slice_grades, of_levels, found_slabs),
                *root_notes(of_levels),
                *uncovered_notes(self._uncovered),
            ),
            sagittal=placing.view,
        )

    def probabilities(
        self, tensors: Sequence[torch.Tensor]
    ) -> Mapping[str, list[tuple[float, ...]]]:
        """Return each head's probabilities for each slice, at its temperature.

        The whole study is one batch. Whatever the engine, the heads are computed
        here, in float32.
        """
        (features,) = self._engine(torch.stack(list(tensors)))
        with torch.inference_mode():
            return {
                name: self._softened(name, head(features))
                for name, head in self._heads.items()
            }

    def _softened(self, head: str, logits: torch.Tensor) -> list[tuple[float, ...]]:
        softened = torch.softmax(logits.double() / self._temperature(head), dim=1)
        return [tuple(row) for row in softened.tolist()]

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
            region=prepared.turn.region(prepared.region),
            grades={finding: gradings.pop(finding.value) for finding in Finding},
            level=placed.level,
            through_disc=placed.through_disc,
            roots={
                side: gradings.pop(head)
                for side, head in SIDE_HEADS.items()
                if head in gradings
            },
            marks=_marks(prepared, placed),
            further=gradings,
        )

    def _grading(self, head: str, values: tuple[float, ...]) -> Grading:
        p0, p1, p2, p3 = values
        return Grading(
            (p0, p1, p2, p3),
            temperature=self._temperature(head),
            threshold=self._threshold(head),
        )

    def _threshold(self, head: str) -> float | None:
        """Return below which probability a grade needs a reader.

        Under a site's name nothing stands alone that the site has not evaluated.
        """
        if head in self._uncovered:
            return EVERY_GRADE
        threshold = self._bundle.card.thresholds.get(head)
        return threshold.probability if threshold else None

    def _temperature(self, head: str) -> float:
        return self._bundle.card.calibration.get(head, 1.0)


def _marks(prepared: Prepared, placed: Placed) -> AxialMarks:
    """Return what was found on a slice, on the image as stored.

    Disc margin and facets are taught on slices through discs; what a network makes of
    them on others is nothing to show.
    """
    if prepared.found is None:
        return AxialMarks()
    marks = prepared.turn.marks(prepared.found.marks)
    if placed.through_disc is False:
        return AxialMarks(sac_centre=marks.sac_centre)
    return marks
