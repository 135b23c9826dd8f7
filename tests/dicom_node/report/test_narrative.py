"""The narrative: what it says, and what nobody can edit out of it."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.errors import ConfigError
from dicom_node.report import languages
from dicom_node.report.fixed import fixed
from dicom_node.report.narrative import paragraphs
from dicom_node.report.phrases import Language, Phrases, load, shipped
from grading.grades import Basis, Finding, Grading, LevelGrade, Side, SliceKey
from grading.grades import StudyGrades as Grades
from tests.dicom_factories import mr_series, study_grades
from tests.full_study import FullStudy

ENGLISH = shipped(Language.ENGLISH)
SHIPPED = Path(languages.__file__).parent / "en.toml"


def test_a_paragraph_reads_as_a_radiologist_would_put_it(full_study: FullStudy) -> None:
    site = replace(full_study.grades.model, basis=Basis.SITE)

    said = paragraphs(replace(full_study.grades, model=site), ENGLISH)

    assert said[4] == (
        "L5/S1: large disc herniation beyond the intra-facet line (MSU 3); moderate "
        "central canal stenosis, cauda equina partly aggregated (Lee 2), on one slice "
        "up to grade 3; nerve root compression (Pfirrmann 3); right: no nerve root "
        "compromise (Pfirrmann 0); left: nerve root compression (Pfirrmann 3)."
    )


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("basis", [Basis.PHANTOM, Basis.UNEVALUATED])
def test_every_paragraph_begins_with_what_speaks_for_the_bundle(
    language: Language, basis: Basis, full_study: FullStudy
) -> None:
    model = replace(full_study.grades.model, basis=basis)

    said = paragraphs(replace(full_study.grades, model=model), shipped(language))

    opening = fixed(language).openings[basis]
    assert len(opening) > 10
    assert all(paragraph.startswith(opening) for paragraph in said)


def test_a_grade_below_its_threshold_is_worded_as_uncertain() -> None:
    grading = Grading((0.1, 0.45, 0.4, 0.05), threshold=0.5)

    (said,) = paragraphs(with_ldh(grading), ENGLISH)

    assert (
        "uncertain, for a reader to decide: small disc herniation, up to half of the "
        "distance to the intra-facet line (MSU 1), 45%;" in said
    )


def test_a_finding_that_was_not_graded_is_named() -> None:
    (said,) = paragraphs(with_ldh(None), ENGLISH)

    assert said.endswith(
        "slab 1 of 1: LDH not graded; LCCS not graded; LNRC not graded."
    )


def with_ldh(grading: Grading | None) -> Grades:
    key = SliceKey("2.25.1", "2.25.2")
    grades = {Finding.LDH: grading} if grading else {}
    level = LevelGrade(None, 1, 1, key, (key,), grades)
    return replace(study_grades(mr_series()), levels=(level,))


@pytest.mark.parametrize("language", Language)
def test_a_doubted_lnrc_stands_before_roots_that_say_something_else(
    language: Language,
) -> None:
    phrases = shipped(language)
    key = SliceKey("2.25.1", "2.25.2")
    doubted = Grading((0.3, 0.4, 0.2, 0.1), threshold=0.6)
    sure = Grading((0.0, 0.0, 0.0, 1.0))
    level = LevelGrade(
        None, 1, 1, key, (key,), {Finding.LNRC: doubted}, roots={Side.RIGHT: sure}
    )
    agreed = replace(level, roots={Side.RIGHT: doubted})
    grades = study_grades(mr_series())

    (said,) = paragraphs(replace(grades, levels=(level,)), phrases)
    (alike,) = paragraphs(replace(grades, levels=(agreed,)), phrases)

    words = phrases.grades[Finding.LNRC]
    uncertain = phrases.uncertain.format(words=words[1], probability="40%")
    assert 0 < said.index(uncertain) < said.index(phrases.right.format(words=words[3]))
    differ = fixed(language).doubts.roots_differ
    assert differ in said
    assert differ not in alike


@pytest.mark.parametrize("language", Language)
def test_each_language_has_words_for_every_grade(language: Language) -> None:
    phrases = shipped(language)

    assert phrases.language is language
    assert set(phrases.grades) == set(Finding)
    assert set(fixed(language).openings) == set(Basis)
    assert phrases.is_ascii is (language is Language.ENGLISH)


def site_file(folder: Path, old: str, new: str) -> Path:
    text = SHIPPED.read_text("utf-8")
    assert old in text
    path = folder / "phrases.toml"
    path.write_text(text.replace(old, new), "utf-8")
    return path


def test_a_site_may_edit_the_words(tmp_path: Path) -> None:
    path = site_file(tmp_path, '"nerve root contact (Pfirr', '"touched root (Pfirr')

    phrases = load(path)

    assert phrases.grades[Finding.LNRC][1] == "touched root (Pfirrmann 1)"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("{place}: {findings}.", "{findings}.", "paragraph: .* {findings}, {place}"),
        ("{place}: {findings}.", "{place:>9}{findings}", "plain and nothing else"),
        ("{place}: {findings}.", "{place}: {findings", "is no template"),
        ("{place}: {findings}.", "{place}{findings}{name}", "nothing else"),
        ("no disc herniation (MSU 0)", "no disc herniation", "must name the grade, 0"),
        ("(MSU 3)", "(MSU 33)", "must name the grade, 3"),
        ("joint =", "joined =", "unknown field `joined`"),
        ("LNRC = [", "LNRX = [", "LNRX"),
        ('"no nerve root compromise (Pfirrmann 0)",', "", "LNRC|length 4"),
        ('language = "en"', 'language = "fr"', "fr"),
    ],
)
def test_words_that_could_mislead_are_refused(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    path = site_file(tmp_path, old, new)

    with pytest.raises(ConfigError, match=complaint) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load(tmp_path / "none.toml")


def test_a_scale_that_is_missing_is_named(tmp_path: Path) -> None:
    text = SHIPPED.read_text("utf-8")
    path = tmp_path / "phrases.toml"
    path.write_text(text[: text.index("LNRC = [")], "utf-8")

    with pytest.raises(ConfigError, match=r"grades\.LNRC: missing"):
        load(path)


four = st.tuples(*[st.floats(0.01, 1)] * 4).map(
    lambda it: Grading(
        (it[0] / sum(it), it[1] / sum(it), it[2] / sum(it), it[3] / sum(it))
    )
)


@given(
    st.dictionaries(st.sampled_from(Finding), four),
    st.dictionaries(st.sampled_from(Side), four),
    st.sampled_from(Language),
)
def test_whatever_was_graded_is_said_with_its_figure(
    graded: dict[Finding, Grading], roots: dict[Side, Grading], language: Language
) -> None:
    key = SliceKey("2.25.1", "2.25.2")
    level = LevelGrade(None, 1, 1, key, (key,), graded, roots=roots)
    phrases: Phrases = shipped(language)

    (said,) = paragraphs(replace(study_grades(mr_series()), levels=(level,)), phrases)

    for finding, grading in graded.items():
        assert phrases.grades[finding][grading.grade] in said
    for grading in roots.values():
        assert phrases.grades[Finding.LNRC][grading.grade] in said
