"""Storage commitment, as its user: the question, and whoever brings the answer.

The Storage Commitment Push Model SOP Class (PS3.4 annex J): N-ACTION asks a peer
whether it keeps objects, N-EVENT-REPORT answers, on the same association or on one
that the peer opens to our receiver. The node keeps nothing for others, so it takes the
answers only: a peer has to propose to be the provider.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, _config, build_role, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from dicom_node.logs import Action, about, where
from storage.answers import Report, answered
from storage.commitments import Item
from storage.database import Database
from storage.errors import StorageError

log = logging.getLogger(__name__)

SOP_CLASS_UID = str(StorageCommitmentPushModel)
SOP_INSTANCE_UID = str(StorageCommitmentPushModelInstance)
"""Well-known: there is one of it (PS3.4 J.3.5)."""
REQUEST = 1
"""Action Type ID of a request (PS3.4 table J.3-1)."""
ALL_KEPT, SOME_NOT_KEPT = 1, 2
"""Event Type IDs (PS3.4 table J.3-2)."""

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
"""Our database is away: the peer may say it again, and we shall ask again."""
NO_SUCH_EVENT_TYPE = 0x0113
INVALID_ARGUMENT_VALUE = 0x0115
"""Nobody asked under this Transaction UID, or the report cannot be read (PS3.7 C.5)."""


def question(transaction_uid: str, items: Sequence[Item]) -> Dataset:
    """Return the Action Information that asks for objects (PS3.4 table J.3-1)."""
    ds = Dataset()
    ds.TransactionUID = transaction_uid
    ds.ReferencedSOPSequence = [_reference(item) for item in items]
    return ds


def _reference(item: Item) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID = item.sop_class_uid
    ds.ReferencedSOPInstanceUID = item.sop_instance_uid
    return ds


def report_of(ds: Dataset, event_type: int) -> Report:
    """Read an Event Information (PS3.4 table J.3-2).

    Raises
    ------
    ValueError
        It has no Transaction UID.
    """
    transaction_uid = str(ds.get("TransactionUID") or "")
    if not transaction_uid:
        raise ValueError("a report without a Transaction UID")
    failed = ds.get("FailedSOPSequence") or () if event_type == SOME_NOT_KEPT else ()
    return Report(
        transaction_uid,
        frozenset(
            str(item.ReferencedSOPInstanceUID)
            for item in ds.get("ReferencedSOPSequence") or ()
        ),
        {
            str(item.ReferencedSOPInstanceUID): int(item.get("FailureReason") or 0)
            for item in failed
        },
    )


@dataclass(frozen=True, slots=True)
class Reports:
    """Takes what peers say about what they keep, and writes it down."""

    database: Database

    def on_requested(self, event: evt.Event) -> None:
        """Withhold the service from a peer that wants us to keep something.

        Without role selection the peer that opens an association is the user
        (PS3.7 D.3.3.4), and users of this service want an archive.
        """
        assoc = event.assoc
        role = assoc.requestor.role_selection.get(UID(SOP_CLASS_UID))
        if role is None or not role.scp_role:
            assoc.acceptor.supported_contexts = [
                context
                for context in assoc.acceptor.supported_contexts
                if context.abstract_syntax != SOP_CLASS_UID
            ]
        elif _config.UNRESTRICTED_STORAGE_SERVICE:
            # pynetdicom leaves out its answer to role selection where it takes every
            # storage SOP class, and a peer without that answer must not report.
            assoc.acceptor.add_negotiation_item(
                build_role(SOP_CLASS_UID, scp_role=True)
            )

    def on_event_report(self, event: evt.Event) -> tuple[int, None]:
        """Take an N-EVENT-REPORT; Success once its meaning is kept."""
        if event.event_type not in (ALL_KEPT, SOME_NOT_KEPT):
            return self._refuse(event, NO_SUCH_EVENT_TYPE, "an event of unknown type")
        try:
            report = report_of(event.event_information, event.event_type)
        # Bytes from the wire: whatever the parser raises, the association goes on. The
        # message may quote them.
        except Exception as error:  # noqa: BLE001
            reason = f"{type(error).__name__} at {where(error)}"
            return self._refuse(event, INVALID_ARGUMENT_VALUE, reason)
        try:
            with self.database.sessions.begin() as session:
                found = answered(session, report)
        except StorageError as error:
            return self._refuse(event, PROCESSING_FAILURE, type(error).__name__)
        if found is None:
            reason = "nobody asked under its Transaction UID"
            return self._refuse(event, INVALID_ARGUMENT_VALUE, reason)
        log.log(
            logging.WARNING if found.sent_again or found.failed else logging.INFO,
            "%s commits to %d objects, %d are sent again, %d are given up",
            found.destination,
            found.committed,
            found.sent_again,
            found.failed,
            extra=about(Action.COMMITMENT_ANSWERED),
        )
        return SUCCESS, None

    def _refuse(self, event: evt.Event, status: int, reason: str) -> tuple[int, None]:
        requestor = event.assoc.requestor
        log.warning(
            "refused a report of storage commitment on an association of %r at %s "
            "with status 0x%04X: %s",
            requestor.ae_title.strip(),
            requestor.address,
            status,
            reason,
            extra=about(Action.COMMITMENT_REFUSED, status=status),
        )
        return status, None


def accept_reports(ae: AE, database: Database) -> list[evt.EventHandlerType]:
    """Let a receiver accept reports, and return the handlers to bind for them."""
    reports = Reports(database)
    ae.add_supported_context(
        SOP_CLASS_UID,
        [ExplicitVRLittleEndian, ImplicitVRLittleEndian],
        scu_role=False,
        scp_role=True,
    )
    return [
        (evt.EVT_REQUESTED, reports.on_requested),
        (evt.EVT_N_EVENT_REPORT, reports.on_event_report),
    ]
