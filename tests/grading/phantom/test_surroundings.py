"""The body around the spine: nothing inside out, on the wrong side or bare."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from grading.grades import Level
from grading.phantom.spine.body.outline import Outline
from grading.phantom.spine.body.trunk import SKIN_MM
from grading.phantom.spine.body.upright import upright
from grading.phantom.spine.parts import Part
from grading.phantom.spine.place import Place
from grading.phantom.spine.posture import Posture, draw_posture
from grading.phantom.spine.solids import Ellipsoid, Tube
from grading.phantom.spine.surroundings import draw_body
from grading.phantom.spine.tissues import Tissue

Body = tuple[Posture, tuple[Part, ...]]
FATS = {Tissue.SUBCUTANEOUS_FAT, Tissue.FAT}
seeds = st.integers(0, 2**32 - 1)


def draw(seed: int, older: float = 0.5) -> Body:
    rng = np.random.default_rng(seed)
    posture = draw_posture(rng)
    return posture, draw_body(posture.axis, posture.disc_s_mm, older, rng)


@pytest.fixture(scope="module", params=[1, 2, 3])
def body(request: pytest.FixtureRequest) -> Body:
    return draw(request.param)


def around(posture: Posture, step_mm: float = 8.0) -> Place:
    """Return points all through the trunk, past the skin on every side but two."""
    discs = posture.disc_s_mm
    low = posture.axis.locate(0, 0, discs[Level.L5_S1] - 50)[2]
    high = posture.axis.locate(0, 0, discs[Level.T12_L1] + 60)[2]
    points = np.stack(
        np.meshgrid(
            np.arange(-220, 220, step_mm),
            np.arange(-280, 160, step_mm),
            np.arange(low, high, step_mm * 1.5),
        ),
        axis=-1,
    )
    return posture.axis.straighten(points)


def top(parts: Sequence[Part], at: Place) -> NDArray[np.int64]:
    """Return the tissue painted last at each point."""
    found = np.full(at.shape, int(Tissue.AIR))
    for part in parts:
        found[part.solid.distance(at) < 0] = part.tissue
    return found


def pieces(solid: object) -> Iterator[object]:
    """Yield a solid and all that it is made of."""
    yield solid
    if not dataclasses.is_dataclass(solid):
        return
    for field in dataclasses.fields(solid):
        value = getattr(solid, field.name)
        for one in value if isinstance(value, tuple) else (value,):
            if hasattr(one, "distance"):
                yield from pieces(one)


@settings(max_examples=15, deadline=None)
@given(seeds, st.floats(0, 1))
def test_nothing_has_a_negative_size(seed: int, older: float) -> None:
    _, parts = draw(seed, older)

    made_of = [piece for part in parts for piece in pieces(part.solid)]
    tubes = [piece for piece in made_of if isinstance(piece, Tube)]
    outlines = [piece for piece in made_of if isinstance(piece, Outline)]
    ellipsoids = [piece for piece in made_of if isinstance(piece, Ellipsoid)]

    assert tubes
    assert outlines
    assert ellipsoids
    for tube in tubes:
        assert (np.diff(tube.s_mm) > 0).all()
        assert tube.half_width_mm.min() > 0
        assert tube.half_depth_mm.min() > 0
    for outline in outlines:
        assert (outline.back_mm - outline.front_mm).min() > 0
        assert outline.half_width_mm.min() > 0
    for ellipsoid in ellipsoids:
        assert (
            min(ellipsoid.half_width_mm, ellipsoid.half_depth_mm, ellipsoid.above_mm)
            > 0
        )


@settings(max_examples=4, deadline=None)
@given(seeds)
def test_muscles_and_organs_leave_the_column_and_the_canal_free(seed: int) -> None:
    posture, parts = draw(seed)
    x, y, s = np.meshgrid(
        np.arange(-8.0, 9, 4),
        np.arange(-21.0, 13, 3),
        np.arange(
            posture.disc_s_mm[Level.L5_S1] - 20, posture.disc_s_mm[Level.T12_L1] + 20, 4
        ),
    )

    tissues = top(parts, posture.axis.straighten(posture.axis.locate(x, y, s)))

    assert {Tissue(tissue) for tissue in np.unique(tissues)} <= FATS


@settings(max_examples=5, deadline=None)
@given(seeds, st.floats(0, 1))
def test_the_skin_encloses_everything(seed: int, older: float) -> None:
    posture, parts = draw(seed, older)
    at = around(posture, step_mm=16.0)
    skin, *others = parts

    outside = at[skin.solid.distance(at) > -SKIN_MM]

    assert skin.name == "skin"
    assert outside.shape[0] > 0
    bare = [part.name for part in others if (part.solid.distance(outside) < 0).any()]
    assert bare == []


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_the_skin_covers_the_spinous_processes(seed: int) -> None:
    posture, parts = draw(seed)
    s = np.arange(posture.disc_s_mm[Level.L5_S1], posture.disc_s_mm[Level.T12_L1] + 60)
    tips = posture.axis.straighten(posture.axis.locate(0, 52, s))

    skin = parts[0].solid.distance(tips)

    assert skin.max() < -SKIN_MM


def test_what_is_named_after_a_side_lies_on_it(body: Body) -> None:
    posture, parts = body
    at = around(posture)

    for word, sign in (("right", -1), ("left", 1)):
        muscles = [
            part
            for part in parts
            if part.name.endswith(word) and part.tissue == Tissue.MUSCLE
        ]
        assert len(muscles) == 4
        for part in muscles:
            inside = part.solid.distance(at) < 0
            assert inside.any()
            assert (sign * at.x[inside] > 0).all()


def test_sides_differ_but_not_much(body: Body) -> None:
    posture, parts = body
    at = around(posture, step_mm=6.0)
    named = {part.name: part for part in parts}

    for muscle in ("psoas", "multifidus", "iliocostalis"):
        right, left = (
            np.count_nonzero(named[f"{muscle} {side}"].solid.distance(at) < 0)
            for side in ("right", "left")
        )

        assert right != left
        assert 0.75 < right / left < 1.33


def test_no_box_cuts_off_what_it_holds(body: Body) -> None:
    posture, parts = body
    at = around(posture)

    for part in parts:
        inside = part.solid.distance(at) < 0
        held = part.solid.box().holds(at)

        assert not (inside & ~held).any(), part.name


def test_the_great_vessels_lie_in_front_the_aorta_on_the_left(body: Body) -> None:
    posture, parts = body
    named = {part.name: part.solid for part in parts}
    s = posture.disc_s_mm[Level.L2_L3]
    x, y = np.meshgrid(np.arange(-60.0, 61, 2), np.arange(-90.0, 30, 2))
    at = posture.axis.straighten(posture.axis.locate(x, y, s))

    aorta = at[named["arteries"].distance(at) < 0]
    cava = at[named["veins"].distance(at) < 0]

    assert aorta.y.max() < -30
    assert cava.y.max() < -28
    assert cava.x.mean() < 0 < aorta.x.mean()


def test_the_multifidus_grows_and_the_erector_narrows_towards_the_sacrum(
    body: Body,
) -> None:
    posture, parts = body
    named = {part.name: part.solid for part in parts}
    x, y = np.meshgrid(np.arange(0.0, 110, 2), np.arange(0.0, 80, 2))

    def area(name: str, level: Level) -> int:
        s = posture.disc_s_mm[level]
        at = posture.axis.straighten(posture.axis.locate(x, y, s))
        return int(np.count_nonzero(named[name].distance(at) < 0))

    multifidus, erector = "multifidus left", "iliocostalis left"
    assert area(multifidus, Level.L4_L5) > 1.4 * area(multifidus, Level.L1_L2)
    assert area(erector, Level.L5_S1) < 0.85 * area(erector, Level.L1_L2)


def test_an_old_body_has_less_muscle_and_more_fat_between() -> None:
    posture, young = draw(5, older=0.0)
    _, old = draw(5, older=1.0)
    at = around(posture)
    back = at[(at.y > 15) & (np.abs(at.x) < 60)]

    share = [
        float((top(parts, back) == Tissue.MUSCLE).mean()) for parts in (young, old)
    ]

    assert share[1] < 0.9 * share[0]


def test_a_mirrored_solid_is_the_other_sides() -> None:
    axis = draw(1)[0].axis
    solid = Ellipsoid(60, 5, 20, 10, 12, 30, 30)
    right, left = upright(solid, axis, side=-1), upright(solid, axis)
    numbers = np.random.default_rng(0).uniform(-90, 90, (6, 500))
    at = Place(*numbers)
    mirrored = dataclasses.replace(at, x=-at.x)

    assert np.array_equal(right.distance(mirrored), left.distance(at))
    assert right.box().x == (-72, -48)
    assert left.box().x == (48, 72)


def test_the_same_seed_draws_the_same_body() -> None:
    posture, parts = draw(7)
    _, again = draw(7)
    at = around(posture, step_mm=20.0)

    for one, other in zip(parts, again, strict=True):
        assert one.name == other.name
        assert one.tissue == other.tissue
        assert np.array_equal(one.solid.distance(at), other.solid.distance(at))


def test_distances_keep_single_precision() -> None:
    posture, parts = draw(9)
    at = around(posture, step_mm=30.0)
    single = Place(
        *(
            getattr(at, field.name).astype(np.float32)
            for field in dataclasses.fields(Place)
        )
    )

    assert {part.solid.distance(single).dtype for part in parts} == {
        np.dtype(np.float32)
    }
