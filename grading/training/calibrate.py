"""Make a bundle's probabilities honest, and let it say when it is too unsure.

Fitted on the validation part of a manifest; both hold for patients like those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from grading.bundle import Bundle
from grading.card import Card, named_by_calibration, without_evaluation
from grading.evaluation.calibration import (
    GREATEST_TEMPERATURE,
    LEAST_TEMPERATURE,
    fit_temperature,
    log_probabilities,
    threshold_for,
)
from grading.evaluation.delimited import CasesError
from grading.grades import Finding
from grading.training.manifest import Manifest, Part
from grading.training.predict import Prediction, predictions
from grading.trust import EVERY_GRADE, Threshold

Floats = NDArray[np.float64]

LEAST_CERTAIN = 0.5
"""A grade that is more likely wrong than right needs a reader, also where the slices of
the calibration were so easy that none had to: those of a patient may not be."""
NEAR = 1.01
"""A temperature within one percent of an end of its range is at that end."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was fitted for one head."""

    temperature: float
    threshold: Threshold


def calibrate(
    bundle: Bundle, manifest: Manifest, accuracy: float
) -> Mapping[str, Calibration]:
    """Fit temperature and threshold of each finding that the validation part grades.

    Parameters
    ----------
    accuracy
        Wanted share of right grades among those that need no reader.

    Raises
    ------
    CasesError
        The validation part is empty, or an image cannot be read.
    ValueError
        The accuracy is not between 0 and 1.
    """
    images = manifest.part(Part.VALIDATION)
    if not images:
        raise CasesError(
            manifest.data_root, None, "the manifest has no image in its validation part"
        )
    unfitted = replace(bundle, card=replace(bundle.card, calibration={}))
    predicted = list(predictions(unfitted, manifest, images))
    return {
        finding: fit(*_pairs(predicted, finding), accuracy)
        for finding in Finding
        if any(finding in one.labelled.grades for one in predicted)
    }


def calibrated(card: Card, fitted: Mapping[str, Calibration]) -> Card:
    """Return the card with what was fitted for each head in it.

    What a site has said of the former calibration no longer holds.
    """
    fresh = replace(
        card,
        calibration={
            **card.calibration,
            **{str(head): one.temperature for head, one in fitted.items()},
        },
        thresholds={
            **card.thresholds,
            **{str(head): one.threshold for head, one in fitted.items()},
        },
    )
    return named_by_calibration(without_evaluation(fresh))


def table(fitted: Mapping[str, Calibration]) -> str:
    """Return what was fitted as lines for a person."""
    width = max(map(len, fitted), default=0) + 2
    heading = f"{'slices':>8}{'temperature':>13}{'reader below':>14}{'referred':>10}"
    lines = [" " * width + heading]
    for head, one in fitted.items():
        threshold = one.threshold
        below = (
            f"{threshold.probability:.1%}" if threshold.share_referred < 1 else "all"
        )
        lines.append(
            f"{head:{width}}{threshold.slices:>8}{one.temperature:>13.3f}{below:>14}"
            f"{threshold.share_referred:>10.1%}"
        )
    extreme = [head for head, one in fitted.items() if _at_an_end(one)]
    if extreme:
        lines.append(
            f"The temperature of {', '.join(extreme)} is at the end of its range: the "
            "slices are too few, or their grades are all right or all random."
        )
    return "\n".join(lines)


def _at_an_end(fitted: Calibration) -> bool:
    low, high = LEAST_TEMPERATURE * NEAR, GREATEST_TEMPERATURE / NEAR
    return not low < fitted.temperature < high


def _pairs(
    predicted: Sequence[Prediction], finding: Finding
) -> tuple[Floats, NDArray[np.int8]]:
    """Return (slices, 4) log-probabilities and (slices,) grades of one finding."""
    index = list(Finding).index(finding)
    graded = [one for one in predicted if finding in one.labelled.grades]
    probabilities = np.stack([one.probabilities[index] for one in graded])
    grades = [int(one.labelled.grades[finding]) for one in graded]
    return log_probabilities(probabilities), np.array(grades, np.int8)


def fit(logits: Floats, grades: NDArray[np.int8], accuracy: float) -> Calibration:
    """Fit one head on (slices, 4) logits and (slices,) grades.

    Raises
    ------
    ValueError
        The accuracy is not between 0 and 1, or there is no slice.
    """
    temperature = fit_temperature(logits, grades)
    probabilities = softmax(logits / temperature, axis=1)
    return Calibration(temperature, choose_threshold(probabilities, grades, accuracy))


def choose_threshold(
    probabilities: Floats, grades: NDArray[np.int8], accuracy: float
) -> Threshold:
    """Return below which of (slices, 4) calibrated probabilities a reader is needed.

    Never less than `LEAST_CERTAIN`, however often the grades of these slices are right.

    Raises
    ------
    ValueError
        The accuracy is not between 0 and 1, or there is no slice.
    """
    try:
        found = threshold_for(probabilities, grades, accuracy)
        threshold = max(found.threshold, LEAST_CERTAIN)
        share = float((probabilities.max(axis=1) < threshold).mean())
    except ValueError:
        if not 0 < accuracy <= 1:
            raise
        # Not even the surest grades are right often enough: none may stand alone.
        threshold, share = EVERY_GRADE, 1.0
    return Threshold(threshold, accuracy, share, slices=len(grades))
