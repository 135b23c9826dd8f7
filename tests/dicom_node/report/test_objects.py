"""What goes back for one study, as a whole."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from warnings import catch_warnings, simplefilter

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from dicom_node.report.context import ReportContext
from dicom_node.report.objects import ObjectKind, Wanted, build_objects, part10
from dicom_node.report.phrases import Language, shipped
from grading.grades import (
    AxialMarks,
    DiscMark,
    Finding,
    Grading,
    Level,
    LevelGrade,
    PixelPoint,
    Region,
    RegionOrigin,
    SagittalView,
    Side,
    SliceGrade,
    SliceKey,
    StudyGrades,
)
from tests.dicom_factories import (
    CREATED_AT,
    REFUSED,
    mr_image,
    mr_series,
    put_raw,
    report_context,
    slice_keys,
    study_grades,
)

EVERYTHING = Wanted(frozenset(ObjectKind), comprehensive_3d=True)


def encoded(
    context: ReportContext,
    evidence: list[Dataset] | None = None,
    wanted: Wanted = EVERYTHING,
) -> list[bytes]:
    evidence = evidence or mr_series()
    objects = build_objects(evidence, study_grades(evidence), context, wanted)
    return [part10(built.dataset) for built in objects]


@pytest.fixture
def _far_east() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Shanghai"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def test_a_study_gets_a_report_its_fallbacks_and_a_picture() -> None:
    objects = build_objects(mr_series(), study_grades(mr_series()), report_context())

    assert [(built.kind, built.rank) for built in objects] == [
        (ObjectKind.STRUCTURED_REPORT, 0),
        (ObjectKind.STRUCTURED_REPORT, 1),
        (ObjectKind.STRUCTURED_REPORT, 2),
        (ObjectKind.PICTURE, 0),
    ]
    assert len({built.sop_instance_uid for built in objects}) == 4
    assert len({built.series_instance_uid for built in objects}) == 3


def test_the_file_meta_agrees_with_the_object() -> None:
    for built in build_objects(
        mr_series(), study_grades(mr_series()), report_context()
    ):
        ds = dcmread(BytesIO(part10(built.dataset)))

        assert ds.file_meta.MediaStorageSOPClassUID == built.sop_class_uid
        assert ds.file_meta.MediaStorageSOPInstanceUID == built.sop_instance_uid
        assert ds.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
        assert len(ds.file_meta.ImplementationVersionName or "") in range(1, 17)


def test_made_again_it_is_the_same_byte_for_byte() -> None:
    assert encoded(report_context()) == encoded(report_context())


@pytest.mark.usefixtures("_far_east")
def test_made_again_elsewhere_it_is_the_same_byte_for_byte() -> None:
    elsewhere = encoded(report_context())
    os.environ["TZ"] = "America/Los_Angeles"
    time.tzset()

    assert encoded(report_context()) == elsewhere


def test_no_time_but_that_of_the_job_is_written() -> None:
    # A clock that got through would differ from a time so long ago.
    long_ago = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    of_the_study = {"19650412", "20260301", "101500"}

    for content in encoded(report_context(created_at=long_ago)):
        ds = dcmread(BytesIO(content))
        times = {e.value for e in ds.iterall() if e.VR in {"DA", "TM", "DT"}}
        assert times - of_the_study == {
            "20010203",
            "040506.000000",
            "20010203040506.000000",
        }
        # Neither has the printout the clock's date inside.
        assert b"/CreationDate (D:2000" in content or b"%PDF-" not in content


@pytest.mark.parametrize(
    ("offset", "expected"),
    [("+0900", "170000"), ("-0330", "043000"), ("+9900", "080000"), ("CET", "080000")],
)
def test_times_are_in_the_zone_that_the_study_names(offset: str, expected: str) -> None:
    image = mr_image()
    put_raw(image, "TimezoneOffsetFromUTC", offset.encode())

    for content in encoded(report_context(), [image]):
        assert dcmread(BytesIO(content)).ContentTime == f"{expected}.000000"


def test_another_revision_is_another_object_of_the_same_series() -> None:
    one, two = (
        build_objects(mr_series(), study_grades(mr_series()), report_context(revision))
        for revision in (1, 2)
    )

    for before, after in zip(one, two, strict=True):
        assert before.sop_instance_uid != after.sop_instance_uid
        assert before.series_instance_uid == after.series_instance_uid
        assert after.dataset.InstanceNumber == 2


def test_without_evidence_there_is_nothing_to_report_on() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        build_objects([], study_grades(mr_series()), report_context())


def test_a_graded_slice_that_is_not_among_the_evidence_is_named() -> None:
    with pytest.raises(ValueError, match=r"frame 1 of image 2\.25\.2001\.4 .*evidence"):
        build_objects(mr_series(3), study_grades(mr_series(4)), report_context())


def test_the_same_image_twice_is_one_piece_of_evidence() -> None:
    twice = [*mr_series(), *mr_series()]

    assert encoded(report_context(), mr_series()) == [
        part10(built.dataset)
        for built in build_objects(
            twice, study_grades(mr_series()), report_context(), EVERYTHING
        )
    ]


def test_the_evidence_comes_back_untouched() -> None:
    evidence = mr_series()

    encoded(report_context(), evidence)

    assert evidence == mr_series()


@pytest.mark.parametrize("revision", [0, -1])
def test_revisions_are_counted_from_one(revision: int) -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        report_context(revision)


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        report_context(created_at=CREATED_AT.replace(tzinfo=None))


def test_a_time_in_another_zone_is_kept_where_the_study_names_none() -> None:
    tokyo = CREATED_AT.astimezone(timezone(timedelta(hours=9)))

    (first, *_) = encoded(report_context(created_at=tokyo))

    assert dcmread(BytesIO(first)).ContentTime == "170000.000000"


weights = st.lists(st.floats(0.01, 1), min_size=4, max_size=4)


@st.composite
def gradings(draw: st.DrawFn) -> Grading:
    a, b, c, d = draw(weights)
    total = a + b + c + d
    return Grading((a / total, b / total, c / total, d / total))


@st.composite
def studies(draw: st.DrawFn) -> StudyGrades:
    """Draw grades of a four-slice series: any of what grading can say."""
    keys = slice_keys(mr_series())
    slices = tuple(_slice(draw, key) for key in keys)
    levels = draw(st.lists(st.one_of(st.none(), st.sampled_from(Level)), max_size=6))
    graded = tuple(
        LevelGrade(
            level,
            slab,
            len(levels),
            keys[slab % 4],
            (keys[0],),
            draw(findings),
            worst=draw(
                st.dictionaries(st.sampled_from(Finding), st.sampled_from(keys))
            ),
            roots=draw(sides),
        )
        for slab, level in enumerate(levels, start=1)
    )
    refused = replace(REFUSED, description=draw(st.text()), reason=draw(st.text()))
    discs = st.lists(st.builds(DiscMark, st.sampled_from(Level), points), max_size=5)
    view = st.builds(SagittalView, st.sampled_from(keys), discs.map(tuple))
    return replace(
        study_grades(mr_series()),
        series=(refused,),
        slices=slices,
        levels=graded,
        notes=tuple(draw(st.lists(st.text(), max_size=3))),
        sagittal=draw(st.none() | view),
    )


place = st.floats(-100, 200)
points = st.builds(PixelPoint, place, place)
marks = st.builds(AxialMarks, *[st.none() | points] * 4)
findings = st.dictionaries(st.sampled_from(Finding), gradings())
sides = st.dictionaries(st.sampled_from(Side), gradings())


def _slice(draw: st.DrawFn, key: SliceKey) -> SliceGrade:
    region = Region(
        draw(place),
        draw(place),
        draw(st.floats(1, 300)),
        draw(st.sampled_from(RegionOrigin)),
        draw(st.none() | st.floats(0, 90)),
    )
    return SliceGrade(
        key,
        1,
        0.0,
        region,
        draw(findings),
        through_disc=draw(st.none() | st.booleans()),
        roots=draw(sides),
        marks=draw(marks),
    )


# Shrinking a whole study takes minutes; the unshrunk one says as much.
@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    studies(),
    st.binary(max_size=64),
    st.binary(max_size=16),
    st.sampled_from([b"", b"ISO_IR 100", b"ISO_IR 192", b"\\ISO 2022 IR 149", b"?"]),
    st.sampled_from(Language),
)
def test_no_grades_names_or_dates_keep_the_report_from_being_made(
    grades: StudyGrades, name: bytes, date: bytes, term: bytes, language: Language
) -> None:
    evidence = mr_series()
    put_raw(evidence[0], "SpecificCharacterSet", term)
    put_raw(evidence[0], "PatientName", name)
    put_raw(evidence[0], "StudyDate", date)
    context = replace(report_context(), phrases=shipped(language))
    padded = name + b" " * (len(name) % 2)

    with catch_warnings():
        simplefilter("ignore", UserWarning)  # of a character set that nobody knows
        objects = build_objects(evidence, grades, context, EVERYTHING)
        written = [dcmread(BytesIO(part10(built.dataset))) for built in objects]

    assert [(it.kind, it.rank) for it in objects] == EXPECTED
    for built, ds in zip(objects, written, strict=True):
        assert ds.get_item("PatientName").value in (padded, name or None)
        if "ContentSequence" in ds:
            containers = [i for i in ds.ContentSequence if "ContinuityOfContent" in i]
            assert {i.ContinuityOfContent for i in containers} == {"SEPARATE"}
        assert built.sop_instance_uid == ds.SOPInstanceUID


EXPECTED = [
    *((ObjectKind.STRUCTURED_REPORT, rank) for rank in range(4)),
    (ObjectKind.TEXT_REPORT, 0),
    (ObjectKind.PICTURE, 0),
    (ObjectKind.PRINTOUT, 0),
]
