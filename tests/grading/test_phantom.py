"""The phantom: shapes, definitions, and that pixels and grades come from one seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from grading.grades import Finding, Grade
from grading.phantom.anatomy import Anatomy
from grading.phantom.draw import draw_anatomy
from grading.phantom.measure import (
    Truth,
    grade_canal,
    grade_herniation,
    grade_root,
)
from grading.phantom.prevalence import (
    MARGINS,
    WantedGrades,
    draw_wanted,
    joint_table,
    possible,
)
from grading.phantom.ranges import (
    Acquisition,
    Domain,
    Prevalence,
)
from grading.phantom.raster import Canvas, draw_grid, smooth_noise
from grading.phantom.scanner import through_k_space
from grading.phantom.shapes import Between, Capsule, Ellipse, Outside, Union
from grading.phantom.sheet import write_sheet
from grading.phantom.slices import Split, draw_slice

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


def wanted(ldh: int, lccs: int, lnrc: int) -> WantedGrades:
    return WantedGrades(Grade(ldh), Grade(lccs), Grade(lnrc))


def drawn(seed: int) -> tuple[Anatomy, Truth]:
    rng = np.random.default_rng(seed)
    return draw_anatomy(draw_wanted(Prevalence.BALANCED, rng), rng)


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, again = draw_slice((4, 0, 9)), draw_slice((4, 0, 9))

    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.truth == again.truth


def test_another_split_of_the_same_seed_is_another_slice() -> None:
    training = draw_slice((4, int(Split.TRAINING), 0))
    test = draw_slice((4, int(Split.TEST), 0))

    assert training.truth != test.truth


@pytest.mark.parametrize("domain", list(Domain))
def test_a_slice_looks_like_what_a_scanner_stores(domain: Domain) -> None:
    phantom = draw_slice((1, 2, 3), domain=domain)

    rows, columns = phantom.pixels.shape
    assert phantom.pixels.dtype == np.float32
    assert (phantom.pixels == np.round(phantom.pixels)).all()
    assert phantom.pixels.min() >= 0
    assert 300 < phantom.pixels.max() <= 4095
    assert 149 < rows * phantom.spacing_mm[0] < 301
    assert rows == columns


def test_the_external_domain_is_another_picture_of_the_same_seed() -> None:
    internal = draw_slice((1, 2, 3))
    external = draw_slice((1, 2, 3), domain=Domain.EXTERNAL)

    assert internal.truth == external.truth
    assert internal.pixels.tobytes() != external.pixels.tobytes()


@pytest.mark.parametrize("grades", COMBINATIONS)
def test_the_measured_grades_are_the_wanted_ones(grades: tuple[int, int, int]) -> None:
    _, truth = draw_anatomy(wanted(*grades), np.random.default_rng(5))

    assert tuple(truth.grade(finding) for finding in Finding) == grades


@pytest.mark.parametrize("seed", range(6))
def test_the_herniation_measures_the_same_on_a_label_map(seed: int) -> None:
    anatomy, truth = drawn(seed)
    x = np.arange(-16, 16, 0.1)
    y = np.arange(-6, 26, 0.05)
    grid_x, grid_y = np.meshgrid(x, y)

    disc = anatomy.disc.distance(grid_x, grid_y) <= 0
    margin_mm = np.where(disc, grid_y, -np.inf).max(axis=0)
    height_mm = 0.0
    if anatomy.herniation is not None:
        material = anatomy.herniation.distance(grid_x, grid_y) <= 0
        height_mm = float(
            (np.where(material, grid_y, -np.inf).max(axis=0) - margin_mm).max()
        )

    assert truth.herniation_mm == pytest.approx(max(0.0, height_mm), abs=0.25)


@pytest.mark.parametrize("seed", range(8))
def test_no_tissue_lies_inside_another(seed: int) -> None:
    anatomy, truth = drawn(seed)

    x, y = np.meshgrid(np.arange(-20, 20, 0.25), np.arange(-10, 28, 0.25))
    sac = anatomy.sac.distance(x, y) < 0
    assert not (sac & (anatomy.disc_material().distance(x, y) < 0)).any()
    assert not (sac & (anatomy.posterior_wall().distance(x, y) < -0.3)).any()
    assert not (sac & (anatomy.canal.distance(x, y) > 0)).any()
    rootlets = anatomy.rootlets
    assert (anatomy.sac.distance(rootlets.x_mm, rootlets.y_mm) < 0).all()
    for root, measured in zip(anatomy.roots, (truth.right, truth.left), strict=True):
        assert root.merged or measured.gap_mm > -0.3


@pytest.mark.parametrize("seed", range(5))
def test_facet_joints_run_from_the_front_and_middle_backwards_and_outwards(
    seed: int,
) -> None:
    anatomy, _ = drawn(seed)

    for facet in anatomy.facets:
        joint = facet.joint()
        assert joint.y1 > joint.y0
        assert abs(joint.x1) > abs(joint.x0)
        assert facet.superior_process().y < facet.inferior_process().y
        assert abs(facet.superior_process().x) > abs(facet.inferior_process().x)


@pytest.mark.parametrize(
    ("share", "grade"),
    [(0, 0), (0.05, 0), (0.051, 1), (0.5, 1), (0.501, 2), (1.0, 2), (1.001, 3)],
)
def test_ldh_follows_the_msu_sizes_and_exactly_half_is_grade_1(
    share: float, grade: int
) -> None:
    assert grade_herniation(share) == grade


@pytest.mark.parametrize(
    ("anterior_mm", "aggregated", "grade"),
    [(2.5, 0.05, 0), (0.5, 0.05, 1), (0.2, 0.5, 2), (3.0, 0.5, 2), (0.0, 1.0, 3)],
)
def test_lccs_follows_lee(anterior_mm: float, aggregated: float, grade: int) -> None:
    assert grade_canal(anterior_mm, aggregated) == grade


@pytest.mark.parametrize(
    ("gap_mm", "shift_mm", "wall_gap_mm", "thickness", "grade"),
    [
        (1.2, 0.0, 4.0, 1.0, 0),
        (1.2, 0.0, 0.1, 1.0, 0),
        (0.1, 0.2, 4.0, 1.0, 1),
        (0.1, 2.0, 2.0, 1.0, 2),
        (0.1, 2.0, 0.1, 0.4, 3),
        (0.1, 2.0, 0.1, 0.9, 2),
        (-1.0, 0.0, 4.0, 0.0, 3),
    ],
)
def test_lnrc_follows_pfirrmann(
    gap_mm: float, shift_mm: float, wall_gap_mm: float, thickness: float, grade: int
) -> None:
    assert grade_root(gap_mm, shift_mm, wall_gap_mm, thickness) == grade


@pytest.mark.parametrize("prevalence", list(Prevalence))
def test_the_joint_table_has_the_margins_asked_for(prevalence: Prevalence) -> None:
    table = joint_table(prevalence)

    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        np.testing.assert_allclose(
            table.sum(axis=others), MARGINS[prevalence][axis], atol=2e-3
        )


def test_the_joint_table_holds_only_what_an_anatomy_can_show() -> None:
    table = joint_table(Prevalence.BALANCED)

    for cell in np.ndindex(table.shape):
        assert (table[cell] > 0) == possible(*cell)


def test_grades_that_no_anatomy_can_show_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be"):
        draw_slice((1, 0, 0), wanted=wanted(0, 0, 2))


@settings(max_examples=60, deadline=None)
@given(
    half_width=st.floats(1, 30),
    half_depth=st.floats(1, 30),
    angle_deg=st.floats(-90, 90),
    exponent=st.sampled_from([1.6, 2.0, 2.4]),
    turn=st.floats(0, 2 * np.pi),
)
def test_a_superellipse_is_negative_inside_zero_on_its_outline_and_positive_outside(
    half_width: float,
    half_depth: float,
    angle_deg: float,
    exponent: float,
    turn: float,
) -> None:
    shape = Ellipse(3, -2, half_width, half_depth, angle_deg, exponent)
    cosine, sine = np.cos(turn), np.sin(turn)
    norm = (abs(cosine) ** exponent + abs(sine) ** exponent) ** (1 / exponent)
    along, across = half_width * cosine / norm, half_depth * sine / norm
    angle = np.deg2rad(angle_deg)
    dx = along * np.cos(angle) - across * np.sin(angle)
    dy = along * np.sin(angle) + across * np.cos(angle)
    share = np.array([0.9, 1.0, 1.1])

    inner, outline, outer = shape.distance(3 + share * dx, -2 + share * dy)

    assert inner < 0 < outer
    assert outline == pytest.approx(0, abs=1e-3)


def test_a_capsule_measures_the_distance_to_its_segment() -> None:
    capsule = Capsule(0, 0, 10, 0, 2)

    found = capsule.distance(np.array([5.0, -3.0, 14.0, 5.0]), np.array([5.0, 0, 3, 1]))

    np.testing.assert_allclose(found, [3, 1, 3, -1])


def test_a_shape_between_obstacles_keeps_its_distance() -> None:
    wide, post = Ellipse(0, 0, 10, 10), Ellipse(0, 12, 4, 4)
    shape = Between(wide, Union((post, Outside(wide))), clearance_mm=1.0)

    found = shape.distance(np.array([2.0, 0.0, 9.5]), np.array([0.0, 7.5, 0.0]))

    assert found[0] < 0
    assert (found[1:] > 0).all()


@pytest.mark.parametrize("grain", [0.5, 1.7, 6.0])
def test_texture_has_unit_variance_at_every_grain(grain: float) -> None:
    noise = smooth_noise((90, 120), grain, np.random.default_rng(0))

    assert noise.shape == (90, 120)
    assert noise.std() == pytest.approx(1, abs=0.03)


def test_a_painted_shape_covers_its_area() -> None:
    grid = draw_grid(200, 0.5, np.random.default_rng(3))
    canvas = Canvas(grid, np.ones((200, 200), np.float32), edge_mm=0.5)

    canvas.paint(Ellipse(0, 7, 10, 6), 1.0)

    area_mm2 = float(canvas.water.sum()) * 0.25
    # The warp stretches by a tenth at most.
    assert area_mm2 == pytest.approx(np.pi * 60, rel=0.2)
    assert not canvas.fat.any()


def test_what_is_painted_last_lies_on_top() -> None:
    grid = draw_grid(100, 0.5, np.random.default_rng(3))
    canvas = Canvas(grid, np.ones((100, 100), np.float32), edge_mm=0.5)

    canvas.paint(Ellipse(0, 7, 10, 10), 0.9, fat=True)
    canvas.paint(Ellipse(0, 7, 10, 10), 0.3)

    assert canvas.fat.max() < 0.9 * 0.26
    assert canvas.water.max() == pytest.approx(0.3)


def test_a_perfect_scanner_changes_nothing() -> None:
    perfect = Acquisition(
        noise=(0, 0),
        phase_share=(1, 1),
        interpolation=(1, 1),
        ghost_probability=0,
        motion_probability=0,
    )
    image = np.random.default_rng(0).random((64, 64), dtype=np.float32)

    found = through_k_space(image, 0.5, perfect, np.random.default_rng(1))

    np.testing.assert_allclose(found, image, atol=1e-5)


def test_noise_is_rician_and_as_strong_as_asked_for() -> None:
    noisy = Acquisition(
        noise=(0.04, 0.04),
        phase_share=(0.7, 0.7),
        interpolation=(1, 1),
        ghost_probability=0,
        motion_probability=0,
    )
    bright = np.ones((128, 128), np.float32)

    found = through_k_space(bright, 0.8, noisy, np.random.default_rng(1))
    empty = through_k_space(bright * 0, 0.8, noisy, np.random.default_rng(1))

    assert found.std() == pytest.approx(0.04, rel=0.1)
    # The mean of a Rayleigh distribution.
    assert empty.mean() == pytest.approx(0.04 * np.sqrt(np.pi / 2), rel=0.1)


def test_a_contact_sheet_shows_as_many_slices_as_asked_for(tmp_path: Path) -> None:
    write_sheet(tmp_path / "sheet.png", slices=7, seed=1, domain=Domain.INTERNAL)

    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    rows = np.split(sheet, 2)
    assert rows[1][:, : sheet.shape[1] // 6].std() > 10
    assert rows[1][:, sheet.shape[1] // 6 :].max() == 0
