"""Temperatures and thresholds: fitted, written into the card, and applied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from grading.__main__ import main
from grading.bundle import Bundle, load_bundle
from grading.evaluation.delimited import CasesError
from grading.grader import Grader
from grading.grades import Finding, Grade
from grading.training.calibrate import calibrate, calibrated, choose_threshold
from grading.training.manifest import (
    Manifest,
    Part,
)
from grading.training.predict import predictions
from grading.trust import EVERY_GRADE, Threshold
from tests.grading.importing.archives import SLICES
from tests.grading.own.labelled_sets import STUDIES


def test_a_bundle_is_calibrated_where_it_lies(
    bundle: Bundle, manifest_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["calibrate", str(bundle.path), "--manifest", str(manifest_path)]

    status = main([*arguments, "--accuracy", "0.5"])

    card = load_bundle(bundle.path).card
    assert status == 0
    assert set(card.thresholds) == set(card.calibration) == set(Finding)
    assert card.version.startswith("1+cal.")
    assert {one.slices for one in card.thresholds.values()} == {SLICES}
    assert {one.wanted_accuracy for one in card.thresholds.values()} == {0.5}
    assert capsys.readouterr().out.startswith("The images are of patients.\n")


def test_calibrating_twice_gives_the_same_and_no_longer_version(
    bundle: Bundle, manifest: Manifest
) -> None:
    once = calibrated(bundle.card, calibrate(bundle, manifest, 0.5))
    again = replace(bundle, card=once)

    twice = calibrated(once, calibrate(again, manifest, 0.5))

    assert twice == once


def test_temperatures_change_no_grade_and_thresholds_ask_for_a_reader(
    bundle: Bundle, manifest: Manifest
) -> None:
    study = STUDIES[0]
    files = sorted((manifest.data_root / str(study.number)).glob("*.dcm"))
    datasets = [dcmread(path) for path in files]
    card = replace(
        bundle.card,
        calibration={finding.value: 3.0 for finding in Finding},
        thresholds={"LDH": Threshold(EVERY_GRADE, 0.9, 1.0, 3)},
    )

    before = Grader(bundle, "cpu").grade(datasets)
    after = Grader(replace(bundle, card=card), "cpu").grade(datasets)

    for one, other in zip(before.slices, after.slices, strict=True):
        for finding in Finding:
            assert one.grades[finding].grade is other.grades[finding].grade
            assert other.grades[finding].temperature == 3.0
            assert other.grades[finding].needs_reader is (finding is Finding.LDH)
    (level,) = after.levels
    assert level.grades[Finding.LDH].needs_reader
    assert not level.grades[Finding.LCCS].needs_reader
    assert not before.levels[0].grades[Finding.LDH].needs_reader


def test_a_grade_more_likely_wrong_than_right_always_needs_a_reader() -> None:
    sure, unsure = (0.9, 0.05, 0.03, 0.02), (0.4, 0.3, 0.2, 0.1)
    probabilities = np.array([sure] * 3 + [unsure])

    threshold = choose_threshold(probabilities, np.zeros(4, np.int8), 0.9)

    assert threshold.probability == 0.5
    assert threshold.share_referred == 0.25


def test_where_no_threshold_is_accurate_enough_every_grade_needs_a_reader(
    bundle: Bundle, manifest: Manifest
) -> None:
    predicted = list(predictions(bundle, manifest, manifest.part(Part.VALIDATION)))
    wrong = {
        one.labelled.sop_instance: Grade((int(one.probabilities[0].argmax()) + 1) % 4)
        for one in predicted
    }
    images = tuple(
        replace(image, grades={Finding.LDH: wrong[image.sop_instance]})
        for image in manifest.part(Part.VALIDATION)
    )

    fitted = calibrate(bundle, replace(manifest, images=images), 0.9)

    assert set(fitted) == {Finding.LDH}
    assert fitted[Finding.LDH].threshold.probability == EVERY_GRADE
    assert fitted[Finding.LDH].threshold.share_referred == 1.0


def test_a_validation_part_without_images_is_refused(
    bundle: Bundle, manifest: Manifest
) -> None:
    training = replace(manifest, images=manifest.part(Part.TRAINING))

    with pytest.raises(CasesError, match="no image in its validation part"):
        calibrate(bundle, training, 0.9)
