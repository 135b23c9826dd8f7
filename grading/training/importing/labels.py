"""What somebody said about images, and what became of it: every importer's output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from grading.boxes import Box
from grading.grades import Finding, Grade, Level
from grading.training.manifest import Part


@dataclass(frozen=True, slots=True)
class Label:
    """Grades for one image, or for all images of one disc level.

    It is about an image where it names a SOP Instance or a file, else about a level
    of a study. What it leaves empty is looked up in the images.
    """

    source: str
    """Where it stands: ``grades.csv line 7``."""
    study: str = ""
    series: str = ""
    sop_instance: str = ""
    frame: int = 1
    file: str = ""
    """Below the archive, with slashes."""
    level: Level | None = None
    slab: int | None = None
    """Of the level, counted from the head, as the node counts them."""
    grades: Mapping[Finding, Grade] = field(default_factory=dict)
    patient: str = ""
    """The table's own key."""
    site: str = ""
    scanner: str = ""
    part: Part | None = None
    excluded: str = ""
    """Why it takes no part."""
    box: Box | None = None

    @property
    def about_image(self) -> bool:
        """True where it names an image, false where it names a level."""
        return bool(self.sop_instance or self.file)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not in the manifest, and why."""

    reason: str
    source: str = ""
    """Where a label stands that has no image."""
    file: str = ""
    study: str = ""
    series: str = ""
    sop_instance: str = ""
    frame: int | None = None
    level: Level | None = None


def label_left_out(label: Label, reason: str) -> LeftOut:
    """Return a label as left out."""
    return LeftOut(
        reason,
        source=label.source,
        file=label.file,
        study=label.study,
        series=label.series,
        sop_instance=label.sop_instance,
        frame=label.frame if label.about_image else None,
        level=label.level,
    )
