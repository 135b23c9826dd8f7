"""Write a site's own evaluation into a bundle, in that site's name.

Nothing here judges the figures: they are the site's word, bound to the weights and
temperatures that they were measured with, and shown as such.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from grading.card import Card, named_by_calibration
from grading.evaluation.cases import TEST_PART
from grading.evaluation.delimited import CasesError
from grading.evaluation.metrics import Metric
from grading.grades import Basis
from grading.training.predict import predictor
from grading.trust import SiteEvaluation, SiteFigure

FORMAT_VERSION = 1
"""Of the report that `lumbar-grading evaluate` writes for programs."""
METRICS = (
    Metric.ACCURACY,
    Metric.BALANCED_ACCURACY,
    Metric.MACRO_F1,
    Metric.AC1,
    Metric.KAPPA,
)
"""Those of the report that travel in the card, where they have an interval."""


@dataclass(frozen=True, slots=True)
class Attestation:
    """Who says so, when, and about which patients."""

    person: str
    patients: str
    on: date


def attested(card: Card, report: Path, attestation: Attestation) -> Card:
    """Return the card with the evaluation in it, its basis the site's.

    Raises
    ------
    CasesError
        The report is not one, is about a phantom, or is about other weights or
        temperatures than the bundle has; or person or patients are not named.
    OSError
        The report cannot be read.
    """
    _check_words(report, attestation)
    content = _read(report)
    try:
        _check_source(report, content["source"], card)
        group = next(_whole(content))
        evaluation = _evaluation(card, group, attestation)
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise CasesError(
            report, None, f"{error!r}; name the report.json that `evaluate` wrote"
        ) from error
    return replace(card, basis=Basis.SITE, evaluation=evaluation, disclaimer="")


def _check_words(report: Path, attestation: Attestation) -> None:
    if not attestation.person.strip() or not attestation.patients.strip():
        raise CasesError(
            report,
            None,
            "somebody must answer for it: name the person and the patients",
        )


def _read(report: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(report.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CasesError(report, None, f"not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
        raise CasesError(
            report, None, "not a report.json that this version's `evaluate` wrote"
        )
    return content


def _check_source(report: Path, source: Mapping[str, Any], card: Card) -> None:
    if source["phantom"]:
        raise CasesError(
            report,
            None,
            "it is about images of a computer-made phantom, which say nothing about "
            "patients; evaluate the bundle on patients of yours",
        )
    if not_new := sorted(set(source["parts"]) - {TEST_PART}):
        raise CasesError(
            report,
            None,
            f"it is about images of the part '{not_new[0]}', which bundles learn from "
            f"or are calibrated on; evaluate the bundle on the part '{TEST_PART}'",
        )
    # Reports of before the key: a table that names parts names them in all rows.
    if source.get("without_part", not source["parts"]):
        raise CasesError(
            report,
            None,
            "it does not say of which part its images are; fill the column `part` of "
            f"its table with '{TEST_PART}' where no bundle has learned from the "
            "patient nor was calibrated on them, and evaluate anew",
        )
    made_by = predictor(card)
    found = [(one["name"], one["sha256"]) for one in source["predictors"]]
    if source["unnamed"] or found != [(made_by.name, made_by.sha256)]:
        names = [f"{name}, weights {sha256[:12]}" for name, sha256 in found]
        raise CasesError(
            report,
            None,
            f"its predictions are by {'; '.join(names) or 'nobody named'}, the bundle "
            f"is {made_by.name}, weights {made_by.sha256[:12]}; evaluate this bundle",
        )
    _check_calibration(report, source["predictors"][0], card)


def _check_calibration(report: Path, said: Mapping[str, Any], card: Card) -> None:
    """Refuse grades that were made with other temperatures, or nobody knows which."""
    calibration = said.get("calibration_sha256", "")
    # A version that follows from the calibration names it as well as a hash does.
    if not calibration and named_by_calibration(card).version == card.version:
        return
    if calibration != card.calibration_sha256:
        words = f"{calibration[:12]}" if calibration else "not named"
        raise CasesError(
            report,
            None,
            "the temperatures, thresholds and limits that its predictions were made "
            f"with are {words}, those of the bundle are "
            f"{card.calibration_sha256[:12]}; evaluate the bundle anew",
        )


def _whole(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the group of all slices."""
    for group in content["groups"]:
        if group["kind"] == "all" and group["per"] == "slice":
            yield group


def _evaluation(
    card: Card, group: Mapping[str, Any], attestation: Attestation
) -> SiteEvaluation:
    scores: Mapping[str, Any] = group["scores"]
    return SiteEvaluation(
        person=attestation.person.strip(),
        date=attestation.on.isoformat(),
        patients=attestation.patients.strip(),
        weights_sha256=card.weights_sha256,
        calibration_sha256=card.calibration_sha256,
        slices=max(int(one["cases"]) for one in scores.values()),
        figures={finding: dict(_figures(one)) for finding, one in scores.items()},
    )


def _figures(scores: Mapping[str, Any]) -> Iterator[tuple[str, SiteFigure]]:
    for metric in METRICS:
        figure = scores["figures"][metric]
        ends = (figure["value"], figure["low"], figure["high"])
        if None not in ends:
            yield metric.value, SiteFigure(*ends)
