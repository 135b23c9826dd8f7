"""A bundle on a hospital's own images: evaluated, attested, or refused."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from grading.__main__ import main
from grading.bundle import Bundle, load_bundle
from grading.card import write_card
from grading.evaluation.report.document import PHANTOM_IMAGES
from grading.grades import Basis
from tests.grading.own.labelled_sets import write_set


def evaluate(bundle: Bundle, manifest: Path, out: Path, *words: str) -> int:
    named = ["--manifest", str(manifest), "--out", str(out), "--resamples", "100"]
    return main(["evaluate", str(bundle.path), *named, *words])


def test_a_bundle_is_evaluated_on_a_manifest_and_its_predictions_kept(
    tmp_path: Path, bundle: Bundle, manifest_path: Path
) -> None:
    out = tmp_path / "report"

    status = evaluate(bundle, manifest_path, out, "--part", "train")

    content = json.loads((out / "report.json").read_text())
    [predictor] = content["source"]["predictors"]
    [predictions] = out.glob("predictions-*.csv")
    assert status == 0
    assert predictor["sha256"] == bundle.card.weights_sha256
    with predictions.open(newline="") as file:
        rows = list(csv.DictReader(file))
    graded = sum(row["finding"] == "LDH" for row in rows)
    assert content["groups"][0]["scores"]["LDH"]["cases"] == graded == 6


@pytest.mark.usefixtures("undrawn")
def test_two_bundles_are_compared_though_their_folders_have_one_name(
    tmp_path: Path, bundle: Bundle, manifest_path: Path
) -> None:
    other = tmp_path / "other" / bundle.path.name
    shutil.copytree(bundle.path, other)
    write_card(other, replace(bundle.card, version="2"))

    status = main(
        [
            *("evaluate", "--compare", str(bundle.path), str(other), "--part", "train"),
            *("--manifest", str(manifest_path), "--resamples", "100"),
            *("--out", str(tmp_path / "report")),
        ]
    )

    content = json.loads((tmp_path / "report" / "report.json").read_text())
    predictors = [source["predictors"][0]["name"] for source in content["sources"]]
    tables = {it.name for it in (tmp_path / "report").glob("predictions-*.csv")}
    assert status == 0
    assert predictors == ["tiny 1", "tiny 2"]
    assert tables == {"predictions-a-bundle.csv", "predictions-b-bundle.csv"}


@pytest.mark.parametrize(
    ("part", "status", "basis"),
    [("test", 0, Basis.SITE), ("train", 1, Basis.UNEVALUATED)],
)
@pytest.mark.usefixtures("undrawn")
def test_a_site_can_attest_what_evaluate_wrote_of_images_new_to_the_bundle(
    tmp_path: Path,
    bundle: Bundle,
    manifest_path: Path,
    part: str,
    status: int,
    basis: Basis,
) -> None:
    evaluate(bundle, manifest_path, tmp_path / "report", "--part", part)

    attested = main(
        [
            *("attest", str(bundle.path), "--person", "A reader", "--data", "some"),
            *("--evaluation", str(tmp_path / "report" / "report.json")),
        ]
    )

    assert attested == status
    assert load_bundle(bundle.path).card.basis is basis


@pytest.mark.usefixtures("undrawn")
def test_a_phantom_is_said_to_be_one_and_cannot_be_attested(
    tmp_path: Path, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = write_set(tmp_path, phantom=True)

    evaluate(bundle, manifest, tmp_path / "report", "--part", "train")

    assert PHANTOM_IMAGES in capsys.readouterr().out.splitlines()[0]
    status = main(
        [
            *("attest", str(bundle.path), "--person", "A reader", "--data", "some"),
            *("--evaluation", str(tmp_path / "report" / "report.json")),
        ]
    )
    assert status == 1
    assert "computer-made phantom" in capsys.readouterr().err


def test_a_part_without_images_is_named(
    tmp_path: Path,
    bundle: Bundle,
    manifest_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = manifest_path.read_text().splitlines(keepends=True)
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(
        "".join(line for line in lines if '"part": "validation"' not in line)
    )

    status = evaluate(bundle, manifest, tmp_path / "r", "--part", "validation")

    assert status == 1
    assert "has no image in its part 'validation'" in capsys.readouterr().err
