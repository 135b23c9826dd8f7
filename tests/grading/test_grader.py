"""A small bundle at work on real and made-up studies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from pydicom import Dataset

from grading.bundle import Bundle, load_bundle, shipped_bundle_path
from grading.errors import NotGradable
from grading.grader import Grader
from grading.grades import (
    Basis,
    Finding,
    Grade,
    Grading,
    Level,
    LevelGrade,
    RegionOrigin,
    Side,
    SliceKey,
)
from grading.network import Head, MultiTaskResNet
from grading.notes import root_notes
from grading.prepared import prepare
from grading.regions import RegionFinder
from grading.series import LoadedSeries, group_series, load
from grading.training.samples import LabelledSlice, Regions
from grading.trust import SiteEvaluation, SiteFigure
from tests.dicom_factories import enhanced_mr, mr_series
from tests.grading.builders import hitachi
from tests.grading.tiny_bundle import HEADS as TINY_HEADS
from tests.grading.tiny_bundle import SPEC, tiny_bundle

HEADS = (*TINY_HEADS, Head("facet", 4))
UNGRADED = (Grade.GRADE_0,) * 3


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", "facet")


@pytest.fixture(scope="module")
def grader(bundle: Bundle) -> Grader:
    return Grader(bundle, "cpu")


@pytest.fixture(scope="module")
def t2_ax() -> list[Dataset]:
    return hitachi("t2_ax")


def axial(datasets: list[Dataset]) -> LoadedSeries:
    (series,) = group_series(datasets)
    by_uid = {ds.SOPInstanceUID: ds for ds in datasets}
    by_key = {i.key: by_uid[i.key.sop_instance_uid] for i in series.images}
    return load(series, by_key)


def tensors(count: int) -> list[torch.Tensor]:
    return list(torch.rand((count, 1, 32, 32), generator=torch.manual_seed(1)))


def test_training_and_service_see_the_same_tensor_bit_for_bit(
    t2_ax: list[Dataset],
) -> None:
    series = axial(t2_ax)
    labelled = []
    for slice_ in series.slices:
        spacing_mm = slice_.header.spacing_mm
        assert spacing_mm is not None
        labelled.append(LabelledSlice(slice_.pixels, spacing_mm, UNGRADED))
    trained_on = Regions(labelled, SPEC)

    prepared, _ = prepare(series.slices, RegionFinder(SPEC))

    served = {found.key: found.tensor for found in prepared}
    assert len(served) == 17
    for index, slice_ in enumerate(series.slices):
        assert torch.equal(trained_on[index][0], served[slice_.header.key])


def test_a_real_study_is_graded_slice_by_slice_and_slab_by_slab(
    grader: Grader, bundle: Bundle, t2_ax: list[Dataset]
) -> None:
    grades = grader.grade([*t2_ax, *hitachi("t1_ax")])

    assert grades.study_instance_uid == t2_ax[0].StudyInstanceUID
    assert grades.model == bundle.identity
    assert sorted(verdict.graded for verdict in grades.series) == [False, True]
    assert [len(level.slices) for level in grades.levels] == [3, 3, 3, 4, 4]
    assert [level.name for level in grades.levels][1] == "slab 2 of 5"
    assert [key for level in grades.levels for key in level.slices] == [
        found.key for found in grades.slices
    ]
    assert {found.key.sop_instance_uid for found in grades.slices} == {
        ds.SOPInstanceUID for ds in t2_ax
    }


def test_nothing_is_guessed(grader: Grader, t2_ax: list[Dataset]) -> None:
    grades = grader.grade(t2_ax)

    assert all(found.level is None for found in grades.slices)
    assert all(found.level is None for found in grades.levels)
    assert not any(found.region.located for found in grades.slices)
    assert any(note.startswith("Region not located") for note in grades.notes)
    assert any(note.startswith("Disc level not determined") for note in grades.notes)


def test_slices_come_from_the_head_downwards(
    grader: Grader, t2_ax: list[Dataset]
) -> None:
    grades = grader.grade(t2_ax)

    assert len(grades.levels) == 5
    for level in grades.levels:
        positions = [grades.slice_grade(key).position_mm for key in level.slices]
        assert positions == sorted(positions, reverse=True)


def test_the_order_of_arrival_changes_no_grade(grader: Grader) -> None:
    datasets = mr_series(5)

    assert grader.grade(datasets[::-1]) == grader.grade(datasets)


def test_a_head_beyond_the_three_findings_is_kept_apart(grader: Grader) -> None:
    grades = grader.grade(mr_series(3))

    assert all(set(found.grades) == set(Finding) for found in grades.slices)
    assert all(set(found.further) == {"facet"} for found in grades.slices)


def test_frames_of_an_enhanced_image_are_graded(grader: Grader) -> None:
    grades = grader.grade([enhanced_mr(frames=4)])

    assert [found.key.frame for found in grades.slices] == [1, 2, 3, 4]


def test_the_scale_of_the_stored_values_changes_no_grade(grader: Grader) -> None:
    datasets = mr_series(3)
    doubled = mr_series(3)
    for ds in doubled:
        stored = np.frombuffer(ds.PixelData, np.uint16)
        ds.PixelData = (stored * 2).tobytes()

    first, second = grader.grade(datasets), grader.grade(doubled)

    assert first.slices == second.slices


def test_a_study_without_an_axial_t2_series_is_refused_with_every_reason(
    grader: Grader,
) -> None:
    with pytest.raises(NotGradable) as refusal:
        grader.grade(hitachi("t1_ax", "t2_sag"))

    assert "'T1 AX' not T2-weighted (T1)" in str(refusal.value)
    assert "'T2 SAG' sagittal T2-weighted, for the levels only" in str(refusal.value)


def test_no_images_are_refused(grader: Grader) -> None:
    with pytest.raises(NotGradable, match="the study has no image"):
        grader.grade([])


def test_an_unreadable_series_is_refused_and_the_others_are_graded(
    grader: Grader,
) -> None:
    broken = mr_series(3, series_uid="2.25.9")
    for ds in broken:
        del ds.PixelData

    grades = grader.grade([*mr_series(3), *broken])

    assert len(grades.slices) == 3
    (verdict,) = (v for v in grades.series if v.series_instance_uid == "2.25.9")
    assert not verdict.graded
    assert verdict.reason.startswith("unreadable: only 0 of 3 images")
    with pytest.raises(NotGradable, match="unreadable: only 0 of 3 images"):
        grader.grade(broken)


def test_a_slice_that_cannot_be_read_is_noted(grader: Grader) -> None:
    datasets = mr_series(4)
    datasets[0].PixelData = b"\0\0"

    grades = grader.grade(datasets)

    assert len(grades.slices) == 3
    assert "1 slice(s) of 'T2 AX' could not be read." in grades.notes


def test_a_slab_longer_than_a_level_is_noted(grader: Grader) -> None:
    short, long = grader.grade(mr_series(8)), grader.grade(mr_series(9))

    assert not any("longer than one disc level" in note for note in short.notes)
    assert any("Slab 1 is longer than one disc level" in note for note in long.notes)


def test_probabilities_are_those_of_the_network_at_the_bundles_temperature(
    grader: Grader, bundle: Bundle
) -> None:
    network = MultiTaskResNet("resnet18", HEADS)
    network.load_state_dict(dict(bundle.state_dict))
    slices = tensors(3)

    found = grader.probabilities(slices)

    with torch.inference_mode():
        logits = network.eval()(torch.stack(slices))
    for name, temperature in (("LDH", 2.0), ("LCCS", 1.0)):
        expected = torch.softmax(logits[name].double() / temperature, dim=1)
        assert found[name] == [
            pytest.approx(row, abs=1e-5) for row in expected.tolist()
        ]


def test_under_a_sites_name_what_it_did_not_evaluate_needs_a_reader(
    bundle: Bundle,
) -> None:
    figures = {f.value: {"accuracy": SiteFigure(0.8, 0.7, 0.9)} for f in Finding}
    del figures["LNRC"]
    evaluation = SiteEvaluation("A", "2026-11-24", "ours", "", "", 9, figures)
    card = replace(bundle.card, basis=Basis.SITE, evaluation=evaluation)

    grades = Grader(replace(bundle, card=card), "cpu").grade(mr_series(3))

    (level,) = grades.levels
    doubted = {finding for finding, it in level.grades.items() if it.needs_reader}
    assert doubted == {Finding.LNRC}
    assert (
        "This site's evaluation did not cover LNRC, facet: each of these grades needs "
        "a reader."
    ) in grades.notes


def test_lnrc_that_is_not_the_worse_root_is_noted() -> None:
    key = SliceKey("2.25.5", "2.25.5.1")
    mild, severe = Grading((0.1, 0.9, 0, 0)), Grading((0, 0, 0.1, 0.9))
    roots = {Side.RIGHT: mild, Side.LEFT: severe}
    differing = LevelGrade(
        Level.L4_L5, 1, 1, key, (key,), {Finding.LNRC: mild}, roots=roots
    )
    alike = replace(differing, level=Level.L5_S1, grades={Finding.LNRC: severe})

    assert root_notes([differing, alike]) == [
        (
            "LNRC and the sides' roots are graded separately and differ at L4/L5 "
            "(LNRC 1, worse root 3): a reader must decide."
        )
    ]
    assert root_notes([alike]) == []


@pytest.fixture(scope="module")
def shipped() -> Grader:
    folder = shipped_bundle_path()
    if not (folder / "card.json").exists():
        pytest.skip("the shipped bundle is not there; fetch it with the repository")
    return Grader(load_bundle(folder), "cpu")


NO_CANAL: dict[str, Callable[[Any, Any, np.random.Generator], Any]] = {
    "nothing": lambda rows, columns, rng: 0 * rows * columns,
    "noise": lambda rows, columns, rng: rng.normal(500, 100, (320, 320)),
    "two legs": lambda rows, columns, rng: (
        800 * (np.hypot(rows - 160, abs(columns - 160) - 70) < 50)
    ),
}


@pytest.mark.model
@pytest.mark.parametrize("picture", NO_CANAL)
def test_the_shipped_networks_find_no_canal_where_there_is_none(
    shipped: Grader, picture: str
) -> None:
    rows, columns = np.ogrid[:320, :320]
    pixels = NO_CANAL[picture](rows, columns, np.random.default_rng(1))
    slices = mr_series(count=5)
    for ds in slices:
        ds.Rows = ds.Columns = 320
        ds.PixelData = np.clip(pixels, 0, 4000).astype(np.uint16).tobytes()

    grades = shipped.grade(slices)

    assert {one.region.origin for one in grades.slices} == {RegionOrigin.CENTRE}
    assert any(note.startswith("Region not located: each") for note in grades.notes)


@pytest.mark.model
def test_the_shipped_bundle_grades_the_real_study(
    shipped: Grader, t2_ax: list[Dataset]
) -> None:
    grades = shipped.grade(t2_ax)

    assert len(grades.levels) == 5
    assert grades.model.basis is Basis.PHANTOM
