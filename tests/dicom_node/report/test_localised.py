"""Our text in Chinese and Korean, and the study's identity untouched by it."""

from dataclasses import replace

import msgspec
import pytest
from pydicom import Dataset

from dicom_node.report import codes
from dicom_node.report.codes import (
    MAX_LO_CHARACTERS,
    MAX_SH_CHARACTERS,
    private_concepts,
)
from dicom_node.report.context import ReportContext
from dicom_node.report.fixed import fixed
from dicom_node.report.objects import ObjectKind, build_objects, part10
from dicom_node.report.phrases import Language, shipped
from grading.grades import Basis, Level
from tests.dicom_factories import (
    mr_image,
    put_raw,
    report_context,
    study_grades,
)
from tests.dicom_node.report.reading import items, meaning, read_back, texts

OTHERS = [Language.CHINESE, Language.KOREAN]
KOREAN_NAME = "Hong^Gildong=洪^吉洞=홍^길동"


def context(language: Language) -> ReportContext:
    return replace(report_context(), phrases=shipped(language))


def image(character_set: bytes, name: bytes = b"Doe^Jane") -> Dataset:
    ds = mr_image()
    put_raw(ds, "SpecificCharacterSet", character_set)
    put_raw(ds, "PatientName", name)
    return ds


def report(source: Dataset, language: Language) -> Dataset:
    grades = study_grades([source], levels=[Level.L4_L5])
    (first, *_) = build_objects([source], grades, context(language))
    return read_back(first.dataset)


def language_of(document: Dataset) -> str:
    return str(document.ContentSequence[0].ConceptCodeSequence[0].CodeValue)


@pytest.mark.parametrize("language", OTHERS)
def test_every_private_code_and_disc_has_a_meaning_that_fits(
    language: Language,
) -> None:
    meanings = fixed(language).meanings

    wanted = {it.value for it in (*private_concepts(), *codes.DISCS.values())}
    assert wanted <= set(meanings)
    assert all(0 < len(it) <= MAX_LO_CHARACTERS for it in meanings.values())
    assert all(len(value) <= MAX_SH_CHARACTERS for value in meanings)


@pytest.mark.parametrize("language", OTHERS)
def test_the_sentences_that_nobody_may_edit_are_all_translated(
    language: Language,
) -> None:
    assert set(fixed(language).sentences) == {*Basis, "disclaimer", "exclusions"}


@pytest.mark.parametrize(
    ("language", "grade"),
    [
        (Language.CHINESE, "MSU 1级\uff1a不超过至关节突间线距离的50%"),
        (Language.KOREAN, "MSU 1등급: 후관절간선까지 거리의 50% 이하"),
    ],
)
def test_codes_keep_their_values_and_get_other_meanings(
    language: Language, grade: str
) -> None:
    document = report(image(b"ISO_IR 192"), language)

    coded = [it for it in items(document) if it.ValueType == "CODE"]
    values = {
        it.ConceptCodeSequence[0].CodeValue: it.ConceptCodeSequence[0].CodeMeaning
        for it in coded
    }
    assert values["LDH-G1"] == grade
    assert language_of(document) == language
    assert document.SpecificCharacterSet == "ISO_IR 192"


@pytest.mark.parametrize("language", OTHERS)
def test_the_first_line_says_what_the_bundle_is_in_that_language(
    language: Language,
) -> None:
    document = report(image(b"ISO_IR 192"), language)

    name = fixed(language).meanings["121106"]
    assert texts(document, name)[0] == fixed(language).sentences["phantom"]


@pytest.mark.parametrize(
    ("language", "character_set", "name"),
    [
        (Language.CHINESE, b"GB18030 ", "Wang^XiaoDong=王^小东".encode("gb18030")),
        (Language.CHINESE, b"ISO_IR 192", "Wang^XiaoDong=王^小东".encode()),
        (Language.KOREAN, b"ISO_IR 192", KOREAN_NAME.encode()),
        (Language.KOREAN, b"ISO_IR 100", b"Hong^Gildong"),
        (Language.CHINESE, b"", b"Doe^Jane"),
        (Language.CHINESE, b"ISO_IR 6", b"Doe^Jane"),
    ],
)
def test_where_the_character_set_allows_it_identity_keeps_its_bytes(
    language: Language, character_set: bytes, name: bytes
) -> None:
    source = image(character_set, name)

    document = report(source, language)

    stored = document.get_item("PatientName").value
    assert stored.rstrip() == name.rstrip()
    assert language_of(document) == language
    assert "?" not in meaning(document)


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        (b"ISO_IR 100", "Müller^Jürgen".encode("latin-1")),
        (b"ISO_IR 100", "王^小东".encode("gbk")),
        (b"\\ISO 2022 IR 149", b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce"),
        (b"GB18030 ", b"Doe^Jane"),
    ],
)
def test_where_it_does_not_the_report_is_english(
    character_set: bytes, name: bytes
) -> None:
    document = report(image(character_set, name), Language.KOREAN)

    assert language_of(document) == "en-US"
    assert meaning(document) == "Imaging Measurement Report"
    assert part10(document).isascii() or name in part10(document)


def test_a_site_s_own_words_need_a_character_set_too() -> None:
    english = shipped(Language.ENGLISH)
    words = msgspec.structs.replace(english, paragraph="{place} \u2013 {findings}")
    latin = image(b"ISO_IR 100", "Müller".encode("latin-1"))
    utf_8 = image(b"ISO_IR 192", "Müller".encode())

    said = []
    for source in (latin, utf_8):
        made = build_objects(
            [source],
            study_grades([source]),
            replace(report_context(), phrases=words),
        )
        said.append(texts(read_back(made[0].dataset), "Narrative Summary")[0])

    assert "slab 1 of 1: small" in said[0]
    assert "slab 1 of 1 \u2013 small" in said[1]


def test_the_text_report_is_localised_as_well() -> None:
    source = image(b"ISO_IR 192")
    objects = build_objects([source], study_grades([source]), context(Language.KOREAN))

    (text,) = [
        it.dataset
        for it in objects
        if it.kind is ObjectKind.STRUCTURED_REPORT and it.rank == 2
    ]

    assert meaning(read_back(text)) == "영상 진단 보고서"
