"""A site puts its name to an evaluation, and only to one of these weights."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from grading.__main__ import main
from grading.bundle import Bundle, load_bundle
from grading.card import Card, named_by_calibration, read_card, write_card
from grading.evaluation.delimited import CasesError
from grading.grades import FIRST_LINES, Basis, Finding
from grading.training.attest import Attestation, attested
from tests.grading.tiny_bundle import tiny_bundle

ON = Attestation("A. Radiologist", "40 patients of 2025", date(2026, 11, 24))


def write_report(folder: Path, bundle: Bundle, **source: object) -> Path:
    """Write what matters of an evaluation's report.json."""
    figure = {"value": 0.8, "low": 0.7, "high": 0.9, "undefined": None}
    names = ("accuracy", "balanced accuracy", "macro F1", "AC1", "quadratic kappa")
    scores = {
        finding: {"cases": 30, "figures": dict.fromkeys(names, figure)}
        for finding in Finding
    }
    scores[Finding.LNRC]["figures"]["AC1"] = {**figure, "value": None}  # type: ignore[index]
    card = bundle.card
    made_by = {
        "name": f"{card.name} {card.version}",
        "sha256": card.weights_sha256,
        "basis": card.basis,
        "calibration_sha256": card.calibration_sha256,
    }
    content = {
        "format_version": 1,
        "source": {
            "predictors": [made_by],
            "unnamed": False,
            "phantom": False,
            "parts": ["test"],
            "without_part": False,
            **source,
        },
        "groups": [
            {"kind": "site", "name": "x", "per": "slice", "scores": {}},
            {"kind": "all", "name": "all", "per": "slice", "scores": scores},
        ],
    }
    path = folder / "report.json"
    path.write_text(json.dumps(content))
    return path


def test_an_attested_bundle_carries_the_sites_word_and_its_basis(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = write_report(tmp_path, bundle)
    words = ["--person", ON.person, "--data", ON.patients, "--date", "2026-11-24"]

    status = main(["attest", str(bundle.path), "--evaluation", str(report), *words])

    card = load_bundle(bundle.path).card
    assert status == 0
    assert card.basis is Basis.SITE
    assert card.disclaimer == FIRST_LINES[Basis.SITE]
    assert card.evaluation is not None
    assert (card.evaluation.person, card.evaluation.date) == (ON.person, "2026-11-24")
    assert card.evaluation.figures["LDH"]["AC1"].low == 0.7
    assert "AC1" not in card.evaluation.figures["LNRC"]
    assert "word of A. Radiologist" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"phantom": True}, "images of a computer-made phantom"),
        ({"unnamed": True}, "its predictions are by"),
        ({"parts": ["test", "train"]}, "images of the part 'train', which bundles"),
        ({"parts": [], "without_part": True}, "does not say of which part"),
        ({"without_part": True}, "does not say of which part"),
        ({"predictors": []}, "by nobody named, the bundle is tiny 1"),
        ({"predictors": [{"name": "tiny 1", "sha256": "0" * 64}]}, "weights 00000000"),
        ({"predictors": 3}, "name the report.json"),
    ],
)
def test_an_evaluation_of_anything_else_is_refused(
    bundle: Bundle, tmp_path: Path, source: dict[str, object], message: str
) -> None:
    report = write_report(tmp_path, bundle, **source)

    with pytest.raises(CasesError, match=message):
        attested(bundle.card, report, ON)


def test_an_evaluation_under_another_limit_of_belief_is_refused(
    bundle: Bundle, tmp_path: Path
) -> None:
    report = write_report(tmp_path, bundle)
    seen = replace(bundle.card.preprocessing, region_size_mm=60.0)

    with pytest.raises(CasesError, match="evaluate the bundle anew"):
        attested(replace(bundle.card, preprocessing=seen), report, ON)


def test_a_report_that_names_no_calibration_needs_a_version_that_does(
    bundle: Bundle, tmp_path: Path
) -> None:
    def of_before(card: Card) -> Path:
        report = write_report(tmp_path, replace(bundle, card=card))
        content = json.loads(report.read_text())
        del content["source"]["without_part"]
        del content["source"]["predictors"][0]["calibration_sha256"]
        report.write_text(json.dumps(content))
        return report

    named = named_by_calibration(bundle.card)

    assert attested(named, of_before(named), ON).basis is Basis.SITE
    with pytest.raises(CasesError, match="are not named, those of the bundle"):
        attested(bundle.card, of_before(bundle.card), ON)


def test_who_attests_is_told_which_heads_the_evaluation_does_not_cover(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tiny_bundle(tmp_path / "sided", "LNRC_RIGHT", "LNRC_LEFT")
    report = write_report(tmp_path, bundle)
    words = ["--person", ON.person, "--data", ON.patients]

    assert main(["attest", str(bundle.path), "--evaluation", str(report), *words]) == 0

    said = capsys.readouterr().out
    assert "Not covered by this evaluation: LNRC_RIGHT, LNRC_LEFT." in said


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format_version": 9}', '{"format_version": 1}']
)
def test_what_is_no_report_is_refused(
    bundle: Bundle, tmp_path: Path, content: str
) -> None:
    (tmp_path / "report.json").write_text(content)

    with pytest.raises(CasesError, match=r"report\.json: .*(not|name)"):
        attested(bundle.card, tmp_path / "report.json", ON)


@pytest.mark.parametrize("blank", ["person", "patients"])
def test_nobody_attests_nothing(bundle: Bundle, tmp_path: Path, blank: str) -> None:
    report = write_report(tmp_path, bundle)
    by_nobody = replace(ON, **{blank: " "})  # type: ignore[arg-type]

    with pytest.raises(CasesError, match="name the person and the patients"):
        attested(bundle.card, report, by_nobody)


def test_another_calibration_ends_an_attestation(
    bundle: Bundle,
    manifest_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    card = attested(bundle.card, write_report(tmp_path, bundle), ON)
    write_card(bundle.path, card)

    main(["calibrate", str(bundle.path), "--manifest", str(manifest_path)])

    after = read_card(bundle.path)
    assert after.basis is Basis.UNEVALUATED
    assert after.evaluation is None
    assert "no longer holds" in capsys.readouterr().out
