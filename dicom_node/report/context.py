"""Who makes the objects, when, and after which earlier ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from dicom_node.report.phrases import Language, Phrases, shipped
from storage.states import ObjectKind

MANUFACTURER = "lumbar-node project"
MODEL_NAME = "lumbar-node"


@dataclass(frozen=True, slots=True)
class Installation:
    """The node that makes the objects; all text ASCII."""

    device_uid: str
    serial_number: str
    software_version: str
    institution_name: str = ""


@dataclass(frozen=True, slots=True)
class Predecessor:
    """An object of an earlier revision that the new one replaces."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which objects are to be made: what the destinations together ask for."""

    kinds: frozenset[ObjectKind] = frozenset(
        {ObjectKind.STRUCTURED_REPORT, ObjectKind.PICTURE}
    )
    comprehensive_3d: bool = False
    """The structured report as Comprehensive 3D SR too."""


@dataclass(frozen=True, slots=True)
class ReportContext:
    """What the objects say besides the grades.

    Raises
    ------
    ValueError
        The revision is below 1, or ``created_at`` has no time zone.
    """

    installation: Installation
    revision: int
    """Counted from 1; becomes the Instance Number."""
    created_at: datetime
    """When the job was made, frozen with it, so that a rebuild is byte-identical."""
    predecessors: tuple[Predecessor, ...] = ()
    phrases: Phrases = field(default_factory=lambda: shipped(Language.ENGLISH))
    """The narrative's templates, and the language of our own text where the study's
    character set can hold it."""

    def __post_init__(self) -> None:
        if self.revision < 1:
            raise ValueError(f"revisions are counted from 1, got {self.revision}")
        if self.created_at.utcoffset() is None:
            raise ValueError(
                f"created_at {self.created_at} has no time zone; give an aware UTC time"
            )
