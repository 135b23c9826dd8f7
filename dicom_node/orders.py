"""What a worker orders of a study, and what it gets: grades and files, or a reason.

The words between the worker and the process that grades; whoever runs without that
process speaks them too.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from dicom_node.report.context import Predecessor, Wanted
from grading.grades import ModelIdentity, StudyGrades
from storage.files import StoredFile
from storage.objects import ProducedObject


class Order(msgspec.Struct, frozen=True, tag=True):
    """One study at one revision, and what is to be made of it."""

    study_instance_uid: str
    revision: int
    claim_number: int
    """Part of the files' names, so that a worker that lost its lease cannot replace
    the file that the winner's row names."""
    created_at: datetime
    evidence: tuple[StoredFile, ...]
    """The study's present instances that may be graded."""
    predecessors: tuple[Predecessor, ...]
    wanted: Wanted
    seems_missing: tuple[str, ...] = ()
    """Sentences for the report: what seemed to be missing when the revision opened."""


class Made(msgspec.Struct, frozen=True, tag=True):
    """What a study received, and the objects made of it, which are durable files."""

    grades: StudyGrades
    objects: tuple[ProducedObject, ...]


class StudyMaker(Protocol):
    """What makes grades and files of a study: a process, or a test's stand-in."""

    def make(self, order: Order) -> Made:
        """Grade a study and write its objects.

        Raises
        ------
        NotGradable
            As `grading.grader.Grader.grade`.
        GradingInterrupted
            The surroundings failed; the study is to be tried again.
        GradingBroke
            The study broke the grading; the message quotes nothing of it.
        """


class SetUp(msgspec.Struct, frozen=True, tag=True):
    """The first word to a grading process: the configuration, as the parent has it."""

    config: bytes


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The bundle is loaded."""

    model: ModelIdentity
    engine: str
    """What computes, for people."""


class Unfit(msgspec.Struct, frozen=True, tag=True):
    """The process cannot grade with this configuration."""

    reason: str
    configured: bool
    """True where another configuration or bundle is the cure, and no restart."""


class NotOurs(msgspec.Struct, frozen=True, tag=True):
    """`NotGradable`, with its sentence."""

    reason: str


class Interrupted(msgspec.Struct, frozen=True, tag=True):
    """`GradingInterrupted`, with its sentence."""

    reason: str


class Broke(msgspec.Struct, frozen=True, tag=True):
    """`GradingBroke`, with its sentence."""

    reason: str


Question = SetUp | Order
Answer = Ready | Unfit | Made | NotOurs | Interrupted | Broke
