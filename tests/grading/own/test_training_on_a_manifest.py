"""A bundle learns from a manifest, as a user has it learn, in miniature."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydicom import dcmread

from grading.__main__ import main
from grading.boxes import Box
from grading.bundle import Bundle, load_bundle, save_bundle
from grading.evaluation.case_file import read_cases
from grading.evaluation.delimited import CasesError
from grading.grader import Grader
from grading.grades import (
    FIRST_LINES,
    AxialMarks,
    Basis,
    Finding,
    Grade,
    PixelPoint,
)
from grading.landmarks.found import AxialFound, SagittalFound
from grading.network import MISSING_GRADE, MultiTaskResNet
from grading.preprocess import Preprocessing
from grading.regions import RegionFinder
from grading.series import Slice
from grading.training.fit import fit
from grading.training.fitting import Progress
from grading.training.heads import HEADS
from grading.training.images import RegionPlacer, training_slices
from grading.training.manifest import (
    Manifest,
    Origin,
    Part,
    write_manifest,
)
from grading.training.predict import predictions, write_cases
from grading.training.recipe import Recipe
from grading.training.samples import LabelledSlice, Regions, Surroundings
from grading.training.starting import Start, start_from_bundle
from grading.training.train import Lessons, Name, _basis, train
from grading.trust import Threshold
from tests.grading.importing.archives import SLICES
from tests.grading.own.labelled_sets import SPEC, STUDIES
from tests.grading.test_bundle import a_card
from tests.grading.tiny_bundle import tiny_bundle
from tests.grading.turning import turned


@pytest.fixture(scope="module")
def trained(
    manifest_path: Path,
    weights: dict[str, torch.Tensor],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A bundle that started from another one and learned for an epoch."""
    folder = tmp_path_factory.mktemp("trained")
    card = replace(a_card(Basis.PHANTOM), preprocessing=SPEC)
    save_bundle(folder / "start", weights, card)
    options = f"--manifest {manifest_path} --from-bundle {folder / 'start'}"
    arguments = ["train", "--out", str(folder / "next"), *options.split()]
    assert main([*arguments, "--epochs", "1", "--batch", "4"]) == 0
    return folder / "next"


def test_what_is_validated_is_the_very_tensor_that_the_service_sees(
    manifest: Manifest, bundle: Bundle
) -> None:
    class Listening(Grader):
        heard: list[torch.Tensor]

        def probabilities(self, tensors: Any) -> Any:
            self.heard = list(tensors)
            return super().probabilities(tensors)

    study = STUDIES[0]
    grader = Listening(bundle, "cpu")
    files = sorted((manifest.data_root / str(study.number)).glob("*.dcm"))
    graded = grader.grade([dcmread(path) for path in files])

    slices = list(training_slices(manifest, manifest.images[:SLICES], SPEC, 6.0))
    learned = [Regions(slices, SPEC)[i][0] for i in range(SLICES)]

    served = {
        one.key.sop_instance_uid: tensor
        for one, tensor in zip(graded.slices, grader.heard, strict=True)
    }
    for place, tensor in enumerate(learned, start=1):
        assert torch.equal(tensor, served[study.instance(place)])


@pytest.mark.parametrize("centre", [(31.5, 31.5), (20.25, 40.0), (2.0, 61.0)])
def test_cutting_an_image_down_changes_nothing_that_the_network_sees(
    manifest: Manifest, centre: tuple[float, float]
) -> None:
    row, column = centre
    box = Box(row - 1, column - 2, row + 1, column + 2)
    small = Preprocessing(region_size_mm=20.0, grid_pixels=16)
    image = replace(manifest.images[0], box=box)
    whole = dcmread(manifest.data_root / image.file)
    pixels = whole.pixel_array.astype(np.float32)
    grades = (Grade.GRADE_0,) * 3

    (cut,) = training_slices(manifest, [image], small, shift_mm=3.0)

    uncut = LabelledSlice(pixels, (1.5, 1.5), grades, centre=centre)
    assert torch.equal(Regions([cut], small)[0][0], Regions([uncut], small)[0][0])
    for shift_mm in (0.0, 3.0):
        torch.manual_seed(1)
        expected = Surroundings([uncut], small, shift_mm)[0][0]
        torch.manual_seed(1)
        assert torch.equal(Surroundings([cut], small, shift_mm)[0][0], expected)
    if centre == (31.5, 31.5):
        assert cut.pixels.size < pixels.size


class ElsewhereLocator:
    """Finds the sac and the disc margin above it at one place of every slice."""

    def axial(self, slices: Sequence[Slice]) -> list[AxialFound]:
        marks = AxialMarks(PixelPoint(18, 40), PixelPoint(22, 42))
        return [AxialFound(marks, spread_mm=1.0, through_disc=0.9) for _ in slices]

    def sagittal(self, slices: Sequence[Slice]) -> list[SagittalFound]:
        raise AssertionError("a manifest's images are axial")


def test_where_nobody_drew_a_box_landmarks_place_what_is_learned(
    manifest: Manifest,
) -> None:
    small = Preprocessing(region_size_mm=20.0, grid_pixels=16)
    placing = RegionPlacer(ElsewhereLocator(), RegionFinder(small))
    bare = replace(manifest.images[0], box=None)
    boxed = replace(manifest.images[0], box=Box(29, 29, 31, 33))

    found, drawn = training_slices(manifest, [bare, boxed], small, 0.0, placing)

    wanted = [
        LabelledSlice(
            dcmread(manifest.data_root / bare.file).pixel_array.astype(np.float32),
            (1.5, 1.5),
            (Grade.GRADE_0,) * 3,
            centre=centre,
        )
        for centre in ((20.0, 41.0), (30.0, 31.0))
    ]
    for one, other in zip((found, drawn), wanted, strict=True):
        assert torch.equal(Regions([one], small)[0][0], Regions([other], small)[0][0])


def test_an_image_stored_another_way_round_is_learned_as_the_upright_one(
    manifest: Manifest, tmp_path: Path
) -> None:
    small = Preprocessing(region_size_mm=20.0, grid_pixels=16)
    image = replace(manifest.images[0], box=Box(20, 30, 40, 44))
    again = replace(image, box=Box(20, 63 - 44, 40, 63 - 30))
    ds = turned(dcmread(manifest.data_root / image.file), mirrored=True)
    (tmp_path / image.file).parent.mkdir(parents=True)
    ds.save_as(tmp_path / image.file)
    elsewhere = replace(manifest, data_root=tmp_path)

    (expected,) = training_slices(manifest, [image], small, 0.0)
    (learned,) = training_slices(elsewhere, [again], small, 0.0)

    assert torch.equal(
        Regions([learned], small)[0][0], Regions([expected], small)[0][0]
    )


def test_a_finding_that_nobody_graded_takes_no_part_in_the_loss(
    manifest: Manifest, tmp_path: Path
) -> None:
    slices = list(training_slices(manifest, manifest.images[:SLICES], SPEC, 0.0))
    kept: list[tuple[MultiTaskResNet, Progress]] = []
    recipe = Recipe(SPEC, backbone="resnet18", epochs=1, batch_slices=2)
    torch.manual_seed(3)
    start = MultiTaskResNet("resnet18", HEADS).state_dict()

    fit(slices, slices, recipe, tmp_path, lambda *one: kept.append(one), start)

    network, progress = kept[-1]
    targets = Regions(slices, SPEC)[0][1].tolist()
    assert targets[2] == MISSING_GRADE
    assert set(progress.validation_macro_f1) == {Finding.LDH, Finding.LCCS}
    # AdamW's decay alone moves a weight without gradient; the other heads learn.
    untouched = network.state_dict()["heads.LNRC.bias"]
    assert torch.allclose(untouched, start["heads.LNRC.bias"], rtol=1e-3)
    learned = network.state_dict()["heads.LDH.bias"]
    assert not torch.allclose(learned, start["heads.LDH.bias"], rtol=1e-3)


def test_a_bundle_of_own_data_says_what_it_learned_from(
    trained: Path, manifest_path: Path
) -> None:
    card = load_bundle(trained).card

    assert card.name == "lumbar-own"
    assert card.basis is Basis.UNEVALUATED
    assert card.disclaimer == FIRST_LINES[Basis.UNEVALUATED]
    assert card.provenance.labelled_slices.startswith(
        "images of patients: 6 slices of 2 patients, manifest sha256 "
    )
    assert "--manifest MANIFEST --from-bundle BUNDLE" in card.provenance.command
    assert str(manifest_path) not in json.dumps(card.provenance.command)


def test_a_training_that_starts_from_a_bundle_keeps_its_network_and_preprocessing(
    trained: Path,
) -> None:
    card = load_bundle(trained).card

    assert (card.backbone, card.preprocessing) == ("resnet18", SPEC)
    assert "; started from tiny 1, weights" in card.provenance.labelled_slices


def test_heads_that_stay_as_they_are_do_not_get_another_preprocessing(
    trained: Path, manifest_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (
        f"--manifest {manifest_path} --from-bundle {trained} --grid 64 --second-step 1"
    )

    status = main(["train", "--out", str(trained / "x"), *options.split()])

    assert status == 1
    assert "give both the same" in capsys.readouterr().err


def test_a_training_may_start_from_a_bundle_that_sees_less(
    trained: Path, manifest_path: Path, tmp_path: Path
) -> None:
    options = f"--manifest {manifest_path} --from-bundle {trained} --grid 40 --epochs 1"

    status = main(["train", "--out", str(tmp_path / "finer"), *options.split()])

    card = load_bundle(tmp_path / "finer").card
    assert (status, card.preprocessing) == (0, replace(SPEC, grid_pixels=40))


@pytest.mark.parametrize(
    ("origin", "start", "basis"),
    [
        (Origin.PHANTOM, None, Basis.PHANTOM),
        (Origin.PHANTOM, Basis.PHANTOM, Basis.PHANTOM),
        (Origin.PHANTOM, Basis.UNEVALUATED, Basis.UNEVALUATED),
        (Origin.MIXED, None, Basis.UNEVALUATED),
        (Origin.PATIENTS, Basis.PHANTOM, Basis.UNEVALUATED),
    ],
)
def test_a_basis_is_a_phantoms_only_where_nothing_else_was_learned_from(
    bundle: Bundle, origin: Origin, start: Basis | None, basis: Basis
) -> None:
    started = start and replace(bundle, card=replace(bundle.card, basis=start))

    assert _basis(origin, start_from_bundle(started) if started else None) is basis


def test_phantoms_are_all_that_is_learned_from_where_a_file_gives_the_weights() -> None:
    start = Start({}, "a ResNet's weights")

    assert _basis(Origin.PHANTOM, start) is Basis.PHANTOM
    assert _basis(Origin.PATIENTS, start) is Basis.UNEVALUATED


def test_heads_that_nobody_teaches_keep_their_calibration(
    manifest: Manifest, tmp_path: Path
) -> None:
    bundle = tiny_bundle(tmp_path / "sided", "LNRC_RIGHT", "LNRC_LEFT")
    threshold = Threshold(0.7, 0.9, 0.2, 30)
    before = replace(
        bundle.card,
        calibration={"LDH": 2.0, "LNRC_RIGHT": 3.0},
        thresholds={"LDH": threshold, "LNRC_RIGHT": threshold},
    )
    start = start_from_bundle(replace(bundle, card=before))
    slices = list(training_slices(manifest, manifest.images[:SLICES], SPEC, 0.0))
    lessons = Lessons(slices, slices, "images", Basis.UNEVALUATED, start)
    recipe = Recipe(
        SPEC, backbone="resnet18", epochs=1, batch_slices=2, second_step=1.0
    )

    train(tmp_path / "next", Name("next", "1", "none"), recipe, lessons)

    card = load_bundle(tmp_path / "next").card
    assert card.calibration == {"LDH": 1.0, "LCCS": 1.0, "LNRC": 1.0, "LNRC_RIGHT": 3.0}
    assert card.thresholds == {"LNRC_RIGHT": threshold}


def test_an_empty_part_is_named(
    manifest: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.jsonl"
    write_manifest(path, replace(manifest, images=manifest.part(Part.TRAINING)))

    status = main(["train", "--manifest", str(path), "--out", str(tmp_path / "b")])

    assert status == 1
    assert "no patient is in its validation part" in capsys.readouterr().err


def test_an_image_that_has_gone_or_changed_is_named(
    manifest: Manifest, bundle: Bundle, tmp_path: Path
) -> None:
    moved = replace(manifest, data_root=tmp_path / "nowhere")
    other = replace(manifest.images[0], sop_instance="2.25.404")

    with pytest.raises(CasesError, match=r"01\.dcm: not the image .* --data-root"):
        list(predictions(bundle, moved, moved.images))
    with pytest.raises(CasesError, match="not the image that was imported"):
        list(predictions(bundle, manifest, [other]))


def test_predictions_are_what_the_service_says_and_evaluate_takes_them(
    manifest: Manifest, bundle: Bundle, tmp_path: Path
) -> None:
    images = manifest.part(Part.TRAINING)

    write_cases(tmp_path / "p.csv", bundle, predictions(bundle, manifest, images))

    cases = read_cases(tmp_path / "p.csv")
    study = STUDIES[0]
    files = sorted((manifest.data_root / str(study.number)).glob("*.dcm"))
    graded = Grader(bundle, "cpu").grade([dcmread(path) for path in files])
    served = {one.key.sop_instance_uid: one for one in graded.slices}
    first = served[study.instance(1)].grades[Finding.LDH]
    assert np.allclose(cases.probabilities[0], first.probabilities, atol=1e-5)
    # Two studies of three slices, one of them without grades of the roots.
    assert len(cases) == 2 * SLICES * 3 - SLICES
    assert (cases.source.unnamed, cases.source.phantom) == (False, False)
