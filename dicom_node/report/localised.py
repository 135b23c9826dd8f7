"""Our own text in the reader's language, where the study's character set can hold it.

Codes stay what they are; only their meanings and the language code change (TID 1204).
Identity keeps its bytes: a study in another character set gets English.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import DataElement, Dataset
from pydicom.dataelem import RawDataElement
from pydicom.valuerep import VR

from dicom_node.report import codes
from dicom_node.report.fixed import Fixed, fixed
from dicom_node.report.identity import copied_elements, put_character_set, raw_text
from dicom_node.report.phrases import Language, Phrases, shipped

UTF_8 = "ISO_IR 192"
CHINESE_SETS = ("GB18030", "GBK")
SUBSETS_OF_UTF_8 = ("", "ISO_IR 6", "ISO_IR 100")
"""Of these, text that is plain ASCII is the same bytes in UTF-8."""


def writable(phrases: Phrases, source: Dataset) -> Phrases:
    """Return the phrases, or the English ones where the study cannot hold them."""
    if phrases.is_ascii or character_set(phrases.language, source):
        return phrases
    return shipped(Language.ENGLISH)


def character_set(language: Language, source: Dataset) -> str | None:
    """Return in which character set our text may stand beside the study's, or None.

    In the study's own if it can hold the language, in UTF-8 if that leaves every
    byte of the study's own text as it is.
    """
    stated = raw_text(source, "SpecificCharacterSet")
    if stated == UTF_8:
        return UTF_8
    if language is Language.CHINESE and stated in CHINESE_SETS:
        return stated
    ascii_only = stated in SUBSETS_OF_UTF_8 and _is_ascii(copied_elements(source))
    return UTF_8 if ascii_only else None


def localise(document: Dataset, phrases: Phrases, source: Dataset) -> None:
    """Write a finished document's code meanings in the language of its phrases."""
    if phrases.is_ascii:
        return
    term = character_set(phrases.language, source)
    if term is None:
        return
    put_character_set(document, term)
    if phrases.language is Language.ENGLISH:
        return  # a site's own English words, with other letters than ASCII
    words = fixed(phrases.language)
    for item in _items(document):
        for keyword in ("ConceptNameCodeSequence", "ConceptCodeSequence"):
            _translate(item, keyword, words)
        if item.get("ValueType") == "NUM":
            for measured in item.MeasuredValueSequence:
                _translate(measured, "MeasurementUnitsCodeSequence", words)


def _translate(item: Dataset, keyword: str, words: Fixed) -> None:
    for code in item.get(keyword, []):
        if code.CodeValue == codes.ENGLISH.value:
            code.CodeValue = _language(words)
        code.CodeMeaning = words.meanings.get(code.CodeValue, code.CodeMeaning)


def _language(words: Fixed) -> str:
    """Return the RFC 5646 value: the one language that names itself."""
    return next(language for language in Language if language in words.meanings)


def _items(node: Dataset) -> Iterator[Dataset]:
    yield node
    for item in node.get("ContentSequence", []):
        yield from _items(item)


def _is_ascii(ds: Dataset) -> bool:
    return all(_element_is_ascii(element) for element in ds.elements())


def _element_is_ascii(element: DataElement | RawDataElement) -> bool:
    if isinstance(element, RawDataElement):
        return (element.value or b"").isascii()
    if element.VR == VR.SQ:
        return all(_is_ascii(item) for item in element.value or [])
    value = element.value
    return value.isascii() if isinstance(value, bytes) else str(value).isascii()
