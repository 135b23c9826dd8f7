"""The truth beside phantom studies, in the place of a hospital's table of grades.

A phantom's grades are measured on its geometry. Images on whose plane nothing was
measured have none and stay without a label.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from grading.boxes import Box
from grading.evaluation.delimited import CasesError
from grading.grades import Finding, Grade, Level
from grading.training.importing.labels import Label

TRUTH_NAME = "truth.json"
FORMAT = "lumbar-phantom-study/1"


def read_truths(archive: Path) -> list[Label]:
    """Return a label for every graded image of every phantom study below a folder.

    Raises
    ------
    CasesError
        There is no truth, or one that this version cannot read.
    """
    paths = sorted(archive.rglob(TRUTH_NAME))
    if not paths:
        raise CasesError(
            archive, None, f"no {TRUTH_NAME} below it; name what `phantom` wrote"
        )
    return [label for path in paths for label in _labels(archive, path)]


def _labels(archive: Path, path: Path) -> Iterator[Label]:
    try:
        truth = json.loads(path.read_text(encoding="utf-8"))
        if truth["format"] != FORMAT:
            raise ValueError(f"`format` is {truth['format']!r}, not {FORMAT!r}")
        folder = path.parent.relative_to(archive)
        images = [image for image in truth["images"] if image["measured"]]
        labels = [
            _label((folder / image["file"]).as_posix(), truth, image)
            for image in images
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise CasesError(
            path, None, f"{error}; draw the study with this version's `phantom`"
        ) from error
    yield from labels


def _label(file: str, truth: Mapping[str, Any], image: Mapping[str, Any]) -> Label:
    box, level = image["box"], image["level"]
    return Label(
        source=f"{TRUTH_NAME} of {file}",
        study=truth["study_instance_uid"],
        series=image["series_instance_uid"],
        sop_instance=image["sop_instance_uid"],
        frame=image["frame"],
        file=file,
        level=Level(level) if level else None,
        grades={
            Finding(finding): Grade(grade)
            for finding, grade in image["measured"]["grades"].items()
            if grade is not None
        },
        box=Box(**box) if box else None,
    )
