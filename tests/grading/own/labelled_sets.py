"""Four patients on disk, labelled by a manifest; each part has one or two."""

from __future__ import annotations

from pathlib import Path

from grading.grades import Finding, Grade
from grading.preprocess import Preprocessing
from grading.training.manifest import LabelledImage, Manifest, Part, write_manifest
from tests.grading.importing.archives import SLICES, Study, write_archive

SPEC = Preprocessing(region_size_mm=54.0, grid_pixels=32)
STUDIES = tuple(Study(number, patient_id=f"P{number}") for number in range(1, 5))
PARTS = (Part.TRAINING, Part.TRAINING, Part.VALIDATION, Part.TEST)


def labelled(study: Study, place: int, part: Part, phantom: bool) -> LabelledImage:
    grades = {
        finding: Grade((study.number + place + i) % 4)
        for i, finding in enumerate(Finding)
        # Nobody graded the roots of the first study.
        if not (study.number == 1 and finding is Finding.LNRC)
    }
    return LabelledImage(
        patient=study.patient_id,
        study=study.uid,
        series=study.series,
        sop_instance=study.instance(place),
        frame=1,
        file=study.file(place),
        level=None,
        grades=grades,
        box=None,
        part=part,
        site="",
        scanner="Maker",
        phantom=phantom,
    )


def write_set(folder: Path, *, phantom: bool = False) -> Path:
    """Write an archive and its manifest; return the manifest's path."""
    write_archive(folder / "archive", *STUDIES)
    images = tuple(
        labelled(study, place, part, phantom)
        for study, part in zip(STUDIES, PARTS, strict=True)
        for place in range(1, SLICES + 1)
    )
    path = folder / "manifest.jsonl"
    write_manifest(path, Manifest(folder / "archive", images))
    return path
