"""Whole studies: one patient in every series, from one key."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

from grading.__main__ import main
from grading.grades import Grade, Level
from grading.phantom.image.scene import Scene
from grading.phantom.image.tissues import draw_constitution
from grading.phantom.measure import measure
from grading.phantom.prevalence import WantedGrades
from grading.phantom.ranges import Domain
from grading.phantom.spine.parts import Spine
from grading.phantom.spine.spine import draw_spine
from grading.phantom.spine.tissues import Tissue
from grading.phantom.studies.draw import Examination, draw_scanner, measured_levels
from grading.phantom.studies.drawn import DrawnSeries, DrawnStudy, StudyKey, Writing
from grading.phantom.studies.gather import truth_of
from grading.phantom.studies.habits import HABITS, Role, Syntax
from grading.phantom.studies.protocol import SeriesPlan, plan_series
from grading.phantom.studies.stacks import Stack
from grading.phantom.studies.vendors import MANNERS
from tests.grading.phantom.drawn import coarse

WANTED = {
    Level.L3_L4: WantedGrades(Grade.GRADE_1, Grade.GRADE_1, Grade.GRADE_1),
    Level.L4_L5: WantedGrades(Grade.GRADE_2, Grade.GRADE_2, Grade.GRADE_3),
}
SEED = 21
"""Of a slabbed study."""


@cache
def spine() -> Spine:
    return draw_spine(WANTED, np.random.default_rng(SEED))


@cache
def plans() -> dict[Role, SeriesPlan]:
    """Return the lowest two slabs and a few sagittal cuts, quick to render."""
    planned = plan_series(spine(), Domain.INTERNAL, np.random.default_rng(SEED))
    return {plan.role: replace(plan, stacks=quick(plan.stacks)) for plan in planned}


def quick(stacks: tuple[Stack, ...]) -> tuple[Stack, ...]:
    """Return fewer cuts with larger pixels."""
    few = [stack.cuts[1:4] for stack in stacks[-2:]]
    return tuple(Stack(tuple(coarse(cut) for cut in cuts)) for cuts in few)


def examination() -> Examination:
    constitution = draw_constitution(Domain.INTERNAL, np.random.default_rng(SEED))
    measured = cache(partial(measure, spine()))
    return Examination(Scene.of(spine()), constitution, Domain.INTERNAL, 1.5, measured)


@cache
def scanned(role: Role) -> DrawnSeries:
    return examination().scan(plans()[role], np.random.SeedSequence(SEED))


@cache
def study() -> DrawnStudy:
    return DrawnStudy(
        key=StudyKey(SEED, 1),
        writing=Writing(MANNERS["A"], enhanced=False, syntax=Syntax.EXPLICIT),
        spine=spine(),
        wanted=WANTED,
        measured=measured_levels(spine()),
        series=(scanned(Role.SAGITTAL_T2), scanned(Role.AXIAL_T2)),
    )


def test_what_was_asked_for_is_what_is_measured_at_the_middle_of_the_disc() -> None:
    measured = measured_levels(spine())

    for level in Level:
        wanted = WANTED.get(
            level, WantedGrades(Grade.GRADE_0, Grade.GRADE_0, Grade.GRADE_0)
        )
        asked = (wanted.ldh, wanted.lccs, wanted.lnrc)
        assert measured[level].grades == asked, level


def test_the_same_stream_scans_the_same_images_and_each_has_noise_of_its_own() -> None:
    again = examination().scan(plans()[Role.AXIAL_T2], np.random.SeedSequence(SEED))
    other = examination().scan(plans()[Role.AXIAL_T2], np.random.SeedSequence(SEED + 1))

    first = scanned(Role.AXIAL_T2)
    for one, two in zip(first.images, again.images, strict=True):
        assert np.array_equal(one.pixels, two.pixels)
    assert not np.array_equal(first.images[0].pixels, other.images[0].pixels)


def test_axial_images_are_measured_and_the_others_are_not() -> None:
    through = [image.truth for image in scanned(Role.AXIAL_T2).images if image.truth]

    assert {truth.level for truth in through} == {Level.L4_L5, Level.L5_S1}
    assert all(image.truth is None for image in scanned(Role.SAGITTAL_T2).images)


def test_a_landmark_lies_on_its_structure_wherever_it_is_seen() -> None:
    discs = (Tissue.NUCLEUS, Tissue.ANNULUS, Tissue.HERNIATION)
    sac = (Tissue.FLUID, Tissue.ROOTLET)
    marks = [
        mark
        for image in truth_of(study()).images
        for mark in image.landmarks
        if mark.name in ("disc_centre", "sac_centre")
    ]

    found = {
        (mark.name, mark.level): Tissue(int(spine().tissue_at(np.array(mark.lps_mm))))
        for mark in marks
    }

    assert ("sac_centre", Level.L4_L5) in found
    assert {level for name, level in found if name == "disc_centre"} == set(Level)
    for (name, level), tissue in found.items():
        assert tissue in (discs if name == "disc_centre" else sac), (name, level)


def test_the_sac_is_bright_where_the_truth_points() -> None:
    shown = [
        (image, image.truth.landmarks.sac_centre_mm)
        for image in scanned(Role.AXIAL_T2).images
        if image.truth is not None and image.truth.level is Level.L5_S1
    ]

    assert shown
    for image, sac_mm in shown:
        row, column = image.cut.pixel(np.array(sac_mm))
        sac = image.pixels[round(float(row)), round(float(column))]
        assert sac > np.median(image.pixels)


@pytest.mark.parametrize("domain", Domain)
def test_the_domains_have_departments_of_their_own(domain: Domain) -> None:
    rng = np.random.default_rng(1)

    drawn = [draw_scanner(HABITS[domain], rng) for _ in range(400)]

    letters = {writing.manner.letter for writing, _ in drawn}
    assert letters == set(HABITS[domain].manners)
    assert {writing.syntax for writing, _ in drawn} == set(Syntax)
    assert any(writing.enhanced for writing, _ in drawn)
    assert all(
        tesla in writing.manner.fields_tesla and 0.3 <= tesla <= 3.0
        for writing, tesla in drawn
    )


def test_an_occupied_folder_ends_the_command_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    status = main(["phantom", str(tmp_path), "--studies", "2", "--seed", "1"])

    assert status == 1
    assert "is not empty: name a new one, or empty it first" in capsys.readouterr().err


@pytest.mark.parametrize("seed", ["-1", str(2**63)])
def test_an_impossible_seed_ends_the_command_with_a_sentence(
    seed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "set"

    status = main(["phantom", str(out), "--studies", "2", "--seed", seed])

    assert status == 1
    assert f"seed {seed} is not within 0 to" in capsys.readouterr().err
    assert not out.exists()
