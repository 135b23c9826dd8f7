"""Logging: one sentence for people, fixed names for machines, no patient.

UIDs may be logged; names, IDs and birth dates of patients never. Libraries that
print what they read are therefore kept to what they say about themselves.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
import warnings
from enum import StrEnum
from types import TracebackType
from typing import Any

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""A value from the wire must not start a line of its own or steer a terminal."""

_QUOTING_LIBRARIES = ("pydicom", "pynetdicom", "highdicom")
"""They log values they dislike, and C-FIND identifiers. Their loggers' levels would
not do: pydicom sets its own anew when it is imported."""

_TALKATIVE_LIBRARIES = ("apscheduler", "alembic", "sqlalchemy", "PIL", "matplotlib")
"""They say a lot below warnings, SQLAlchemy every value it writes."""


class Action(StrEnum):
    """What happened: the fixed set of event names that a log line may carry."""

    STARTED = "started"
    STOPPING = "stopping"
    CONNECTION_REFUSED = "connection_refused"
    ASSOCIATION_REFUSED = "association_refused"
    ASSOCIATION_ABORTED = "association_aborted"
    RECEIVE_REFUSED = "receive_refused"
    READING_FAILED = "reading_failed"
    QUARANTINED = "quarantined"
    INSTANCE_CHANGED = "instance_changed"
    STUDY_HELD = "study_held"
    COMPLETE = "complete"
    QUERY_FAILED = "query_failed"
    FETCHED = "fetched"
    REVISION_OPENED = "revision_opened"
    GRADED = "graded"
    NOT_GRADABLE = "not_gradable"
    GRADING_FAILED = "grading_failed"
    LEASE_LOST = "lease_lost"
    DELIVERED = "delivered"
    DELIVERY_POSTPONED = "delivery_postponed"
    DELIVERY_FELL_BACK = "delivery_fell_back"
    DELIVERY_DEAD = "delivery_dead"
    COMMITMENT_ASKED = "commitment_asked"
    COMMITMENT_ANSWERED = "commitment_answered"
    COMMITMENT_REFUSED = "commitment_refused"
    TICK_FAILED = "tick_failed"
    DISK_LOW = "disk_low"
    DISK_FREE = "disk_free"
    FILES_REMOVED = "files_removed"
    QUARANTINE_TRIMMED = "quarantine_trimmed"
    CLOCK_STEPPED = "clock_stepped"
    PERMISSIONS_TIGHTENED = "permissions_tightened"
    AUDIT_LOST = "audit_lost"


def about(action: Action, study: str = "", **facts: str | float) -> dict[str, Any]:
    """Return the ``extra`` of a log line."""
    fields: dict[str, Any] = {"action": action.value, **facts}
    return {**fields, "study": study} if study else fields


class _LineFormatter(logging.Formatter):
    """``time level sentence [action=... study=...]``, in UTC."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        known = ((name, getattr(record, name, None)) for name in ("action", "study"))
        facts = " ".join(f"{name}={value}" for name, value in known if value)
        whole = f"{line} [{facts}]" if facts else line
        return _CONTROL.sub(lambda found: repr(found[0])[1:-1], whole)

    def formatException(  # noqa: N802 (logging's own name)
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        """Return type and place: the message may quote a header."""
        error = ei[1]
        return f"{type(error).__name__} at {where(error)}" if error else ""


def configure(level: str = "INFO") -> None:
    """Log to standard error, where systemd's journal and a terminal both read."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_LineFormatter("%(asctime)s %(levelname)s %(message)s"))
    stream.addFilter(lambda record: not record.name.startswith(_QUOTING_LIBRARIES))
    logging.basicConfig(level=level, handlers=[stream], force=True)
    for library in _TALKATIVE_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    # Their warnings quote values too, and name whoever called them as the source.
    warnings.simplefilter("ignore", UserWarning)


def where(error: BaseException) -> str:
    """Return the places an error came through, without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    return " > ".join(f"{frame.name}:{frame.lineno}" for frame in frames[-4:])
