"""One study graded: claimed, made into grades and files, saved.

The files come first, then one transaction saves grades, outbox rows and the end of
the job; only then is anything sent. A process that dies on any line leaves a lease
that runs out.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from dicom_node.audit.trail import Trail, silent
from dicom_node.config import Destination
from dicom_node.errors import GradingBroke, GradingInterrupted
from dicom_node.logs import Action, about, where
from dicom_node.orders import Made, Order, StudyMaker
from dicom_node.report.context import Predecessor
from dicom_node.requested import addressee, wanted
from grading.errors import NotGradable
from storage import instances, jobs, outbox, results, studies
from storage.database import Database
from storage.errors import DatabaseUnreachable, LeaseLost
from storage.jobs import Lease
from storage.outbox import ObjectKind
from storage.states import Role

log = logging.getLogger(__name__)

OUTAGE_SECONDS = 60.0
"""How long a study waits when the disk or the database, not the study, failed."""


@dataclass(frozen=True, slots=True)
class Worker:
    """Grades what is queued."""

    name: str
    """Unique among the workers of one database: host and process."""
    database: Database
    maker: StudyMaker
    destinations: tuple[Destination, ...]
    lease_seconds: float
    trail: Trail = field(default_factory=silent)
    _claims: Iterator[int] = field(default_factory=lambda: count(1), repr=False)

    def grade_one(self) -> bool:
        """Claim one job and bring it to an end; False where none waits."""
        lease = self._claim()
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
        except (GradingInterrupted, DatabaseUnreachable) as error:
            # A full disk or a database that is away is not the study's fault.
            self._give_back(lease, _said(error))
        except GradingBroke as error:
            self._broke(lease, str(error))
        # The one place that catches everything: what nobody foresaw must fail this
        # study with a reason and never block the next. The message of an unknown
        # error may quote a header, so only its type and place are kept.
        except Exception as error:  # noqa: BLE001
            self._broke(lease, f"{type(error).__name__} at {where(error)}")
        return True

    def _claim(self) -> Lease | None:
        with self.database.reading.begin() as session:
            if not jobs.anything_free(session):
                return None
        number = next(self._claims)
        with self.database.sessions.begin() as session:
            return jobs.claim(
                session,
                self.name,
                self.lease_seconds,
                oldest_first=number % jobs.OLDEST_EVERY == 0,
            )

    def _grade(self, lease: Lease) -> None:
        made = self.maker.make(self._order(lease))
        self._save(lease, made)
        log.info(
            "graded %d slices in %d groups, revision %d",
            len(made.grades.slices),
            len(made.grades.levels),
            lease.revision,
            extra=about(Action.GRADED, lease.study_instance_uid),
        )
        sent_first = Counter(it.sop_class_uid for it in made.objects if it.rank == 0)
        self.trail.graded(lease.study_instance_uid, sent_first)

    def _order(self, lease: Lease) -> Order:
        study = lease.study_instance_uid
        with self.database.reading.begin() as session:
            found = instances.study_instances(session, study, Role.IMAGE)
            earlier = outbox.predecessors(session, study, lease.revision)
            missing = studies.seems_missing(session, study)
        return Order(
            study_instance_uid=study,
            revision=lease.revision,
            claim_number=lease.claim_number,
            created_at=lease.created_at,
            evidence=tuple(instance.file for instance in found),
            predecessors=tuple(
                Predecessor(
                    item.sop_class_uid, item.sop_instance_uid, item.series_instance_uid
                )
                for item in earlier
                if item.kind in (ObjectKind.STRUCTURED_REPORT, ObjectKind.TEXT_REPORT)
            ),
            wanted=wanted(self.destinations),
            seems_missing=tuple(missing),
        )

    def _save(self, lease: Lease, made: Made) -> None:
        addressees = [addressee(destination) for destination in self.destinations]
        with self.database.sessions.begin() as session:  # all of it, or nothing
            result = results.save(session, lease, made.grades)
            outbox.add_objects(session, result, made.objects)
            outbox.enqueue(session, result, addressees)
            jobs.finish(session, lease)

    def _broke(self, lease: Lease, reason: str) -> None:
        self._fail(lease, reason, again=True)
        log.error(
            "grading failed (attempt %d): %s",
            lease.attempts,
            reason,
            extra=about(Action.GRADING_FAILED, lease.study_instance_uid),
        )

    def _fail(self, lease: Lease, reason: str, *, again: bool) -> None:
        try:
            with self.database.sessions.begin() as session:
                jobs.fail(session, lease, reason, again=again)
        except LeaseLost:
            return  # whoever has the study now will say what became of it

    def _give_back(self, lease: Lease, reason: str) -> None:
        """Let the study wait a while without counting this attempt."""
        log.error(
            "grading interrupted by %s; it will be tried again",
            reason,
            extra=about(Action.GRADING_FAILED, lease.study_instance_uid),
        )
        try:
            with self.database.sessions.begin() as session:
                jobs.give_back(session, lease, OUTAGE_SECONDS, reason)
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


def _said(error: GradingInterrupted | DatabaseUnreachable) -> str:
    """Return what happened; a driver's message is left out, since it may quote rows."""
    if isinstance(error, GradingInterrupted):
        return str(error)
    return f"{type(error).__name__} at {where(error)}"
