"""Draw the pictures of docs/phantom.md: `python scripts/phantom_pictures.py`.

Real slices beside the phantoms are those of the public-domain study in tests/data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from grading.grades import Finding, Grade
from grading.phantom.prevalence import WantedGrades, possible
from grading.phantom.ranges import Domain
from grading.phantom.sheet import write_sheet
from grading.phantom.slices import Split, draw_slice
from grading.phantom.studies.draw import draw_study
from grading.phantom.studies.drawn import StudyKey
from grading.phantom.studies.habits import Role

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HITACHI = ROOT / "tests" / "data" / "hitachi"
SEED = 7
SIDE = 300
"""Pixels of a whole image on a sheet."""
CAPTION = 16
REAL_AXIAL = (2, 5, 8, 11, 13, 16)
"""Instance numbers of slices through discs."""
REAL_SAGITTAL = (5, 6, 7)

Picture = tuple[NDArray[np.floating], str]


def main() -> None:
    """Write all pictures."""
    write_sheet(DOCS / "phantom-internal.png", 24, SEED, Domain.INTERNAL)
    write_sheet(DOCS / "phantom-external.png", 24, SEED, Domain.EXTERNAL)
    _write(DOCS / "phantom-grades.png", list(_each_grade()), 4)
    _write(DOCS / "phantom-beside-real.png", [*_real_axial(), *_axial(12)], 6)
    _write(DOCS / "phantom-sagittal.png", [*_real_sagittal(), *_sagittal()], 3)


def _each_grade() -> Iterator[Picture]:
    """Yield one phantom for every grade of every finding, the others least."""
    for finding, grade in product(Finding, Grade):
        wanted = _least(finding, grade)
        phantom = draw_slice((SEED, int(Split.TEST), 100 + grade), wanted=wanted)
        grades = "  ".join(
            f"{f} {g.value}" for f, g in zip(Finding, wanted.all, strict=True)
        )
        yield _middle(phantom.pixels, phantom.spacing_mm[0], 80.0), grades


def _least(finding: Finding, grade: Grade) -> WantedGrades:
    """Return the mildest combination that holds a grade."""
    index = list(Finding).index(finding)
    fitting = [
        cell
        for cell in product(range(4), repeat=3)
        if possible(*cell) and cell[index] == grade
    ]
    ldh, lccs, lnrc = min(fitting, key=sum)
    return WantedGrades(Grade(ldh), Grade(lccs), Grade(lnrc))


def _axial(count: int) -> Iterator[Picture]:
    for index in range(count):
        domain = Domain.INTERNAL if index < count // 2 else Domain.EXTERNAL
        phantom = draw_slice((SEED, int(Split.TEST), 200 + index), domain=domain)
        pixels = _middle(phantom.pixels, phantom.spacing_mm[0], 170.0)
        yield pixels, f"phantom, {domain}"


def _sagittal() -> Iterator[Picture]:
    for domain in Domain:
        study = draw_study(StudyKey(SEED, 1, domain))
        for role in (Role.SAGITTAL_T2, Role.SAGITTAL_T1):
            series = next(one for one in study.series if one.role is role)
            middle = len(series.images) // 2
            for place in (
                (middle,) if role is Role.SAGITTAL_T1 else (middle, middle + 2)
            ):
                yield series.images[place].pixels, f"phantom, {domain}, {role.value}"


def _real_axial() -> Iterator[Picture]:
    for dataset in _read("t2_ax", REAL_AXIAL):
        spacing_mm = float(dataset.PixelSpacing[0])
        yield _middle(dataset.pixel_array, spacing_mm, 170.0), "real, 0.3 T"


def _real_sagittal() -> Iterator[Picture]:
    for dataset in _read("t2_sag", REAL_SAGITTAL):
        yield dataset.pixel_array, "real, 0.3 T"


def _read(folder: str, numbers: Sequence[int]) -> Iterator[pydicom.Dataset]:
    datasets = [pydicom.dcmread(path) for path in sorted((HITACHI / folder).iterdir())]
    yield from (ds for ds in datasets if int(ds.InstanceNumber) in numbers)


def _middle(
    pixels: NDArray[np.floating], spacing_mm: float, wide_mm: float
) -> NDArray[np.floating]:
    half = round(wide_mm / 2 / spacing_mm)
    rows, columns = (length // 2 for length in pixels.shape)
    return pixels[
        max(0, rows - half) : rows + half, max(0, columns - half) : columns + half
    ]


def _write(path: Path, pictures: Sequence[Picture], columns: int) -> None:
    rows = -(-len(pictures) // columns)
    sheet = Image.new("L", (columns * SIDE, rows * (SIDE + CAPTION)))
    for index, (pixels, caption) in enumerate(pictures):
        left, top = index % columns * SIDE, index // columns * (SIDE + CAPTION)
        bright = np.percentile(pixels, 99.0)
        grey = np.clip(pixels / bright, 0, 1) * 255
        tile = Image.fromarray(grey.astype(np.uint8)).resize((SIDE, SIDE))
        sheet.paste(tile, (left, top + CAPTION))
        ImageDraw.Draw(sheet).text((left + 4, top + 2), caption, fill=255)
    sheet.save(path, optimize=True)


if __name__ == "__main__":
    main()
