"""Write the pictures of our objects that the documentation shows.

Usage: ``python scripts/report_pictures.py``, with DCMTK, poppler-utils and Chromium.
The images are the public-domain study of the repository; the grades on them are
invented, and every object says that they are no clinical result.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pydicom
from PIL import Image
from pydicom import Dataset

from dicom_node.report.context import Installation, ReportContext, Wanted
from dicom_node.report.objects import ObjectKind, build_objects, part10
from grading.grades import (
    AxialMarks,
    Basis,
    DiscMark,
    Finding,
    Grading,
    Level,
    LevelGrade,
    ModelIdentity,
    PixelPoint,
    Plane,
    Region,
    RegionOrigin,
    SagittalView,
    SeriesVerdict,
    Side,
    SliceGrade,
    SliceKey,
    StudyGrades,
    Weighting,
)

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
STUDY = ROOT / "tests" / "data" / "hitachi"
INVENTED = ModelIdentity("invented-grades", "1", "0" * 64, Basis.PHANTOM)
MADE_AT = datetime(2026, 11, 29, 9, 10, tzinfo=UTC)
SLABS = (3, 3, 3, 4, 4)
LEVELS = (Level.L1_L2, Level.L2_L3, Level.L3_L4, Level.L4_L5, Level.L5_S1)
DISCS = ((182, 228), (232, 227), (284, 230), (334, 237), (383, 250))
"""Row and column of each disc on the mid-sagittal image, found by eye."""
CANALS = ((258, 256), (259, 256), (260, 256), (264, 256), (266, 256))
"""Row and column of the canal on each level's axial images, found by eye."""
MID_SAGITTAL = 5

_P = dict[Finding, tuple[float, float, float, float]]
GRADES: tuple[_P, ...] = (
    {
        Finding.LDH: (0.91, 0.06, 0.02, 0.01),
        Finding.LCCS: (0.96, 0.03, 0.01, 0.0),
        Finding.LNRC: (0.93, 0.05, 0.01, 0.01),
    },
    {
        Finding.LDH: (0.88, 0.09, 0.02, 0.01),
        Finding.LCCS: (0.9, 0.08, 0.01, 0.01),
        Finding.LNRC: (0.9, 0.07, 0.02, 0.01),
    },
    {
        Finding.LDH: (0.31, 0.58, 0.09, 0.02),
        Finding.LCCS: (0.74, 0.21, 0.04, 0.01),
        Finding.LNRC: (0.47, 0.44, 0.07, 0.02),
    },
    {
        Finding.LDH: (0.02, 0.13, 0.64, 0.21),
        Finding.LCCS: (0.05, 0.62, 0.28, 0.05),
        Finding.LNRC: (0.03, 0.2, 0.59, 0.18),
    },
    {
        Finding.LDH: (0.01, 0.05, 0.16, 0.78),
        Finding.LCCS: (0.04, 0.27, 0.61, 0.08),
        Finding.LNRC: (0.02, 0.06, 0.22, 0.7),
    },
)
THRESHOLD = 0.5


def study() -> tuple[list[Dataset], StudyGrades]:
    """Return the evidence and invented grades that have everything in them."""
    series = {
        name: [pydicom.dcmread(path) for path in sorted((STUDY / name).glob("*.dcm"))]
        for name in ("t2_ax", "t2_sag", "t1_ax")
    }
    axial, sagittal = series["t2_ax"], series["t2_sag"][MID_SAGITTAL]
    slices: list[SliceGrade] = []
    levels: list[LevelGrade] = []
    for slab, count in enumerate(SLABS, start=1):
        images = axial[len(slices) : len(slices) + count]
        members = [_slice(key(ds), slab, place) for place, ds in enumerate(images)]
        slices += members
        levels.append(_level(slab, members))
    discs = [
        DiscMark(level, PixelPoint(*at))
        for level, at in zip(LEVELS, DISCS, strict=True)
    ]
    grades = StudyGrades(
        study_instance_uid=str(sagittal.StudyInstanceUID),
        model=INVENTED,
        series=(_verdict(axial[0], graded=True), _verdict(series["t1_ax"][0])),
        slices=tuple(slices),
        levels=tuple(levels),
        notes=("Invented grades on a public-domain study, to show what is written.",),
        sagittal=SagittalView(key(sagittal), tuple(discs)),
    )
    return [*axial, sagittal], grades


def context(revision: int = 1) -> ReportContext:
    """Return what the objects say besides the grades."""
    return ReportContext(Installation("2.25.1", "DEMO", "0.1.0"), revision, MADE_AT)


def key(ds: Dataset) -> SliceKey:
    """Return the key of a single-frame image."""
    return SliceKey(str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID))


def _slice(slice_key: SliceKey, slab: int, place: int) -> SliceGrade:
    row, column = CANALS[slab - 1]
    marks = AxialMarks(
        disc_margin=PixelPoint(row - 12, column),
        sac_centre=PixelPoint(row, column),
        facet_right=PixelPoint(row + 12, column - 26),
        facet_left=PixelPoint(row + 12, column + 26),
    )
    middle = place == 1
    grades = {
        finding: Grading(_worse(four) if middle else four, 1.3, THRESHOLD)
        for finding, four in GRADES[slab - 1].items()
    }
    origin = RegionOrigin.LANDMARKS if place else RegionOrigin.NEIGHBOURS
    region = Region(row - 8, column, 64.0, origin, 1.4 if place else None)
    return SliceGrade(
        slice_key,
        slab,
        -4.0 * place,
        region,
        grades,
        LEVELS[slab - 1],
        through_disc=True,
        roots=_roots(slab),
        marks=marks,
    )


def _worse(
    four: tuple[float, float, float, float],
) -> tuple[float, float, float, float]:
    """Return the distribution of a slice that looks one grade worse."""
    p0, p1, p2, p3 = four
    return four if max(four) == p3 else (0.0, p0, p1, p2 + p3)


def _roots(slab: int) -> dict[Side, Grading]:
    four = GRADES[slab - 1][Finding.LNRC]
    mild = (0.55, 0.3, 0.1, 0.05) if slab > 2 else four
    return {
        Side.RIGHT: Grading(mild, 1.3, THRESHOLD),
        Side.LEFT: Grading(four, 1.3, THRESHOLD),
    }


def _level(slab: int, members: list[SliceGrade]) -> LevelGrade:
    worst = {
        finding: max(members, key=lambda it: it.grades[finding].grade).key
        for finding in Finding
    }
    return LevelGrade(
        LEVELS[slab - 1],
        slab,
        len(SLABS),
        members[1].key,
        tuple(it.key for it in members),
        {f: Grading(four, 1.3, THRESHOLD) for f, four in GRADES[slab - 1].items()},
        worst=worst if slab > 2 else {},
        roots=_roots(slab),
    )


def _verdict(ds: Dataset, *, graded: bool = False) -> SeriesVerdict:
    reason = "axial T2-weighted: TE 95 ms" if graded else "not T2-weighted: TE 21 ms"
    return SeriesVerdict(
        str(ds.SeriesInstanceUID),
        str(ds.SeriesDescription),
        Plane.AXIAL,
        Weighting.T2 if graded else Weighting.T1,
        graded,
        reason,
        slices=17,
    )


def main() -> None:
    """Draw what a person sees of each object."""
    evidence, grades = study()
    wanted = Wanted(frozenset(ObjectKind))
    objects = build_objects(evidence, grades, context(), wanted)
    made = {built.kind: built.dataset for built in reversed(objects)}
    picture = Image.fromarray(made[ObjectKind.PICTURE].pixel_array)
    _save(picture, "report-picture.png")
    _save(picture.convert("L"), "report-picture-grey.png")
    with tempfile.TemporaryDirectory() as folder:
        _draw_html(made[ObjectKind.STRUCTURED_REPORT], Path(folder))
        _draw_pages(made[ObjectKind.PRINTOUT], Path(folder))


def _draw_html(report: Dataset, folder: Path) -> None:
    """Draw what DCMTK's dsr2html makes of the structured report."""
    document, page, shot = (folder / name for name in ("r.dcm", "r.html", "r.png"))
    document.write_bytes(part10(report))
    subprocess.run(["dsr2html", "-q", document, page], check=True)
    page.write_text(_japanese(page.read_bytes()), encoding="utf-8")
    arguments = ["--headless", "--no-sandbox", "--hide-scrollbars"]
    size = "--window-size=1000,2300"
    subprocess.run(
        ["chromium", *arguments, size, f"--screenshot={shot}", page.as_uri()],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    _save(Image.open(shot).convert("L"), "report-html.png")


def _japanese(html: bytes) -> str:
    """Decode ISO 2022 IR 13 with IR 87, which DCMTK cannot convert here."""
    kanji = re.compile(rb"\x1b\$B(.*?)\x1b\(J", re.DOTALL)
    jis = kanji.sub(
        lambda found: (
            (b"\x1b$B" + found[1] + b"\x1b(B").decode("iso2022_jp").encode("shift_jis")
        ),
        html,
    )
    return jis.decode("shift_jis", "replace").replace(
        "<head>", '<head><meta charset="utf-8">'
    )


def _draw_pages(printout: Dataset, folder: Path) -> None:
    pdf = folder / "printout.pdf"
    pdf.write_bytes(printout.EncapsulatedDocument)
    pages = folder / "page"
    subprocess.run(["pdftoppm", "-r", "100", "-png", pdf, pages], check=True)
    for path in sorted(folder.glob("page-*.png")):
        _save(Image.open(path), f"report-printout-{path.stem[-1]}.png")


def _save(image: Image.Image, name: str) -> None:
    """Save with 128 colours, which is enough and takes a third."""
    image.quantize(128).save(DOCS / name, optimize=True)


if __name__ == "__main__":
    main()
