"""From outcomes to scores: the figures, and their intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.metrics import roc_curve

from grading.evaluation.agreement import Weights, gwet_table
from grading.evaluation.estimates import NO_CASE, Estimates, Measured, estimate
from grading.evaluation.metrics import Floats, Metric
from grading.evaluation.outcomes import Outcomes
from grading.evaluation.ranking import is_severe, severe_score
from grading.evaluation.scores import (
    ConstantPredictor,
    GradeScores,
    ReferralPoint,
    ReliabilityBin,
    RocCurve,
    Scores,
)
from grading.evaluation.tallies import BIN_EDGES
from grading.grades import Grade

DEFAULT_RESAMPLES = 2000


def score(outcomes: Outcomes) -> Scores:
    """Return every figure, without intervals but for Gwet's own."""
    return scores_of(outcomes, estimate(outcomes))


def bootstrap(
    outcomes: Outcomes, *, seed: int, resamples: int = DEFAULT_RESAMPLES
) -> Scores:
    """Return every figure with its interval over patients.

    Cases of one patient resemble each other, so whole patients are drawn.

    Raises
    ------
    ValueError
        Fewer than ``LEAST_RESAMPLES`` resamples are asked for.
    """
    return scores_of(outcomes, estimate(outcomes, seed=seed, resamples=resamples))


def scores_of(outcomes: Outcomes, estimates: Estimates) -> Scores:
    """Return what was estimated of these outcomes in the form of a report."""
    confusion = estimates.tallies.sums.confusion.sum(axis=0).astype(np.int64)
    figures = estimates.by_metric(lambda measured: measured.metrics)
    return Scores(
        finding=outcomes.finding,
        cases=len(outcomes),
        patients=estimates.tallies.patients,
        confusion=confusion,
        figures=figures,
        grades=_grades(estimates),
        constant=ConstantPredictor(
            grade=estimates.constant_grade,
            figures=estimates.by_metric(lambda measured: measured.constant),
            advantage=estimates.by_metric(_advantage),
        ),
        ac1_by_formula=gwet_table(confusion),
        ac2_by_formula=gwet_table(confusion, weights=Weights.QUADRATIC),
        roc=_roc(outcomes) if figures[Metric.AUC].value is not None else None,
        reliability=_reliability(estimates),
        referral=_referral(estimates) if len(outcomes) else (),
    )


def _advantage(measured: Measured) -> Mapping[Metric, Floats]:
    return {
        metric: measured.metrics[metric] - constant
        for metric, constant in measured.constant.items()
    }


def _grades(estimates: Estimates) -> tuple[GradeScores, ...]:
    def reasons(sentence: str) -> list[str]:
        return [sentence.format(grade=grade.value) for grade in Grade]

    whole = estimates.whole.grades
    columns = zip(
        Grade,
        whole.support[0].astype(int).tolist(),
        whole.predicted[0].astype(int).tolist(),
        estimates.columns(
            lambda measured: measured.grades.precision,
            reasons("grade {grade} was never predicted"),
        ),
        estimates.columns(
            lambda measured: measured.grades.recall,
            reasons("grade {grade} does not occur in the reference"),
        ),
        estimates.columns(
            lambda measured: measured.grades.f1,
            reasons("grade {grade} neither occurs nor was it predicted"),
        ),
        strict=True,
    )
    return tuple(GradeScores(*column) for column in columns)


def _roc(outcomes: Outcomes) -> RocCurve:
    return RocCurve(*roc_curve(is_severe(outcomes), severe_score(outcomes)))


def _reliability(estimates: Estimates) -> tuple[ReliabilityBin, ...]:
    bins = estimates.tallies.sums.bins.sum(axis=0)
    accuracy = estimates.columns(
        lambda measured: measured.reliability,
        ["no case has such a confidence"] * len(bins),
    )
    return tuple(
        ReliabilityBin(
            low=float(BIN_EDGES[i]),
            high=float(BIN_EDGES[i + 1]),
            cases=int(cases),
            confidence=float(confidence / cases) if cases else None,
            accuracy=accuracy[i],
        )
        for i, (cases, confidence, _) in enumerate(bins)
    )


def _referral(estimates: Estimates) -> tuple[ReferralPoint, ...]:
    kept = estimates.tallies.sums.kept[:, :, 0].sum(axis=0)
    accuracy = estimates.columns(
        lambda measured: measured.referral, [NO_CASE] * len(kept)
    )
    return tuple(
        ReferralPoint(
            threshold=float(estimates.tallies.thresholds[i]),
            share_referred=float((kept[0] - remaining) / kept[0]),
            kept=int(remaining),
            accuracy=accuracy[i],
        )
        for i, remaining in enumerate(kept)
    )
