"""Instances: what the indexer makes of the receipts, and what a study consists of.

Nothing acknowledged is ever dropped: an instance keeps every content that was
received for it. What surrounds an instance can be imported from here too: its
receipts (``storage.receipts``) and its study (``storage.studies``).
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from storage import alarms
from storage.database import database_now, insert_missing
from storage.errors import BadUID
from storage.files import StoredFile
from storage.receipts import Receipt as Receipt
from storage.receipts import add_receipt as add_receipt
from storage.receipts import lock_receipt, stored_file
from storage.receipts import quarantine as quarantine
from storage.receipts import unindexed_receipts as unindexed_receipts
from storage.states import AlarmKind, ReceiptState
from storage.states import Filed as Filed
from storage.states import Role as Role
from storage.studies import HeldStudy as HeldStudy
from storage.studies import StudyToSettle as StudyToSettle
from storage.studies import current_version, lock_study, note_change, require_study
from storage.studies import force_revision as force_revision
from storage.studies import held_studies as held_studies
from storage.studies import hold as hold
from storage.studies import quiet_studies as quiet_studies
from storage.studies import save_verdicts as save_verdicts
from storage.studies import settle as settle
from storage.studies import verdicts as verdicts
from storage.tables import InstanceRow, ReceiptRow, SeriesRow, StudyRow, VersionRow

MAX_UID_CHARACTERS = 256
"""Four times what PS3.5 9.1 allows: real UIDs are sometimes too long. Longer text
is no UID, and too long for PostgreSQL to index."""


@dataclass(frozen=True, slots=True)
class InstanceHeader:
    """What the indexer read from the dataset, and the node needs to file it.

    Raises
    ------
    BadUID
        The study, series or SOP Instance UID has more than 256 characters.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    modality: str
    series_description: str
    role: Role
    content_digest: str
    """Of the decoded content: the same in every transfer syntax."""
    patient_digest: str
    """Differs between two patients, and tells nothing else about them."""

    def __post_init__(self) -> None:
        for uid in (
            self.study_instance_uid,
            self.series_instance_uid,
            self.sop_instance_uid,
        ):
            if len(uid) > MAX_UID_CHARACTERS:
                raise BadUID(
                    f"a UID of {len(uid)} characters: PS3.5 9.1 allows 64, and over "
                    f"{MAX_UID_CHARACTERS} nothing can be filed under it"
                )


@dataclass(frozen=True, slots=True)
class InstanceFile:
    """The current version of an instance, and where its bytes lie."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    role: Role
    content_digest: str
    patient_digest: str
    file: StoredFile
    transfer_syntax_uid: str
    removed: bool = False
    """The file was removed after the study was finished; its digests are still here."""


def file_receipt(session: Session, receipt: Receipt, header: InstanceHeader) -> Filed:
    """File a receipt under its study, series and instance.

    A content that was never received for its instance becomes the current
    version; one that was, however long ago, is identical and changes nothing,
    so that two peers that disagree cannot take turns for ever. While the study
    is held nothing is made of it, and what came last counts: a correction in the
    PACS may bring back what was right before. Only what changes the gradable
    input restarts the study's quiet time.

    A receipt that is indexed already gives the same answer again.

    Raises
    ------
    StorageError
        The receipt was never added.
    """
    row = lock_receipt(session, receipt.id)
    if row.filed is not None:
        return row.filed
    insert_missing(session, StudyRow, study_instance_uid=header.study_instance_uid)
    # From here to the end of the transaction the study has one indexer.
    study = lock_study(session, header.study_instance_uid)
    series = _find_or_add_series(session, header)
    instance = _find_or_add_instance(session, series, header)
    row.instance_id = instance.id
    last_counts = study.held_since is not None
    row.filed, gradable = _add_version(session, instance, row, header, last_counts)
    row.state = ReceiptState.INDEXED
    row.reason = None
    row.decided_at = database_now(session)
    if row.filed is Filed.CHANGED:
        _raise_changed(session, header)
    if gradable:
        note_change(session, study)
    study.files_removed_at = None
    return row.filed


def study_instances(
    session: Session, study_instance_uid: str, role: Role | None = None
) -> list[InstanceFile]:
    """Return the current versions of a study's instances, by series and SOP UID.

    Raises
    ------
    StudyUnknown
        Nothing of this study was ever received.
    """
    require_study(session, study_instance_uid)
    query = (
        sa.select(SeriesRow, InstanceRow, VersionRow, ReceiptRow)
        .join(InstanceRow, InstanceRow.series_id == SeriesRow.id)
        .join(VersionRow, current_version())
        .join(ReceiptRow, VersionRow.receipt_id == ReceiptRow.id)
        .where(SeriesRow.study_instance_uid == study_instance_uid)
    )
    if role is not None:
        query = query.where(VersionRow.role == role)
    found = [_instance_file(*row) for row in session.execute(query)]
    # Sorted here, because each database has its own order of text.
    return sorted(found, key=lambda it: (it.series_instance_uid, it.sop_instance_uid))


def calling_ae_titles(session: Session, study_instance_uid: str) -> set[str]:
    """Return the calling AE titles that sent anything of a study."""
    query = (
        sa.select(ReceiptRow.calling_ae_title)
        .distinct()
        .join(InstanceRow, ReceiptRow.instance_id == InstanceRow.id)
        .join(SeriesRow, InstanceRow.series_id == SeriesRow.id)
        .where(SeriesRow.study_instance_uid == study_instance_uid)
    )
    return set(session.scalars(query))


def _find_or_add_series(session: Session, header: InstanceHeader) -> SeriesRow:
    found = session.scalars(
        sa.select(SeriesRow).where(
            SeriesRow.study_instance_uid == header.study_instance_uid,
            SeriesRow.series_instance_uid == header.series_instance_uid,
        )
    ).one_or_none()
    if found:
        return found
    series = SeriesRow(
        study_instance_uid=header.study_instance_uid,
        series_instance_uid=header.series_instance_uid,
        modality=header.modality,
        description=header.series_description,
    )
    session.add(series)
    session.flush()
    return series


def _find_or_add_instance(
    session: Session, series: SeriesRow, header: InstanceHeader
) -> InstanceRow:
    found = session.scalars(
        sa.select(InstanceRow).where(
            InstanceRow.series_id == series.id,
            InstanceRow.sop_instance_uid == header.sop_instance_uid,
        )
    ).one_or_none()
    if found:
        return found
    instance = InstanceRow(
        series_id=series.id,
        sop_instance_uid=header.sop_instance_uid,
        current_version=0,
    )
    session.add(instance)
    session.flush()
    return instance


def _add_version(
    session: Session,
    instance: InstanceRow,
    receipt: ReceiptRow,
    header: InstanceHeader,
    last_counts: bool,
) -> tuple[Filed, bool]:
    """Return what the receipt brought, and whether the gradable input changed."""
    versions = session.scalars(
        sa.select(VersionRow).where(VersionRow.instance_id == instance.id)
    ).all()
    # A picture that replaces an image takes that image out of the input.
    gradable = Role.IMAGE in {header.role, *(version.role for version in versions)}
    for version in versions:
        if version.content_digest == header.content_digest:
            _bring_back(session, version, receipt)
            # What a person has set aside (below zero) stays so.
            if last_counts and 0 < instance.current_version != version.number:
                instance.current_version = version.number
                return Filed.CHANGED, gradable
            return Filed.IDENTICAL, False
    instance.current_version = len(versions) + 1
    session.add(
        VersionRow(
            instance_id=instance.id,
            number=instance.current_version,
            content_digest=header.content_digest,
            patient_digest=header.patient_digest,
            sop_class_uid=header.sop_class_uid,
            role=header.role,
            receipt_id=receipt.id,
        )
    )
    return (Filed.CHANGED if versions else Filed.NEW), gradable


def _bring_back(session: Session, version: VersionRow, receipt: ReceiptRow) -> None:
    """Let a version whose file went lean on the same content that has come again."""
    if session.get_one(ReceiptRow, version.receipt_id).condemned_at is not None:
        version.receipt_id = receipt.id


def _raise_changed(session: Session, header: InstanceHeader) -> None:
    alarms.raise_alarm(
        session,
        AlarmKind.INSTANCE_CHANGED,
        header.study_instance_uid,
        f"series {header.series_instance_uid}: an instance arrived again with "
        f"other content; every version is kept, the last one counts",
    )


def _instance_file(
    series: SeriesRow, instance: InstanceRow, version: VersionRow, receipt: ReceiptRow
) -> InstanceFile:
    return InstanceFile(
        series.series_instance_uid,
        instance.sop_instance_uid,
        version.sop_class_uid,
        version.role,
        version.content_digest,
        version.patient_digest,
        stored_file(receipt),
        receipt.transfer_syntax_uid,
        removed=receipt.condemned_at is not None,
    )
