"""Headers in every manner: legal, consistent, and read by the node as meant."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from grading.grades import Plane
from grading.headers import image_headers
from grading.phantom.ranges import Domain, Prevalence
from grading.phantom.studies.drawn import DrawnStudy, StudyKey
from grading.phantom.studies.files import part10_files
from grading.phantom.studies.habits import Role, Syntax
from grading.phantom.studies.identity import NOTICE, instances
from grading.phantom.studies.vendors import MANNERS
from grading.series import decode, group_series, judge
from tests.grading.phantom.drawn import noise_study
from tests.peers import require_peer

WRITINGS = [(letter, False) for letter in MANNERS] + [("A", True), ("C", True)]
each_writing = pytest.mark.parametrize(
    ("letter", "enhanced"),
    WRITINGS,
    ids=[letter + "-enhanced" * enhanced for letter, enhanced in WRITINGS],
)
REASONS = {
    Role.LOCALIZER: "localizer",
    Role.SAGITTAL_T2: r"sagittal T2-weighted, for the levels only: TE .*",
    Role.SAGITTAL_T1: r"not axial: normal \d+ degrees from the body axis",
    Role.AXIAL_T2: r"axial T2-weighted: TE \d+ ms, TR \d+ ms",
    Role.AXIAL_T1: r"not T2-weighted \(T1\): TE \d+ ms, TR \d+ ms",
}


def study_of(letter: str, enhanced: bool = False) -> DrawnStudy:
    return _study_of(letter, enhanced)


@cache
def _study_of(letter: str, enhanced: bool) -> DrawnStudy:
    return noise_study(letter, enhanced=enhanced)


@cache
def files_of(study: DrawnStudy, role: Role) -> tuple[tuple[str, bytes], ...]:
    (series,) = (one for one in study.series if one.role is role)
    return tuple(part10_files(study, series))


def datasets(study: DrawnStudy, *roles: Role) -> list[Dataset]:
    """Return what a reader finds in the files of the named series, or of all."""
    return [
        dcmread(BytesIO(file))
        for role in roles or tuple(Role)
        for _, file in files_of(study, role)
    ]


def write(study: DrawnStudy, folder: Path) -> list[Path]:
    """Write first, second and last object of each series; the others are alike."""
    paths = []
    for role in Role:
        files = files_of(study, role)
        for path, file in {*files[:2], *files[-1:]}:
            paths.append(folder / path.replace("/", "-"))
            paths[-1].write_bytes(file)
    return paths


def errors(command: Sequence[Path | str]) -> list[str]:
    done = subprocess.run(command, capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode("latin-1").splitlines()
    assert done.returncode == 0 or any("Error" in line for line in said)
    return [line for line in said if "Error" in line]


@each_writing
def test_dciodvfy_finds_no_error_in_any_object(
    letter: str, enhanced: bool, tmp_path: Path
) -> None:
    (dciodvfy,) = require_peer("dicom3tools", "dciodvfy")
    study = study_of(letter, enhanced)

    found = {
        path.name: lines
        for path in write(study, tmp_path)
        if (lines := errors([dciodvfy, "-new", path]))
    }

    assert found == {}


@each_writing
def test_dcentvfy_finds_the_objects_of_a_study_consistent(
    letter: str, enhanced: bool, tmp_path: Path
) -> None:
    (dcentvfy,) = require_peer("dicom3tools", "dcentvfy")
    study = study_of(letter, enhanced)

    assert errors([dcentvfy, *write(study, tmp_path)]) == []


@each_writing
def test_the_node_grades_the_axial_t2_series_and_says_why_it_refuses_the_others(
    letter: str, enhanced: bool
) -> None:
    study = study_of(letter, enhanced)

    for series in study.series:
        (headers,) = group_series(datasets(study, series.role))
        verdict = judge(headers)
        assert verdict.graded == (series.role is Role.AXIAL_T2)
        assert re.fullmatch(REASONS[series.role], verdict.reason)
        assert verdict.slices == len(series.images)
        if series.role is not Role.LOCALIZER:
            sagittal = series.role in (Role.SAGITTAL_T2, Role.SAGITTAL_T1)
            assert verdict.plane is (Plane.SAGITTAL if sagittal else Plane.AXIAL)


@pytest.mark.parametrize("letter", MANNERS)
def test_the_external_domain_is_graded_as_well(letter: str) -> None:
    study = noise_study(letter, key=StudyKey(7, 1, Domain.EXTERNAL))

    (axial,) = group_series(datasets(study, Role.AXIAL_T2))

    assert judge(axial).graded


@each_writing
def test_a_reader_finds_every_image_in_the_very_plane_it_was_drawn_on(
    letter: str, enhanced: bool
) -> None:
    study = study_of(letter, enhanced)

    read = {
        (image.key.sop_instance_uid, image.key.frame): image
        for ds in datasets(study)
        for image in image_headers(ds)
    }

    for series in study.series:
        for instance in instances(study, series):
            image = read.pop((instance.sop_instance_uid, instance.frame))
            cut = instance.image.cut
            assert image.position_lps_mm == pytest.approx(cut.position_mm, abs=1e-9)
            assert image.row_direction == pytest.approx(cut.along_row, abs=1e-12)
            assert image.column_direction == pytest.approx(cut.along_column, abs=1e-12)
            assert image.spacing_mm == pytest.approx(cut.spacing_mm)
    assert read == {}


@pytest.mark.parametrize("syntax", Syntax)
@pytest.mark.parametrize(
    ("letter", "enhanced"), [("A", False), ("C", True), ("D", False), ("E", False)]
)
def test_the_pixels_come_back_in_every_transfer_syntax(
    letter: str, enhanced: bool, syntax: Syntax
) -> None:
    noise = study_of(letter, enhanced)
    study = replace(noise, writing=replace(noise.writing, syntax=syntax))
    series = study.series[0]
    storage = study.writing.manner.storage

    read = {str(ds.SOPInstanceUID): ds for ds in datasets(study, series.role)}

    for instance in instances(study, series):
        pixels = decode(read[instance.sop_instance_uid], instance.frame)
        # Twelve signed bits hold half of the brightest values that were drawn.
        divisor = 2 if storage.largest < instance.image.pixels.max() else 1
        expected = np.floor(instance.image.pixels / divisor) + storage.shift
        assert np.array_equal(pixels, expected)


@pytest.mark.parametrize(
    ("letter", "enhanced"), [("A", False), ("C", False), ("C", True), ("E", False)]
)
def test_the_window_shows_the_values_after_rescaling(
    letter: str, enhanced: bool
) -> None:
    ds = datasets(study_of(letter, enhanced), Role.AXIAL_T2)[0]
    pixels = decode(ds)

    groups = ds.SharedFunctionalGroupsSequence[0] if enhanced else None
    window = groups.FrameVOILUTSequence[0] if groups else ds
    rescale = groups.PixelValueTransformationSequence[0] if groups else ds
    shown = pixels * float(rescale.get("RescaleSlope", 1))
    low = window.WindowCenter - window.WindowWidth / 2
    high = window.WindowCenter + window.WindowWidth / 2

    assert 0.95 < np.mean((shown >= low) & (shown <= high)) < 1.0


def test_one_manner_stores_values_below_zero() -> None:
    study = study_of("E")

    lowest = min(decode(ds).min() for ds in datasets(study, Role.AXIAL_T2))

    assert lowest == -40


@each_writing
def test_every_object_says_that_it_is_a_phantom_and_claims_to_be_nobodys(
    letter: str, enhanced: bool
) -> None:
    for ds in datasets(study_of(letter, enhanced)):
        assert ds.QualityControlSubject == "YES"
        assert ds.ImageComments == ds.StudyDescription == NOTICE
        assert ds.Manufacturer == f"lumbar-node phantom (manner {letter})"
        assert str(ds.PatientName).startswith("PHANTOM^7^1")
        assert ds.PatientBirthDate == ""
        assert [element.tag for element in ds.iterall() if element.tag.is_private] == []


@pytest.mark.parametrize(
    ("letter", "name"),
    [
        ("A", "PHANTOM^7^1"),
        ("C", "PHANTOM^7^1=模型^1"),
        ("D", "PHANTOM^7^1=模型^1=もけい^1"),
        ("E", "PHANTOM^7^1=模型^1=もけい^1"),
    ],
)
def test_names_survive_their_character_sets(letter: str, name: str) -> None:
    ds = datasets(study_of(letter), Role.AXIAL_T2)[0]

    assert ds.PatientName == name
    assert ds.ReferringPhysicianName == MANNERS[letter].referring_physician


@pytest.mark.parametrize(
    ("letter", "order"),
    [
        ("A", lambda places: places),
        ("B", lambda places: places[::-1]),
        ("D", lambda places: places[::2] + places[1::2]),
    ],
    ids=["forwards", "backwards", "interleaved"],
)
def test_images_are_numbered_as_the_manner_does(
    letter: str, order: Callable[[list[float]], list[float]]
) -> None:
    study = study_of(letter)
    drawn = next(one for one in study.series if one.role is Role.SAGITTAL_T2)

    read = datasets(study, Role.SAGITTAL_T2)

    numbered = sorted(read, key=lambda ds: int(ds.InstanceNumber))
    found = [float(ds.ImagePositionPatient[0]) for ds in numbered]
    assert found == order([image.cut.position_mm[0] for image in drawn.images])


def test_every_object_has_a_uid_of_its_own_that_follows_from_the_key() -> None:
    study = study_of("B")

    uids = [ds.SOPInstanceUID for ds in datasets(study)]

    assert len(set(uids)) == sum(len(series.images) for series in study.series)
    assert all(re.fullmatch(r"2\.25\.[1-9]\d{0,38}", uid) for uid in uids)
    assert uids == [ds.SOPInstanceUID for ds in datasets(noise_study("B"))]


@pytest.mark.parametrize(
    "other",
    [
        StudyKey(8, 1),
        StudyKey(7, 2),
        StudyKey(7, 1, Domain.EXTERNAL),
        StudyKey(7, 1, Domain.INTERNAL, Prevalence.PAPER),
    ],
    ids=["seed", "number", "domain", "prevalence"],
)
def test_another_key_is_another_patient_with_other_uids(other: StudyKey) -> None:
    one = datasets(study_of("A"), Role.AXIAL_T2)[0]
    two = datasets(noise_study("A", key=other), Role.AXIAL_T2)[0]

    for keyword in (
        "PatientID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "FrameOfReferenceUID",
    ):
        assert one[keyword].value != two[keyword].value, keyword


@pytest.mark.parametrize("syntax", Syntax)
def test_the_same_study_has_the_same_bytes(syntax: Syntax) -> None:
    once, again = (noise_study("C", syntax=syntax) for _ in range(2))

    assert files_of(once, Role.LOCALIZER) == files_of(again, Role.LOCALIZER)
