"""What tells how far a bundle may be trusted: thresholds, measurements, evaluations.

All of it travels in the bundle's card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grading.fields import Fields

EVERY_GRADE = 2.0
"""A threshold that no probability reaches: every grade needs a reader."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """When a head's grade is left to a reader, and what that was chosen for."""

    probability: float
    """A grade less probable than this needs a reader."""
    wanted_accuracy: float
    """Of the grades that stand, on the slices it was chosen on."""
    share_referred: float
    """Of those slices, the share that needs a reader."""
    slices: int


@dataclass(frozen=True, slots=True)
class SiteFigure:
    """One figure of a site's evaluation, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SiteEvaluation:
    """What a site says of these weights: its own word, which nobody has checked."""

    person: str
    """Who answers for it."""
    date: str
    """Of the attestation, ``2026-11-24``."""
    patients: str
    """Which patients, in the person's words."""
    weights_sha256: str
    """Of the weights that were evaluated; other weights have no evaluation."""
    calibration_sha256: str
    """Of temperatures and thresholds that the evaluated grades were made with."""
    slices: int
    figures: Mapping[str, Mapping[str, SiteFigure]]
    """By head, by the figure's name."""


@dataclass(frozen=True, slots=True)
class Result:
    """One measurement; the command repeats it."""

    command: str
    labelled_slices: str
    slices: int
    macro_f1: Mapping[str, float]
    accuracy: Mapping[str, float]
    constant_macro_f1: Mapping[str, float]
    """Of a predictor that always says the most frequent grade."""
    weights_sha256: str = ""
    """Of what was measured; empty in cards of versions that did not say."""


def read_thresholds(each: Fields | None) -> Mapping[str, Threshold]:
    """Read the thresholds by head; none where older cards lack them."""
    if each is None:
        return {}
    return {name: _threshold(each.fields(name)) for name in each.names()}


def _threshold(fields: Fields) -> Threshold:
    threshold = Threshold(
        probability=fields.number("probability"),
        wanted_accuracy=fields.number("wanted_accuracy"),
        share_referred=fields.number("share_referred"),
        slices=fields.whole("slices"),
    )
    fields.end()
    for key in ("probability", "wanted_accuracy", "share_referred"):
        value = getattr(threshold, key)
        if not 0 <= value <= (EVERY_GRADE if key == "probability" else 1):
            raise fields.wrong(key, value, "a share from 0 to 1")
    return threshold


def read_evaluation(fields: Fields | None) -> SiteEvaluation | None:
    """Read a site's evaluation, None where there is none."""
    if fields is None:
        return None
    evaluation = SiteEvaluation(
        person=fields.text("person"),
        date=fields.text("date"),
        patients=fields.text("patients"),
        weights_sha256=fields.text("weights_sha256"),
        calibration_sha256=fields.text("calibration_sha256"),
        slices=fields.whole("slices"),
        figures=_figures(fields.fields("figures")),
    )
    fields.end()
    return evaluation


def _figures(heads: Fields) -> Mapping[str, Mapping[str, SiteFigure]]:
    figures: dict[str, Mapping[str, SiteFigure]] = {}
    for head in heads.names():
        of_head = heads.fields(head)
        figures[head] = {
            name: _figure(of_head.fields(name)) for name in of_head.names()
        }
    return figures


def _figure(fields: Fields) -> SiteFigure:
    figure = SiteFigure(
        fields.number("value"), fields.number("low"), fields.number("high")
    )
    fields.end()
    return figure


def read_result(fields: Fields) -> Result:
    """Read one measurement."""
    result = Result(
        command=fields.text("command"),
        labelled_slices=fields.text("labelled_slices"),
        slices=fields.whole("slices"),
        macro_f1=fields.fields("macro_f1").numbers(),
        accuracy=fields.fields("accuracy").numbers(),
        constant_macro_f1=fields.fields("constant_macro_f1").numbers(),
        weights_sha256=fields.optional_text("weights_sha256"),
    )
    fields.end()
    return result
