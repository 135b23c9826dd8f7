"""What a bundle says about the images of a manifest, as the service would say it.

The region is the one that the service would find on that image, also where somebody
drew a box: figures are of what a hospital would get. Only what neighbouring slices tell
is missing, since a manifest holds images and no studies.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from numpy.typing import NDArray

from grading.bundle import Bundle
from grading.card import Card
from grading.evaluation.case_file import (
    COLUMNS,
    FACT_COLUMNS,
    PART_COLUMN,
    PREDICTOR_COLUMNS,
)
from grading.evaluation.cases import Predictor
from grading.grader import Grader
from grading.grades import Finding
from grading.landmarks.found import Locator
from grading.preprocess import crop
from grading.regions import Seen, region_finder
from grading.training.images import ReadImage, read_images
from grading.training.manifest import LabelledImage, Manifest

BATCH_SLICES = 64
DECIMALS = 6
"""Of a probability in a table."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One image and what the bundle says about it."""

    labelled: LabelledImage
    probabilities: NDArray[np.float64]
    """(findings, 4), calibrated as the bundle's card says."""


def predictions(
    bundle: Bundle, manifest: Manifest, images: Sequence[LabelledImage]
) -> Iterator[Prediction]:
    """Grade images of a manifest, in the order of their files.

    Raises
    ------
    CasesError
        A file is missing, or no longer holds the image that was imported.
    """
    grader = Grader(bundle)
    remaining = read_images(manifest, images)
    while some := list(islice(remaining, BATCH_SLICES)):
        found = grader.probabilities(_network_input(bundle.card, grader.locator, some))
        for i, read in enumerate(some):
            rows = [found[finding.value][i] for finding in Finding]
            yield Prediction(read.labelled, np.array(rows))


def predictor(card: Card) -> Predictor:
    """Return what a table of predictions says of the bundle that made them."""
    return Predictor(
        f"{card.name} {card.version}",
        card.weights_sha256,
        card.basis,
        card.calibration_sha256,
    )


def predictor_cells(card: Card) -> dict[str, str]:
    """Return the same as cells of every row of such a table."""
    made_by = predictor(card)
    cells = made_by.name, made_by.sha256, made_by.basis, made_by.calibration_sha256
    return dict(zip(PREDICTOR_COLUMNS, cells, strict=True))


def write_cases(path: Path, bundle: Bundle, predicted: Iterator[Prediction]) -> None:
    """Write predictions beside their reference, whole or not at all.

    The table is what ``lumbar-grading evaluate`` takes; a finding without a
    reference grade has no row.
    """
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        _write(file, bundle, predicted)
    partial.replace(path)


def _write(file: TextIO, bundle: Bundle, predicted: Iterator[Prediction]) -> None:
    columns = (*COLUMNS, *FACT_COLUMNS, *PREDICTOR_COLUMNS, PART_COLUMN)
    by_whom = predictor_cells(bundle.card)
    table = csv.DictWriter(file, columns, restval="")
    table.writeheader()
    for one in predicted:
        for probabilities, finding in zip(one.probabilities, Finding, strict=True):
            if finding in one.labelled.grades:
                table.writerow(by_whom | _row(one.labelled, finding, probabilities))


def _row(
    labelled: LabelledImage, finding: Finding, probabilities: NDArray[np.float64]
) -> dict[str, object]:
    grade = labelled.grades[finding]
    return {
        "patient": labelled.patient,
        "study": labelled.study,
        "series": labelled.series,
        "sop_instance": labelled.sop_instance,
        "frame": labelled.frame,
        "level": labelled.level or "",
        "finding": finding,
        "reference": int(grade),
        "site": labelled.site,
        "scanner": labelled.scanner,
        "images": "phantom" if labelled.phantom else "",
        PART_COLUMN: labelled.part,
    } | {f"p{i}": f"{p:.{DECIMALS}f}" for i, p in enumerate(probabilities)}


def _network_input(
    card: Card, locator: Locator | None, some: Sequence[ReadImage]
) -> list[torch.Tensor]:
    slices = [read.slice_ for read in some]
    found = locator.axial(slices) if locator else [None] * len(slices)
    seen = [Seen(slice_.header, at) for slice_, at in zip(slices, found, strict=True)]
    regions = region_finder(card).regions(seen, ())
    return [
        crop(read.pixels, read.spacing_mm, region, card.preprocessing)
        for read, region in zip(some, regions, strict=True)
    ]
