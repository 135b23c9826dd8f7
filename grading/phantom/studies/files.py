"""The files of one study: a Part 10 file per object, and the truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from grading.phantom.studies.classic import classic_images
from grading.phantom.studies.drawn import DrawnSeries, DrawnStudy
from grading.phantom.studies.enhanced import enhanced_dataset
from grading.phantom.studies.gather import truth_of
from grading.phantom.studies.identity import instances
from grading.phantom.studies.part10 import part10
from grading.phantom.studies.stored import scale_of
from grading.phantom.studies.truth import as_json

TRUTH = "truth.json"


def write_study(folder: Path, study: DrawnStudy) -> int:
    """Write one study and its truth into a new folder; returns how many images."""
    folder.mkdir()
    for series in study.series:
        (folder / series.role).mkdir()
        for path, file in part10_files(study, series):
            (folder / path).write_bytes(file)
    (folder / TRUTH).write_text(as_json(truth_of(study)), "utf-8")
    return sum(len(series.images) for series in study.series)


def part10_files(study: DrawnStudy, series: DrawnSeries) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each Part 10 file of a series."""
    storage, syntax = study.writing.manner.storage, study.writing.syntax
    if study.writing.enhanced:
        frames = instances(study, series)
        scale = scale_of(series, study.writing.manner)
        stored = np.stack([scale.stored(frame.image.pixels) for frame in frames])
        ds = enhanced_dataset(study, series, scale)
        yield frames[0].path, part10(ds, stored, storage, syntax)
        return
    for image in classic_images(study, series):
        file = part10(image.dataset(), image.stored, storage, syntax)
        yield image.instance.path, file
