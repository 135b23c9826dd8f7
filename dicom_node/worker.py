"""The two things a worker does: one study graded, one destination served.

Grading writes files first, then one transaction saves grades, outbox rows and the
end of the job; only then is anything sent. A process that dies on any line leaves
either a lease that expires or a row that is sent again under the same UID.
"""

from __future__ import annotations

import hashlib
import logging
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import pydicom
from pydicom import Dataset

from dicom_node import requested
from dicom_node.audit import messages
from dicom_node.audit.trail import Trail, silent
from dicom_node.config import Destination
from dicom_node.errors import ContextRefused, PeerUnreachable, SendError, SendRefused
from dicom_node.logs import Action, about, where
from dicom_node.report.context import Installation, Predecessor, ReportContext
from dicom_node.report.objects import build_objects, part10
from dicom_node.report.phrases import Language, Phrases, shipped
from dicom_node.requested import addressee, wanted
from dicom_node.sender import OpenAssociation, association
from grading.errors import NotGradable
from grading.grades import SliceKey, StudyGrades
from storage import instances, jobs, outbox, results, studies
from storage.database import Database
from storage.errors import DatabaseUnreachable, LeaseLost
from storage.files import Files
from storage.jobs import Lease
from storage.outbox import Delivery, ObjectKind, ProducedObject
from storage.states import Role

log = logging.getLogger(__name__)

OBJECTS_PER_ASSOCIATION = 20
DELIVERY_LEASE_SECONDS = 1500.0
"""Longer than a PACS may take for all of them, so that no other worker sends too."""
OUTAGE_SECONDS = 60.0
"""How long a study waits when the disk or the database, not the study, failed."""


class StudyGrader(Protocol):
    """What grades a study: the bundle at work, or a test's stand-in."""

    def grade(self, datasets: Sequence[Dataset]) -> StudyGrades:
        """As `grading.grader.Grader.grade`."""


@dataclass(frozen=True, slots=True)
class Worker:
    """Grades what is queued and sends what is due."""

    name: str
    """Unique among the workers of one database: host and process."""
    database: Database
    files: Files
    grader: StudyGrader
    installation: Installation
    calling_ae_title: str
    destinations: tuple[Destination, ...]
    lease_seconds: float
    phrases: Phrases = field(default_factory=lambda: shipped(Language.ENGLISH))
    tls: ssl.SSLContext | None = None
    """For the destinations that ask for it."""
    trail: Trail = field(default_factory=silent)

    def grade_one(self) -> bool:
        """Claim one job and bring it to an end; False where none waits."""
        with self.database.sessions.begin() as session:
            lease = jobs.claim(session, self.name, self.lease_seconds)
        if lease is None:
            return False
        study = lease.study_instance_uid
        try:
            with self._renewing(lease):
                self._grade(lease)
        except NotGradable as error:
            self._fail(lease, str(error), again=False)
            # The reason quotes series descriptions: free text that may hold a name.
            log.warning(
                "not gradable; `lumbar-node status` says why",
                extra=about(Action.NOT_GRADABLE, study),
            )
        except LeaseLost:
            log.warning(
                "another worker has taken this study over",
                extra=about(Action.LEASE_LOST, study),
            )
        except (OSError, DatabaseUnreachable) as error:
            # A full disk or a database that is away is not the study's fault.
            self._give_back(lease)
            log.error(
                "grading interrupted by %s at %s; it will be tried again",
                type(error).__name__,
                where(error),
                extra=about(Action.GRADING_FAILED, study),
            )
        # The one place that catches everything: a study that breaks the grader must
        # fail with a reason and never block the next. The message of an unknown
        # error may quote a header, so only its type and place are kept.
        except Exception as error:  # noqa: BLE001
            reason = f"{type(error).__name__} at {where(error)}"
            self._fail(lease, reason, again=True)
            log.error(
                "grading failed (attempt %d): %s",
                lease.attempts,
                reason,
                extra=about(Action.GRADING_FAILED, study),
            )
        return True

    def send_due(self, destination: Destination) -> int:
        """Send what is due for one destination on one association; return how many."""
        with self.database.sessions.begin() as session:
            due = outbox.claim_due(
                session,
                destination.name,
                self.name,
                DELIVERY_LEASE_SECONDS,
                OBJECTS_PER_ASSOCIATION,
            )
        if not due:
            return 0
        peer = requested.peer(destination, self.tls)
        sop_classes = {delivery.object.sop_class_uid for delivery in due}
        try:
            with association(self.calling_ae_title, peer, sop_classes) as opened:
                for delivery in due:
                    self._settled(delivery, partial(self._send, opened))
        except PeerUnreachable as error:
            for delivery in due:
                self._settled(delivery, partial(self._postpone, error=error))
        except ContextRefused as error:
            for delivery in due:
                self._settled(delivery, partial(self._fall_back, error=error))
        return len(due)

    def _settled(self, delivery: Delivery, move: Callable[[Delivery], None]) -> None:
        """Move one delivery on; whatever breaks, the next one has its turn."""
        try:
            move(delivery)
        except LeaseLost:
            self._log(delivery, Action.LEASE_LOST, "another worker has taken it over")
        except DatabaseUnreachable:
            raise
        # The second place that catches everything, for the same reason as the first.
        except Exception as error:  # noqa: BLE001
            broken = f"it cannot be sent: {type(error).__name__} at {where(error)}"
            self._bury(delivery, SendRefused(broken))

    def _grade(self, lease: Lease) -> None:
        datasets = self._datasets(lease.study_instance_uid)
        grades = self._with_what_seems_missing(lease, self.grader.grade(datasets))
        produced = self._produce(lease, datasets, grades)
        with self.database.sessions.begin() as session:  # all of it, or nothing
            result = results.save(session, lease, grades)
            outbox.add_objects(session, result, produced)
            outbox.enqueue(
                session,
                result,
                [addressee(destination) for destination in self.destinations],
            )
            jobs.finish(session, lease)
        log.info(
            "graded %d slices in %d groups, revision %d",
            len(grades.slices),
            len(grades.levels),
            lease.revision,
            extra=about(Action.GRADED, lease.study_instance_uid),
        )
        made = Counter(it.sop_class_uid for it in produced if it.rank == 0)
        self.trail.graded(lease.study_instance_uid, made)

    def _with_what_seems_missing(
        self, lease: Lease, grades: StudyGrades
    ) -> StudyGrades:
        """Say in the report what seemed to be missing when the revision opened."""
        with self.database.reading.begin() as session:
            sentences = studies.seems_missing(session, lease.study_instance_uid)
        return replace(grades, notes=(*grades.notes, *sentences))

    def _datasets(self, study: str) -> list[Dataset]:
        """Read the study's present instances; pixels are decoded only where graded."""
        with self.database.reading.begin() as session:
            found = instances.study_instances(session, study, Role.IMAGE)
        return [
            pydicom.dcmread(self.files.path(instance.file.root, instance.file.key))
            for instance in found
        ]

    def _produce(
        self, lease: Lease, datasets: Sequence[Dataset], grades: StudyGrades
    ) -> list[ProducedObject]:
        """Write the report and the picture as files, durably, before any row."""
        context = ReportContext(
            self.installation,
            lease.revision,
            lease.created_at,
            self._predecessors(lease),
            self.phrases,
        )
        return [
            ProducedObject(
                kind=built.kind,
                rank=built.rank,
                sop_class_uid=built.sop_class_uid,
                sop_instance_uid=built.sop_instance_uid,
                series_instance_uid=built.series_instance_uid,
                file=self.files.write_produced(
                    lease.study_instance_uid,
                    # With the fence, so that a worker that lost its lease cannot
                    # replace the file that the winner's row names.
                    f"{built.sop_instance_uid}-{lease.claim_number}.dcm",
                    part10(built.dataset),
                ),
            )
            for built in build_objects(
                graded_datasets(datasets, grades),
                grades,
                context,
                wanted(self.destinations),
            )
        ]

    def _predecessors(self, lease: Lease) -> tuple[Predecessor, ...]:
        with self.database.reading.begin() as session:
            earlier = outbox.predecessors(
                session, lease.study_instance_uid, lease.revision
            )
        return tuple(
            Predecessor(
                item.sop_class_uid, item.sop_instance_uid, item.series_instance_uid
            )
            for item in earlier
            if item.kind in (ObjectKind.STRUCTURED_REPORT, ObjectKind.TEXT_REPORT)
        )

    def _fail(self, lease: Lease, reason: str, *, again: bool) -> None:
        try:
            with self.database.sessions.begin() as session:
                jobs.fail(session, lease, reason, again=again)
        except LeaseLost:
            return  # whoever has the study now will say what became of it

    def _give_back(self, lease: Lease) -> None:
        """Let the study wait a while without counting this attempt."""
        try:
            with self.database.sessions.begin() as session:
                jobs.give_back(session, lease, OUTAGE_SECONDS)
        except (LeaseLost, DatabaseUnreachable):
            return  # the lease runs out by itself

    @contextmanager
    def _renewing(self, lease: Lease) -> Iterator[None]:
        """Renew a lease while the work goes on, from a thread of its own."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self.lease_seconds / 3):
                try:
                    with self.database.sessions.begin() as session:
                        jobs.renew(session, lease, self.lease_seconds)
                except LeaseLost:
                    return  # the fence stops this worker when it tries to finish
                except DatabaseUnreachable:
                    continue  # there is time for two more tries

        thread = threading.Thread(target=renew, name="renew-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _send(self, opened: OpenAssociation, delivery: Delivery) -> None:
        stored = delivery.object.file
        content = self.files.read(stored.root, stored.key)
        if hashlib.sha256(content).hexdigest() != stored.sha256:
            self._bury(delivery, SendRefused(f"{stored.key} is not what was written"))
            return
        try:
            status = opened.send(content)
        except PeerUnreachable as error:
            self._postpone(delivery, error)
        except ContextRefused as error:
            self._fall_back(delivery, error)
        except SendRefused as error:
            self._bury(delivery, error)
        else:
            with self.database.sessions.begin() as session:
                outbox.delivered(session, delivery, status)
            self._log(delivery, Action.DELIVERED, f"delivered with 0x{status:04X}")
            self._audit(delivery)

    def _postpone(self, delivery: Delivery, error: SendError) -> None:
        with self.database.sessions.begin() as session:
            outbox.postpone(session, delivery, str(error), error.status)
        self._log(delivery, Action.DELIVERY_POSTPONED, str(error))

    def _fall_back(self, delivery: Delivery, error: SendRefused) -> None:
        with self.database.sessions.begin() as session:
            fell_back = outbox.fall_back(session, delivery, str(error), error.status)
        if fell_back:
            self._log(delivery, Action.DELIVERY_FELL_BACK, str(error))
        else:
            self._bury(delivery, error)

    def _bury(self, delivery: Delivery, error: SendRefused) -> None:
        with self.database.sessions.begin() as session:
            outbox.dead(session, delivery, str(error), error.status)
        self._log(delivery, Action.DELIVERY_DEAD, str(error))
        self._audit(delivery, refusal=str(error))

    def _audit(self, delivery: Delivery, refusal: str = "") -> None:
        for it in self.destinations:
            if it.name == delivery.destination:
                self.trail.sent(
                    messages.Peer(it.ae_title, it.host),
                    delivery.study_instance_uid,
                    delivery.object.sop_class_uid,
                    refusal,
                )

    def _log(self, delivery: Delivery, action: Action, sentence: str) -> None:
        level = logging.INFO if action is Action.DELIVERED else logging.WARNING
        log.log(
            level,
            "%s to %s: %s",
            delivery.object.kind.value,
            delivery.destination,
            sentence,
            extra=about(action, delivery.study_instance_uid),
        )


def graded_datasets(datasets: Sequence[Dataset], grades: StudyGrades) -> list[Dataset]:
    """Return the report's evidence: what holds a graded slice, then the sagittal one.

    Patient and study are taken from the first, so that is a graded one.
    """
    keys = [[slice_grade.key for slice_grade in grades.slices]]
    if grades.sagittal:
        keys.append([grades.sagittal.key])
    groups = [_places(wanted) for wanted in keys]
    return [ds for places in groups for ds in datasets if _place(ds) in places]


def _places(keys: Sequence[SliceKey]) -> set[tuple[str, str]]:
    return {(key.series_instance_uid, key.sop_instance_uid) for key in keys}


def _place(ds: Dataset) -> tuple[str, str]:
    return str(ds.get("SeriesInstanceUID", "")), str(ds.get("SOPInstanceUID", ""))
