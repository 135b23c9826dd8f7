"""Is a study's revision ready? When it has been quiet, and its input has changed.

C-STORE has no end-of-study mark (PS3.4 annex B), so silence is the first sign; a PACS
that counts may speak sooner (`dicom_node.asking`). A quiet study is looked at: every
series gets its verdict, and where the set of gradable images differs from the one last
settled, a revision opens and a job with it. Reports and pictures that a PACS routes
back are no images, so they open none.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

from dicom_node.clockwatch import ClockWatch
from dicom_node.evidence import HeldSeries, Memory, what_seems_missing
from dicom_node.logs import Action, about, where
from dicom_node.patience import Patience, in_words
from dicom_node.reading import Reader, Unreadable
from grading.grades import SeriesVerdict, quoted
from grading.headers import ImageHeader
from grading.levels.gaps import evenly_spaced, gaps
from grading.series import (
    MIN_SLICES,
    SeriesHeaders,
    gradable_images,
    group_images,
    judge,
)
from storage import instances, jobs, studies
from storage.database import Database, database_now
from storage.errors import DatabaseUnreachable
from storage.files import Files
from storage.installation import is_here
from storage.instances import InstanceFile
from storage.jobs import Priority
from storage.states import Role
from storage.studies import StudyToSettle

log = logging.getLogger(__name__)

LOOK_SECONDS = 300.0
"""No study's headers take longer: 200 files take a second or two."""
TICK_SECONDS = 300.0
"""No study is begun after that: the watchdog ends a worker whose tick never ends, and
the next one would begin with the same study."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A revision was opened."""

    revision: int


@dataclass(frozen=True, slots=True)
class NotYet:
    """Nothing to grade now, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Look:
    """A study's images, judged as they are now."""

    verdicts: tuple[SeriesVerdict, ...]
    held: tuple[HeldSeries, ...]
    input_digest: str


@dataclass(frozen=True, slots=True)
class Settler:
    """Looks at quiet studies."""

    database: Database
    files: Files
    quiet_seconds: float
    watch: ClockWatch | None = None
    """Whether silence by the database's clock can be trusted."""
    memory: Memory = field(default_factory=Memory)
    """What a PACS counts, where one is asked."""
    urgent_calling_ae_titles: frozenset[str] = frozenset()
    """Whose studies are graded before others."""
    reader: Reader = field(kw_only=True)
    """Not the indexer's: neither waits for the other's files."""
    look_seconds: float = field(default=LOOK_SECONDS, kw_only=True)
    patience: Patience = field(default_factory=Patience, kw_only=True)
    """With studies of which a file cannot be got at, and may be at the next try."""

    def settle_quiet(self) -> int:
        """Look at every study that has gone quiet; return how many."""
        with self.database.reading.begin() as session:
            if not self.trusts_clock(database_now(session)):
                return 0
            quiet = studies.quiet_studies(session, self.quiet_seconds)
        until = time.monotonic() + TICK_SECONDS
        for number, study in enumerate(quiet):
            if time.monotonic() > until:
                return number
            self.settle_or_hold(study)
        return len(quiet)

    def trusts_clock(self, now: datetime) -> bool:
        """Return whether spans of the database's clock mean anything at present."""
        return self.watch is None or self.watch.steady(now)

    def settle_or_hold(self, study: StudyToSettle) -> None:
        """Settle a study; one that cannot be judged is held for a person.

        One whose files the disk does not give at present is looked at again later.
        """
        uid = study.study_instance_uid
        if not self.patience.may_try(uid):
            return
        try:
            self.settle(study)
        except DatabaseUnreachable:
            raise  # nothing is wrong with the study; the next tick looks again
        except OSError as error:
            self._wait_or_hold(uid, error)
        # Headers are bytes from the wire: one study that cannot be judged waits for a
        # person and never blocks the next.
        except Exception as error:  # noqa: BLE001
            odd = f"{type(error).__name__} at {where(error)}"
            self._give_up(uid, str(error) if isinstance(error, Unreadable) else odd)
        else:
            self.patience.went_well(uid)

    def _wait_or_hold(self, uid: str, error: OSError) -> None:
        """Look at a study later, unless a file of it alone is at fault."""
        missing = isinstance(error, FileNotFoundError)
        if missing and is_here(self.files.data_directory):
            self._give_up(uid, "a file of it is no longer there")
            return
        reason, is_new = in_words(error), self.patience.is_new(uid)
        if self.patience.failed(uid):
            self._give_up(
                uid, f"a file of it cannot be read, though others can: {reason}"
            )
        elif is_new:
            log.warning(
                "cannot look at a study: %s; tried again later, others go on",
                reason,
                extra=about(Action.READING_FAILED, uid),
            )

    def _give_up(self, uid: str, reason: str) -> None:
        self._hold(uid, f"it cannot be judged: {reason}", whoever_accepted=True)
        self.patience.forget(uid)

    def settle(self, study: StudyToSettle) -> Ready | NotYet:
        """Judge the study's series, and open a revision if its input has changed."""
        uid = study.study_instance_uid
        with self.database.reading.begin() as session:
            found = instances.study_instances(session, uid)
            senders = instances.calling_ae_titles(session, uid)
        images = [instance for instance in found if instance.role is Role.IMAGE]
        patients = {image.patient_digest for image in images}
        if len(patients) > 1 and (held := self._held(uid, len(patients))):
            return held
        if removed := sum(instance.removed for instance in _to_judge(found)):
            return self._incomplete(uid, removed)
        seen = self._judged(found)
        missing = what_seems_missing(seen.held, self.memory.counts(study))
        with self.database.sessions.begin() as session:
            studies.save_verdicts(session, uid, seen.verdicts)
            revision = studies.settle(
                session, uid, study.last_received_at, seen.input_digest, missing
            )
            if revision is not None:
                priority = self._priority(senders, revision)
                jobs.add(session, uid, revision, seen.input_digest, priority=priority)
        if revision is None:
            return NotYet("the gradable images are those already settled")
        log.info(
            "revision %d opened: %d of %d series to grade",
            revision,
            sum(verdict.graded for verdict in seen.verdicts),
            len(seen.verdicts),
            extra=about(Action.REVISION_OPENED, uid),
        )
        return Ready(revision)

    def look(self, study_instance_uid: str) -> Look:
        """Judge what there is of a study now, and decide nothing.

        Raises
        ------
        StudyUnknown
            Nothing of this study was ever received.
        Unreadable
            A header cannot be read; `settle_or_hold` then holds the study.
        OSError
            The disk does not give a file at present.
        """
        with self.database.reading.begin() as session:
            found = instances.study_instances(session, study_instance_uid)
        return self._judged(found)

    def _judged(self, found: Sequence[InstanceFile]) -> Look:
        images = [instance for instance in found if instance.role is Role.IMAGE]
        series = group_images(self._headers(_to_judge(found)))
        verdicts = tuple(judge(headers) for headers in series)
        held = tuple(
            _held_series(headers, verdict, found)
            for headers, verdict in zip(series, verdicts, strict=True)
        )
        return Look(verdicts, held, input_digest(images, series, verdicts))

    def _priority(self, senders: AbstractSet[str], revision: int) -> Priority:
        """Return what the study comes before: urgent, never graded, graded before."""
        if self.urgent_calling_ae_titles & senders:
            return Priority.URGENT
        return Priority.NEW if revision == 1 else Priority.AGAIN

    def _held(self, uid: str, patients: int) -> NotYet | None:
        """Hold a study of several patients, unless a person has accepted them."""
        reason = (
            f"its images name {patients} different patients (ID, issuer, name, birth "
            "date or sex differ). Nothing is sent until a person has corrected the "
            "study in the PACS and sent it again, or has set aside the series that "
            f"belong to somebody else, and then has said: lumbar-node release {uid} "
            "(which says which series name whom)"
        )
        return self._hold(uid, reason)

    def _incomplete(self, uid: str, removed: int) -> NotYet:
        """Hold a finished study that has changed after its files were removed."""
        reason = (
            f"it has changed, but {removed} of its files were removed after it was "
            "finished ([disk] keep_days). Have the PACS send the whole study again, "
            f"and then say: lumbar-node release {uid}"
        )
        self._hold(uid, reason, whoever_accepted=True)
        return NotYet(reason)

    def _hold(
        self, uid: str, reason: str, *, whoever_accepted: bool = False
    ) -> NotYet | None:
        with self.database.sessions.begin() as session:
            held = studies.hold(session, uid, reason, whoever_accepted=whoever_accepted)
        if not held:
            return None
        log.error("study held: %s", reason, extra=about(Action.STUDY_HELD, uid))
        return NotYet(reason)

    def _headers(self, found: Sequence[InstanceFile]) -> Iterator[ImageHeader]:
        """Have the headers read by a child, all of them within the time for one look.

        Raises
        ------
        Unreadable
            A file is damaged, or all together take too long.
        OSError
            The disk does not give a file at present.
        """
        until = time.monotonic() + self.look_seconds
        for instance in found:
            if time.monotonic() > until:
                limit = f"{self.look_seconds:.0f} seconds"
                raise Unreadable(f"reading its headers took more than {limit}")
            path = self.files.path(instance.file.root, instance.file.key)
            yield from self.reader.images(path)


def _held_series(
    headers: SeriesHeaders, verdict: SeriesVerdict, found: Sequence[InstanceFile]
) -> HeldSeries:
    uid = headers.series_instance_uid
    used = verdict.graded or verdict.for_levels
    images = gradable_images(headers) if used else []
    return HeldSeries(
        series_instance_uid=uid,
        description=headers.description,
        # Of any kind: a PACS counts instances, not images.
        instances=sum(instance.series_instance_uid == uid for instance in found),
        graded=verdict.graded,
        for_levels=verdict.for_levels,
        too_few=not used and len(headers.images) < MIN_SLICES,
        gaps=tuple(
            f"Images seem to be missing: {gap.slices} would fit between two slices of "
            f"series {quoted(headers.description)} that lie {gap.gap_mm:.1f} mm "
            f"apart, the others lie {gap.spacing_mm:.1f} mm apart."
            for gap in gaps(images)
        ),
        even=evenly_spaced(images),
    )


def _to_judge(found: Sequence[InstanceFile]) -> list[InstanceFile]:
    """Return the images, and what else there is of series without an image.

    An odd object among a series' images must not speak for them.
    """
    with_images = {it.series_instance_uid for it in found if it.role is Role.IMAGE}
    return [
        it
        for it in found
        if it.role is Role.IMAGE or it.series_instance_uid not in with_images
    ]


def input_digest(
    images: Sequence[InstanceFile],
    series: Sequence[SeriesHeaders],
    verdicts: Sequence[SeriesVerdict],
) -> str:
    """Return a digest of what would be looked at: (series, instance, content).

    The order of arrival does not matter, and neither does a series that is not
    looked at: a late T1 changes no grade, while a late sagittal T2 tells the levels.
    """
    keys = {
        (image.key.series_instance_uid, image.key.sop_instance_uid)
        for headers, verdict in zip(series, verdicts, strict=True)
        if verdict.graded or verdict.for_levels
        for image in gradable_images(headers)
    }
    lines = sorted(
        f"{image.series_instance_uid} {image.sop_instance_uid} {image.content_digest}\n"
        for image in images
        if (image.series_instance_uid, image.sop_instance_uid) in keys
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()
