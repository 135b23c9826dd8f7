"""The cross-section of the canal at a disc: what is drawn towards wanted grades."""

from __future__ import annotations

import numpy as np
import pytest

from grading.grades import Finding, Grade, Level
from grading.phantom.misfit import MisfitError
from grading.phantom.prevalence import WantedGrades, draw_wanted
from grading.phantom.ranges import ROOTLETS, SAC_AREA_MM2, Prevalence
from grading.phantom.section.anatomy import Anatomy
from grading.phantom.section.draw import distinct, draw_anatomy
from grading.phantom.section.frame import draw_build
from grading.phantom.section.gauge import Truth
from grading.phantom.shapes import Union

COMBINATIONS = [
    (0, 0, 0),
    (0, 1, 1),
    (0, 2, 3),
    (1, 0, 2),
    (1, 3, 0),
    (2, 1, 2),
    (2, 2, 3),
    (3, 3, 3),
    (3, 1, 0),
]
BUILDS = 20
"""Some patients' canals cannot show some combinations."""


def wanted(ldh: int, lccs: int, lnrc: int) -> WantedGrades:
    return WantedGrades(Grade(ldh), Grade(lccs), Grade(lnrc))


def drawn(
    seed: int, grades: WantedGrades | None = None, level: Level = Level.L4_L5
) -> tuple[Anatomy, Truth]:
    """Draw a section of the first patient whose canal can show the grades."""
    rng = np.random.default_rng(seed)
    grades = grades or draw_wanted(Prevalence.BALANCED, rng)
    for _ in range(BUILDS):
        try:
            return draw_anatomy(grades, level, draw_build(rng), rng)
        except MisfitError:
            continue
    raise AssertionError(f"none of {BUILDS} patients shows {grades}")


@pytest.mark.parametrize("grades", COMBINATIONS)
def test_the_measured_grades_are_the_wanted_ones(grades: tuple[int, int, int]) -> None:
    _, truth = drawn(5, wanted(*grades))

    assert tuple(truth.grade(finding) for finding in Finding) == grades


@pytest.mark.parametrize("level", [Level.T12_L1, Level.L2_L3, Level.L5_S1])
def test_every_level_can_be_drawn(level: Level) -> None:
    anatomy, truth = drawn(3, wanted(1, 1, 1), level)

    assert anatomy.level is level
    assert truth.grades == (1, 1, 1)


@pytest.mark.parametrize("seed", range(6))
def test_no_measure_of_canal_and_roots_lies_near_a_cut(seed: int) -> None:
    _, truth = drawn(seed)

    assert distinct(truth)


@pytest.mark.parametrize("seed", range(6))
def test_the_herniation_measures_the_same_on_a_label_map(seed: int) -> None:
    anatomy, truth = drawn(seed)
    x, y = np.meshgrid(np.arange(-16, 16, 0.1), np.arange(-6, 26, 0.05))

    disc = anatomy.disc.distance(x, y) <= 0
    margin_mm = np.where(disc, y, -np.inf).max(axis=0)
    lost = [root.shape() for root in anatomy.roots if root.merged]
    dome = anatomy.herniation.shapes() if anatomy.herniation else ()
    material = Union((*dome, *lost)).distance(x, y) <= 0
    heights_mm = np.where(material, y, -np.inf).max(axis=0) - margin_mm

    assert truth.herniation_mm == pytest.approx(max(0.0, heights_mm.max()), abs=0.25)


@pytest.mark.parametrize("seed", range(8))
def test_no_tissue_lies_inside_another(seed: int) -> None:
    anatomy, truth = drawn(seed)

    x, y = np.meshgrid(np.arange(-20, 20, 0.25), np.arange(-10, 28, 0.25))
    sac = anatomy.sac.distance(x, y) < 0
    assert not (sac & (anatomy.disc_material().distance(x, y) < 0)).any()
    assert not (sac & (anatomy.posterior_wall().distance(x, y) < 0)).any()
    assert not (sac & (anatomy.canal.distance(x, y) > 0)).any()
    for facet in anatomy.facets:
        assert not (sac & (facet.joint().distance(x, y) < 0)).any()
    rootlets = anatomy.rootlets
    assert (anatomy.sac.distance(rootlets.x_mm, rootlets.y_mm) < 0).all()
    for root, measured in zip(anatomy.roots, (truth.right, truth.left), strict=True):
        assert root.merged or measured.gap_mm > -0.3


@pytest.mark.parametrize("seed", range(4))
def test_sacs_and_rootlets_are_as_large_and_many_as_their_grade_asks(seed: int) -> None:
    anatomy, truth = drawn(seed)

    low_mm2, high_mm2 = SAC_AREA_MM2[truth.grade(Finding.LCCS)]
    assert 0.9 * low_mm2 < truth.sac_area_mm2 < 1.1 * high_mm2
    fewest, most = ROOTLETS[anatomy.level]
    assert fewest <= len(anatomy.rootlets.x_mm) <= most


@pytest.mark.parametrize("seed", range(5))
def test_facet_joints_run_from_the_front_and_middle_backwards_and_outwards(
    seed: int,
) -> None:
    anatomy, _ = drawn(seed)
    x, y = np.meshgrid(np.arange(-40, 40, 0.25), np.arange(-10, 50, 0.25))

    for facet in anatomy.facets:
        joint = facet.joint().distance(x, y) < 0
        front = y[joint] < np.quantile(y[joint], 0.1)
        back = y[joint] > np.quantile(y[joint], 0.9)
        away = np.abs(x[joint])
        assert away[front].mean() < away[back].mean()
        assert away.min() == pytest.approx(abs(facet.edge_x_mm), abs=0.6)
        superior = facet.superior_process().distance(x, y) < 0
        inferior = facet.inferior_process().distance(x, y) < 0
        assert y[superior].mean() < y[inferior].mean()
        assert np.abs(x[superior]).mean() > np.abs(x[inferior]).mean()


def test_grades_that_no_anatomy_can_show_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be"):
        drawn(0, wanted(0, 0, 2))
