"""The grading queue: a table, with leases.

``waiting -> running -> done | failed``. Only this module moves a job, and every
move is one ``UPDATE ... WHERE state = ...`` whose row count is checked. A claim
is a lease by the database's clock: whoever lets it run out has lost the job, and
is told so by ``LeaseLost`` when it comes back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from storage import alarms
from storage.backoff import delay_seconds
from storage.columns import clock_once
from storage.database import database_now
from storage.errors import LeaseLost
from storage.leases import FREE, Claim, move
from storage.states import AlarmKind
from storage.states import JobKind as JobKind
from storage.states import JobState as JobState
from storage.studies import lock_study, require_study
from storage.tables import JobRow, StudyRow

MAX_ATTEMPTS = 3
"""A study that kills its worker three times will kill it a fourth time."""

OLDEST_EVERY = 4
"""Of so many claims one takes the oldest job, however little it matters: a stream of
urgent studies delays a re-grade, and never keeps it from its turn."""

FIRST_RETRY_SECONDS = 30.0
"""Long enough for a GPU's memory to be free again."""
LAST_RETRY_SECONDS = 900.0


class Priority(IntEnum):
    """Which jobs go before which."""

    AGAIN = 0
    """A study that has been graded before: more images, or a person's wish."""
    NEW = 1
    URGENT = 2
    """Sent by an AE title that the configuration calls urgent."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one job until ``lease_until``; every write names it."""

    id: int
    study_instance_uid: str
    revision: int
    kind: JobKind
    attempts: int
    """Counted when claimed, this claim included; what was given back is not."""
    claim_number: int
    """The fence: no two claims of a job share it."""
    claimed_by: str
    lease_until: datetime
    created_at: datetime
    """When the job was added: the same in every attempt, so reports may show it."""
    input_digest: str
    priority: int


@dataclass(frozen=True, slots=True)
class Job:
    """One study at one revision, and how far its grading has come."""

    id: int
    study_instance_uid: str
    revision: int
    kind: JobKind
    state: JobState
    attempts: int
    priority: int
    campaign_id: str | None
    input_digest: str
    created_at: datetime
    not_before: datetime
    ended_at: datetime | None
    reason: str | None
    """Why it failed, last failed, or had nothing left to do."""


def add(
    session: Session,
    study_instance_uid: str,
    revision: int,
    input_digest: str,
    *,
    priority: int = Priority.AGAIN,
    campaign_id: str | None = None,
    not_before: datetime | None = None,
) -> int:
    """Queue the grading of a study at a revision and return the job's number.

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    """
    require_study(session, study_instance_uid)
    now = database_now(session)
    job = JobRow(
        study_instance_uid=study_instance_uid,
        revision=revision,
        kind=JobKind.GRADE,
        state=JobState.WAITING,
        priority=priority,
        campaign_id=campaign_id,
        input_digest=input_digest,
        created_at=now,
        not_before=not_before or now,
    )
    session.add(job)
    session.flush()
    _end_superseded(session, now, JobRow.study_instance_uid == study_instance_uid)
    return job.id


def anything_free(session: Session) -> bool:
    """Tell whether `claim` has anything to look at, without making a writer wait.

    Most looks find nothing. Of what is found a revision may still be at work.
    """
    now = clock_once()
    # What has run out may have to be ended even while its study is held.
    ends = sa.and_(_expired(now), sa.or_(_used_up(), _superseded()))
    found = sa.or_(ends, sa.and_(_free(now), ~_in_motion()))
    # Said twice, for the index: what is done is not read.
    may_be = JobRow.state.in_([JobState.WAITING, JobState.RUNNING])
    query = sa.select(JobRow.id).where(may_be, found).limit(1)
    return session.scalar(query) is not None


def claim(
    session: Session, worker: str, lease_seconds: float, *, oldest_first: bool = False
) -> Lease | None:
    """Return a lease of the next job, or None where there is nothing to do.

    Next is the highest priority, then the oldest; with ``oldest_first`` the oldest
    of all, which a worker asks for every `OLDEST_EVERY` claims. A job whose lease
    ran out is taken like one that waits, until it has used up its attempts. Studies
    that are held wait for their release, and studies that have changed since they
    were looked at wait until they are quiet: what came since may be another
    patient's. A study is graded once at a time: two revisions at work could end in
    the wrong order, and the later report would not know of the earlier one.
    """
    now = database_now(session)
    _end_superseded(session, now, _expired(now))
    _fail_used_up(session, now)
    by_age = (JobRow.created_at, JobRow.id)
    order = by_age if oldest_first else (JobRow.priority.desc(), *by_age)
    next_job = (
        sa.select(JobRow.id)
        .where(
            _free(now),
            ~_in_motion(),
            JobRow.study_instance_uid.not_in(_at_work(now)),
        )
        .order_by(*order)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    claimed = session.scalars(
        sa.update(JobRow)
        .where(JobRow.id == next_job, _free(now))
        .values(
            state=JobState.RUNNING,
            claimed_by=worker,
            lease_until=now + timedelta(seconds=lease_seconds),
            attempts=JobRow.attempts + 1,
            claim_number=JobRow.claim_number + 1,
        )
        .returning(JobRow)
        .execution_options(populate_existing=True)
    ).one_or_none()
    return _unless_at_work(session, _lease(claimed), now) if claimed else None


def _in_motion() -> sa.Exists:
    """Whether a job's study is held, or has changed since it was looked at."""
    # Asked of each job that is free: as a list of studies PostgreSQL reads them all,
    # since it expects that of two columns hardly any are alike.
    return (
        sa.exists()
        .where(
            StudyRow.study_instance_uid == JobRow.study_instance_uid,
            StudyRow.held_since.is_not(None)
            | StudyRow.settled_as_of.is_distinct_from(StudyRow.last_received_at),
        )
        .correlate(JobRow)
    )


def renew(session: Session, lease: Lease, lease_seconds: float) -> Lease:
    """Prolong a lease from now on and return the new one.

    Raises
    ------
    LeaseLost
        The job was claimed by somebody else, or has ended.
    """
    lease_until = database_now(session) + timedelta(seconds=lease_seconds)
    _move(session, lease, lease_until=lease_until)
    return replace(lease, lease_until=lease_until)


def verify(session: Session, lease: Lease) -> None:
    """Make sure that a lease still holds, and keep it so for this transaction.

    Raises
    ------
    LeaseLost
        The job was claimed by somebody else, or has ended.
    """
    # An update and not a select: on PostgreSQL it locks the row as well.
    _move(session, lease, state=JobState.RUNNING)


def finish(session: Session, lease: Lease) -> None:
    """End a job well, in the transaction that saves what it produced.

    Raises
    ------
    LeaseLost
        The job was claimed by somebody else, or has ended.
    """
    ended_at = database_now(session)
    _move(session, lease, state=JobState.DONE, ended_at=ended_at, reason=None, **FREE)
    alarms.resolve(session, AlarmKind.JOB_FAILED, lease.study_instance_uid)


def fail(session: Session, lease: Lease, reason: str, *, again: bool) -> None:
    """End an attempt badly, with a sentence that says why.

    With ``again`` the job waits longer after every attempt, and fails with an
    alarm after the third. Without it the job has failed at once: nothing is
    wrong with the node, so nobody is alarmed, and what was wrong at an earlier
    revision has been answered.

    Raises
    ------
    LeaseLost
        The job was claimed by somebody else, or has ended.
    """
    now = database_now(session)
    if again and lease.attempts < MAX_ATTEMPTS:
        not_before = now + timedelta(seconds=_retry_seconds(lease))
        _wait(session, lease, now, reason=reason, not_before=not_before)
        return
    state = JobState.FAILED
    _move(session, lease, state=state, reason=reason, ended_at=now, **FREE)
    if again:
        _raise_failed(session, lease.study_instance_uid, lease.revision, reason)
    else:
        alarms.resolve(session, AlarmKind.JOB_FAILED, lease.study_instance_uid)


def give_back(
    session: Session,
    lease: Lease,
    wait_seconds: float = 0.0,
    reason: str | None = None,
) -> None:
    """Let go of a job without blame: it waits again and has its attempt back.

    ``wait_seconds`` keeps it from being claimed at once where an outage goes on, and
    ``reason`` says which: `status` shows it for as long as the job waits.

    Raises
    ------
    LeaseLost
        The job was claimed by somebody else, or has ended.
    """
    now = database_now(session)
    later = now + timedelta(seconds=wait_seconds)
    attempts = JobRow.attempts - 1
    _wait(session, lease, now, attempts=attempts, not_before=later, reason=reason)


def get(session: Session, study_instance_uid: str) -> Job | None:
    """Return the job of a study's latest revision, or None where it has none."""
    row = session.scalar(
        sa.select(JobRow)
        .where(JobRow.study_instance_uid == study_instance_uid)
        .order_by(JobRow.revision.desc(), JobRow.id.desc())
        .limit(1)
    )
    return _job(row) if row else None


def _move(session: Session, lease: Lease, **values: object) -> None:
    """Change a job that is still under this lease; the one door for all writes."""
    claim = Claim(lease.id, lease.claimed_by, lease.claim_number)
    if not move(session, JobRow, claim, JobState.RUNNING, **values):
        raise LeaseLost(
            f"job {lease.id} of study {lease.study_instance_uid} is no longer "
            f"{lease.claimed_by}'s: its lease ran out and the job was claimed again, "
            f"or it has ended; drop what was made under this lease"
        )


def _wait(session: Session, lease: Lease, now: datetime, **values: object) -> None:
    _move(session, lease, state=JobState.WAITING, **values, **FREE)
    this_study = JobRow.study_instance_uid == lease.study_instance_uid
    _end_superseded(session, now, this_study)


def _expired(now: datetime | sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
    return sa.and_(JobRow.state == JobState.RUNNING, JobRow.lease_until <= now)


def _at_work(now: datetime) -> sa.Select[str]:
    """Select the studies of which a revision is being graded."""
    working = aliased(JobRow)
    return sa.select(working.study_instance_uid).where(
        working.state == JobState.RUNNING, working.lease_until > now
    )


def _unless_at_work(session: Session, lease: Lease, now: datetime) -> Lease | None:
    """Give a claim back where another revision was claimed at the same moment.

    Only PostgreSQL lets two workers claim at once. Neither sees what the other has
    not committed; of the two, the one that has the study's row second does.
    """
    lock_study(session, lease.study_instance_uid)
    another = sa.select(JobRow.id).where(
        JobRow.study_instance_uid == lease.study_instance_uid,
        JobRow.id != lease.id,
        JobRow.state == JobState.RUNNING,
        JobRow.lease_until > now,
    )
    if session.scalar(another.limit(1)) is None:
        return lease
    give_back(session, lease)
    return None


def _free(now: datetime | sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
    due = sa.and_(JobRow.state == JobState.WAITING, JobRow.not_before <= now)
    return sa.or_(due, _expired(now))


def _end_superseded(
    session: Session, now: datetime, among: sa.ColumnElement[bool]
) -> None:
    """End what nobody works on and a later revision of the study replaces.

    Grading reads the study as it is now, so the earlier job would only repeat
    the later one, and its report could arrive after the newer report.
    """
    idle = sa.or_(JobRow.state == JobState.WAITING, _expired(now))
    _end(
        session,
        sa.and_(among, idle, _superseded()),
        state=JobState.DONE,
        ended_at=now,
        reason="a later revision of the study replaces this one",
    )


def _superseded() -> sa.Exists:
    later = aliased(JobRow)
    return (
        sa.exists()
        .where(
            later.study_instance_uid == JobRow.study_instance_uid,
            later.kind == JobRow.kind,
            later.revision > JobRow.revision,
        )
        .correlate(JobRow)
    )


def _used_up() -> sa.ColumnElement[bool]:
    return JobRow.attempts >= MAX_ATTEMPTS


def _fail_used_up(session: Session, now: datetime) -> None:
    """Fail the jobs whose workers vanished as often as a worker may."""
    reason = (
        f"the worker vanished {MAX_ATTEMPTS} times while it graded this study; "
        f"see its log, then regrade the study"
    )
    used_up = sa.and_(_expired(now), _used_up())
    ended = _end(session, used_up, state=JobState.FAILED, ended_at=now, reason=reason)
    for job in ended:
        _raise_failed(session, job.study_instance_uid, job.revision, reason)


def _end(
    session: Session, which: sa.ColumnElement[bool], **values: object
) -> list[JobRow]:
    # Rows that another worker is looking at this moment are left to it.
    unlocked = sa.select(JobRow.id).where(which).with_for_update(skip_locked=True)
    statement = (
        sa.update(JobRow)
        .where(JobRow.id.in_(unlocked), which)
        .values(**values, **FREE)
        .returning(JobRow)
        .execution_options(populate_existing=True, synchronize_session=False)
    )
    return list(session.scalars(statement))


def _raise_failed(
    session: Session, study_instance_uid: str, revision: int, reason: str
) -> None:
    sentence = f"revision {revision} could not be graded: {reason}"
    alarms.raise_alarm(session, AlarmKind.JOB_FAILED, study_instance_uid, sentence)


def _retry_seconds(lease: Lease) -> float:
    return delay_seconds(
        lease.attempts,
        f"job {lease.id}",
        first_seconds=FIRST_RETRY_SECONDS,
        cap_seconds=LAST_RETRY_SECONDS,
    )


def _lease(row: JobRow) -> Lease:
    if row.claimed_by is None or row.lease_until is None:
        raise ValueError(f"job {row.id} is not claimed")
    return Lease(
        row.id,
        row.study_instance_uid,
        row.revision,
        row.kind,
        row.attempts,
        row.claim_number,
        row.claimed_by,
        row.lease_until,
        row.created_at,
        row.input_digest,
        row.priority,
    )


def _job(row: JobRow) -> Job:
    return Job(
        row.id,
        row.study_instance_uid,
        row.revision,
        row.kind,
        row.state,
        row.attempts,
        row.priority,
        row.campaign_id,
        row.input_digest,
        row.created_at,
        row.not_before,
        row.ended_at,
        row.reason,
    )
