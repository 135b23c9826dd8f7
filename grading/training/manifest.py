"""The manifest: which images of an archive have which grades, and for what they serve.

A manifest is a file of JSON lines, the first of which describes the file and every
other one an image frame. It holds no pixels: files are named relative to a data root,
which may lie elsewhere on another machine. It holds no names and no Patient IDs.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from grading.boxes import Box
from grading.evaluation.delimited import CasesError
from grading.grades import Finding, Grade, Level

FORMAT = "lumbar-manifest/1"
"""Changes whenever a reader of the last one would go wrong."""
NOTICE = "Labelled images of an archive, by pseudonym; made by lumbar-grading import"


class Part(StrEnum):
    """What a patient's images serve for; a patient is in one part only."""

    TRAINING = "train"
    VALIDATION = "validation"
    TEST = "test"


class Origin(StrEnum):
    """What the images of a manifest are of."""

    PATIENTS = "patients"
    PHANTOM = "phantom"
    MIXED = "phantom and patients"


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One line: one frame of one SOP Instance with its grades."""

    patient: str
    """The user's own key, or a pseudonym."""
    study: str
    series: str
    sop_instance: str
    frame: int
    """Counted from 1."""
    file: str
    """Below the data root, with slashes."""
    level: Level | None
    grades: Mapping[Finding, Grade]
    """At least one; a finding that nobody graded is missing."""
    box: Box | None
    part: Part
    site: str
    scanner: str
    phantom: bool
    """The image is a computer-made phantom's."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Labelled images and where their files lie."""

    data_root: Path
    images: tuple[LabelledImage, ...]

    @property
    def origin(self) -> Origin:
        """What the images are of."""
        kinds = {image.phantom for image in self.images}
        if len(kinds) > 1:
            return Origin.MIXED
        return Origin.PHANTOM if True in kinds else Origin.PATIENTS

    def part(self, part: Part) -> tuple[LabelledImage, ...]:
        """Return the images of one part."""
        return tuple(image for image in self.images if image.part is part)


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest whole or not at all."""
    root = os.path.relpath(manifest.data_root, path.parent)
    header = {"notice": NOTICE, "format": FORMAT, "data_root": Path(root).as_posix()}
    lines = [json.dumps(header, ensure_ascii=False)]
    lines += [
        json.dumps(_as_json(image), ensure_ascii=False) for image in manifest.images
    ]
    partial = path.with_name(path.name + ".partial")
    partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
    partial.replace(path)


def read_manifest(path: Path, data_root: Path | None = None) -> Manifest:
    """Read and check a manifest.

    Parameters
    ----------
    data_root
        Where the images lie now; where the manifest says if left out.

    Raises
    ------
    CasesError
        It is no manifest, a line cannot be understood, or a patient is in two parts;
        the message names the line.
    OSError
        The file cannot be read.
    """
    lines = _objects(path)
    _, header = next(lines, (1, {}))
    root = _data_root(path, header)
    images: list[LabelledImage] = []
    parts: dict[str, tuple[Part, int]] = {}
    for line, content in lines:
        image = _image(path, line, content)
        _check_part(path, line, image, parts)
        images.append(image)
    if not images:
        raise CasesError(path, None, "the manifest names no image; import some")
    return Manifest(data_root or root, tuple(images))


def _data_root(path: Path, header: Mapping[str, Any]) -> Path:
    """Check the first line and return the folder of the images that it names."""
    if header.get("format") != FORMAT:
        raise CasesError(
            path,
            1,
            f"`format` is {header.get('format')!r}, not {FORMAT!r}; name a manifest "
            "that `lumbar-grading import` of this version wrote",
        )
    if not isinstance(root := header.get("data_root"), str):
        raise CasesError(path, 1, "`data_root` is missing; import the archive anew")
    return path.parent / root


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    text = path.read_text(encoding="utf-8", errors="replace")
    # Not splitlines: a line separator of Unicode may stand inside a text.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise CasesError(path, number, "not a JSON object; import the archive anew")
        yield number, content


def _image(path: Path, line: int, content: Mapping[str, Any]) -> LabelledImage:
    try:
        level, box = content["level"], content["box"]
        image = LabelledImage(
            patient=str(content["patient"]),
            study=str(content["study"]),
            series=str(content["series"]),
            sop_instance=str(content["sop_instance"]),
            frame=_frame(content["frame"]),
            file=_inside(str(content["file"])),
            level=None if level is None else Level(level),
            grades={
                Finding(finding): Grade(grade)
                for finding, grade in content["grades"].items()
            },
            box=None if box is None else Box(*map(_edge, box)),
            part=Part(content["part"]),
            site=str(content["site"]),
            scanner=str(content["scanner"]),
            phantom=bool(content["phantom"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CasesError(path, line, f"{_complaint(error)}; import anew") from error
    if not image.grades:
        raise CasesError(path, line, "the image has no grade; remove the line")
    return image


def _frame(number: object) -> int:
    frame = int(str(number))
    if frame < 1:
        raise ValueError(f"`frame` is {frame}; frames are counted from 1")
    return frame


def _edge(number: object) -> float:
    edge = float(str(number))
    if not math.isfinite(edge):
        raise ValueError(f"an edge of `box` is {number}")
    return edge


def _inside(file: str) -> str:
    """Refuse a file outside the data root: a manifest may come from elsewhere."""
    if Path(file).is_absolute() or ".." in Path(file).parts:
        raise ValueError(f"`file` is {file!r}, which lies outside the data root")
    return file


def _complaint(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"`{error.args[0]}` is missing"
    return str(error)


def _check_part(
    path: Path, line: int, image: LabelledImage, parts: dict[str, tuple[Part, int]]
) -> None:
    part, first = parts.setdefault(image.patient, (image.part, line))
    if part is not image.part:
        raise CasesError(
            path,
            line,
            f"this patient is in {image.part} here and in {part} in line {first}; a "
            "patient is in one part only, or figures are too good",
        )


def _as_json(image: LabelledImage) -> dict[str, object]:
    box = image.box
    return {
        "patient": image.patient,
        "study": image.study,
        "series": image.series,
        "sop_instance": image.sop_instance,
        "frame": image.frame,
        "file": image.file,
        "level": image.level,
        "grades": {finding: int(grade) for finding, grade in image.grades.items()},
        "box": box and [box.first_row, box.first_column, box.last_row, box.last_column],
        "part": image.part,
        "site": image.site,
        "scanner": image.scanner,
        "phantom": image.phantom,
    }


def sha256_of(path: Path) -> str:
    """Return the hash of a manifest's file, by which a card names it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
