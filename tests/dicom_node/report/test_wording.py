from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.report.wording import (
    DISCLAIMER,
    calibration,
    comments_after,
    comments_before,
    picture_notes,
    plain_text,
    refused_count,
    short_text,
    summary_line,
    worst_grades,
)
from grading.grades import (
    FIRST_LINES,
    Basis,
    Finding,
    Grading,
    LevelGrade,
    Side,
    SliceKey,
)
from tests.dicom_factories import mr_series, study_grades

KEY = SliceKey("2.25.1", "2.25.2")


def graded(**probabilities: tuple[float, float, float, float]) -> LevelGrade:
    grades = {Finding(name): Grading(four) for name, four in probabilities.items()}
    return LevelGrade(None, 2, 4, KEY, (KEY,), grades)


def test_a_summary_line_gives_grade_scale_and_probability() -> None:
    level = graded(
        LDH=(0.07, 0.63, 0.2, 0.1), LCCS=(0.8, 0.2, 0, 0), LNRC=(0.69, 0.31, 0, 0)
    )

    assert summary_line(level) == (
        "slab 2 of 4: LDH 1 (MSU, 63%); LCCS 0 (Lee, 80%); LNRC 0 (Pfirrmann, 69%)"
    )


def test_a_finding_that_was_not_graded_is_said_to_be_so() -> None:
    assert summary_line(graded(LDH=(1, 0, 0, 0))) == (
        "slab 2 of 4: LDH 0 (MSU, 100%); LCCS not graded; LNRC not graded"
    )


def unsure(threshold: float) -> LevelGrade:
    """Return a slab whose LDH has 63 % and a threshold."""
    level = graded(LDH=(0.07, 0.63, 0.2, 0.1), LCCS=(0.8, 0.2, 0, 0))
    ldh = replace(level.grades[Finding.LDH], temperature=1.25, threshold=threshold)
    return replace(level, grades={**level.grades, Finding.LDH: ldh})


def test_a_grade_below_its_threshold_is_said_to_need_a_reader() -> None:
    assert summary_line(unsure(0.7)).startswith(
        "slab 2 of 4: LDH 1 (MSU, 63%, needs a reader); LCCS 0 (Lee, 80%);"
    )
    assert "reader" not in summary_line(unsure(0.63))


def test_the_grades_for_a_reader_are_named_before_any_grade() -> None:
    grades = replace(study_grades(mr_series()), levels=(unsure(0.7), unsure(0.7)))

    sentence = comments_before(grades)[-1]
    assert sentence == (
        "The model is too unsure of these grades, they need a reader: "
        "LDH at slab 2 of 4, slab 2 of 4."
    )


def test_probabilities_that_nobody_calibrated_are_named_before_any_grade() -> None:
    level = replace(unsure(0.0), roots={Side.LEFT: Grading((1, 0, 0, 0))})
    grades = replace(study_grades(mr_series()), levels=(level,))
    fitted = {f: replace(it, temperature=1.2) for f, it in level.grades.items()}

    assert comments_before(grades)[3:] == [
        (
            "The probabilities of LCCS, left root are not calibrated: they are the "
            "network's own scores."
        )
    ]
    fitted_level = replace(level, grades=fitted, roots={})
    assert not comments_before(replace(grades, levels=(fitted_level,)))[3:]


def test_a_slice_milder_than_its_level_is_not_the_worst_one() -> None:
    grades = study_grades(mr_series())
    (level,) = grades.levels
    severe = {f: Grading((0.0, 0.0, 0.0, 1.0)) for f in Finding}
    worst = dict.fromkeys(Finding, level.key_slice)

    told = worst_grades(grades, replace(level, grades=severe, worst=worst))

    assert all(it.grade < 3 for it in grades.slices[0].grades.values())
    assert told == {}


def test_temperature_and_threshold_are_named_where_they_were_fitted() -> None:
    level = unsure(0.7)
    every = replace(level.grades[Finding.LDH], threshold=2.0)
    none = replace(level.grades[Finding.LDH], threshold=0.0)

    ldh = calibration(Finding.LDH, level.grades[Finding.LDH])

    assert ldh == "LDH temperature 1.25, reader below 70%"
    assert calibration(Finding.LCCS, level.grades[Finding.LCCS]) == (
        "LCCS not calibrated"
    )
    assert calibration(Finding.LDH, every).endswith("reader for every grade")
    assert calibration(Finding.LDH, none) == "LDH temperature 1.25"


def test_the_basis_of_the_bundle_is_the_very_first_thing_said() -> None:
    grades = study_grades(mr_series(), basis=Basis.SITE)

    assert comments_before(grades)[:2] == [FIRST_LINES[Basis.SITE], DISCLAIMER]


def test_notes_and_refused_series_are_said_once_and_with_their_reason() -> None:
    grades = study_grades(mr_series(), notes=["Slab 1 is long.", "Slab 1 is long."])

    assert comments_after(grades) == [
        "Slab 1 is long.",
        "Not graded: 'T1 AX': not T2-weighted: TE 21 ms",
    ]


def test_a_series_that_only_told_the_levels_is_no_refused_one() -> None:
    grades = study_grades(mr_series())
    graded_one, refused = grades.series
    reason = "sagittal T2-weighted: TE 110 ms"
    used = replace(refused, description="T2 SAG", reason=reason, for_levels=True)

    both = replace(grades, series=(graded_one, used))

    assert comments_after(both) == [f"For the levels only: 'T2 SAG': {reason}"]
    assert refused_count(both) == ""


def test_the_picture_does_not_quote_the_free_text_of_the_header() -> None:
    notes = ["2 slice(s) of 'T2 AX' could not be read.", "Slab 1 is long."]

    assert picture_notes(study_grades(mr_series(), notes=notes)) == ["Slab 1 is long."]


@pytest.mark.parametrize("description", ["T2", "Sag", "region"])
def test_a_note_that_only_has_a_word_of_a_description_is_not_taken_for_a_quote(
    description: str,
) -> None:
    note = "There is no sagittal T2-weighted series: no region by it. Sag."
    grades = study_grades(mr_series(), notes=[note])
    (first, *others) = grades.series
    named = replace(first, description=description)

    assert picture_notes(replace(grades, series=(named, *others))) == [note]


def test_the_picture_counts_the_series_that_were_not_graded() -> None:
    assert refused_count(study_grades(mr_series())).startswith("1 series not graded")


@given(st.text())
def test_our_own_text_is_one_line_that_every_character_set_can_hold(text: str) -> None:
    plain = plain_text(text)

    assert plain.isascii()
    assert plain.isprintable()
    assert not set(plain) & set("\\~")


def test_text_is_kept_as_far_as_it_can_be() -> None:
    assert plain_text("T2 AX\n \u691c\u67fb\\a~b") == "T2 AX ??/a-b"
    assert len(short_text("x" * 100)) == 64
