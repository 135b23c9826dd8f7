"""What tools of other people say of our objects: dicom3tools and DCMTK."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian

from dicom_node.report.context import Predecessor
from dicom_node.report.objects import build_objects, part10
from grading.grades import FIRST_LINES, Basis, Level, StudyGrades
from tests.dicom_factories import (
    as_received,
    enhanced_mr,
    mr_image,
    mr_series,
    report_context,
    slice_keys,
    study_grades,
)
from tests.peers import require_peer

HITACHI = Path(__file__).parents[2] / "data" / "hitachi" / "t2_ax"

# A private scheme is unknown to everybody else, the tool's dictionary is older than
# the Device UID of contributing equipment (PS3.3 table C.12-1), and a DICOMDIR
# wants what some studies lack.
HARMLESS = re.compile(
    r"Unrecognized defined term = <99LUMBAR>"
    r"|DeviceUID\(0018,1002\)> - Attribute is not present in standard DICOM IOD"
    r"|would be needed to build DICOMDIR"
)


def real_series() -> list[Dataset]:
    return [dcmread(path) for path in sorted(HITACHI.glob("*.dcm"))]


def sources(name: str) -> list[Dataset]:
    if name == "real":
        return real_series()
    if name == "enhanced":
        return [as_received(enhanced_mr())]
    return [as_received(image) for image in mr_series()]


def written(
    evidence: Sequence[Dataset], grades: StudyGrades, folder: Path
) -> list[Path]:
    """Write the objects of a second revision, which have everything in them."""
    earlier = Predecessor(ComprehensiveSRStorage, "2.25.51", "2.25.5")
    context = report_context(2, predecessors=[earlier])
    paths = []
    for built in build_objects(evidence, grades, context):
        path = folder / f"{built.kind}_{built.rank}.dcm"
        path.write_bytes(part10(built.dataset))
        paths.append(path)
    return paths


def graded(evidence: Sequence[Dataset]) -> StudyGrades:
    """Grade every frame; the study is the evidence's own."""
    count = len(slice_keys(evidence))
    grades = study_grades(evidence, [1, count - 1])
    return replace(grades, study_instance_uid=str(evidence[0].StudyInstanceUID))


@pytest.mark.parametrize("name", ["synthetic", "enhanced", "real"])
def test_dciodvfy_finds_no_error(name: str, tmp_path: Path) -> None:
    (dciodvfy,) = require_peer("dicom3tools", "dciodvfy")
    evidence = sources(name)

    for path in written(evidence, graded(evidence), tmp_path):
        said = spoken([str(dciodvfy), "-new", str(path)])
        complaints = [line for line in said if "Error" in line or "Warning" in line]
        assert [line for line in complaints if not HARMLESS.search(line)] == []
        assert complaints, "dciodvfy did not read the private codes"


@pytest.mark.parametrize("name", ["synthetic", "enhanced", "real"])
def test_dcentvfy_finds_our_objects_in_the_same_study(
    name: str, tmp_path: Path
) -> None:
    (dcentvfy,) = require_peer("dicom3tools", "dcentvfy")
    evidence = sources(name)
    paths = written(evidence, graded(evidence), tmp_path)
    images = []
    for number, image in enumerate(evidence):
        images.append(tmp_path / f"image_{number}.dcm")
        dcmwrite(images[-1], image)

    said = spoken([str(dcentvfy), *map(str, [*images, *paths])])

    assert [line for line in said if "Error" in line] == []


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


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("name", ["synthetic", "enhanced"])
def test_dsrdump_reads_the_whole_tree(name: str, rank: int, tmp_path: Path) -> None:
    (dsrdump,) = require_peer("dcmtk", "dsrdump")
    evidence = sources(name)
    path = written(evidence, graded(evidence), tmp_path)[rank]

    said = "\n".join(spoken([str(dsrdump), "-q", "+Pl", "+Pc", "+Pt", str(path)]))

    assert f'="{FIRST_LINES[Basis.PHANTOM]}">' in said
    assert '(LDH-GRADE,99LUMBAR,"Lumbar disc herniation grade (MSU size)")=' in said
    assert "TID 1500 (DCMR)" in said
    assert said.count("TID 1410 (DCMR)") == 2


def test_a_reader_of_the_html_sees_labels_and_grades(tmp_path: Path) -> None:
    (dsr2html,) = require_peer("dcmtk", "dsr2html")
    evidence = mr_series()
    grades = study_grades(evidence, [2, 2], levels=[Level.L4_L5, Level.L5_S1])
    path = written(evidence, grades, tmp_path)[0]
    page = tmp_path / "report.html"

    subprocess.run([dsr2html, "-q", path, page], check=True)

    html = page.read_text()
    assert FIRST_LINES[Basis.PHANTOM] in html
    assert "L4/L5: LDH 1 (MSU, 63%); LCCS 2 (Lee, 80%); LNRC 0" in html
    assert "Lumbar disc herniation grade (MSU size):" in html
    assert "MSU grade 1: up to 50% of distance to facet line" in html


def test_the_objects_are_well_formed_for_an_archive(tmp_path: Path) -> None:
    (dcmdump,) = require_peer("dcmtk", "dcmdump")
    evidence = [as_received(mr_image(), ExplicitVRLittleEndian)]

    for path in written(evidence, study_grades(evidence), tmp_path):
        subprocess.run([dcmdump, "-q", path], check=True, stdout=subprocess.DEVNULL)


def spoken(command: list[str]) -> list[str]:
    """Return the lines that a tool says on either channel; dciodvfy exits with 1."""
    done = subprocess.run(command, capture_output=True, check=False)
    return (done.stdout + done.stderr).decode("latin-1").splitlines()
