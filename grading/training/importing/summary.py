"""What an import found, as lines for a person; no patient is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from grading.grades import Finding, Grade
from grading.training.importing.assemble import Imported
from grading.training.manifest import LabelledImage, Origin, Part

ORIGINS: Mapping[Origin, str] = {
    Origin.PATIENTS: "The images are of patients.",
    Origin.PHANTOM: (
        "The images are a computer-made phantom's: they say nothing about patients."
    ),
    Origin.MIXED: (
        "Some images are a computer-made phantom's, the others of patients: figures "
        "over both say nothing about patients."
    ),
}


def summary(imported: Imported) -> str:
    """Return what the images are of, and counts of patients, grades and reasons."""
    return "\n".join(_lines(imported))


def _lines(imported: Imported) -> Iterator[str]:
    manifest = imported.manifest
    yield ORIGINS[manifest.origin]
    yield ""
    yield f"{'part':10}{'patients':>10}{'studies':>10}{'images':>10}"
    for part in Part:
        yield _part_line(part, manifest.part(part))
    if empty := [part for part in Part if not manifest.part(part)]:
        yield (
            f"Empty: {', '.join(empty)}. `train`, `calibrate` and `evaluate` need one "
            "part each: import more patients, or fill the column `part`."
        )
    yield ""
    yield (
        f"{'images of':10}"
        + "".join(f"{f'grade {g:d}':>10}" for g in Grade)
        + (f"{'no grade':>10}")
    )
    for finding in Finding:
        yield _grades_line(finding, manifest.images)
    yield ""
    yield f"Left out: {len(imported.left_out)}"
    kinds = Counter(one.reason.partition(":")[0] for one in imported.left_out)
    for kind, count in kinds.most_common():
        yield f"{count:8}  {kind}"
    for group in imported.shared:
        yield f"The same pixels under several patients: {', '.join(group)}"


def _part_line(part: Part, images: Sequence[LabelledImage]) -> str:
    patients = len({image.patient for image in images})
    studies = len({image.study for image in images})
    return f"{part:10}{patients:>10}{studies:>10}{len(images):>10}"


def _grades_line(finding: Finding, images: Sequence[LabelledImage]) -> str:
    counts = Counter(image.grades.get(finding) for image in images)
    cells = [*(counts[grade] for grade in Grade), counts[None]]
    return f"{finding:10}" + "".join(f"{count:>10}" for count in cells)
