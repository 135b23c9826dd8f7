"""An archive becomes a manifest: splits, copies, reasons, and nobody's name."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread

from grading.__main__ import main
from grading.evaluation.delimited import CasesError
from grading.grades import Finding, Grade
from grading.training.importing.archive import PHANTOM_MANUFACTURER
from grading.training.importing.assemble import _parts
from grading.training.importing.importer import from_table, import_archive
from grading.training.importing.labels import Label
from grading.training.importing.matching import Candidate
from grading.training.importing.splitting import part_of
from grading.training.manifest import Manifest, Origin, Part, read_manifest
from tests.grading.importing.archives import (
    SLICES,
    Study,
    grades_of_every_slice,
    table,
    write_archive,
)

STUDIES = tuple(Study(number, patient_id=f"P{number}") for number in range(1, 13))
LABELS = Path("grades.csv")
ELSEWHERE = "P7"
"""A patient on the other side than P1."""


def imported(folder: Path, grades: Path, *more: str) -> Manifest:
    arguments = ["import", str(folder / "archive"), "--out", str(folder / "out")]
    assert main([*arguments, "--grades", str(grades), *more]) == 0
    return read_manifest(folder / "out" / "manifest.jsonl")


def left_out(folder: Path) -> list[dict[str, str]]:
    path = folder / "out" / "left-out.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_an_archive_with_a_table_becomes_a_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_archive(tmp_path / "archive", *STUDIES)
    grades = grades_of_every_slice(tmp_path / LABELS, *STUDIES)

    manifest = imported(tmp_path, grades, "--site", "North")

    assert len(manifest.images) == len(STUDIES) * SLICES
    assert {image.site for image in manifest.images} == {"North"}
    assert {image.scanner for image in manifest.images} == {"Maker Phantom 1"}
    assert manifest.origin is Origin.PATIENTS
    sides = {(image.patient, image.part) for image in manifest.images}
    assert len(sides) == len(STUDIES)
    assert len({part for _, part in sides}) > 1
    assert "LDH                9         9         9         9         0" in (
        capsys.readouterr().out
    )


def test_neither_name_nor_patient_id_leaves_the_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = Study(1, patient_id="SECRET-4711")
    write_archive(tmp_path / "archive", secret)

    imported(tmp_path, grades_of_every_slice(tmp_path / LABELS, secret))

    written = b"".join(p.read_bytes() for p in sorted((tmp_path / "out").iterdir()))
    for said in (written, capsys.readouterr().out.encode()):
        assert b"SECRET" not in said
        assert b"Name" not in said


def test_a_header_that_breaks_its_rules_is_not_repeated_on_the_terminal(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    write_archive(tmp_path / "archive", Study(1))
    path = tmp_path / "archive" / Study(1).file(1)
    content = path.read_bytes()
    number = b"\x20\x00\x13\x00IS\x02\x00"
    assert number + b"1 " in content
    path.write_bytes(content.replace(number + b"1 ", number + b"Jo"))

    imported(tmp_path, grades_of_every_slice(tmp_path / LABELS, Study(1)))

    assert [str(warning.message) for warning in recwarn] == []


def test_an_import_that_is_repeated_writes_the_same_bytes(tmp_path: Path) -> None:
    write_archive(tmp_path / "archive", *STUDIES[:3])
    grades = grades_of_every_slice(tmp_path / LABELS, *STUDIES[:3])

    imported(tmp_path, grades)
    first = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    imported(tmp_path, grades)

    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == first
    assert (tmp_path / "out" / "pseudonyms.key").stat().st_mode & 0o077 == 0


def test_the_same_pixels_under_two_patients_are_told_and_on_one_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, other = (
        Study(1, patient_id="P1"),
        Study(2, patient_id=ELSEWHERE, pixels_of=1),
    )
    assert part_of("SITE\0P1") is not part_of(f"SITE\0{ELSEWHERE}")
    write_archive(tmp_path / "archive", first, other)
    rows = [f"{s.instance(i)},1,1,1" for s, i in ((first, 1), (first, 2), (other, 1))]
    rows.append(f"{other.instance(3)},2,2,2")
    grades = table(tmp_path / LABELS, "sop_instance,LDH,LCCS,LNRC", *rows)

    manifest = imported(tmp_path, grades)

    assert len({image.patient for image in manifest.images}) == 2
    assert len({image.part for image in manifest.images}) == 1
    reasons = [one["reason"] for one in left_out(tmp_path)]
    assert f"the same pixels of another patient as {first.file(1)}" in reasons
    assert "The same pixels under several patients: p" in capsys.readouterr().out


def test_the_same_pixels_with_other_grades_are_not_used_at_all(tmp_path: Path) -> None:
    first, other = Study(1), Study(2, pixels_of=1)
    write_archive(tmp_path / "archive", first, other)
    rows = [f"{first.instance(i)},0,0,0" for i in (1, 2)]
    rows.append(f"{other.instance(1)},3,0,0")
    grades = table(tmp_path / LABELS, "sop_instance,LDH,LCCS,LNRC", *rows)

    manifest = imported(tmp_path, grades)

    assert [image.file for image in manifest.images] == [first.file(2)]
    conflicting = [one for one in left_out(tmp_path) if "other grades" in one["reason"]]
    assert {one["file"] for one in conflicting} == {first.file(1), other.file(1)}


def test_images_that_show_nothing_or_cannot_be_read_are_left_out(
    tmp_path: Path,
) -> None:
    study = Study(1)
    write_archive(tmp_path / "archive", study)
    for place, change in ((1, b"\0\0"), (2, None)):
        path = tmp_path / "archive" / study.file(place)
        ds = dcmread(path)
        if change:
            ds.PixelData = change * (len(ds.PixelData) // 2)
        else:
            ds.PixelData = ds.PixelData[:100]
        ds.save_as(path)

    manifest = imported(tmp_path, grades_of_every_slice(tmp_path / LABELS, study))

    assert [image.file for image in manifest.images] == [study.file(3)]
    reasons = {one["file"]: one["reason"] for one in left_out(tmp_path)}
    assert reasons[study.file(1)] == "all pixels are alike"
    assert "cannot be decoded" in reasons[study.file(2)]


def test_a_study_that_names_two_patients_is_left_out(tmp_path: Path) -> None:
    write_archive(tmp_path / "archive", Study(1), Study(2, patient_id="P2"))
    path = tmp_path / "archive" / Study(1).file(2)
    ds = dcmread(path)
    ds.PatientID = "P7"
    ds.save_as(path)
    grades = grades_of_every_slice(tmp_path / LABELS, Study(1), Study(2))

    manifest = imported(tmp_path, grades)

    assert {image.study for image in manifest.images} == {Study(2).uid}
    reasons = [one["reason"] for one in left_out(tmp_path)]
    assert reasons.count("its study names two patients") == SLICES


def test_a_table_may_name_patients_and_parts_of_its_own(tmp_path: Path) -> None:
    write_archive(tmp_path / "archive", *STUDIES[:3])
    rows = [
        f"{study.instance(1)},1,1,1,case {study.number},{part}"
        for study, part in zip(STUDIES[:3], Part, strict=True)
    ]
    header = "sop_instance,LDH,LCCS,LNRC,patient,part"

    manifest = imported(tmp_path, table(tmp_path / LABELS, header, *rows))

    found = {image.patient: image.part for image in manifest.images}
    assert found == dict(zip(("case 1", "case 2", "case 3"), Part, strict=True))


def test_one_patient_id_under_two_names_of_the_table_stays_on_one_side(
    tmp_path: Path,
) -> None:
    studies = Study(1, patient_id="P1"), Study(2, patient_id="P1")
    write_archive(tmp_path / "archive", *studies)
    rows = [
        f"{study.instance(1)},1,1,1,case {study.number},{part}"
        for study, part in zip(studies, ("train", "test"), strict=True)
    ]
    rows.append(f"{studies[0].instance(2)},1,1,1,case 1,train")
    header = "sop_instance,LDH,LCCS,LNRC,patient,part"
    grades = table(tmp_path / LABELS, header, *rows)

    with pytest.raises(CasesError, match="no image has a label that can be used"):
        import_archive(
            tmp_path / "archive", tmp_path / "out", from_table(grades), None, ""
        )

    reasons = {one["reason"] for one in left_out(tmp_path)}
    assert "its patient is in two parts by the table" in reasons


def test_a_patient_has_one_site(tmp_path: Path) -> None:
    studies = Study(1, patient_id="P1"), Study(2, patient_id="P2")
    write_archive(tmp_path / "archive", *studies)
    sites = {(1, 1): "North", (1, 2): "", (2, 1): "North", (2, 2): "South"}
    rows = [
        f"{studies[number - 1].instance(place)},1,1,1,{site}"
        for (number, place), site in sites.items()
    ]
    grades = table(tmp_path / LABELS, "sop_instance,LDH,LCCS,LNRC,site", *rows)

    manifest = imported(tmp_path, grades, "--site", "East")

    assert [(it.study, it.site) for it in manifest.images] == (
        [(studies[0].uid, "North")] * 2
    )
    reasons = [one["reason"] for one in left_out(tmp_path)]
    assert reasons.count("its patient is of two sites by the table") == 2


def test_images_of_the_phantom_are_marked_and_empty_parts_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = Study(1, manufacturer=f"{PHANTOM_MANUFACTURER} (manner A)")
    write_archive(tmp_path / "archive", drawn)

    manifest = imported(tmp_path, grades_of_every_slice(tmp_path / LABELS, drawn))

    assert manifest.origin is Origin.PHANTOM
    printed = capsys.readouterr().out
    assert "phantom's: they say nothing about patients" in printed.splitlines()[0]
    assert "Empty: validation, test." in printed


def test_an_import_of_nothing_says_so_and_leaves_the_reasons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_archive(tmp_path / "archive", Study(1))
    grades = grades_of_every_slice(tmp_path / LABELS, Study(2))
    arguments = ["import", str(tmp_path / "archive"), "--grades", str(grades)]

    status = main([*arguments, "--out", str(tmp_path / "out")])

    assert status == 1
    assert "no image has a label that can be used" in capsys.readouterr().err
    assert len(left_out(tmp_path)) == 2 * SLICES
    assert not (tmp_path / "out" / "manifest.jsonl").exists()


PERSON = st.sampled_from(["", "a", "b", "c", "d"])


class Pictured:
    """An image of somebody, as far as splitting looks at it."""

    def __init__(self, person: str) -> None:
        self.person = person


@given(
    shown=st.lists(st.tuples(PERSON.filter(bool), PERSON), min_size=1, max_size=8),
    shared=st.lists(st.frozensets(PERSON.filter(bool), min_size=2), max_size=2),
)
def test_who_is_the_same_in_any_way_is_never_on_both_sides(
    shown: list[tuple[str, str]], shared: list[frozenset[str]]
) -> None:
    candidates = [
        Candidate(Pictured(person), Label("x", patient=own))  # type: ignore[arg-type]
        for person, own in shown
    ]

    parts = _parts(candidates, shared)

    for one in candidates:
        for other in candidates:
            if one.people & other.people:
                assert parts[one.person] is parts[other.person]
    for group in shared:
        present = {parts[one.person] for one in candidates if one.person in group}
        assert len(present) <= 1


def test_grades_are_those_of_the_table(tmp_path: Path) -> None:
    study = Study(1)
    write_archive(tmp_path / "archive", study)
    rows = [f"{study.instance(1)},3,,0", f"{study.instance(2)},,2,"]
    grades = table(tmp_path / LABELS, "sop_instance,LDH,LCCS,LNRC", *rows)

    first, second = imported(tmp_path, grades).images

    assert first.grades == {
        Finding.LDH: Grade.GRADE_3,
        Finding.LNRC: Grade.GRADE_0,
    }
    assert second.grades == {Finding.LCCS: Grade.GRADE_2}
