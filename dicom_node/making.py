"""A study's files to grades and report files: all of the work that may hang or die.

It runs in a process of its own (`serve`), which knows the folder of files and the
bundle, and no database: what it made counts only once the worker has saved it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import msgspec
import pydicom
from pydicom import Dataset

from dicom_node import children
from dicom_node.children import Link
from dicom_node.errors import ConfigError, GradingBroke, GradingInterrupted
from dicom_node.logs import where
from dicom_node.orders import (
    Answer,
    Broke,
    Interrupted,
    Made,
    NotOurs,
    Order,
    Question,
    Ready,
    SetUp,
    StudyMaker,
    Unfit,
)
from dicom_node.report.context import Installation, ReportContext
from dicom_node.report.objects import build_objects, part10
from dicom_node.report.phrases import Language, Phrases, shipped
from grading.errors import BundleError, EngineError, NotGradable
from grading.grades import SliceKey, StudyGrades
from storage.files import Files
from storage.objects import ProducedObject


class StudyGrader(Protocol):
    """What grades a study: the bundle at work, or a test's stand-in."""

    def grade(self, datasets: Sequence[Dataset]) -> StudyGrades:
        """As `grading.grader.Grader.grade`."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Grades one study after another, and writes what is to be sent."""

    files: Files
    grader: StudyGrader
    installation: Installation
    phrases: Phrases = field(default_factory=lambda: shipped(Language.ENGLISH))

    def make(self, order: Order) -> Made:
        """Grade a study and write its objects; raises as `StudyMaker.make`."""
        try:
            return self._make(order)
        except NotGradable:
            raise
        except FileNotFoundError as error:
            # It will not come back by itself: a person has to send the study again.
            raise GradingBroke(_type_and_place(error)) from error
        except OSError as error:
            # A full disk, or a file server that is away, is not the study's fault.
            raise GradingInterrupted(_type_and_place(error)) from error
        # A study that breaks the grader must fail with a reason and never block the
        # next. The message of an unknown error may quote a header: it is not kept.
        except Exception as error:
            raise GradingBroke(_type_and_place(error)) from error

    def _make(self, order: Order) -> Made:
        datasets = self._datasets(order)
        grades = self.grader.grade(datasets)
        grades = replace(grades, notes=(*grades.notes, *order.seems_missing))
        return Made(grades, tuple(self._objects(order, datasets, grades)))

    def _datasets(self, order: Order) -> list[Dataset]:
        """Read the study's instances; pixels are decoded only where graded."""
        return [
            pydicom.dcmread(self.files.path(stored.root, stored.key))
            for stored in order.evidence
        ]

    def _objects(
        self, order: Order, datasets: Sequence[Dataset], grades: StudyGrades
    ) -> list[ProducedObject]:
        """Write report and picture as files, durably, before any row names them."""
        context = ReportContext(
            self.installation,
            order.revision,
            order.created_at,
            order.predecessors,
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
                    order.study_instance_uid,
                    f"{built.sop_instance_uid}-{order.claim_number}.dcm",
                    part10(built.dataset),
                ),
            )
            for built in build_objects(
                graded_datasets(datasets, grades), grades, context, order.wanted
            )
        ]


def serve(link: Link, set_up: Callable[[bytes], tuple[StudyMaker, Ready]]) -> None:
    """Make what is ordered for as long as the parent is there.

    Parameters
    ----------
    set_up
        Gets the parent's configuration, and returns what makes, and with which bundle.
    """
    makers: list[StudyMaker] = []

    def answer(question: Question) -> Answer:
        if isinstance(question, Order):
            return _made(makers[-1], question)
        return _set_up(question)

    def _set_up(question: SetUp) -> Answer:
        try:
            maker, ready = set_up(question.config)
        except (BundleError, EngineError, ConfigError) as error:
            return Unfit(str(error), configured=True)
        # A GPU that cannot be had, a library that cannot be loaded: the parent says so.
        except Exception as error:  # noqa: BLE001
            return Unfit(_type_and_place(error), configured=False)
        makers.append(maker)
        return ready

    children.serve(link, msgspec.msgpack.Decoder(Question), answer)


def _made(maker: StudyMaker, order: Order) -> Answer:
    try:
        return maker.make(order)
    except NotGradable as error:
        return NotOurs(str(error))
    except GradingInterrupted as error:
        return Interrupted(str(error))
    except GradingBroke as error:
        return Broke(str(error))


def _type_and_place(error: Exception) -> str:
    return f"{type(error).__name__} at {where(error)}"


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
