"""A whole phantom study graded as the node would, beside its truth."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from scipy.special import softmax

from grading.__main__ import main
from grading.bundle import load_bundle
from grading.card import named_by_calibration
from grading.evaluation.case_file import read_cases
from grading.evaluation.flow import flow
from grading.evaluation.selection import NO_PREDICTION
from grading.grader import Grader
from grading.grades import Level
from grading.phantom.sets import find_set
from grading.phantom.studies.drawn import StudyKey
from grading.phantom.studies.truth import as_json
from grading.training.calibrate_on_trials import (
    Wish,
    calibrate_on_trials,
)
from grading.training.slice_trials import SliceTrial, describe_slices
from grading.training.trial import (
    Examined,
    Row,
    StudyTrial,
    compare,
    examine,
    grade_examined,
    try_set,
    write_trial,
)
from grading.trust import Result, Threshold
from tests.grading.phantom_truth import PhantomStudy, TruthLocator
from tests.grading.tiny_bundle import tiny_bundle


@pytest.fixture(scope="module")
def examined() -> Examined:
    return examine(StudyKey(seed=6, number=1))


SHARES = Wish(0.9, shares=True)


def through_discs(trial: StudyTrial) -> list[SliceTrial]:
    return [one for one in trial.slices if one.shows_disc]


def unpredicted(trial: StudyTrial) -> list[Row]:
    return [row for row in trial.rows if "p0" not in row]


@pytest.fixture(scope="module")
def grader(examined: Examined, tmp_path_factory: pytest.TempPathFactory) -> Grader:
    folder = tmp_path_factory.mktemp("study")
    for number, content in enumerate(examined.files):
        (folder / f"{number:03d}.dcm").write_bytes(content)
    (folder / "truth.json").write_text(as_json(examined.truth), "utf-8")
    bundle = tiny_bundle(folder / "bundle")
    return Grader(bundle, "cpu", TruthLocator(PhantomStudy(folder)))


def test_who_finds_everything_where_it_is_places_every_slice_right(
    examined: Examined, grader: Grader
) -> None:
    trial = grade_examined(grader, examined)

    assert not trial.refused
    through = through_discs(trial)
    assert len(through) >= 6
    assert all(one.level_right for one in through)
    assert max(one.sac_mm or 0.0 for one in through) < 0.01


def test_the_table_of_a_trial_is_one_that_evaluate_takes(
    examined: Examined, grader: Grader, tmp_path: Path
) -> None:
    trial = grade_examined(grader, examined)

    write_trial(tmp_path / "cases.csv", grader.bundle, [trial])

    cases = read_cases(tmp_path / "cases.csv")
    assert cases.source.phantom
    assert [one.name for one in cases.source.predictors] == ["tiny 1"]
    through = through_discs(trial)
    slices, levels = len(through), len({one.true_level for one in through})
    assert (~cases.about_level).sum() == 3 * slices
    assert cases.about_level.sum() == 3 * levels


def test_a_bundle_settled_on_a_set_says_what_was_fitted(
    examined: Examined, grader: Grader, tmp_path: Path
) -> None:
    bundle = tiny_bundle(tmp_path / "settled", "LNRC_RIGHT", "LNRC_LEFT")
    before = Grader(bundle, "cpu", grader.locator)
    trials = [grade_examined(before, examined)]

    fitted = calibrate_on_trials(bundle, trials, SHARES, "one study")

    after = Grader(load_bundle(bundle.path), "cpu", grader.locator)
    [trial] = trials
    again = grade_examined(after, examined)
    assert set(fitted) == {"LDH", "LCCS", "LNRC", "LNRC_RIGHT", "LNRC_LEFT"}
    [strength] = {one.strength for one in fitted.values()}
    shares = after.bundle.card.provenance.recipe["shares"]
    assert shares == f"one study, strength {strength:g}"
    for old, new in zip(trial.graded, again.graded, strict=True):
        fit = fitted[old.head]
        temperature = bundle.card.calibration.get(old.head, 1.0)
        logits = temperature * np.log(old.said.probabilities)
        wanted = softmax(logits / fit.calibration.temperature + np.array(fit.offsets))
        assert new.said.probabilities == pytest.approx(wanted, abs=0.01)


def test_a_settled_bundle_keeps_nothing_of_an_earlier_calibration_or_measurement(
    examined: Examined, grader: Grader, tmp_path: Path
) -> None:
    bundle = tiny_bundle(tmp_path / "settled")
    measured = Result("measure", "none", 1, {"LDH": 0.1}, {}, {})
    stale = {"LDH": Threshold(0.123, 0.9, 0.5, 7)}
    card = replace(bundle.card, thresholds=stale, results=(measured,))
    bundle = replace(bundle, card=named_by_calibration(card))
    trials = [grade_examined(Grader(bundle, "cpu", grader.locator), examined)]

    calibrate_on_trials(bundle, trials, SHARES, "one study")

    after = load_bundle(bundle.path).card
    assert after.results == ()
    assert after.thresholds["LDH"].slices == len(through_discs(trials[0]))
    assert after.version == named_by_calibration(after).version != bundle.card.version


def test_calibrating_without_offsets_leaves_the_weights_as_they_are(
    examined: Examined, grader: Grader, tmp_path: Path
) -> None:
    bundle = tiny_bundle(tmp_path / "bundle", "LNRC_RIGHT", "LNRC_LEFT")
    trials = [grade_examined(Grader(bundle, "cpu", grader.locator), examined)]

    fitted = calibrate_on_trials(bundle, trials, Wish(0.5), "one study")

    card = load_bundle(bundle.path).card
    assert card.weights_sha256 == bundle.card.weights_sha256
    assert card.calibration == {
        head: one.calibration.temperature for head, one in fitted.items()
    }
    assert set(card.thresholds) == {"LDH", "LCCS", "LNRC", "LNRC_RIGHT", "LNRC_LEFT"}
    assert card.provenance.recipe["calibrated_on"] == "one study"
    assert card.version.startswith("1+cal.")


def test_a_set_that_measures_settles_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = str(tiny_bundle(tmp_path / "bundle").path)
    arguments = ["--set", "test-internal", "--out", str(tmp_path), "--settle-shares"]

    assert main(["trial", bundle, *arguments]) == 1

    assert "fit on `calibration`" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--calibrate", "--settle-shares"])
def test_the_shipped_bundle_is_not_written_by_accident(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--set", "calibration", "--out", str(tmp_path), option]

    assert main(["trial", *arguments]) == 1

    assert "name yours, not the shipped one" in capsys.readouterr().err


def test_a_slice_that_was_not_graded_counts_as_not_found(
    examined: Examined, grader: Grader
) -> None:
    datasets = [pydicom.dcmread(BytesIO(content)) for content in examined.files]
    grades = grader.grade(datasets)
    lost = next(one for one in grades.slices if one.through_disc)
    fewer = replace(
        grades, slices=tuple(one for one in grades.slices if one is not lost)
    )

    whole, part = compare(examined, grades), compare(examined, fewer)

    assert len(part.slices) == len(whole.slices)
    missed = [one for one in part.slices if one.shows_disc and one.sac_mm is None]
    assert missed == [SliceTrial(lost.level)]
    assert len(part.rows) == len(whole.rows)
    assert len(unpredicted(part)) == 3


def test_a_table_that_has_nowhere_to_go_is_refused_before_anything_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "nowhere"

    assert main(["trial", "--set", "validation", "--out", str(out)]) == 1

    assert "make the folder first" in capsys.readouterr().err


def test_two_bundles_whose_tables_would_overwrite_each_other_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = [str(tiny_bundle(tmp_path / place / "bundle").path) for place in "ab"]

    assert main(["trial", *twice, "--set", "validation", "--out", str(tmp_path)]) == 1

    assert "have one name" in capsys.readouterr().err


def test_a_study_without_anything_to_grade_says_why(
    examined: Examined, grader: Grader
) -> None:
    trial = grade_examined(grader, replace(examined, files=examined.files[:1]))

    assert "no axial T2-weighted lumbar series" in trial.refused


def test_every_slice_and_level_of_a_refused_study_counts_as_missed(
    examined: Examined, grader: Grader, tmp_path: Path
) -> None:
    whole = grade_examined(grader, examined)

    refused = grade_examined(grader, replace(examined, files=examined.files[:1]))

    assert refused.slices == tuple(SliceTrial(one.true_level) for one in whole.slices)
    assert len(unpredicted(refused)) == len(refused.rows) == len(whole.rows)
    write_trial(tmp_path / "cases.csv", grader.bundle, [refused])
    found = flow(read_cases(tmp_path / "cases.csv"))
    assert {one.reason for one in found.left_out} == {NO_PREDICTION}
    assert found.included.slices == sum(one.shows_disc for one in whole.slices)


def test_a_trial_grades_in_one_thread_and_gives_the_others_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    during: list[int] = []
    module = "grading.training.trial"
    monkeypatch.setattr(f"{module}.graders_beside", lambda _: [None])
    monkeypatch.setattr(f"{module}.in_order", lambda *_: [None])
    monkeypatch.setattr(
        f"{module}.grade_examined", lambda *_: during.append(torch.get_num_threads())
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        list(try_set([], find_set("validation"), 1, 1))
        after = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)

    assert (during, after) == ([1], 2)


def test_what_was_not_found_and_what_was_wrong_are_counted_apart() -> None:
    slices = [
        SliceTrial(Level.L4_L5, Level.L4_L5, 1.0, through_disc=True),
        SliceTrial(Level.L4_L5, Level.L3_L4, 5.0, through_disc=False),
        SliceTrial(Level.L4_L5),
        SliceTrial(None, Level.L4_L5, through_disc=True),
        SliceTrial(None, None, through_disc=False),
    ]

    words = describe_slices(slices)

    assert words == (
        "3 slices through discs: sac centre found on 2, within 3 mm on 1 (33.3%), "
        "median 5.00 mm; level right on 1 (33.3%), wrong on 1, not determined on 1\n"
        "5 slices, through a disc or not: right on 2 (40.0%), wrong on 2 (1 through a "
        "disc, 1 through none), not determined on 1"
    )
