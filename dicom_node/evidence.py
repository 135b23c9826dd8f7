"""What speaks for a study being complete: what a PACS counts, and what we hold of it.

Pure: `dicom_node.asking` asks, this module compares. Only series whose images are
graded, or tell the levels, have to be complete; but a series of which too little came
to be judged may be one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from storage.studies import StudyToSettle


@dataclass(frozen=True, slots=True)
class SeriesCount:
    """How many instances of one series a peer says it has (PS3.4 C.3.4)."""

    series_instance_uid: str
    modality: str
    """Empty where the peer does not say."""
    instances: int | None
    """None where the peer does not count."""


@dataclass(frozen=True, slots=True)
class HeldSeries:
    """One series as this node holds it."""

    series_instance_uid: str
    description: str
    instances: int
    graded: bool
    for_levels: bool
    too_few: bool
    """More images of it may turn it into one that is used."""
    gaps: tuple[str, ...] = ()
    """Sentences on the slices that seem to be missing inside it."""
    even: bool = True
    """Evenly spaced, without a gap."""

    @property
    def used(self) -> bool:
        """Whether what is missing of it would be missed."""
        return self.graded or self.for_levels


@dataclass(frozen=True, slots=True)
class Said:
    """What a peer counted, and since when it has been saying the same."""

    counts: frozenset[SeriesCount]
    since: datetime
    """By the database's clock, before the question was asked."""
    at: datetime
    """The same, of the last time."""

    def lasting(self, apart: timedelta) -> bool:
        """Tell whether two equal answers lie so far apart."""
        return self.at - self.since >= apart


def said_again(
    before: Said | None, counts: Sequence[SeriesCount], at: datetime
) -> Said:
    """Return what has been said, with one more answer."""
    now = frozenset(counts)
    same = before is not None and before.counts == now
    return Said(now, before.since if before and same else at, at)


def is_complete(held: Sequence[HeldSeries], counts: frozenset[SeriesCount]) -> bool:
    """Tell whether everything that would be used is here, by count and by place."""
    by_uid = {count.series_instance_uid: count for count in counts}
    used = [series for series in held if series.used]
    return (
        any(series.graded for series in used)
        and all(
            series.even and _counted(series, by_uid) == series.instances
            for series in used
        )
        and not _may_be_used(held, counts)
    )


def lacking(
    held: Sequence[HeldSeries], counts: frozenset[SeriesCount]
) -> list[tuple[HeldSeries, int]]:
    """Return the used series of which a peer has more, and how many it has."""
    by_uid = {count.series_instance_uid: count for count in counts}
    return [
        (series, count)
        for series in held
        if series.used
        and (count := _counted(series, by_uid)) is not None
        and count > series.instances
    ]


def counts_nothing(held: Sequence[HeldSeries], counts: frozenset[SeriesCount]) -> bool:
    """Tell whether a peer knows the study's series and counts none of their images."""
    uids = {series.series_instance_uid for series in held if series.used}
    answers = [it for it in counts if it.series_instance_uid in uids]
    return bool(answers) and all(it.instances is None for it in answers)


def what_seems_missing(
    held: Sequence[HeldSeries], counts: frozenset[SeriesCount]
) -> list[str]:
    """Return a sentence for each used series that seems incomplete, for a report."""
    by_place = [sentence for series in held if series.used for sentence in series.gaps]
    by_count = [
        f"Images seem to be missing: the PACS counts {count} in series "
        f"'{series.description}', {series.instances} are here."
        for series, count in lacking(held, counts)
    ]
    return by_place + by_count


def _counted(series: HeldSeries, by_uid: Mapping[str, SeriesCount]) -> int | None:
    answer = by_uid.get(series.series_instance_uid)
    return answer.instances if answer else None


def _may_be_used(
    held: Sequence[HeldSeries], counts: frozenset[SeriesCount]
) -> list[SeriesCount]:
    """Return the MR series that are not here, or too little of them to be judged."""
    here = {series.series_instance_uid: series for series in held}
    found = []
    for count in counts:
        series = here.get(count.series_instance_uid)
        if count.modality not in ("", "MR"):
            continue
        if series is None or (series.too_few and count.instances != series.instances):
            found.append(count)
    return found


@dataclass(slots=True)
class Memory:
    """What peers said about studies that are not settled; lost on restart, asked anew.

    One thread writes, others read: what is kept is never changed, only replaced.
    """

    _said: dict[StudyToSettle, Said] = field(default_factory=dict, init=False)

    def said(self, study: StudyToSettle) -> Said | None:
        """Return what was said in this state of the study, and in no earlier one."""
        return self._said.get(study)

    def counts(self, study: StudyToSettle) -> frozenset[SeriesCount]:
        """Return the last counts; empty where nobody was asked or answered."""
        said = self._said.get(study)
        return said.counts if said else frozenset()

    def note(self, study: StudyToSettle, said: Said) -> None:
        """Keep an answer."""
        self._said[study] = said

    def keep_only(self, studies: Sequence[StudyToSettle]) -> None:
        """Forget every other study, and every other state of these."""
        self._said = {it: said for it in studies if (said := self._said.get(it))}
