"""When a PACS's counts speak for a study being complete, and when they do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.evidence import (
    HeldSeries,
    Memory,
    SeriesCount,
    counts_nothing,
    is_complete,
    lacking,
    said_again,
    what_seems_missing,
)
from storage.studies import StudyToSettle

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
APART = timedelta(seconds=5)
AXIAL = HeldSeries("1.1", "T2 AX", 20, graded=True, for_levels=False, too_few=False)
SAGITTAL = HeldSeries("1.2", "T2 SAG", 15, graded=False, for_levels=True, too_few=False)
T1 = HeldSeries("1.3", "T1 AX", 20, graded=False, for_levels=False, too_few=False)
HELD = (AXIAL, SAGITTAL, T1)


def counts(**by_uid: int | None) -> frozenset[SeriesCount]:
    """Return what a PACS says: of these series 20, 15 and 20, or what is named."""
    said = {"axial": 20, "sagittal": 15, "t1": 20, **by_uid}
    uids = {"axial": "1.1", "sagittal": "1.2", "t1": "1.3"}
    return frozenset(
        SeriesCount(uids[name], "MR", count) for name, count in said.items()
    )


def test_equal_counts_and_even_slices_are_complete() -> None:
    assert is_complete(HELD, counts())


@pytest.mark.parametrize("axial", [19, 21, None])
def test_a_graded_series_that_is_counted_otherwise_or_not_at_all_is_not_complete(
    axial: int | None,
) -> None:
    assert not is_complete(HELD, counts(axial=axial))


def test_a_series_for_the_levels_has_to_be_complete_too() -> None:
    assert not is_complete(HELD, counts(sagittal=16))


def test_what_is_not_used_may_lack_images() -> None:
    assert is_complete(HELD, counts(t1=25))
    assert is_complete(HELD, counts(t1=None))


def test_uneven_slices_are_not_complete_whatever_the_pacs_counts() -> None:
    assert not is_complete((replace(AXIAL, even=False), SAGITTAL), counts())


def test_a_study_without_a_graded_series_is_never_complete_by_evidence() -> None:
    assert not is_complete((SAGITTAL, T1), counts())


@pytest.mark.parametrize(
    ("modality", "complete"), [("MR", False), ("", False), ("SR", True), ("OT", True)]
)
def test_an_mr_series_that_is_not_here_at_all_may_be_one_to_use(
    modality: str, complete: bool
) -> None:
    further = counts() | {SeriesCount("1.9", modality, 12)}

    assert is_complete(HELD, further) is complete


@pytest.mark.parametrize(("count", "complete"), [(2, True), (12, False), (None, False)])
def test_a_series_of_which_too_little_came_to_be_judged_may_be_one_to_use(
    count: int | None, complete: bool
) -> None:
    beginning = replace(T1, instances=2, too_few=True)

    assert is_complete((AXIAL, SAGITTAL, beginning), counts(t1=count)) is complete


def test_what_a_pacs_does_not_know_is_not_complete() -> None:
    assert not is_complete(HELD, frozenset())


def test_only_used_series_of_which_the_pacs_has_more_are_lacking() -> None:
    said = counts(axial=22, sagittal=14, t1=30)

    assert lacking(HELD, said) == [(AXIAL, 22)]
    assert what_seems_missing(HELD, said) == [
        "Images seem to be missing: the PACS counts 22 in series 'T2 AX', 20 are here."
    ]


def test_gaps_of_used_series_are_named_without_any_pacs() -> None:
    gapped = replace(AXIAL, gaps=("a gap",), even=False)
    unused = replace(T1, gaps=("another",))

    assert what_seems_missing((gapped, unused), frozenset()) == ["a gap"]


def test_a_pacs_that_counts_nothing_is_told_from_one_that_knows_nothing() -> None:
    uncounted = counts(axial=None, sagittal=None, t1=None)

    assert counts_nothing(HELD, uncounted)
    assert not counts_nothing(HELD, counts(axial=None))
    assert not counts_nothing(HELD, frozenset())


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), min_size=1))
def test_counts_last_only_while_every_answer_is_the_same(
    answers: list[tuple[int, int]],
) -> None:
    said, at = None, NOON
    run: list[datetime] = []
    for number, (axial, seconds) in enumerate(answers):
        at += timedelta(seconds=seconds)
        if number and answers[number - 1][0] != axial:
            run = []
        run.append(at)
        said = said_again(said, list(counts(axial=axial)), at)

    assert said is not None
    assert said.lasting(APART) == (run[-1] - run[0] >= APART)


def test_what_was_said_of_an_earlier_state_of_a_study_is_forgotten() -> None:
    memory = Memory()
    before = StudyToSettle("1", NOON)
    after = StudyToSettle("1", NOON + APART)
    memory.note(before, said_again(None, list(counts()), NOON))

    assert memory.counts(before) == counts()
    assert memory.said(after) is None
    memory.keep_only([after])
    assert memory.said(before) is None
