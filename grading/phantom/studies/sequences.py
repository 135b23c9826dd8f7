"""Draw the pulse sequence of each series: times, field strength, echo train."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from grading.phantom.image.signal import Kind, Sequence
from grading.phantom.studies.habits import (
    LOCALIZER_TIMES,
    LOW_FIELD_T1,
    LOW_FIELD_TESLA,
    Habits,
    Role,
    Times,
)

KINDS: Mapping[Role, Kind] = {
    Role.LOCALIZER: Kind.LOCALIZER,
    Role.SAGITTAL_T2: Kind.T2,
    Role.SAGITTAL_T1: Kind.T1,
    Role.AXIAL_T2: Kind.T2,
    Role.AXIAL_T1: Kind.T1,
}


def draw_sequence(
    role: Role, habits: Habits, field_tesla: float, rng: np.random.Generator
) -> Sequence:
    """Draw the sequence of one series at the scanner's field strength."""
    times = _times(role, habits, field_tesla)
    return Sequence(
        kind=KINDS[role],
        repetition_ms=float(round(rng.uniform(*times.repetition_ms))),
        echo_ms=round(float(rng.uniform(*times.echo_ms)), 1),
        field_tesla=field_tesla,
        echo_train=int(rng.integers(*times.echo_train, endpoint=True)),
    )


def _times(role: Role, habits: Habits, field_tesla: float) -> Times:
    kind = KINDS[role]
    if kind is Kind.LOCALIZER:
        return LOCALIZER_TIMES
    if kind is Kind.T2:
        return habits.t2
    return LOW_FIELD_T1 if field_tesla < LOW_FIELD_TESLA else habits.t1
