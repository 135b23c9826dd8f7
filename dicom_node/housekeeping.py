"""What a node does for itself: room on disk, files that may go, times that went wrong.

Every function here is a tick: it looks, does a bounded piece of work, and comes again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from dicom_node.audit.trail import Trail
from dicom_node.logs import Action, about
from storage import alarms, retention, times
from storage.database import Database
from storage.files import Files
from storage.space import Room, Watermarks, scarcest
from storage.states import AlarmKind

log = logging.getLogger(__name__)

STUDIES_AT_ONCE = 20
FILES_AT_ONCE = 500
"""Per tick, so that stopping never waits long."""
EVERY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What may go, and when there is too little room."""

    watermarks: Watermarks
    keep: timedelta | None
    """How long the images of a finished study stay; None: for ever."""
    quarantine_bytes: int | None
    longest_lease_seconds: float


@dataclass(frozen=True, slots=True)
class Housekeeper:
    """Keeps the house of one node; several workers may do it at once."""

    database: Database
    files: Files
    folders: tuple[Path, ...]
    """Whose file systems must not fill up."""
    rules: Rules
    trail: Trail

    def watch_disk(self) -> None:
        """Raise an alarm while there is too little room, and close it afterwards.

        The receiver refuses by itself, by the same marks. The alarm is the worker's,
        because it is to be closed though nobody sends.
        """
        found, marks = scarcest(self.folders), self.rules.watermarks
        if found is None:
            return
        with self.database.reading.begin() as session:
            is_open = alarms.is_open(session, AlarmKind.DISK_LOW)
        if not is_open and found.free_bytes < marks.refuse_below_bytes:
            with self.database.sessions.begin() as session:
                sentence = too_little_room(found.folder, marks)
                alarms.raise_alarm(session, AlarmKind.DISK_LOW, None, sentence)
        elif is_open and found.free_bytes >= marks.resume_above_bytes:
            with self.database.sessions.begin() as session:
                alarms.resolve(session, AlarmKind.DISK_LOW, None)

    def remove_files(self) -> int:
        """Condemn what may go, and unlink what is condemned; return how many files."""
        if self.rules.keep is not None:
            self._condemn_finished(self.rules.keep)
        if self.rules.quarantine_bytes is not None:
            self._trim_quarantine(self.rules.quarantine_bytes)
        return self._unlink()

    def pull_times_back(self) -> None:
        """Correct what a clock that was set back has left in the future."""
        lease_seconds = self.rules.longest_lease_seconds
        with self.database.reading.begin() as session:
            if not times.ahead(session, lease_seconds):
                return
        with self.database.sessions.begin() as session:
            count = times.pull_back(session, lease_seconds)
        if count:
            log.warning(
                "the database's clock was set back: %d times lay in the future and "
                "were corrected",
                count,
                extra=about(Action.CLOCK_STEPPED),
            )

    def _condemn_finished(self, keep: timedelta) -> None:
        with self.database.reading.begin() as session:
            finished = retention.finished_studies(session, keep, STUDIES_AT_ONCE)
        for study in finished:
            with self.database.sessions.begin() as session:
                count = retention.condemn_study(session, study, keep)
            if count:
                log.info(
                    "%d files of a finished study go; its grades and reports stay",
                    count,
                    extra=about(Action.FILES_REMOVED, study),
                )
                self.trail.deleted(study)

    def _trim_quarantine(self, max_bytes: int) -> None:
        with self.database.reading.begin() as session:
            if retention.quarantine_bytes(session) <= max_bytes:
                return
        with self.database.sessions.begin() as session:
            count = retention.trim_quarantine(session, max_bytes, FILES_AT_ONCE)
        if count:
            log.warning(
                "quarantined objects take too much room: the files of the oldest %d go",
                count,
                extra=about(Action.QUARANTINE_TRIMMED),
            )

    def _unlink(self) -> int:
        with self.database.reading.begin() as session:
            condemned = retention.condemned_files(session, FILES_AT_ONCE)
        if not condemned:
            return 0
        unlinked: dict[Path, list[str]] = {}
        gone, broken = [], None
        for one in condemned:
            try:
                self.files.remove(one.file.root, one.file.key)
                folder = self.files.folder_of(one.file)
                unlinked.setdefault(folder, []).append(one.receipt_id)
            except OSError as error:
                broken = error
        for folder, receipt_ids in unlinked.items():
            try:
                # Before a row says so: a power cut must bring none of them back.
                self.files.flush_removed(folder)
                gone += receipt_ids
            except OSError as error:
                broken = error
        with self.database.sessions.begin() as session:
            retention.gone(session, gone)
        if broken:
            raise broken  # the clock says so; the others are gone
        return len(gone)


def too_little_room(folder: Path, marks: Watermarks) -> str:
    """Return the alarm's sentence, the same for as long as it lasts."""
    return (
        f"less than {marks.refuse_below_bytes >> 20} MB are free for {folder}: images "
        f"are refused with 0xA700 until {marks.resume_above_bytes >> 20} MB are free"
    )


def log_room(room: Room) -> None:
    """Say once that images are refused, or taken again, for want of room."""
    free_mb = room.scarcest.free_bytes >> 20
    if room.taken:
        log.warning(
            "images are taken again: %d MB are free for %s",
            free_mb,
            room.scarcest.folder,
            extra=about(Action.DISK_FREE),
        )
    else:
        log.error(
            "images are refused with status 0xA700 from now on: %d MB are free for %s. "
            "The sender keeps them.",
            free_mb,
            room.scarcest.folder,
            extra=about(Action.DISK_LOW),
        )
