"""Slices of the phantom: that pixels and grades come from one seed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from grading.grades import Grade
from grading.phantom import sheet
from grading.phantom.prevalence import WantedGrades
from grading.phantom.ranges import Domain
from grading.phantom.slices import PhantomSlice, Split, draw_slice


def wanted(ldh: int, lccs: int, lnrc: int) -> WantedGrades:
    return WantedGrades(Grade(ldh), Grade(lccs), Grade(lnrc))


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, again = draw_slice((4, 0, 9)), draw_slice((4, 0, 9))

    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.truth == again.truth


def test_another_split_of_the_same_seed_is_another_slice() -> None:
    training = draw_slice((4, int(Split.TRAINING), 0))
    test = draw_slice((4, int(Split.TEST), 0))

    assert training.truth != test.truth


@cache
def one(domain: Domain = Domain.INTERNAL) -> PhantomSlice:
    """A slice at which several tests look."""
    return draw_slice((1, 2, 3), domain=domain)


@pytest.mark.parametrize("domain", list(Domain))
def test_a_slice_looks_like_what_a_scanner_stores(domain: Domain) -> None:
    phantom = one(domain)

    rows, columns = phantom.pixels.shape
    assert phantom.pixels.dtype == np.float32
    assert (phantom.pixels == np.round(phantom.pixels)).all()
    assert phantom.pixels.min() >= 0
    assert 300 < phantom.pixels.max() <= 4095
    assert 149 < rows * phantom.spacing_mm[0] < 301
    assert rows == columns


def test_the_external_domain_is_another_picture_of_the_same_seed() -> None:
    internal, external = one(), one(Domain.EXTERNAL)

    assert internal.truth.grades == external.truth.grades
    assert internal.pixels.tobytes() != external.pixels.tobytes()


def test_grades_that_no_anatomy_can_show_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be"):
        draw_slice((1, 0, 0), wanted=wanted(0, 0, 2))


def test_a_contact_sheet_shows_as_many_slices_as_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def draw(key: tuple[int, int, int], domain: Domain) -> PhantomSlice:
        asked.append(key)
        return one(domain)

    monkeypatch.setattr(sheet, "draw_slice", draw)

    sheet.write_sheet(tmp_path / "sheet.png", 7, seed=1, domain=Domain.INTERNAL)

    drawn = np.asarray(Image.open(tmp_path / "sheet.png"))
    rows, column = np.split(drawn, 2), drawn.shape[1] // sheet.COLUMNS
    assert asked == [(1, int(Split.TEST), index) for index in range(7)]
    assert rows[1][:, :column].std() > 10
    assert rows[1][:, column:].max() == 0
