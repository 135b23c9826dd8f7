"""From tissue to stored values: signal, painting, texture, k-space, scaling."""

from __future__ import annotations

from collections.abc import Sequence as Several
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grading.grades import Grade, Level
from grading.phantom.image import kspace
from grading.phantom.image.canvas import Exposure
from grading.phantom.image.grain import CELLS, draw_grain
from grading.phantom.image.lattice import Field, enlarge
from grading.phantom.image.paint import paint
from grading.phantom.image.render import render
from grading.phantom.image.scan import Band, Coil, Scan, Trim, draw_scan
from grading.phantom.image.scanner import acquire, through_k_space
from grading.phantom.image.scene import Scene
from grading.phantom.image.shading import saturation, sensitivity
from grading.phantom.image.signal import RELAXATIONS, Kind, Sequence, signal
from grading.phantom.image.survey import SURVEY_MM
from grading.phantom.image.tissues import (
    Constitution,
    Tissues,
    draw_constitution,
    draw_tissues,
)
from grading.phantom.image.view import View, view
from grading.phantom.prevalence import WantedGrades
from grading.phantom.ranges import Domain
from grading.phantom.spine.axis import Axis, bent_axis
from grading.phantom.spine.cut import Cut
from grading.phantom.spine.parts import Part, Spine
from grading.phantom.spine.place import Box, Place, Plane
from grading.phantom.spine.posture import draw_posture
from grading.phantom.spine.solids import Ellipsoid, Shrunk, Solid, Tube, Whole
from grading.phantom.spine.spine import draw_spine
from grading.phantom.spine.tissues import Tissue

T2 = Sequence(Kind.T2, 3600.0, 105.0, 1.5, 16)
T1 = Sequence(Kind.T1, 600.0, 11.0, 1.5, 3)
LOCALIZER = Sequence(Kind.LOCALIZER, 12.0, 4.0, 1.5, 1)
PERFECT = Scan(
    phase_along_rows=False,
    noise=0.0,
    frequency_share=1.0,
    phase_share=1.0,
    apodised=False,
    blur_pixels=0.0,
    fat_shift_pixels=0.0,
    ghost=0.0,
    ghost_share=0.25,
    pulsation=0.0,
    motion_pixels=0.0,
    coil=Coil(reach_mm=80.0, cubic=(0.0,) * 7, evened=0.0),
    saturation=None,
    crosstalk=None,
    trim=None,
    gamma=1.0,
    largest_value=1000.0,
)


@dataclass(frozen=True, slots=True)
class HalfSpace:
    """Everything on one side of an oblique plane."""

    slope: float
    """How far it moves along y per millimetre of s."""

    def distance(self, at: Place) -> Plane:
        return (at.y - self.slope * at.s) / np.float32(np.hypot(1, self.slope))

    def box(self) -> Box:
        return Box()


@cache
def straight() -> Axis:
    s = np.arange(-200.0, 201.0)
    return bent_axis(s, 0 * s, 0 * s, 0 * s, ())


def spine_of(*parts: Part) -> Spine:
    """Return a straight spine of a few parts, in painter's order."""
    return Spine(
        axis=straight(),
        discs=(),
        parts=parts,
        sac=HalfSpace(0.0),
        rootlets=(),
        lumbar_vertebrae=5,
        conus_s_mm=0.0,
        sacrum_s_mm=-100.0,
    )


@cache
def whole_spine() -> Spine:
    grades = WantedGrades(Grade.GRADE_1, Grade.GRADE_1, Grade.GRADE_1)
    return draw_spine({Level.L4_L5: grades}, np.random.default_rng(3))


@cache
def constitution(domain: Domain = Domain.INTERNAL, seed: int = 1) -> Constitution:
    return draw_constitution(domain, np.random.default_rng(seed))


@cache
def tissues(sequence: Sequence = T2) -> Tissues:
    rng = np.random.default_rng(2)
    return draw_tissues(constitution(), sequence, Domain.INTERNAL, rng)


def axial(pixels: int = 96, pixel_mm: float = 0.5, up_mm: float = 0.0) -> Cut:
    return Cut.centred(
        (0.0, 0.0, up_mm), (1, 0, 0), (0, 1, 0), (pixel_mm, pixel_mm), (pixels, pixels)
    )


def seen(cut: Cut, thickness_mm: float = 0.0) -> View:
    return view(straight(), cut, thickness_mm)


def painted(parts: Several[Part], cut: Cut, thickness_mm: float = 0.0) -> Exposure:
    scene = Scene.of(spine_of(*parts))
    rng = np.random.default_rng(0)
    return paint(scene, seen(cut, thickness_mm), tissues(), rng)


def ball(radius_mm: float, s_mm: float = 0.0) -> Ellipsoid:
    return Ellipsoid(0.0, 0.0, s_mm, radius_mm, radius_mm, radius_mm, radius_mm)


def column(half_width_mm: float, half_depth_mm: float, drift_mm: float = 0.0) -> Tube:
    """Return a tube along the spine that moves backwards on its way to the head."""
    s, ones = np.array([-60.0, 60.0]), np.ones(2)
    y = drift_mm / 60 * s
    return Tube(s, 0 * ones, y, half_width_mm * ones, half_depth_mm * ones)


def part(tissue: Tissue, solid: Solid, *, fine: bool = True) -> Part:
    return Part(tissue.name.lower(), tissue, solid, fine=fine)


def exposure(water: Field, fat: Field | None = None) -> Exposure:
    nothing = np.zeros_like(water)
    return Exposure(water, nothing if fat is None else fat, nothing)


def test_on_t2_fluid_is_brightest_then_fat_and_discs_then_muscle_then_bone() -> None:
    values = [
        signal(Tissue.FLUID, T2),
        signal(Tissue.EPIDURAL_FAT, T2),
        signal(Tissue.NUCLEUS, T2, shade=1.0),
        signal(Tissue.NUCLEUS, T2, shade=0.0),
        signal(Tissue.MUSCLE, T2),
        signal(Tissue.CORTEX, T2),
    ]

    assert values == sorted(values, reverse=True)
    assert values[0] == 1.0


def test_on_t1_fat_is_brighter_than_muscle_and_fluid_is_dark() -> None:
    fat, muscle, fluid = (
        signal(tissue, T1)
        for tissue in (Tissue.SUBCUTANEOUS_FAT, Tissue.MUSCLE, Tissue.FLUID)
    )

    assert fat == 1.0 > muscle > fluid > 0


@pytest.mark.parametrize(
    ("tissue", "shade", "over_fluid"),
    [
        (Tissue.NUCLEUS, 1.0, 0.47),
        (Tissue.NUCLEUS, 0.5, 0.22),
        (Tissue.NUCLEUS, 0.0, 0.13),
        (Tissue.MARROW, 0.5, 0.56),
        (Tissue.CORD, 0.5, 0.36),
    ],
)
def test_measured_relaxation_gives_the_values_worked_out_by_hand(
    tissue: Tissue, shade: float, over_fluid: float
) -> None:
    assert signal(tissue, T2, shade) == pytest.approx(over_fluid, abs=0.005)


def test_a_longer_echo_train_brightens_fat_alone() -> None:
    long = replace(T2, echo_train=20)
    short = replace(T2, echo_train=4)

    assert signal(Tissue.FAT, long) > 1.15 * signal(Tissue.FAT, short)
    assert signal(Tissue.MUSCLE, long) == signal(Tissue.MUSCLE, short)


def test_t1_grows_with_the_field() -> None:
    low, high = (replace(T1, field_tesla=tesla) for tesla in (0.3, 3.0))

    assert signal(Tissue.MUSCLE, high) < signal(Tissue.MUSCLE, low)


@pytest.mark.parametrize("sequence", [T2, T1, LOCALIZER])
def test_every_tissue_has_a_value_in_every_sequence(sequence: Sequence) -> None:
    values = tissues(sequence).values

    assert set(RELAXATIONS) == set(values) == set(Tissue)
    for shades in values.values():
        assert all(0 <= value < 2 for value in shades)


@pytest.mark.parametrize("domain", list(Domain))
@pytest.mark.parametrize("physics_share", [0.0, 1.0])
def test_whatever_is_drawn_a_t2_slice_can_be_read(
    domain: Domain, physics_share: float
) -> None:
    rng = np.random.default_rng(0)
    patient = replace(constitution(domain), physics_share=physics_share)

    for _ in range(150):
        drawn = draw_tissues(patient, T2, domain, rng).values

        (fluid,), (fat,), (rootlet,), (root,), (muscle,), (cortex,) = (
            drawn[tissue]
            for tissue in (
                Tissue.FLUID,
                Tissue.EPIDURAL_FAT,
                Tissue.ROOTLET,
                Tissue.ROOT,
                Tissue.MUSCLE,
                Tissue.CORTEX,
            )
        )
        assert fluid > drawn[Tissue.NUCLEUS][0] > cortex
        assert fluid > 1.5 * muscle > cortex
        assert rootlet < 0.75 * fluid
        assert root < 0.8 * fat


def test_a_shade_lies_between_dark_and_bright() -> None:
    def value(shade: float) -> float:
        whole = Part("nucleus", Tissue.NUCLEUS, ball(5), shade=shade)
        return tissues().value(whole)

    values = [value(shade) for shade in (0.0, 0.25, 0.5, 0.75, 1.0)]

    assert values == sorted(values)


def test_two_parts_of_a_tissue_differ_a_little_and_stay_as_they_are() -> None:
    first, second = (Part(name, Tissue.MARROW, ball(5)) for name in ("L3", "L4"))

    values = [tissues().value(one) for one in (first, second)]

    assert values[0] != values[1] == pytest.approx(values[0], rel=0.13)
    assert values == [tissues().value(one) for one in (first, second)]


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    stride=st.integers(1, 8),
    slopes=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
)
def test_between_knots_everything_is_linear(
    rows: int, columns: int, stride: int, slopes: tuple[float, float]
) -> None:
    row, column = np.mgrid[: stride * (rows - 1) + 1, : stride * (columns - 1) + 1]
    plane = (slopes[0] * row + slopes[1] * column).astype(np.float32)

    found = enlarge(plane[::stride, ::stride], stride)

    np.testing.assert_allclose(found, plane, atol=1e-3)


@pytest.mark.parametrize("seed", [1, 10])
def test_few_points_straighten_a_whole_slice(seed: int) -> None:
    axis = draw_posture(np.random.default_rng(seed)).axis
    cut = Cut.centred(
        tuple(axis.locate(0, 0, 20.0)), (1, 0, 0), (0, 1, 0), (0.5, 0.5), (90, 90)
    )

    slab = view(axis, cut, 4.0)

    rows, columns = np.mgrid[: cut.rows, : cut.columns]
    for plane, depth_mm in enumerate((-4 / 3, 0, 4 / 3)):
        exact = axis.straighten(cut.shifted(depth_mm).at(rows, columns))
        for name in ("x", "y", "s", "left", "back", "up"):
            found = getattr(slab.at, name)[plane, : cut.rows, : cut.columns]
            np.testing.assert_allclose(found, getattr(exact, name), atol=0.06)


def test_a_painted_shape_covers_its_area() -> None:
    found = painted([part(Tissue.LIGAMENT, ball(10))], axial())

    value = tissues().value(part(Tissue.LIGAMENT, ball(10)))
    assert found.water.sum() * 0.25 / value == pytest.approx(np.pi * 100, rel=0.003)
    assert not found.fat.any()


@pytest.mark.parametrize("coarse", [(), (0,), (1,), (0, 1)])
def test_what_comes_last_lies_on_top(coarse: tuple[int, ...]) -> None:
    parts = [
        part(Tissue.SUBCUTANEOUS_FAT, ball(18), fine=0 not in coarse),
        part(Tissue.LIGAMENT, ball(18.01), fine=1 not in coarse),
    ]

    found = painted(parts, axial(), thickness_mm=4.0)

    middle = np.s_[40:56, 40:56]
    assert not found.fat[middle].any()
    np.testing.assert_allclose(found.water[middle], tissues().value(parts[1]))


def test_a_fine_structure_under_a_coarse_one_is_hidden() -> None:
    parts = [
        part(Tissue.FASCIA, ball(20), fine=False),
        part(Tissue.SUBCUTANEOUS_FAT, ball(3)),
        part(Tissue.LIGAMENT, ball(12), fine=False),
        part(Tissue.DURA, ball(5)),
    ]

    found = painted(parts, axial(), thickness_mm=4.0)

    assert not found.fat.any()
    along = found.water[48, [48, 48 + 16, 48 + 32]]
    values = [tissues().value(parts[index]) for index in (3, 2, 0)]
    np.testing.assert_allclose(along, values, rtol=1e-5)


def test_a_bone_is_a_dark_shell_around_its_marrow() -> None:
    solid = ball(12)
    bone = [part(Tissue.CORTEX, solid), part(Tissue.MARROW, Shrunk(solid, 2.0))]

    found = painted(bone, axial())

    scene = Scene.of(spine_of(*bone))
    assert len(scene.surfaces) == 1
    row = found.water[48]
    assert row[48] > 5 * row[48 + 22] > 0


def test_a_surface_of_many_solids_leaves_no_seams() -> None:
    solid = Whole((column(70, 65, drift_mm=20), column(12, 72)))

    found = painted([part(Tissue.LIGAMENT, solid)], axial(pixels=300))

    value = tissues().value(part(Tissue.LIGAMENT, solid))
    at = seen(axial(pixels=300)).centre()
    exact = np.clip(0.5 - solid.distance(at) / 0.5, 0, 1) * value
    np.testing.assert_allclose(found.water, exact, atol=0.02 * value)


@pytest.mark.parametrize("tilt", [0.0, 0.4])
def test_nothing_of_a_thin_strand_is_lost(tilt: float) -> None:
    strand = column(0.8, 0.7, drift_mm=30)
    cut = Cut.centred(
        (0, 0, 0), (1, 0, 0), (0, np.cos(tilt), np.sin(tilt)), (0.5, 0.5), (200, 96)
    )

    found = painted([part(Tissue.LIGAMENT, strand)], cut)

    value = tissues().value(part(Tissue.LIGAMENT, strand))
    exact = np.clip(0.5 - strand.distance(seen(cut).centre()) / 0.5, 0, 1)
    assert exact.sum() > 5
    np.testing.assert_allclose(found.water, exact * value, atol=1e-4)


def test_nothing_of_a_sheath_around_a_strand_is_lost() -> None:
    strand = column(0.8, 0.8)
    sheathed = [part(Tissue.LIGAMENT, Shrunk(strand, -3.0)), part(Tissue.AIR, strand)]

    found = painted(sheathed, axial())

    value = tissues().value(sheathed[0])
    ring_mm2 = np.pi * (3.8**2 - 0.8**2)
    assert found.water.sum() * 0.25 / value == pytest.approx(ring_mm2, rel=0.02)


@pytest.mark.parametrize("y_mm", [0.3, 1.5])
@pytest.mark.parametrize("s_mm", [0.0, 0.6, 1.8])
def test_nothing_of_a_blunt_end_is_lost(y_mm: float, s_mm: float) -> None:
    solid = Ellipsoid(0.3, y_mm, s_mm, 9.0, 9.0, 18.0, 18.0, bluntness=4.0)
    sagittal = Cut.centred((0, 0, 0), (0, 1, 0), (0, 0, -1), (0.5, 0.5), (120, 120))

    found = painted([part(Tissue.LIGAMENT, solid)], sagittal)

    value = tissues().value(part(Tissue.LIGAMENT, solid))
    exact = np.clip(0.5 - solid.distance(seen(sagittal).centre()) / 0.5, 0, 1)
    np.testing.assert_allclose(found.water, exact * value, atol=0.2 * value)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.5])
def test_a_thick_slice_is_the_mean_of_thin_ones(slope: float) -> None:
    parts = [
        part(Tissue.LIGAMENT, HalfSpace(slope)),
        part(Tissue.AIR, column(5, 4, drift_mm=60 * slope)),
    ]
    depths_mm = (np.arange(24) + 0.5) / 6 - 2

    thick = painted(parts, axial(), thickness_mm=4.0)

    thin = np.mean([painted(parts, axial(up_mm=up)).water for up in depths_mm], axis=0)
    strayed = np.abs(thick.water - thin) / tissues().value(parts[0])
    assert strayed.mean() < 0.0005
    assert strayed.max() < 0.1


def test_what_is_read_coarsely_is_near_what_is_read_finely() -> None:
    tube = column(30, 18)
    rough, exact = (
        painted([part(Tissue.LIGAMENT, tube, fine=fine)], axial(160)).water
        for fine in (False, True)
    )

    value = tissues().value(part(Tissue.LIGAMENT, tube))
    inside = exact.sum() / value
    assert rough.sum() / value == pytest.approx(inside, rel=0.002)
    assert SURVEY_MM > 3 * 0.5
    assert np.abs(rough - exact).max() < 0.3 * value


def test_fat_between_muscle_fibres_shines_as_fat() -> None:
    muscle = [part(Tissue.MUSCLE, column(20, 20), fine=False)]

    found = painted(muscle, axial())

    fatty = found.fat > 0.3
    assert 0 < fatty.mean() < 0.7
    assert found.water[fatty].mean() < found.water[~fatty & (found.water > 0)].mean()


def test_mottling_stays_with_the_patient_in_every_plane() -> None:
    marrow = [part(Tissue.MARROW, ball(200))]
    across = painted(marrow, axial(64)).water
    along = painted(
        marrow, Cut.centred((0, 0, 0), (1, 0, 0), (0, 0, -1), (0.5, 0.5), (64, 64))
    ).water

    # Both hold the line of points from right to left through the origin.
    first, second = (image[31:33].mean(axis=0) for image in (across, along))
    assert np.corrcoef(first, second)[0, 1] > 0.6


def test_noise_of_a_patient_has_zero_mean_and_unit_variance() -> None:
    grain = draw_grain(np.random.default_rng(4))
    cells = np.arange(CELLS, dtype=np.float32)
    x, y, z = np.meshgrid(cells, cells, cells, indexing="ij")

    at_cells = grain.at((2 * x, 2 * y, 2 * z), (2.0, 2.0, 2.0))
    one_on = grain.at((x + CELLS, y, z), (1.0, 1.0, 1.0))

    assert at_cells.mean() == pytest.approx(0, abs=1e-4)
    assert at_cells.std() == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(one_on, at_cells, atol=1e-5)


def test_a_perfect_scanner_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    water, fat = rng.random((2, 64, 48), dtype=np.float32)

    found = through_k_space(exposure(water, fat), PERFECT, rng)

    np.testing.assert_allclose(found, water + fat, atol=1e-5)


@pytest.mark.parametrize("phase_along_rows", [False, True])
def test_noise_is_rician_and_as_strong_as_asked_for(phase_along_rows: bool) -> None:
    noisy = replace(
        PERFECT, noise=0.04, phase_share=0.7, phase_along_rows=phase_along_rows
    )
    bright = np.ones((128, 128), np.float32)

    found = through_k_space(exposure(bright), noisy, np.random.default_rng(1))
    empty = through_k_space(exposure(bright * 0), noisy, np.random.default_rng(1))

    assert found.std() == pytest.approx(0.04, rel=0.05)
    # The mean of a Rayleigh distribution.
    assert empty.mean() == pytest.approx(0.04 * np.sqrt(np.pi / 2), rel=0.05)


def test_noise_is_as_coarse_as_the_acquisition() -> None:
    frequency = kspace.frequencies(64)
    rows = kspace.band(frequency, 0.5, apodised=False)
    columns = kspace.band(frequency, 1.0, apodised=True)

    noise = kspace.band_noise((64, 64), rows, columns, 1.0, np.random.default_rng(0))

    power = np.abs(np.fft.fft2(noise)) ** 2
    assert power[np.abs(frequency) > 0.25].max() < 1e-6 * power.max()
    assert power[:, np.abs(frequency) > 0.45].mean() < 0.2 * power.mean()


def test_less_of_k_space_rings_at_edges_unless_it_is_apodised() -> None:
    step = np.zeros((64, 64), np.float32)
    step[:, 16:48] = 1
    cropped = replace(PERFECT, frequency_share=0.5)

    sharp, smooth = (
        through_k_space(
            exposure(step),
            replace(cropped, apodised=apodised),
            np.random.default_rng(0),
        )
        for apodised in (False, True)
    )

    assert sharp.max() > 1.05 > 1.02 > smooth.max()


@pytest.mark.parametrize(("phase_along_rows", "axis"), [(False, 1), (True, 0)])
def test_fat_alone_shifts_along_the_frequency_axis(
    phase_along_rows: bool, axis: int
) -> None:
    rng = np.random.default_rng(0)
    water, fat = rng.random((2, 32, 32), dtype=np.float32)
    scan = replace(PERFECT, fat_shift_pixels=2.0, phase_along_rows=phase_along_rows)

    found = through_k_space(exposure(water, fat), scan, rng)

    np.testing.assert_allclose(found, water + np.roll(fat, 2, axis), atol=1e-4)


def test_a_ghost_is_a_faint_copy_along_the_phase_axis() -> None:
    dot = np.zeros((64, 64), np.float32)
    dot[32, 32] = 1

    found = through_k_space(
        exposure(dot), replace(PERFECT, ghost=0.1), np.random.default_rng(0)
    )

    assert found[48, 32] == pytest.approx(0.1, abs=1e-4)
    assert found[32, 48] == pytest.approx(0, abs=1e-4)


def test_pulsation_copies_fluid_and_nothing_else() -> None:
    fluid, bone = np.zeros((2, 64, 64), np.float32)
    fluid[32, 20], bone[32, 40] = 1, 1
    scene = Exposure(fluid + bone, 0 * bone, fluid)

    found = through_k_space(
        scene, replace(PERFECT, pulsation=0.2), np.random.default_rng(0)
    )

    assert found[48, 20] == pytest.approx(0.2, abs=1e-4)
    assert found[16, 20] == pytest.approx(0.2, abs=1e-4)
    assert found[[16, 48], 40].max() < 1e-4


def test_the_coil_is_1_at_the_canal_and_brighter_behind_it() -> None:
    coil = sensitivity(PERFECT.coil, seen(axial(200)))

    canal, behind = coil[100 + 14, 100], coil[100 + 14 + 80, 100]
    assert canal == pytest.approx(1, abs=0.01)
    assert behind == pytest.approx(np.exp(40 / 80), rel=0.01)


def test_a_saturation_band_darkens_the_front_alone() -> None:
    scan = replace(PERFECT, saturation=Band(distance_mm=30, left=0.1, edge_mm=3))

    left = saturation(scan, seen(axial(200)))

    assert left[5, 100] == pytest.approx(0.1, abs=0.01)
    assert left[100:].min() > 0.99


def test_slabs_that_cross_darken_axial_slices_alone() -> None:
    scan = replace(PERFECT, crosstalk=Band(distance_mm=30, left=0.2, edge_mm=5))
    sagittal = Cut.centred((0, 20, 0), (0, 1, 0), (0, 0, -1), (0.5, 0.5), (200, 200))

    stripe = saturation(scan, seen(axial(200)))
    none = saturation(scan, seen(sagittal))

    assert stripe[:, 100].argmin() == pytest.approx(100 + 74, abs=3)
    assert stripe.min() < 0.35
    assert (none == 1).all()


def test_evening_takes_the_coil_out_again() -> None:
    flat = exposure(np.full((120, 120), 0.5, np.float32))
    even = replace(PERFECT, coil=replace(PERFECT.coil, evened=1.0))

    uneven, evened = (
        acquire(flat, seen(axial(120)), scan, np.random.default_rng(0))
        for scan in (PERFECT, even)
    )

    assert np.ptp(evened) <= 1 < 100 < np.ptp(uneven)


def test_rims_that_the_scanner_trimmed_are_black() -> None:
    bright = exposure(np.ones((100, 100), np.float32))
    trim = Trim((0.05, 0.0, 0.02, 0.0), slope=0.0)

    found = acquire(
        bright, seen(axial(100)), replace(PERFECT, trim=trim), np.random.default_rng(0)
    )

    assert not found[:5].any()
    assert not found[:, :2].any()
    assert found[10:, 5:].all()


def test_low_field_is_noisier() -> None:
    def noise(tesla: float) -> float:
        return draw_scan(
            Domain.INTERNAL,
            replace(T2, field_tesla=tesla),
            0.5,
            np.random.default_rng(7),
        ).noise

    assert noise(0.3) > 1.5 * noise(1.5) > noise(3.0)


def test_fine_pixels_are_interpolated_and_coarse_ones_are_not() -> None:
    def acquired(spacing_mm: float) -> list[float]:
        return [
            draw_scan(
                Domain.INTERNAL, T2, spacing_mm, np.random.default_rng(seed)
            ).frequency_share
            for seed in range(20)
        ]

    assert set(acquired(0.8)) == {1.0}
    assert min(acquired(0.4)) < 0.7


@pytest.mark.parametrize("domain", list(Domain))
def test_a_slice_looks_like_what_a_scanner_stores(domain: Domain) -> None:
    rng = np.random.default_rng(5)
    patient = constitution(domain)
    drawn = draw_tissues(patient, T2, domain, rng)
    cut = Cut.centred((0, 0, 0), (1, 0, 0), (0, 1, 0), (0.9, 0.9), (160, 192))

    found = render(whole_spine(), cut, 4.0, drawn, draw_scan(domain, T2, 0.9, rng), rng)

    assert found.shape == (160, 192)
    assert found.dtype == np.float32
    assert (found == np.round(found)).all()
    assert found.min() >= 0
    assert 300 < found.max() <= 4095


def test_the_same_seed_gives_the_same_bytes() -> None:
    def draw(seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        patient = draw_constitution(Domain.INTERNAL, rng)
        drawn = draw_tissues(patient, T2, Domain.INTERNAL, rng)
        scan = draw_scan(Domain.INTERNAL, T2, 0.9, rng)
        return render(whole_spine(), axial(96, 0.9), 4.0, drawn, scan, rng).tobytes()

    first, again, other = draw(9), draw(9), draw(10)

    assert first == again != other


def test_a_scene_kept_for_many_slices_gives_what_the_spine_gives() -> None:
    scene = Scene.of(whole_spine())

    first, second = (
        render(one, axial(64, 1.0), 4.0, tissues(), PERFECT, np.random.default_rng(1))
        for one in (scene, whole_spine())
    )

    assert first.tobytes() == second.tobytes()
