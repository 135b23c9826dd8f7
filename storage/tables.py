"""The tables: receipts, studies, jobs, results, the outbox and the alarms.

Rows of these classes stay inside the package; frozen dataclasses leave it. No
column holds a patient's name, number or birth date: ``patient_digest`` tells
two patients apart and nothing more.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from grading.grades import Basis, Finding, Level, RegionOrigin, Side
from storage.columns import (
    Base,
    DatabaseClock,
    FileColumns,
    GradingColumns,
    LeaseColumns,
    PointColumns,
    SliceColumns,
    VerdictColumns,
)
from storage.states import (
    AlarmKind,
    CommitmentState,
    DeliveryState,
    Filed,
    JobKind,
    JobState,
    ObjectKind,
    ReceiptState,
    Role,
)

_HELD = sa.text("held_since IS NOT NULL")
_CONDEMNED = sa.text("condemned_at IS NOT NULL AND removed_at IS NULL")
"""Files that are to be unlinked."""
_WITH_FILES = sa.text("files_removed_at IS NULL")


class InstallationRow(Base):
    """Whose database this is: one row, so that a second node is told."""

    __tablename__ = "installation"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Always 1."""
    installation_id: Mapped[str]
    """As in the data directory's file of that name."""
    database_id: Mapped[str]
    """Random, made with the row: two databases that a copied folder meets differ."""
    created_at: Mapped[datetime] = mapped_column(default=DatabaseClock())


class StudyRow(Base):
    """One study, its revision, and whether a person has to decide about it."""

    __tablename__ = "studies"
    __table_args__ = (
        # All that settling and claiming ask for, however many studies are finished.
        # The words are those of the queries: a partial index serves no others.
        sa.Index(
            "ix_studies_in_motion",
            "last_received_at",
            sqlite_where=sa.text(
                "held_since IS NOT NULL OR settled_as_of IS NOT last_received_at"
            ),
            postgresql_where=sa.text(
                "held_since IS NOT NULL "
                "OR settled_as_of IS DISTINCT FROM last_received_at"
            ),
        ),
        sa.Index(None, "held_since", sqlite_where=_HELD, postgresql_where=_HELD),
        # Partial: studies whose files went long ago are never looked at again.
        sa.Index(
            None, "created_at", sqlite_where=_WITH_FILES, postgresql_where=_WITH_FILES
        ),
    )

    study_instance_uid: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=DatabaseClock())
    last_received_at: Mapped[datetime | None]
    """When the last gradable change was filed; None before the first image."""
    settled_as_of: Mapped[datetime | None]
    """The ``last_received_at`` at which the study was last looked at."""
    input_digest: Mapped[str | None]
    revision: Mapped[int] = mapped_column(default=0)
    held_since: Mapped[datetime | None]
    hold_reason: Mapped[str | None]
    accepted_patients: Mapped[str | None]
    """The patient digests that a person accepted together, as one digest."""
    files_removed_at: Mapped[datetime | None]
    """When the last of its received files were condemned; None while it has any."""
    seems_missing: Mapped[str | None]
    """Sentences, one a line, about the state at ``settled_as_of``; None where whole."""


class SeriesRow(VerdictColumns, Base):
    """One series of a study; its verdict stays empty until the study is graded."""

    __tablename__ = "series"
    __table_args__ = (sa.UniqueConstraint("study_instance_uid", "series_instance_uid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(
        sa.ForeignKey(StudyRow.study_instance_uid)
    )
    modality: Mapped[str]


class InstanceRow(Base):
    """One SOP Instance of one series, in as many versions as were received."""

    __tablename__ = "instances"
    __table_args__ = (sa.UniqueConstraint("series_id", "sop_instance_uid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    series_id: Mapped[int] = mapped_column(sa.ForeignKey(SeriesRow.id))
    sop_instance_uid: Mapped[str]
    current_version: Mapped[int]
    """Number of the version that is graded; negative while its series is set aside."""


class ReceiptRow(FileColumns, Base):
    """One acknowledged C-STORE, exactly as the wire told it."""

    __tablename__ = "receipts"
    __table_args__ = (
        sa.Index(None, "state", "recorded_at"),
        # Partial, so that receiving an image does not pay for it.
        sa.Index(
            None,
            "condemned_at",
            sqlite_where=_CONDEMNED,
            postgresql_where=_CONDEMNED,
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]
    """By the receiver's clock, for people."""
    recorded_at: Mapped[datetime] = mapped_column(default=DatabaseClock())
    """By the database's clock, which decides what has gone quiet."""
    association: Mapped[str]
    calling_ae_title: Mapped[str]
    peer_address: Mapped[str]
    sop_class_uid: Mapped[str]
    sop_instance_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    state: Mapped[ReceiptState]
    filed: Mapped[Filed | None]
    reason: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    condemned_at: Mapped[datetime | None]
    """When it was decided that the file goes; nobody reads it from then on."""
    removed_at: Mapped[datetime | None]
    """When the file was gone."""
    instance_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey(InstanceRow.id), index=True
    )


class OpenAssociationRow(Base):
    """One association over which images may come, open as of ``seen_at``."""

    __tablename__ = "open_associations"

    id: Mapped[str] = mapped_column(primary_key=True)
    receiver: Mapped[str]
    """Made up by each receiving process when it starts."""
    association: Mapped[str]
    """As in ``ReceiptRow.association``."""
    opened_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class VersionRow(Base):
    """One content of an instance, and the receipt that brought it first."""

    __tablename__ = "versions"
    __table_args__ = (
        sa.UniqueConstraint("instance_id", "number"),
        sa.UniqueConstraint("instance_id", "content_digest"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[int] = mapped_column(sa.ForeignKey(InstanceRow.id))
    number: Mapped[int]
    content_digest: Mapped[str]
    patient_digest: Mapped[str]
    sop_class_uid: Mapped[str]
    role: Mapped[Role]
    receipt_id: Mapped[str] = mapped_column(sa.ForeignKey(ReceiptRow.id), unique=True)


class JobRow(LeaseColumns, Base):
    """One study at one revision, waiting to be graded."""

    __tablename__ = "jobs"
    __table_args__ = (
        sa.UniqueConstraint("study_instance_uid", "revision", "kind"),
        sa.Index(None, "state", "priority", "created_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(
        sa.ForeignKey(StudyRow.study_instance_uid)
    )
    revision: Mapped[int]
    kind: Mapped[JobKind]
    state: Mapped[JobState]
    priority: Mapped[int]
    campaign_id: Mapped[str | None] = mapped_column(index=True)
    input_digest: Mapped[str]
    created_at: Mapped[datetime]
    reason: Mapped[str | None]
    ended_at: Mapped[datetime | None]


class ResultRow(Base):
    """What one bundle said about one study at one revision."""

    __tablename__ = "results"
    __table_args__ = (sa.UniqueConstraint("study_instance_uid", "revision"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(sa.ForeignKey(JobRow.id), unique=True)
    study_instance_uid: Mapped[str] = mapped_column(
        sa.ForeignKey(StudyRow.study_instance_uid)
    )
    revision: Mapped[int]
    saved_at: Mapped[datetime] = mapped_column(default=DatabaseClock())
    model_name: Mapped[str]
    model_version: Mapped[str]
    model_sha256: Mapped[str] = mapped_column(index=True)
    model_basis: Mapped[Basis]
    series: Mapped[list[ResultSeriesRow]] = relationship(
        order_by="ResultSeriesRow.ordinal"
    )
    slices: Mapped[list[SliceGradeRow]] = relationship(order_by="SliceGradeRow.ordinal")
    levels: Mapped[list[LevelGradeRow]] = relationship(order_by="LevelGradeRow.ordinal")
    notes: Mapped[list[NoteRow]] = relationship(order_by="NoteRow.ordinal")
    sagittal: Mapped[SagittalViewRow | None] = relationship()


class NoteRow(Base):
    """One sentence for a person, in the order it was said."""

    __tablename__ = "result_notes"

    result_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ResultRow.id), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    sentence: Mapped[str]


class ResultSeriesRow(VerdictColumns, Base):
    """The verdict on one series as this result saw it."""

    __tablename__ = "result_series"

    result_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ResultRow.id), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)


class SliceGradeRow(SliceColumns, Base):
    """What one slice received."""

    __tablename__ = "slice_grades"
    __table_args__ = (sa.UniqueConstraint("result_id", "ordinal"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    result_id: Mapped[int] = mapped_column(sa.ForeignKey(ResultRow.id))
    ordinal: Mapped[int]
    slab: Mapped[int]
    position_mm: Mapped[float]
    region_row: Mapped[float]
    region_column: Mapped[float]
    region_size_mm: Mapped[float]
    region_origin: Mapped[RegionOrigin]
    region_spread_mm: Mapped[float | None]
    level: Mapped[Level | None]
    through_disc: Mapped[bool | None]
    gradings: Mapped[list[SliceGradingRow]] = relationship()
    roots: Mapped[list[SliceRootRow]] = relationship()
    marks: Mapped[list[SliceMarkRow]] = relationship()


class SliceGradingRow(GradingColumns, Base):
    """What one head said about one slice."""

    __tablename__ = "slice_gradings"

    slice_grade_id: Mapped[int] = mapped_column(
        sa.ForeignKey(SliceGradeRow.id), primary_key=True
    )
    further: Mapped[bool] = mapped_column(primary_key=True)
    """True for heads beyond the three findings."""
    head: Mapped[str] = mapped_column(primary_key=True)


class SliceRootRow(GradingColumns, Base):
    """What one side's nerve root received on one slice."""

    __tablename__ = "slice_root_gradings"

    slice_grade_id: Mapped[int] = mapped_column(
        sa.ForeignKey(SliceGradeRow.id), primary_key=True
    )
    side: Mapped[Side] = mapped_column(primary_key=True)


class SliceMarkRow(PointColumns, Base):
    """One landmark found on one slice."""

    __tablename__ = "slice_marks"

    slice_grade_id: Mapped[int] = mapped_column(
        sa.ForeignKey(SliceGradeRow.id), primary_key=True
    )
    mark: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    """The name of the field of ``grading.grades.AxialMarks``."""


class LevelGradeRow(Base):
    """What one disc level, or one slab, received."""

    __tablename__ = "level_grades"
    __table_args__ = (sa.UniqueConstraint("result_id", "ordinal"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    result_id: Mapped[int] = mapped_column(sa.ForeignKey(ResultRow.id))
    ordinal: Mapped[int]
    level: Mapped[Level | None]
    slab: Mapped[int]
    slabs: Mapped[int]
    slices: Mapped[list[LevelSliceRow]] = relationship(order_by="LevelSliceRow.ordinal")
    gradings: Mapped[list[LevelGradingRow]] = relationship()
    roots: Mapped[list[LevelRootRow]] = relationship()
    worst: Mapped[list[LevelWorstRow]] = relationship()


class LevelSliceRow(SliceColumns, Base):
    """One slice of a level, cranial to caudal; ordinal 0 is the key slice."""

    __tablename__ = "level_slices"

    level_grade_id: Mapped[int] = mapped_column(
        sa.ForeignKey(LevelGradeRow.id), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)


class LevelGradingRow(GradingColumns, Base):
    """What one finding received at one level."""

    __tablename__ = "level_gradings"

    level_grade_id: Mapped[int] = mapped_column(
        sa.ForeignKey(LevelGradeRow.id), primary_key=True
    )
    finding: Mapped[Finding] = mapped_column(primary_key=True)


class LevelRootRow(GradingColumns, Base):
    """What one side's nerve root received at one level."""

    __tablename__ = "level_root_gradings"

    level_grade_id: Mapped[int] = mapped_column(
        sa.ForeignKey(LevelGradeRow.id), primary_key=True
    )
    side: Mapped[Side] = mapped_column(primary_key=True)


class LevelWorstRow(SliceColumns, Base):
    """The slice with the highest grade of one finding at one level."""

    __tablename__ = "level_worst_slices"

    level_grade_id: Mapped[int] = mapped_column(
        sa.ForeignKey(LevelGradeRow.id), primary_key=True
    )
    finding: Mapped[Finding] = mapped_column(primary_key=True)


class SagittalViewRow(SliceColumns, Base):
    """The sagittal image that told the levels of one result."""

    __tablename__ = "sagittal_views"

    result_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ResultRow.id), primary_key=True
    )
    discs: Mapped[list[SagittalDiscRow]] = relationship(
        order_by="SagittalDiscRow.ordinal"
    )


class SagittalDiscRow(PointColumns, Base):
    """One disc on that image, cranial to caudal."""

    __tablename__ = "sagittal_discs"

    result_id: Mapped[int] = mapped_column(
        sa.ForeignKey(SagittalViewRow.result_id), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    level: Mapped[Level]


class ObjectRow(FileColumns, Base):
    """One DICOM object that we made, in the preferred or a fall-back SOP class."""

    __tablename__ = "objects"
    __table_args__ = (sa.UniqueConstraint("result_id", "kind", "rank"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    result_id: Mapped[int] = mapped_column(sa.ForeignKey(ResultRow.id))
    kind: Mapped[ObjectKind]
    rank: Mapped[int]
    sop_class_uid: Mapped[str]
    sop_instance_uid: Mapped[str] = mapped_column(index=True)
    series_instance_uid: Mapped[str]


class DeliveryRow(LeaseColumns, Base):
    """One kind of object on its way to one destination."""

    __tablename__ = "deliveries"
    __table_args__ = (
        sa.UniqueConstraint("result_id", "kind", "destination"),
        sa.Index(None, "destination", "state", "not_before"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    result_id: Mapped[int] = mapped_column(sa.ForeignKey(ResultRow.id))
    kind: Mapped[ObjectKind]
    destination: Mapped[str]
    object_id: Mapped[int] = mapped_column(sa.ForeignKey(ObjectRow.id), index=True)
    """Moves to the next rank where the destination refuses the SOP class."""
    state: Mapped[DeliveryState]
    created_at: Mapped[datetime]
    waiting_since: Mapped[datetime]
    """When it began to wait: made, or to be sent again; a retry does not count."""
    changed_at: Mapped[datetime]
    last_error: Mapped[str | None]
    last_status: Mapped[int | None]
    """The DIMSE status of the last answer; None where there was no answer."""


class CommitmentRow(LeaseColumns, Base):
    """Whether the destination of one delivery says that it keeps the object."""

    __tablename__ = "commitments"
    __table_args__ = (sa.Index(None, "destination", "state", "not_before"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int] = mapped_column(sa.ForeignKey(DeliveryRow.id), unique=True)
    destination: Mapped[str]
    state: Mapped[CommitmentState]
    waiting_since: Mapped[datetime]
    """When the present wait for a question or an answer began."""
    changed_at: Mapped[datetime]
    asks: Mapped[int]
    """Questions that the destination took, since the object was delivered."""
    resends: Mapped[int]
    """How often the object was sent again because the destination had not kept it."""
    transaction_uid: Mapped[str | None]
    """Of the latest question."""
    last_error: Mapped[str | None]
    last_status: Mapped[int | None]
    """The DIMSE status or Failure Reason of the last answer."""


class CommitmentQuestionRow(Base):
    """One object in one request for storage commitment (PS3.4 J.3.2).

    Kept for good, so that a late answer to an early question still counts.
    """

    __tablename__ = "commitment_questions"

    transaction_uid: Mapped[str] = mapped_column(primary_key=True)
    commitment_id: Mapped[int] = mapped_column(
        sa.ForeignKey(CommitmentRow.id), primary_key=True
    )
    sop_instance_uid: Mapped[str]
    asked_at: Mapped[datetime]


class WorkerRow(Base):
    """A worker, and when it last gave a sign of life."""

    __tablename__ = "workers"

    worker: Mapped[str] = mapped_column(primary_key=True)
    """Its host and process number, as in ``claimed_by``."""
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class AlarmRow(Base):
    """Something a person should look at, and how often it happened."""

    __tablename__ = "alarms"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[AlarmKind]
    study_instance_uid: Mapped[str | None]
    sentence: Mapped[str]
    count: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    open_key: Mapped[str | None] = mapped_column(unique=True)
    """The same for the same alarm, and None once resolved: one open row each."""


metadata = Base.metadata
"""Every table above: complete once this module is imported."""
