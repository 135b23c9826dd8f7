"""The printout: whose it is on every page, in whatever script, and what it says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from warnings import catch_warnings, simplefilter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from dicom_node.report.identity import readable
from dicom_node.report.objects import ObjectKind, Wanted, build_objects, part10
from dicom_node.report.paper import HEIGHT, MARGIN, WIDTH, Paper, broken
from dicom_node.report.phrases import Language, shipped
from dicom_node.report.typeface import FACES, face_of, runs, width
from grading.grades import FIRST_LINES, Basis, StudyGrades
from tests.dicom_factories import mr_image, put_raw, report_context, study_grades
from tests.dicom_node.report.reading import read_back
from tests.dicom_node.report.test_identity import CHARACTER_SETS
from tests.full_study import FullStudy
from tests.peers import require_peer

ONLY = Wanted(frozenset({ObjectKind.PRINTOUT}))
FIRST_LINE = FIRST_LINES[Basis.PHANTOM]


def printed(source: Dataset, grades: StudyGrades | None = None) -> Dataset:
    grades = grades or study_grades([source])
    (built,) = build_objects([source], grades, report_context(), ONLY)
    return built.dataset


def pages(ds: Dataset, folder: Path) -> list[str]:
    """Return the text of each page, one line of text a line."""
    (pdftotext,) = require_peer("poppler-utils", "pdftotext")
    path = folder / "printout.pdf"
    path.write_bytes(ds.EncapsulatedDocument)
    done = subprocess.run(
        [pdftotext, "-layout", path, "-"], capture_output=True, check=True
    )
    return done.stdout.decode().split("\f")[:-1]


@contextmanager
def odd_headers() -> Iterator[None]:
    """Let pydicom warn of what the header has wrong."""
    with catch_warnings():
        simplefilter("ignore", UserWarning)
        yield


def test_every_page_says_whose_it_is_and_what_the_bundle_is(
    full_study: FullStudy, tmp_path: Path
) -> None:
    first, second = pages(full_study.made(ObjectKind.PRINTOUT), tmp_path)

    for number, page in enumerate((first, second), start=1):
        assert page.lstrip().startswith(FIRST_LINE)
        assert "ANON-HITACHI-01" in page
        assert "山田" in page
        assert "Not verified by a physician" in page
        assert f"page {number} of 2" in page


def test_it_says_what_the_structured_report_says(
    full_study: FullStudy, tmp_path: Path
) -> None:
    page = " ".join(pages(full_study.made(ObjectKind.PRINTOUT), tmp_path)[0].split())

    assert "Accession number (empty)" in page
    assert "L4/L5 2 64%" in page
    assert "L5/S1: large disc herniation beyond the intra-facet line (MSU 3)" in page
    assert "uncertain, for a reader to decide: left: no nerve root compromise" in page
    assert "needs a reader" in page
    assert "Not graded: 'T1 AX': not T2-weighted: TE 21 ms" in page
    assert "bundle invented-grades 1, sha256 0000000000000000, basis phantom" in page


def test_its_fonts_are_inside(full_study: FullStudy, tmp_path: Path) -> None:
    (pdffonts,) = require_peer("poppler-utils", "pdffonts")
    path = tmp_path / "printout.pdf"
    path.write_bytes(full_study.made(ObjectKind.PRINTOUT).EncapsulatedDocument)

    said = subprocess.run([pdffonts, path], capture_output=True, check=True).stdout
    listed = said.decode().splitlines()[2:]

    assert len(listed) >= 3
    # The columns are emb, sub and uni; the one font that is not is never written with.
    assert all(" yes yes yes " in line for line in listed if "Helvetica" not in line)


def test_the_header_says_what_the_document_is(full_study: FullStudy) -> None:
    ds = read_back(full_study.made(ObjectKind.PRINTOUT))

    assert ds.Modality == "DOC"
    assert ds.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert ds.BurnedInAnnotation == "YES"
    assert ds.ContentQualification == "RESEARCH"
    assert "(unverified)" in ds.SeriesDescription
    assert ds.EncapsulatedDocument.startswith(b"%PDF-")
    assert len(ds.SourceInstanceSequence) == 18
    padding = len(ds.EncapsulatedDocument) - ds.EncapsulatedDocumentLength
    assert padding in {0, 1}


def test_made_again_it_is_the_same_byte_for_byte() -> None:
    source = mr_image()

    assert part10(printed(source)) == part10(printed(mr_image()))


def named(character_set: str) -> Dataset:
    source = mr_image()
    term, value = CHARACTER_SETS[character_set]
    if term is None:
        del source.SpecificCharacterSet
    else:
        put_raw(source, "SpecificCharacterSet", term)
    put_raw(source, "PatientName", value)
    return source


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("none", "Doe Jane"),
        ("latin 1", "Müller Jürgen"),
        ("utf-8", "Wang XiaoDong   王 小东"),
        ("gb18030", "Wang XiaoDong   王 小东"),
        ("gbk", "Wang XiaoDong   王 小东"),
        ("korean, empty first value", "Hong Gildong   洪 吉洞"),
        ("chinese, empty first value", "Zhang XiaoDong   张 小东"),
        ("japanese, empty first value", "Yamada Tarou   山田 太郎"),
        ("japanese, half width", "ﾔﾏﾀﾞ ﾀﾛｳ   山田 太郎"),
        ("latin 1 bytes under utf-8", "M\ufffdller J\ufffdrgen"),
    ],
)
def test_a_name_in_any_character_set_is_read(character_set: str, name: str) -> None:
    with odd_headers():
        assert readable(named(character_set), "PatientName") == name


@pytest.mark.parametrize("character_set", CHARACTER_SETS)
def test_whatever_the_name_holds_it_is_told(character_set: str) -> None:
    with odd_headers():
        shown = readable(named(character_set), "PatientName")

    assert shown
    assert "\x1b" not in shown
    assert all(run.text for run in runs(shown))


@pytest.mark.parametrize("character_set", ["korean, empty first value", "unknown term"])
def test_a_name_is_printed_as_it_is_read(character_set: str, tmp_path: Path) -> None:
    source = named(character_set)

    with odd_headers():
        said = pages(printed(source), tmp_path)[0]
        shown = "".join(run.text for run in runs(readable(source, "PatientName")))

    assert "".join(shown.split()) in "".join(said.split())


@pytest.mark.parametrize(
    "name",
    [
        "Müller Jürgen",
        "王 小东",
        "홍 길동",
        "山田 太郎",
        "Διονυσιος",
        "\u041b\u044e\u043a\u0441\u0435\u043c",
        "Nguyễn",
    ],
)
def test_a_name_in_any_script_has_a_font(name: str) -> None:
    assert "".join(run.text for run in runs(name)) == name
    assert width(name, 10) > 10


@pytest.mark.parametrize("name", ["قباني", "अमिताभ"])
def test_a_script_that_needs_shaping_is_drawn_as_an_image(
    name: str, tmp_path: Path
) -> None:
    source = mr_image()
    source.SpecificCharacterSet = "ISO_IR 192"
    put_raw(source, "PatientName", name.encode())
    plain = mr_image()

    (run,) = runs(name)
    shaped, latin = (
        printed(ds).EncapsulatedDocument.count(b"/Subtype /Image")
        for ds in (source, plain)
    )

    assert run.face.shaped
    assert shaped > latin


def test_a_character_without_a_font_is_written_as_its_number() -> None:
    said = "".join(run.text for run in runs("A\U0001f600B\x07"))

    assert said == "A[U+1F600]B[U+0007]"


def test_every_font_that_is_shipped_can_be_found_by_a_character() -> None:
    letters = "A\u05d0\u0627\u0905\u0e01\u738b\uac00"

    found = {face_of(letter) for letter in letters}

    assert found == set(FACES)


def test_an_identity_that_cannot_be_decoded_shows_that_it_could_not() -> None:
    source = mr_image()
    put_raw(source, "SpecificCharacterSet", b"ISO_IR 192")
    put_raw(source, "PatientName", b"M\xfcller^J\xfcrgen")

    with odd_headers():
        shown = readable(source, "PatientName")

    assert shown.startswith("M")
    assert "�" in shown


def test_a_korean_narrative_is_printed(tmp_path: Path) -> None:
    source = mr_image()
    context = replace(report_context(), phrases=shipped(Language.KOREAN))

    (built,) = build_objects([source], study_grades([source]), context, ONLY)

    assert "작은 추간판 탈출" in pages(built.dataset, tmp_path)[0]


@settings(max_examples=60)
@given(st.text(st.characters(codec="utf-8"), max_size=200), st.floats(30, 300))
def test_broken_lines_lose_nothing_and_fit(text: str, across: float) -> None:
    lines = broken(text, 10, across)

    assert "".join("".join(lines).split()) == "".join(text.split())
    fitting = [line for line in lines if len(line) > 1 and "[U+" not in line]
    shaped = {run.face.shaped for line in lines for run in runs(line)}
    # A run that is shaped as a whole is not as wide as its letters one by one.
    assert True in shaped or all(width(line, 10) <= across + 1e-3 for line in fitting)


def test_what_does_not_fit_goes_on_on_a_new_page() -> None:
    paper = Paper(bottom=HEIGHT - 60)

    for number in range(120):
        paper.line(f"line {number}", 12)

    assert len(paper.pages) == 3
    assert sum(len(page) for page in paper.pages) == 120
    assert MARGIN < paper.y < HEIGHT - 60
    assert WIDTH > 590


def test_fourteen_slabs_and_long_remarks_are_all_printed(tmp_path: Path) -> None:
    series = [mr_image(number) for number in range(1, 15)]
    notes = [f"Remark {number}: {'words ' * 60}" for number in range(12)]
    grades = study_grades(series, [1] * 14, notes=notes)

    (built,) = build_objects(series, grades, report_context(), ONLY)
    said = " ".join(" ".join(pages(built.dataset, tmp_path)).split())

    assert all(f"slab {number} of 14" in said for number in range(1, 15))
    assert all(f"Remark {number}:" in said for number in range(12))


def test_the_document_is_a_sound_part_10_file() -> None:
    ds = dcmread(BytesIO(part10(printed(mr_image()))))

    assert ds.file_meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.104.1"
