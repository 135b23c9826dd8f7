import sys
from dataclasses import replace

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from grading.grades import (
    AxialMarks,
    Basis,
    DiscMark,
    Finding,
    Grading,
    Level,
    LevelGrade,
    ModelIdentity,
    PixelPoint,
    Plane,
    Region,
    RegionOrigin,
    SagittalView,
    SeriesVerdict,
    Side,
    SliceGrade,
    SliceKey,
    StudyGrades,
    Weighting,
)
from storage import jobs, results
from storage.database import Database
from storage.errors import LeaseLost
from storage.tables import ResultRow, SliceGradingRow, metadata
from tests.storage.builders import STUDY, claimed, graded, study_grades

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
NUMBER = st.floats(allow_nan=False)
COUNT = st.integers(0, 2**31 - 1)


@st.composite
def gradings(draw: st.DrawFn) -> Grading:
    weights = draw(st.lists(st.floats(0.001, 1.0), min_size=4, max_size=4))
    p0, p1, p2, p3 = (weight / sum(weights) for weight in weights)
    temperature = draw(st.floats(0.05, 20.0))
    threshold = draw(st.none() | st.floats(0.0, 2.0))
    return Grading((p0, p1, p2, p3), temperature, threshold)


FINDINGS = st.dictionaries(st.sampled_from(Finding), gradings())
KEYS = st.builds(SliceKey, TEXT, TEXT, COUNT)
ORIGINS = st.sampled_from(RegionOrigin)
REGIONS = st.builds(Region, NUMBER, NUMBER, NUMBER, ORIGINS, st.none() | NUMBER)
LEVELS = st.none() | st.sampled_from(Level)
POINTS = st.builds(PixelPoint, NUMBER, NUMBER)
MARKS = st.builds(AxialMarks, *[st.none() | POINTS] * 4)
ROOTS = st.dictionaries(st.sampled_from(Side), gradings())
VIEWS = st.builds(
    SagittalView,
    KEYS,
    st.lists(st.builds(DiscMark, st.sampled_from(Level), POINTS), max_size=3).map(
        tuple
    ),
)
VERDICTS = st.builds(
    SeriesVerdict,
    series_instance_uid=TEXT,
    description=TEXT,
    plane=st.sampled_from(Plane),
    weighting=st.sampled_from(Weighting),
    graded=st.booleans(),
    reason=TEXT,
    slices=COUNT,
    manufacturer=TEXT,
    model_name=TEXT,
    field_strength_tesla=st.none() | NUMBER,
    for_levels=st.booleans(),
)
SLICES = st.builds(
    SliceGrade,
    key=KEYS,
    slab=COUNT,
    position_mm=NUMBER,
    region=REGIONS,
    grades=FINDINGS,
    level=LEVELS,
    through_disc=st.none() | st.booleans(),
    roots=ROOTS,
    marks=MARKS,
    # A further head may have the name of a finding.
    further=st.dictionaries(TEXT | st.just("LDH"), gradings(), max_size=3),
)
LEVEL_GRADES = st.builds(
    LevelGrade,
    level=LEVELS,
    slab=COUNT,
    slabs=COUNT,
    key_slice=KEYS,
    slices=st.lists(KEYS, max_size=3).map(tuple),
    grades=FINDINGS,
    worst=st.dictionaries(st.sampled_from(Finding), KEYS),
    roots=ROOTS,
)
STUDY_GRADES = st.builds(
    StudyGrades,
    study_instance_uid=st.just(STUDY),
    model=st.builds(ModelIdentity, TEXT, TEXT, TEXT, st.sampled_from(Basis)),
    series=st.lists(VERDICTS, max_size=3).map(tuple),
    slices=st.lists(SLICES, max_size=4).map(tuple),
    levels=st.lists(LEVEL_GRADES, max_size=3).map(tuple),
    notes=st.lists(TEXT, max_size=3).map(tuple),
    sagittal=st.none() | VIEWS,
)


def empty(session: Session) -> None:
    for table in reversed(metadata.sorted_tables):
        session.execute(sa.delete(table))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grades=STUDY_GRADES)
def test_what_was_saved_reads_back_equal(
    database: Database, grades: StudyGrades
) -> None:
    with database.sessions.begin() as session:
        empty(session)
        results.save(session, claimed(session), grades)

    with database.reading.begin() as session:
        assert results.latest(session, STUDY) == grades


def test_the_smallest_and_largest_numbers_read_back_equal(database: Database) -> None:
    extremes = (sys.float_info.min * sys.float_info.epsilon, sys.float_info.max)
    [sliced] = study_grades().slices
    grades = replace(
        study_grades(),
        slices=tuple(replace(sliced, position_mm=value) for value in extremes),
    )

    with database.sessions.begin() as session:
        results.save(session, claimed(session), grades)

    with database.reading.begin() as session:
        assert results.latest(session, STUDY) == grades


def test_a_study_that_was_not_graded_has_no_result(database: Database) -> None:
    with database.sessions.begin() as session:
        claimed(session)

        assert results.latest(session, STUDY) is None
        assert not results.result_exists(session, STUDY, 1)


def test_the_latest_revision_is_returned_and_the_earlier_one_kept(
    database: Database,
) -> None:
    first, second = (
        replace(study_grades(), notes=(note,)) for note in ("first", "second")
    )
    with database.sessions.begin() as session:
        for revision, grades in enumerate((first, second), start=1):
            lease = claimed(session, revision=revision)
            results.save(session, lease, grades)
            jobs.finish(session, lease)

        assert results.latest(session, STUDY) == second
        assert results.result_exists(session, STUDY, 1)
        assert results.result_exists(session, STUDY, 2)


def test_who_has_lost_the_lease_cannot_save(database: Database) -> None:
    with database.sessions.begin() as session:
        stale = claimed(session, seconds=0)
        jobs.claim(session, "another worker", 60)

        with pytest.raises(LeaseLost):
            results.save(session, stale, study_grades())

        assert results.latest(session, STUDY) is None


def test_a_job_has_one_result(database: Database) -> None:
    with database.sessions.begin() as session:
        lease = claimed(session)
        results.save(session, lease, study_grades())

    with pytest.raises(IntegrityError), database.sessions.begin() as session:
        results.save(session, lease, study_grades())


def test_grades_of_another_study_are_refused(database: Database) -> None:
    with database.sessions.begin() as session:
        lease = claimed(session)

        with pytest.raises(ValueError, match=r"are of study 9\.9"):
            results.save(session, lease, study_grades("9.9"))


def test_saving_and_finishing_are_both_done_or_neither(database: Database) -> None:
    with database.sessions.begin() as session:
        lease = claimed(session)
    unknown = replace(lease, id=lease.id + 1)

    def save_and_finish_another() -> None:
        with database.sessions.begin() as session:
            results.save(session, lease, study_grades())
            jobs.finish(session, unknown)

    with pytest.raises(LeaseLost):
        save_and_finish_another()

    with database.reading.begin() as session:
        assert results.latest(session, STUDY) is None


def test_every_result_can_be_found_by_the_weights_that_made_it(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        results.save(session, claimed(session), study_grades())

        found = session.scalars(
            sa.select(ResultRow.study_instance_uid).where(
                ResultRow.model_sha256 == "cd" * 32
            )
        ).all()

    assert found == [STUDY]


def test_every_probability_of_every_head_is_kept(database: Database) -> None:
    with database.sessions.begin() as session:
        results.save(session, claimed(session), study_grades())

        heads = set(session.scalars(sa.select(SliceGradingRow.head)))

    assert heads == {"LDH", "LCCS", "LNRC", "Modic"}


def test_every_graded_study_is_named_once_the_first_graded_first(
    database: Database,
) -> None:
    with database.sessions.begin() as session:
        graded(session, "9.9")
        graded(session, STUDY)
        graded(session, "9.9", revision=2)

        found = results.graded_studies(session)

    assert found == ["9.9", STUDY]
