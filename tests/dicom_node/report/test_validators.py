"""What tools of other people say of every object of every option.

dicom3tools, DCMTK, dcmqi and highdicom; made from a real study, an archive's study
without half its header, Enhanced MR, studies in every vendor's manner, and headers
with every odd value that was seen or can be thought of.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import ComprehensiveSRStorage, MRImageStorage

from dicom_node.report.codes import SCALES
from dicom_node.report.context import Predecessor
from dicom_node.report.identity import EMPTY_WHERE_ABSENT
from dicom_node.report.objects import ObjectKind, Wanted, build_objects, part10
from grading.grades import FIRST_LINES, Basis, Finding, Level, StudyGrades
from grading.phantom.ranges import Domain, Prevalence
from grading.phantom.studies.drawn import StudyKey
from grading.phantom.studies.files import part10_files
from grading.phantom.studies.habits import Role
from grading.phantom.studies.vendors import MANNERS
from tests.dicom_factories import (
    as_received,
    enhanced_mr,
    mr_image,
    mr_series,
    put_raw,
    report_context,
    slice_keys,
    study_grades,
)
from tests.dicom_node.report.test_identity import CHARACTER_SETS, ODD_VALUES, raw
from tests.full_study import ALL_OF_THEM, FullStudy
from tests.grading.phantom.drawn import noise_study
from tests.peers import require_peer
from tests.shared_data import shared_data

# A private scheme is unknown to everybody else, the tool's dictionary is older than
# the Device UID of contributing equipment (PS3.3 table C.12-1), and a DICOMDIR
# wants what some studies lack.
HARMLESS = re.compile(
    r"Unrecognized defined term = <99LUMBAR>"
    r"|DeviceUID\(0018,1002\)> - Attribute is not present in standard DICOM IOD"
    r"|would be needed to build DICOMDIR"
)
RSNA_UID_ERROR = "Illegal root for UID = <1002894806"
"""The public study's own UIDs begin with a root that nobody may register."""
REPORTS = (ObjectKind.STRUCTURED_REPORT, ObjectKind.TEXT_REPORT)


@dataclass(frozen=True)
class Made:
    """The objects of one study as files, beside the images they were made from."""

    images: tuple[Path, ...]
    objects: Mapping[tuple[ObjectKind, int], Path]
    evidence: tuple[Dataset, ...]
    grades: StudyGrades

    @property
    def documents(self) -> list[Path]:
        return [path for (kind, _), path in self.objects.items() if kind in REPORTS]


PHANTOMS: Mapping[str, tuple[str, bool, int]] = {
    **{f"manner {letter}": (letter, False, 1) for letter in MANNERS},
    "manner A, enhanced": ("A", True, 2),
    "manner C, enhanced": ("C", True, 2),
    "manner D, external": ("D", False, 3),
    "manner F, external": ("F", False, 3),
}
"""Ten: letter, Enhanced MR, and the number of the study in its set."""
STUDIES = ("synthetic", "enhanced", "real", "archive", *PHANTOMS)


def phantom(letter: str, enhanced: bool, number: int) -> list[Dataset]:
    domain = Domain.EXTERNAL if number == 3 else Domain.INTERNAL
    key = StudyKey(7, number, domain, Prevalence.BALANCED)
    study = noise_study(letter, enhanced=enhanced, key=key)
    (axial,) = (it for it in study.series if it.role is Role.AXIAL_T2)
    return [dcmread(BytesIO(content)) for _, content in part10_files(study, axial)]


def archive() -> list[Dataset]:
    """Return the public study with the two elements that it lacks; never kept."""
    folder = shared_data("lumbar-rsna2024-study-1002894806")
    found = [dcmread(path) for path in sorted(folder.rglob("*.dcm"))]
    axial: list[Dataset] = [
        ds for ds in found if ds.SeriesInstanceUID.endswith("1252873726")
    ]
    for ds in axial:
        ds.Modality, ds.SOPClassUID = "MR", MRImageStorage
        ds.file_meta.MediaStorageSOPClassUID = MRImageStorage
    return axial


def images(name: str) -> list[Dataset]:
    sources: Mapping[str, Callable[[], list[Dataset]]] = {
        "synthetic": lambda: [as_received(image) for image in mr_series()],
        "enhanced": lambda: [as_received(enhanced_mr())],
        "archive": archive,
    }
    return phantom(*PHANTOMS[name]) if name in PHANTOMS else sources[name]()


def graded(evidence: Sequence[Dataset]) -> StudyGrades:
    """Grade every frame; the study is the evidence's own."""
    count = len(slice_keys(evidence))
    levels = (Level.L4_L5, Level.L5_S1)
    grades = study_grades(evidence, [1, count - 1], levels=levels)
    return replace(grades, study_instance_uid=str(evidence[0].StudyInstanceUID))


@pytest.fixture(scope="module")
def made_of(
    tmp_path_factory: pytest.TempPathFactory, full_study: FullStudy
) -> Callable[[str], Made]:
    """Make everything of a study once, as the second of two revisions."""
    kept: dict[str, Made] = {}

    def make(name: str) -> Made:
        if name not in kept:
            folder = tmp_path_factory.mktemp("made")
            if name == "real":
                kept[name] = _made(full_study.evidence, full_study.grades, folder)
            else:
                evidence = images(name)
                kept[name] = _made(evidence, graded(evidence), folder)
        return kept[name]

    return make


def _made(evidence: Sequence[Dataset], grades: StudyGrades, folder: Path) -> Made:
    earlier = Predecessor(ComprehensiveSRStorage, "2.25.51", "2.25.5")
    context = report_context(2, predecessors=[earlier])
    objects = {}
    for built in build_objects(evidence, grades, context, ALL_OF_THEM):
        if (built.kind, built.rank) == (ObjectKind.STRUCTURED_REPORT, 3):
            continue  # the text report, which is an object of its own kind as well
        path = folder / f"{built.kind}_{built.rank}.dcm"
        path.write_bytes(part10(built.dataset))
        objects[built.kind, built.rank] = path
    written = []
    for number, image in enumerate(evidence):
        written.append(folder / f"image_{number}.dcm")
        dcmwrite(written[-1], image)
    return Made(tuple(written), objects, tuple(evidence), grades)


each_study = pytest.mark.parametrize("name", STUDIES)


@each_study
def test_dciodvfy_finds_no_error(name: str, made_of: Callable[[str], Made]) -> None:
    (dciodvfy,) = require_peer("dicom3tools", "dciodvfy")
    made = made_of(name)

    for path in made.objects.values():
        said = spoken([str(dciodvfy), "-new", str(path)])
        complaints = [line for line in said if "Error" in line or "Warning" in line]
        unexpected = [line for line in complaints if not HARMLESS.search(line)]
        if name == "archive":
            unexpected = [line for line in unexpected if RSNA_UID_ERROR not in line]
        assert unexpected == []
        assert complaints, "dciodvfy did not read the private codes"


@each_study
def test_dcentvfy_finds_our_objects_in_the_same_study(
    name: str, made_of: Callable[[str], Made]
) -> None:
    (dcentvfy,) = require_peer("dicom3tools", "dcentvfy")
    made = made_of(name)

    said = spoken([str(dcentvfy), *map(str, [*made.images, *made.objects.values()])])

    errors = [line for line in said if "Error" in line]
    assert [line for line in errors if RSNA_UID_ERROR not in line] == []


@each_study
def test_identity_is_that_of_the_study_byte_for_byte_in_every_object(
    name: str, made_of: Callable[[str], Made]
) -> None:
    made = made_of(name)
    source = dcmread(made.images[0])
    identity = ("PatientName", "PatientID", "PatientBirthDate", "StudyID")
    stated = {
        keyword: raw(source, keyword) for keyword in identity if keyword in source
    }

    for path in made.objects.values():
        ds = dcmread(path)
        for keyword in identity:
            assert raw(ds, keyword) == stated.get(keyword, b"")
        assert ds.get("SpecificCharacterSet") == source.get("SpecificCharacterSet")
        assert ds.StudyInstanceUID == source.StudyInstanceUID


def errors_of(source: Dataset, folder: Path) -> set[str]:
    """Return what dciodvfy says of the objects, without what is harmless."""
    (dciodvfy,) = require_peer("dicom3tools", "dciodvfy")
    said: set[str] = set()
    path = folder / "object.dcm"
    wanted = Wanted(Wanted().kinds | {ObjectKind.TEXT_REPORT})
    objects = build_objects([source], study_grades([source]), report_context(), wanted)
    for built in (it for it in objects if not it.rank):
        path.write_bytes(part10(built.dataset))
        lines = spoken([str(dciodvfy), "-new", str(path)])
        said |= {line for line in lines if line.startswith("Error")}
    return said


def invalid(keyword: str, problem: str) -> set[str]:
    return {f"Error - </{keyword}> - {problem}"}


AS_RECEIVED: Mapping[str, set[str]] = {
    "PatientSex": invalid(
        "PatientSex(0010,0040)[1]", "Unrecognized enumerated value = <U>"
    ),
    "PatientBirthDate": invalid(
        "PatientBirthDate(0010,0030)[1]",
        "Value invalid for this VR [DA] = <1965-04-12> - Character invalid for this VR "
        "= '-' (0x2d)",
    )
    | invalid(
        "PatientBirthDate(0010,0030)[1]",
        "Value invalid for this VR [DA] = <1965-04-12> - Character invalid for this VR "
        "= '4' (0x34)",
    ),
    "StudyTime": invalid(
        "StudyTime(0008,0030)[1]",
        "Value invalid for this VR [TM] = <10:15:00> - Character invalid for this VR = "
        "':' (0x3a)",
    ),
    "StudyDate": invalid(
        "StudyDate(0008,0020)[1]",
        "Value invalid for this VR [DA] = <1965> - Length invalid for this VR = <4> - "
        "expected == 8 or 10",
    ),
    "StudyID": invalid(
        "StudyID(0020,0010)[1]",
        "Value invalid for this VR [SH] = <far too long for an SH value> - Length "
        "invalid for this VR = <28> - expected <= 16",
    ),
    "PatientAge": invalid(
        "PatientAge(0010,1010)",
        "Value invalid for this VR [AS] - Trailing character invalid for this VR = "
        "' ' (0x20)",
    )
    | invalid(
        "PatientAge(0010,1010)[1]",
        "Value invalid for this VR [AS] = <old> - Length invalid for this VR = <3> - "
        "expected == 4",
    ),
    "AccessionNumber": invalid(
        "AccessionNumber(0008,0050)",
        "Bad attribute Value Multiplicity = <2> (1 Required by Dictionary) "
        "Module=<GeneralStudy>",
    )
    | invalid(
        "AccessionNumber(0008,0050)",
        "Bad attribute Value Multiplicity for Type 2 Required - Module=<GeneralStudy>",
    ),
}
"""What the study's own values cause, and nothing else; they go back as they came."""


@pytest.mark.parametrize("keyword", ODD_VALUES)
def test_only_what_the_study_has_wrong_is_wrong_in_our_objects(
    keyword: str, tmp_path: Path
) -> None:
    value = ODD_VALUES[keyword]
    source = mr_image()
    put_raw(source, keyword, value + b" " * (len(value) % 2))

    assert errors_of(source, tmp_path) == AS_RECEIVED.get(keyword, set())


@pytest.mark.filterwarnings("ignore:Unknown encoding")
@pytest.mark.parametrize("name", CHARACTER_SETS)
def test_no_character_set_makes_anything_else_invalid(
    name: str, tmp_path: Path
) -> None:
    term, value = CHARACTER_SETS[name]
    source = mr_image()
    del source.SpecificCharacterSet
    if term is not None:
        put_raw(source, "SpecificCharacterSet", term)
    put_raw(source, "PatientName", value + b" " * (len(value) % 2))

    found = errors_of(source, tmp_path)

    shown = value.decode("latin-1")
    own = "Error - </PatientName(0010,0010)[1]> - Value invalid for this VR [PN] = "
    own += f"<{shown}"
    assert {line for line in found if not line.startswith(own)} == set()


@pytest.mark.parametrize("keyword", EMPTY_WHERE_ABSENT)
def test_what_the_study_lacks_makes_nothing_invalid(
    keyword: str, tmp_path: Path
) -> None:
    source = mr_image()
    if keyword in source:
        delattr(source, keyword)

    assert errors_of(source, tmp_path) == set()


def test_dcentvfy_finds_two_revisions_consistent(tmp_path: Path) -> None:
    (dcentvfy,) = require_peer("dicom3tools", "dcentvfy")
    evidence = mr_series()
    paths = []
    for revision in (1, 2):
        context = report_context(revision)
        for built in build_objects(evidence, study_grades(evidence), context):
            paths.append(tmp_path / f"{built.kind}_{built.rank}_{revision}.dcm")
            paths[-1].write_bytes(part10(built.dataset))

    said = spoken([str(dcentvfy), *map(str, paths)])

    assert [line for line in said if "AccessionNumber" not in line] == []


@pytest.mark.parametrize("name", ["synthetic", "enhanced", "real", "manner B"])
def test_dcmtk_and_dicom3tools_read_the_whole_tree_of_every_document(
    name: str, made_of: Callable[[str], Made]
) -> None:
    (dsrdump,) = require_peer("dcmtk", "dsrdump")
    (dcsrdump,) = require_peer("dicom3tools", "dcsrdump")
    made = made_of(name)

    for path in made.documents:
        done = subprocess.run(
            [dsrdump, "-q", "+Pl", "+Pc", "+Pt", path],
            capture_output=True,
            check=True,
        )
        other = subprocess.run([dcsrdump, path], capture_output=True, check=True)
        for tree in (done.stdout, other.stdout + other.stderr):
            assert FIRST_LINES[Basis.PHANTOM].encode() in tree
    said = dumped(dsrdump, made.objects[ObjectKind.STRUCTURED_REPORT, 1])
    assert "TID 1500 (DCMR)" in said
    assert said.count("TID 1410 (DCMR)") == len(made.grades.levels)
    assert '(LDH-GRADE,99LUMBAR,"Lumbar disc herniation grade (MSU size)")=' in said


def dumped(dsrdump: Path, path: Path) -> str:
    done = subprocess.run(
        [dsrdump, "-q", "+Pl", "+Pc", "+Pt", path],
        capture_output=True,
        check=True,
    )
    return done.stdout.decode("latin-1")


def test_a_reader_of_the_html_sees_labels_and_grades(
    made_of: Callable[[str], Made], tmp_path: Path
) -> None:
    (dsr2html,) = require_peer("dcmtk", "dsr2html")
    page = tmp_path / "report.html"

    for path in made_of("synthetic").documents:
        subprocess.run([dsr2html, "-q", "+U8", path, page], check=True)

        html = page.read_text("utf-8")
        assert FIRST_LINES[Basis.PHANTOM] in html
        assert "L4/L5: LDH 1 (MSU, 63%); LCCS 2 (Lee, 80%); LNRC 0" in html
        if "structured_report_0" in path.name:
            assert "Lumbar disc herniation grade (MSU size):" in html
            assert "MSU grade 1: up to 50% of distance to facet line" in html


def test_the_objects_are_well_formed_for_an_archive(
    made_of: Callable[[str], Made],
) -> None:
    (dcmdump,) = require_peer("dcmtk", "dcmdump")

    for path in made_of("manner D").objects.values():
        subprocess.run([dcmdump, "-q", path], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("name", ["synthetic", "enhanced", "real", "manner E"])
def test_dcmqi_reads_grades_and_probabilities_back_equal(
    name: str, made_of: Callable[[str], Made], tmp_path: Path
) -> None:
    (tid1500reader,) = require_peer("dcmqi", "tid1500reader")
    made = made_of(name)

    for rank in (0, 1):
        path = made.objects[ObjectKind.STRUCTURED_REPORT, rank]
        read = tmp_path / f"read-{rank}.json"
        subprocess.run(
            [tid1500reader, "--inputDICOM", path, "--outputMetadata", read],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        groups = json.loads(read.read_text("utf-8"))["Measurements"]
        for group, level in zip(groups, made.grades.levels, strict=True):
            assert numbers(group) == {
                SCALES[finding].reported.value: f"{100 * grading.probability:.1f}"
                for finding, grading in level.grades.items()
            }
            assert coded(group) >= {
                (SCALES[finding].name.value, SCALES[finding].grades[it.grade].value)
                for finding, it in level.grades.items()
            }


def numbers(group: Mapping[str, Any]) -> dict[str, str]:
    return {
        item["quantity"]["CodeValue"]: f"{float(item['value']):.1f}"
        for item in group["measurementItems"]
    }


def coded(group: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {
        (item["conceptCode"]["CodeValue"], item["conceptValue"]["CodeValue"])
        for item in group["qualitativeEvaluations"]
        if isinstance(item["conceptValue"], dict)  # a text has no code
    }


@pytest.mark.parametrize("rank", [0, 1])
def test_highdicom_reads_grades_and_probabilities_back_equal(
    rank: int, made_of: Callable[[str], Made]
) -> None:
    made = made_of("real")

    document = highdicom.sr.srread(made.objects[ObjectKind.STRUCTURED_REPORT, rank])
    assert isinstance(document.content, highdicom.sr.MeasurementReport)
    groups = document.content.get_planar_roi_measurement_groups()

    assert len(groups) == len(made.grades.levels)
    for group, level in zip(groups, made.grades.levels, strict=True):
        read = {it.name.value: float(it.value) for it in group.get_measurements()}
        evaluations = group.get_qualitative_evaluations()
        values = {it.name.value: str(it.value) for it in evaluations}
        for finding in Finding:
            grading, scale = level.grades[finding], SCALES[finding]
            assert read[scale.reported.value] == round(100 * grading.probability, 1)
            assert scale.grades[grading.grade].value in values[scale.name.value]


def spoken(command: list[str]) -> list[str]:
    """Return the lines that a tool says on either channel; dciodvfy exits with 1."""
    done = subprocess.run(command, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode("latin-1").splitlines()
