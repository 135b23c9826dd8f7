"""The words that the tables are written in: kinds and states, stored as text."""

from __future__ import annotations

from enum import StrEnum


class Root(StrEnum):
    """Which folder below the data directory a file lies in."""

    RECEIVED = "received"
    PRODUCED = "produced"


class ReceiptState(StrEnum):
    """How far the indexer has come with a receipt."""

    RECEIVED = "received"
    INDEXED = "indexed"
    QUARANTINED = "quarantined"


class Role(StrEnum):
    """What an instance is to grading."""

    IMAGE = "image"
    """May be graded; its arrival restarts the quiet time."""
    OTHER = "other"
    """SR, SC, PR, KO and our own objects: kept, and never a reason to grade."""


class Filed(StrEnum):
    """What a receipt turned out to bring."""

    NEW = "new"
    IDENTICAL = "identical"
    CHANGED = "changed"


class JobKind(StrEnum):
    """What is to be done with a study at a revision."""

    GRADE = "grade"


class JobState(StrEnum):
    """``waiting -> running -> done | failed``."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class ObjectKind(StrEnum):
    """What an object that we made is."""

    STRUCTURED_REPORT = "structured_report"
    PICTURE = "picture"
    PRINTOUT = "printout"
    """An Encapsulated PDF, with the patient's name."""
    TEXT_REPORT = "text_report"


class DeliveryState(StrEnum):
    """``waiting -> sending -> delivered | dead``; the others are never sent."""

    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    SHADOW = "shadow"
    DEAD = "dead"
    WITHDRAWN = "withdrawn"
    """Replaced by a later revision, or for a destination that is no more."""


class CommitmentState(StrEnum):
    """``waiting -> asking -> asked -> committed | failed``, of what was delivered."""

    WAITING = "waiting"
    """To be asked about now, or again after a pause, or once it is delivered anew."""
    ASKING = "asking"
    ASKED = "asked"
    """The destination took the question and has not answered yet."""
    COMMITTED = "committed"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    """The destination is no longer asked; a good answer that still comes counts."""


class AlarmKind(StrEnum):
    """What a person should look at; a fixed set, so that monitoring can name it."""

    INSTANCE_CHANGED = "instance_changed"
    QUARANTINED = "quarantined"
    STUDY_HELD = "study_held"
    JOB_FAILED = "job_failed"
    DELIVERY_DEAD = "delivery_dead"
    DISK_LOW = "disk_low"
    QUARANTINE_TRIMMED = "quarantine_trimmed"
    COMMITMENT_FAILED = "commitment_failed"
