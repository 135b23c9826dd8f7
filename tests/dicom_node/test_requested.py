"""What the configuration asks for, translated for the outbox and the report."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from dicom_node.config import Config, Destination
from dicom_node.errors import ConfigError
from dicom_node.report import languages
from dicom_node.report.context import Wanted
from dicom_node.report.phrases import Language, shipped
from dicom_node.requested import KINDS, addressee, phrases_of, wanted
from storage.outbox import Addressee
from storage.states import ObjectKind

PACS = Destination("pacs", "PACS", "192.0.2.1", 104)
ARCHIVE = Destination(
    "archive",
    "ARCHIVE",
    "192.0.2.2",
    104,
    shadow=True,
    objects=("picture", "pdf"),
    sr_class="comprehensive-3d",
)


def test_every_kind_of_object_has_a_word_in_the_configuration() -> None:
    assert set(KINDS.values()) == set(ObjectKind)


def test_a_destination_is_addressed_with_what_it_asks_for() -> None:
    usual = frozenset({ObjectKind.STRUCTURED_REPORT, ObjectKind.PICTURE})
    assert addressee(PACS) == Addressee("pacs", False, usual, ComprehensiveSRStorage)

    asked = frozenset({ObjectKind.PICTURE, ObjectKind.PRINTOUT})
    assert addressee(ARCHIVE) == Addressee(
        "archive", True, asked, Comprehensive3DSRStorage
    )


def test_what_all_destinations_ask_for_is_made_and_no_more() -> None:
    assert wanted([]) == wanted([PACS]) == Wanted()
    assert wanted([PACS, ARCHIVE]) == Wanted(
        Wanted().kinds | {ObjectKind.PRINTOUT}, comprehensive_3d=True
    )


def config(text: str) -> Config:
    smallest = """
    node = {ae_title = "NODE", data_directory = "here"}
    database = {url = "sqlite:///node.sqlite"}
    """
    return msgspec.toml.decode(
        smallest + text, type=Config, dec_hook=lambda kind, value: kind(value)
    )


def test_the_narrative_is_in_the_language_of_the_configuration() -> None:
    phrases = phrases_of(config('report = {language = "ko-KR"}'))

    assert phrases == shipped(Language.KOREAN)


def test_a_site_s_own_words_bring_their_own_language(tmp_path: Path) -> None:
    path = tmp_path / "phrases.toml"
    path.write_bytes((Path(languages.__file__).parent / "zh-CN.toml").read_bytes())

    phrases = phrases_of(config(f'report = {{phrases = "{path}"}}'))

    assert phrases == shipped(Language.CHINESE)


def test_a_site_s_own_words_that_are_wrong_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "phrases.toml"
    path.write_text('language = "en"\n')

    with pytest.raises(ConfigError, match=r"phrases\.toml: .*compare it"):
        phrases_of(config(f'report = {{phrases = "{path}"}}'))
