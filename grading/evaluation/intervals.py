"""From a value and its resamples to a figure with an interval, or without, and why.

Percentiles of the resamples, a little wider than the nominal ones where patients
are few: Hesterberg, What teachers should know about the bootstrap, The American
Statistician 69:371, 2015 ("expanded" percentiles).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from grading.evaluation.agreement import COVERAGE, NO_SPREAD
from grading.evaluation.metrics import Floats
from grading.evaluation.outcomes import Figure

LEAST_DEFINED = 0.95
"""Of the resamples. With three patients who have a grade, one in twenty resamples
has none of them: below that the resamples left say little about the figure."""

RESIDUE_DIGITS = 12
"""What lies beyond is rounding: it depends on how many threads add up, and makes a
zero print as -0.000."""


def figure(
    value: float,
    resamples: Floats | None,
    patients: int,
    undefined: str,
    *,
    reflected_above: float | None = None,
) -> Figure:
    """Return the figure with its 95 % interval.

    Parameters
    ----------
    value
        NaN where it is not defined; ``undefined`` then says why.
    resamples
        (resamples,) the same figure of each, NaN where it is not defined; None
        where no interval is asked for.
    reflected_above
        The least that the figure can be, where chance makes it too large, and
        once more in every resample: the percentiles are then reflected about the
        value and cut there. Plain ones of the calibration error of honest
        probabilities lie above the truth.
    """
    if np.isnan(value):
        return Figure(None, undefined=undefined)
    value = round(value, RESIDUE_DIGITS) + 0.0
    if resamples is None:
        return Figure(value)
    if patients < 2:
        return Figure(value, undefined="only one patient")
    defined = resamples[~np.isnan(resamples)]
    share = len(defined) / len(resamples)
    if share < LEAST_DEFINED:
        # Rounded down, so that it never reads as the limit itself.
        percent = math.floor(1000 * share) / 10
        reason = f"too few patients: defined in {percent:g} % of the resamples only"
        return Figure(value, undefined=reason)
    low, high = _percentiles(defined, patients)
    if high - low < NO_SPREAD:
        return Figure(value, undefined="every resample gives the same value")
    if reflected_above is None:
        return Figure(value, low, high)
    reflected = max(2.0 * value - high, reflected_above), 2.0 * value - low
    return Figure(value, min(reflected[0], value), max(reflected[1], value))


def _percentiles(resamples: Floats, patients: int) -> tuple[float, float]:
    quantile = stats.t.ppf(0.5 - COVERAGE / 2.0, patients - 1)
    tail = stats.norm.cdf(quantile * np.sqrt(patients / (patients - 1)))
    low, high = np.quantile(resamples, (tail, 1.0 - tail))
    return round(float(low), RESIDUE_DIGITS), round(float(high), RESIDUE_DIGITS)
