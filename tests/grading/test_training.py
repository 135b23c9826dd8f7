"""Training as a user runs it, in miniature, and the parts it is made of."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torch.utils.data import WeightedRandomSampler

from grading.__main__ import main
from grading.bundle import load_bundle, locator_of, shipped_bundle_path
from grading.card import read_card, write_card
from grading.errors import BundleError
from grading.grader import Grader
from grading.grades import FIRST_LINES, Basis, Finding, Grade, Region, RegionOrigin
from grading.landmarks.network import AXIAL_POINTS
from grading.network import MISSING_GRADE, MultiTaskResNet
from grading.phantom.slices import Split, draw_slice
from grading.preprocess import Preprocessing, crop
from grading.training.augment import augment, unchanged
from grading.training.augmentation import Augmentation
from grading.training.fit import fit
from grading.training.fitting import Progress
from grading.training.heads import HEADS, SIDES, mirrored_grades
from grading.training.order import sampler_for
from grading.training.rate import schedule
from grading.training.recipe import Recipe, paper_recipe
from grading.training.samples import (
    LabelledSlice,
    PhantomSet,
    Regions,
    Surroundings,
    draw_labelled,
    draw_phantoms,
)
from grading.training.score import predict, score
from grading.training.settle import settle_statistics
from grading.training.starting import begin_from, start_from_file
from tests.grading.test_bundle import attested

SPEC = Preprocessing(region_size_mm=54.0, grid_pixels=32)
FEW = PhantomSet(seed=3, split=Split.TRAINING, slices=4)


@pytest.fixture(scope="module")
def few() -> list[LabelledSlice]:
    return list(draw_phantoms(FEW, workers=1))


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lessons")
    options = "--patients 1 --validation 1 --seed 1 --workers 2"
    assert main(["lessons", str(folder), *options.split()]) == 0
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, lessons: Path) -> Path:
    folder = tmp_path_factory.mktemp("training") / "bundle"
    options = f"--lessons {lessons} --epochs 1 --batch 4 --grid 32 --backbone resnet18"
    assert main(["train", "--out", str(folder), *options.split()]) == 0
    return folder


def test_what_is_validated_is_the_very_tensor_that_the_service_sees(
    few: list[LabelledSlice],
) -> None:
    network_input, grades = Regions(few, SPEC)[2]

    whole = draw_slice((3, int(Split.TRAINING), 2))
    margin, sac = whole.marks.disc_margin, whole.marks.sac_centre
    assert margin is not None
    assert sac is not None
    region = Region(
        row=(margin.row + sac.row) / 2,
        column=(margin.column + sac.column) / 2,
        size_mm=SPEC.region_size_mm,
        origin=RegionOrigin.LANDMARKS,
    )
    served = crop(whole.pixels, whole.spacing_mm, region, SPEC)
    assert torch.allclose(network_input, served, atol=1e-4)
    assert tuple(grades.tolist()) == (*whole.truth.grades, MISSING_GRADE, MISSING_GRADE)


def test_a_set_is_the_same_on_one_process_and_on_two(few: list[LabelledSlice]) -> None:
    two = list(draw_phantoms(FEW, workers=2))

    assert [s.pixels.tobytes() for s in few] == [s.pixels.tobytes() for s in two]


def test_a_slice_of_a_set_can_be_drawn_alone(few: list[LabelledSlice]) -> None:
    alone = draw_labelled(FEW, 3)

    assert alone.pixels.tobytes() == few[3].pixels.tobytes()


def test_a_shifted_region_stays_on_the_pixels_that_are_kept(
    few: list[LabelledSlice],
) -> None:
    torch.manual_seed(0)
    shifted = Surroundings(few, SPEC, shift_mm=6.0)

    inputs = [unchanged(shifted[0][0][None], SPEC)[0] for _ in range(4)]

    assert not torch.equal(inputs[0], inputs[1])
    # A repeated edge pixel would make a row or column equal to the next.
    for one in (*inputs, shifted[0][0]):
        assert not torch.equal(one[0, 0], one[0, 1])
        assert not torch.equal(one[0, :, -1], one[0, :, -2])


def test_what_is_not_turned_is_about_what_the_service_sees(
    few: list[LabelledSlice],
) -> None:
    wide = torch.stack([Surroundings(few, SPEC, 0.0)[i][0] for i in range(len(few))])

    found = unchanged(wide, SPEC)

    served = torch.stack([Regions(few, SPEC)[i][0] for i in range(len(few))])
    assert found.shape == served.shape
    assert (found - served).abs().mean() < 0.02
    torch.testing.assert_close(sharpness(found), sharpness(served), rtol=0.15, atol=0)


def test_what_is_turned_is_hardly_less_sharp_than_what_the_service_sees(
    few: list[LabelledSlice],
) -> None:
    torch.manual_seed(0)
    wide = torch.stack([Surroundings(few, SPEC, 0.0)[i][0] for i in range(len(few))])
    turning = Augmentation(scale=(1.0, 1.0), gamma=(1.0, 1.0), noise=0.0)

    found = augment(wide, turning, SPEC).slices

    # A crop that is turned afterwards has a quarter less.
    served = torch.stack([Regions(few, SPEC)[i][0] for i in range(len(few))])
    torch.testing.assert_close(sharpness(found), sharpness(served), rtol=0.15, atol=0)


def sharpness(slices: torch.Tensor) -> torch.Tensor:
    """Return how much neighbouring pixels differ, over all slices."""
    return slices.diff(dim=-1).square().mean() + slices.diff(dim=-2).square().mean()


def test_augmentation_keeps_shape_and_range_and_changes_each_slice_alone() -> None:
    torch.manual_seed(0)
    same = torch.rand(1, 1, 84, 84).expand(4, -1, -1, -1)

    found = augment(same, Augmentation(coil=0.3), SPEC).slices

    assert found.shape == (4, 1, SPEC.grid_pixels, SPEC.grid_pixels)
    assert found.min() >= 0
    assert found.max() <= 1
    assert not torch.equal(found[0], found[1])


def test_augmentation_works_where_its_batch_lies() -> None:
    # "meta" stands for any device but the CPU: mixing the two fails there as on a GPU.
    batch = torch.empty(2, 1, 84, 84, device="meta")
    grades = torch.empty(2, 5, dtype=torch.int64, device="meta")

    found = augment(batch, Augmentation(coil=0.3), SPEC)

    assert found.slices.device == batch.device
    assert mirrored_grades(grades, found.mirrored).device == batch.device


def test_a_balanced_order_shows_rare_grades_more_often_and_ungraded_slices_not(
    few: list[LabelledSlice],
) -> None:
    graded = [
        replace(few[0], grades=(grade, None, None)) for grade in [Grade.GRADE_0] * 8
    ]
    rare = replace(few[0], grades=(Grade.GRADE_3, None, None))
    ungraded = replace(few[0], grades=(None, Grade.GRADE_0, None))
    slices = [*graded, rare, ungraded]

    sampler = sampler_for(slices, 1.0, seed=1)

    assert isinstance(sampler, WeightedRandomSampler)
    assert sampler.weights.tolist() == [1.0] * 8 + [8.0, 1.0]


def test_the_learning_rate_rises_then_falls_almost_to_nothing() -> None:
    rates = [schedule(share) for share in np.linspace(0, 1, 101)]

    assert rates[0] < 0.05
    assert max(rates) == pytest.approx(1.0, abs=0.01)
    assert rates.index(max(rates)) < 15
    assert rates[-1] < 0.01
    assert schedule(3.0) == rates[-1]


def test_settled_statistics_are_those_of_the_batches() -> None:
    network = nn.Sequential(nn.BatchNorm2d(2)).eval()
    batches = [torch.randn(8, 2, 5, 5) * 3 + 7 for _ in range(3)]

    settle_statistics(network, batches)

    norm = network[0]
    assert isinstance(norm, nn.BatchNorm2d)
    expected = torch.stack([batch.mean(dim=(0, 2, 3)) for batch in batches]).mean(dim=0)
    torch.testing.assert_close(norm.running_mean, expected)
    assert norm.momentum == 0.1
    assert not network.training


def test_a_training_step_moves_the_weights_and_hands_them_out(
    few: list[LabelledSlice], tmp_path: Path
) -> None:
    kept: list[tuple[MultiTaskResNet, Progress]] = []
    recipe = Recipe(SPEC, backbone="resnet18", epochs=1, batch_slices=2)

    fit(few, few, recipe, tmp_path, lambda *one: kept.append(one))

    network, progress = kept[-1]
    assert progress.samples_seen == 4
    assert set(progress.validation_macro_f1) == set(Finding)
    assert all(weights.isfinite().all() for weights in network.parameters())
    # Every block starts with this scale at zero.
    assert (network.state_dict()["backbone.layer1.0.bn2.weight"] != 0).any()
    assert "macro_f1_LDH" in (tmp_path / "metrics.csv").read_text()


def test_the_last_step_is_kept_though_no_validation_was_due(
    few: list[LabelledSlice], tmp_path: Path
) -> None:
    kept: list[Progress] = []
    recipe = Recipe(
        SPEC, backbone="resnet18", epochs=1, batch_slices=2, validation_batches=3
    )

    fit(few * 2, few, recipe, tmp_path, lambda _, progress: kept.append(progress))

    assert [progress.samples_seen for progress in kept] == [6, 8]


def test_a_training_ends_when_its_minutes_are_over(
    few: list[LabelledSlice], tmp_path: Path
) -> None:
    kept: list[Progress] = []
    recipe = Recipe(
        SPEC, backbone="resnet18", epochs=1000, batch_slices=2, minutes=1 / 600
    )

    fit(few, few, recipe, tmp_path, lambda _, progress: kept.append(progress))

    assert kept
    assert kept[-1].samples_seen < 1000


def test_the_train_verb_leaves_a_bundle_that_says_what_it_learned_from(
    trained: Path,
) -> None:
    card = load_bundle(trained).card

    assert card.basis is Basis.PHANTOM
    assert card.provenance.recipe["gradient_norm"] == 5.0
    assert "settled" in str(card.provenance.recipe["running_statistics"])
    assert card.heads == (*HEADS, *SIDES)
    assert card.preprocessing == Preprocessing(44.0, 32)
    assert "--lessons FOLDER --epochs 1 --seed 1" in card.provenance.command
    shipped = read_card(shipped_bundle_path()).provenance.recipe
    for part in ("loss", "average_samples", "shift_mm", "augmentation"):
        assert card.provenance.recipe[part] == shipped[part]
    learned = card.provenance.labelled_slices
    assert "internal domain, balanced grades, seed 1: " in learned
    # Those that lie there, not the 1600 that would be drawn without lessons.
    assert learned.endswith(" of 1 patients")
    assert card.provenance.samples_seen > 8


def test_the_measure_verb_says_first_what_speaks_for_the_bundle(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["measure", str(trained), "--slices", "2", "--workers", "1"])

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert lines[0] == FIRST_LINES[Basis.PHANTOM]
    assert [line.split()[0] for line in lines[3:6]] == list(Finding)


def test_a_recorded_measurement_stands_in_the_card_once(trained: Path) -> None:
    arguments = ["measure", str(trained), "--slices", "1", "--seed", "9", "--record"]

    main([*arguments, "--workers", "1"])
    main([*arguments, "--workers", "1"])

    card = load_bundle(trained).card
    [one] = [one for one in card.results if "--slices 1 --seed 9" in one.command]
    assert one.weights_sha256 == card.weights_sha256
    assert "region midway between" in one.labelled_slices


def test_scores_are_those_computed_by_hand() -> None:
    true = {finding: np.array([0, 0, 0, 1, 2, 3]) for finding in Finding}
    predicted = {finding: np.array([0, 0, 1, 1, 2, 0]) for finding in Finding}

    ldh = score(true, predicted)[0]

    # Grade 0: 2 of 3 found, 2 of 3 right; 1: 1 of 1, 1 of 2; 2: all; 3: none.
    assert ldh.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 1 + 0) / 4)
    assert ldh.accuracy == pytest.approx(4 / 6)
    assert ldh.constant_macro_f1 == pytest.approx((2 / 3) / 4)
    assert ldh.constant_accuracy == pytest.approx(0.5)
    assert ldh.confusion[0].tolist() == [2, 1, 0, 0]


def test_a_missing_bundle_ends_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["measure", str(tmp_path / "nowhere")])

    assert status == 1
    assert "card.json cannot be read" in capsys.readouterr().err


MISSING = {
    # By library: the verb that needs it, and the extra that brings it.
    "scipy": ("measure x", "train,eval"),
    "lightning": ("train --out x", "train"),
}


def test_a_missing_extra_is_named_with_its_cure() -> None:
    # One process for all: what takes long is to import torch.
    program = (
        "import sys\n"
        "from grading.__main__ import main\n"
        f"for library, (verb, _) in {MISSING!r}.items():\n"
        "    sys.modules[library] = None\n"
        "    print(main(verb.split()))\n"
        "    del sys.modules[library]\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert ended.stdout == "1\n1\n"
    said = ended.stderr.splitlines()
    for line, (library, (_, extra)) in zip(said, MISSING.items(), strict=True):
        assert f"{library} is not installed" in line
        assert f"pip install 'lumbar-node[{extra}]'" in line


def test_a_grade_that_neither_occurs_nor_is_said_takes_no_part_in_a_mean() -> None:
    true = {finding: np.array([0, 0, 1, 1]) for finding in Finding}
    predicted = {finding: np.array([0, 0, 1, 0]) for finding in Finding}

    ldh = score(true, predicted)[0]

    assert ldh.macro_f1 == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert ldh.constant_macro_f1 == pytest.approx((2 / 3) / 2)


def test_measured_is_what_the_service_says(
    trained: Path, few: list[LabelledSlice]
) -> None:
    bundle = load_bundle(trained)
    seen = [Regions(few, bundle.card.preprocessing)[i][0] for i in range(len(few))]
    said = Grader(bundle, "cpu").probabilities(seen)

    true, predicted = predict(bundle, few)

    for index, finding in enumerate(Finding):
        assert true[finding].tolist() == [one.grades[index] for one in few]
        assert predicted[finding].tolist() == np.argmax(said[finding], axis=1).tolist()


@pytest.mark.parametrize("patients", ["0", "-3"])
def test_a_count_below_one_is_refused(patients: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--out", "x", "--patients", patients])


@pytest.mark.parametrize(
    "option",
    [
        "--region-mm -5",
        "--learning-rate 0",
        "--balance 1.5",
        "--minutes nan",
        "--seed -1",
        "--seed 900011",
    ],
)
def test_a_number_that_makes_no_training_is_refused(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--out", "x", *option.split()])

    assert option.split()[0] in capsys.readouterr().err


def test_lessons_of_a_seed_that_measures_are_refused() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["lessons", "x", "--patients", "1", "--seed", "900011"])


def test_a_training_learns_from_lessons_or_from_a_manifest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = main(["train", "--out", "x", "--lessons", "y", "--manifest", "z"])

    assert status == 1
    assert "learns from one of them" in capsys.readouterr().err


def test_a_region_larger_than_what_is_kept_of_a_phantom_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = f"--out {tmp_path / 'b'} --lessons {tmp_path} --region-mm 90".split()

    assert main(["train", *options, "--shift-mm", "6"]) == 1

    assert "at most 59 mm" in capsys.readouterr().err


def test_lessons_of_two_sets_never_share_a_folder(
    lessons: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--patients", "2", "--validation", "1", "--seed", "2"]

    assert main(["lessons", str(lessons), *options]) == 1

    assert "internal domain, balanced grades, seed 1, not of" in capsys.readouterr().err
    assert len(list((lessons / "training").glob("*.npz"))) == 1


def test_two_processes_in_short_floats_train_one_bundle(
    trained: Path, lessons: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    options = f"--lessons {lessons} --epochs 1 --batch 4 --grid 32 --backbone resnet18"
    shared = "--devices 2 --precision bf16-mixed"
    given = [*options.split(), *shared.split()]
    # In a process of its own: Lightning starts the second one with the same arguments.
    done = subprocess.run(
        [sys.executable, "-m", "grading", "train", "--out", str(out), *given],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    alone, both = (load_bundle(path).card.provenance for path in (trained, out))
    assert both.software.endswith("bf16-mixed")
    assert abs(both.samples_seen - alone.samples_seen) < 4
    assert "--batch 4" in both.command


def test_landmarks_go_into_a_bundle_and_stay_there_through_a_training(
    trained: Path, lessons: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, again = tmp_path / "bundle", tmp_path / "again"
    shutil.copytree(trained, bundle)
    write_card(bundle, attested(load_bundle(bundle).card))
    options = f"--lessons {lessons} --epochs 1 --batch 4".split()

    landmarks = ["landmarks", str(bundle), "--lessons", str(lessons), "--steps", "2"]
    assert main([*landmarks, "--batch", "2"]) == 0
    said = capsys.readouterr().out
    start = ["--from-bundle", str(bundle)]
    assert main(["train", "--out", str(again), *start, *options]) == 0

    first, second = load_bundle(bundle), load_bundle(again)
    # A site's word was about the weights of before.
    assert (first.card.basis, first.card.evaluation) == (Basis.UNEVALUATED, None)
    # After the progress bars, which overwrite their line.
    assert FIRST_LINES[Basis.UNEVALUATED] + "\nlandmarks written" in said
    assert first.card.landmarks is not None
    assert first.card.landmarks.provenance.samples_seen == 2 * 2 * 2
    assert set(first.card.landmarks.errors_mm) == {*AXIAL_POINTS, "sacrum"}
    recipe = first.card.landmarks.provenance.recipe
    assert "rotation_deg 20.0" in str(recipe["disturbance_axial"])
    assert "rotation_deg 12.0" in str(recipe["disturbance_sagittal"])
    assert first.card.landmarks == second.card.landmarks
    assert locator_of(second, torch.device("cpu")) is not None
    for name, weights in first.landmarks.items():
        assert torch.equal(weights, second.landmarks[name])
    assert locator_of(load_bundle(trained), torch.device("cpu")) is None


def test_one_landmark_network_goes_on_and_the_other_stays(
    trained: Path, lessons: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(trained, bundle)
    verb = ["landmarks", str(bundle), "--lessons", str(lessons), "--batch", "2"]
    assert main([*verb, "--steps", "1"]) == 0
    before = load_bundle(bundle)

    assert main([*verb, "--steps", "2", "--plane", "axial", "--go-on"]) == 0

    after = load_bundle(bundle)
    changed = {
        name.split(".")[1]
        for name, weights in after.landmarks.items()
        if not torch.equal(weights, before.landmarks[name])
    }
    assert changed == {"axial"}
    assert after.card.landmarks is not None
    provenance = after.card.landmarks.provenance
    assert provenance.samples_seen == 1 * 2 * 2 + 2 * 2
    assert "--steps 1" in provenance.command
    assert "--go-on" in provenance.command
    assert before.card.landmarks is not None
    assert provenance.seconds >= before.card.landmarks.provenance.seconds
    assert (provenance.recipe["steps"], provenance.recipe["seed"]) == ("1, then 2", 1)
    assert {"disturbance_axial", "disturbance_sagittal"} <= set(provenance.recipe)
    assert set(after.card.landmarks.errors_mm) == {*AXIAL_POINTS, "sacrum"}


@pytest.mark.parametrize("further", [["--go-on"], ["--plane", "sagittal"]])
def test_a_landmark_network_that_is_not_there_cannot_stay_or_go_on(
    trained: Path, further: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    verb = ["landmarks", str(trained), "--lessons", "nowhere", *further]

    assert main(verb) == 1

    assert "has no axial landmark network yet" in capsys.readouterr().err


def test_lessons_that_are_there_are_not_drawn_again(
    lessons: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lessons", str(lessons), "--patients", "1", "--validation", "1"]) == 0

    assert capsys.readouterr().out.startswith("0 patients drawn")


def test_a_folder_without_lessons_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["train", "--out", str(tmp_path / "b"), "--lessons", str(tmp_path)])

    assert status == 1
    assert "holds no lesson: write some with" in capsys.readouterr().err


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_torchvision_state_dict_is_started_from(tmp_path: Path, ending: str) -> None:
    resnet = torchvision.models.resnet18(num_classes=7)
    path = tmp_path / f"weights{ending}"
    save = save_file if ending == ".safetensors" else torch.save
    save(resnet.state_dict(), path)
    network = MultiTaskResNet("resnet18", HEADS)

    begin_from(network, start_from_file(path).weights)

    assert torch.equal(network.backbone.conv1.weight, resnet.conv1.weight)


def test_weights_of_another_backbone_are_refused(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "small.pth")
    start = start_from_file(tmp_path / "small.pth")

    with pytest.raises(BundleError, match="of another backbone"):
        begin_from(MultiTaskResNet("resnet50", HEADS), start.weights)


@pytest.mark.parametrize("content", ["no weights", ""])
def test_a_file_that_is_no_state_dict_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "text.pth").write_text(content)

    with pytest.raises(BundleError, match="is not a state dict") as refused:
        start_from_file(tmp_path / "text.pth")
    assert "weights_only" not in str(refused.value)


def test_a_checkpoint_around_a_state_dict_is_refused_with_its_cure(
    tmp_path: Path,
) -> None:
    torch.save({"epoch": 3, "state_dict": {}}, tmp_path / "checkpoint.pth")

    with pytest.raises(BundleError, match=r"save the `state_dict\(\)`"):
        start_from_file(tmp_path / "checkpoint.pth")


def test_a_mirrored_slice_teaches_each_root_its_own_grade() -> None:
    grades = torch.tensor([[0, 1, 2, 2, 0], [0, 1, 2, 2, 0]])

    found = mirrored_grades(grades, torch.tensor([False, True]))

    assert found.tolist() == [[0, 1, 2, 2, 0], [0, 1, 2, 0, 2]]


def test_the_papers_recipe_is_the_papers() -> None:
    recipe = paper_recipe(SPEC)

    assert (recipe.batch_slices, recipe.epochs, recipe.learning_rate) == (16, 100, 1e-3)
    assert (recipe.weight_decay, recipe.decoupled_decay) == (1e-4, False)
    assert recipe.steady_rate
    assert recipe.augmentation.rotation_deg == 15.0


def test_grades_are_kept_as_grades(few: list[LabelledSlice]) -> None:
    assert all(isinstance(grade, Grade) for one in few for grade in one.grades)
