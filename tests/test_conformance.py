"""The conformance statement says what the code does."""

from __future__ import annotations

import re

import pytest

from dicom_node import (
    asking,
    delivery,
    implementation,
    query,
    receiver,
    sender,
)
from dicom_node.listening import limits
from dicom_node.report.codes import private_concepts
from scripts.conformance_tables import DOCUMENT, main, tables, with_tables
from tests.dicom_node.report.reading import items
from tests.full_study import FullStudy


@pytest.fixture
def statement() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def test_the_generated_tables_are_up_to_date(
    statement: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["--check"])

    assert status == 0, capsys.readouterr().out
    assert with_tables(statement) == statement


def test_a_code_that_was_changed_by_hand_is_found(statement: str) -> None:
    edited = statement.replace("`LDH-G1` | MSU grade 1", "`LDH-G1` | MSU grade one")

    assert edited != statement
    assert with_tables(edited) == statement


def test_every_private_code_stands_in_the_table_once() -> None:
    table = tables()["private codes"]

    counts = {it.value: table.count(f"`{it.value}`") for it in private_concepts()}

    assert set(counts.values()) == {1}


def test_a_statement_that_has_lost_its_marks_is_refused(statement: str) -> None:
    without = statement.replace("<!-- begin private codes -->\n", "")

    with pytest.raises(ValueError, match="begin private codes"):
        with_tables(without)


@pytest.mark.parametrize(
    "status",
    [
        receiver.SUCCESS,
        receiver.OUT_OF_RESOURCES_FILE,
        receiver.OUT_OF_RESOURCES_ROW,
        receiver.CANNOT_UNDERSTAND_EMPTY,
        sender.SOP_CLASS_NOT_SUPPORTED,
        *sorted(sender.STORED),
        *sorted(sender.TRY_AGAIN),
    ],
    ids=hex,
)
def test_every_status_that_the_code_names_is_stated(
    statement: str, status: int
) -> None:
    assert f"0x{status:04X}" in statement


@pytest.mark.parametrize(
    "stated",
    [
        f"Maximum PDU size offered | {limits.MAX_PDU_BYTES} bytes",
        f"before an association is aborted | {limits.Limits().idle_seconds:.0f} s",
        f"Connection and association time-out | {sender.CONNECT_SECONDS:.0f} s",
        f"DIMSE time-out | {sender.ANSWER_SECONDS:.0f} s",
        f"Silence before a peer is given up | {query.ANSWER_SECONDS:.0f} s",
        f"all of one C-MOVE | {query.FIND_SECONDS:.0f} s; {query.MOVE_SECONDS:.0f} s",
        f"asked about on one association | at most {asking.MOST_AT_ONCE}, at most",
        f"`{query.FIND}`",
        f"`{query.MOVE}`",
        f"Objects on one association | at most {delivery.OBJECTS_PER_ASSOCIATION} |",
        implementation.IMPLEMENTATION_CLASS_UID,
        f"`{implementation.IMPLEMENTATION_VERSION_NAME}`",
    ],
)
def test_limits_and_identifiers_are_those_of_the_code(
    statement: str, stated: str
) -> None:
    assert stated in statement


def test_the_statement_has_the_sections_of_ps3_2(statement: str) -> None:
    headings = [line[3:] for line in statement.splitlines() if line.startswith("## ")]

    assert headings == [
        "1. Conformance statement overview",
        "2. Contents",
        "3. Introduction",
        "4. Networking",
        "5. Media interchange",
        "6. Support of character sets",
        "7. Security",
        "8. Annexes",
    ]


def test_every_section_that_is_referred_to_is_there(statement: str) -> None:
    numbers = set(re.findall(r"(?m)^#+ ([0-9.]+[0-9])\.? ", statement))
    referred = set(
        re.findall(r"(?:section |as in |\()([1-8]\.[0-9.]*[0-9])", statement)
    )

    assert referred - numbers == set()
    assert len(referred) > 5


def test_every_sop_class_that_can_be_sent_is_stated(
    statement: str, full_study: FullStudy
) -> None:
    for made in full_study.objects.values():
        assert f"`{made.SOPClassUID}`" in tables()["objects sent"]
        assert f"| {made.SeriesNumber} | {made.SeriesDescription} |" in statement


def test_every_code_of_a_report_is_stated(
    statement: str, full_study: FullStudy
) -> None:
    used: set[tuple[str, str]] = set()
    for made in full_study.objects.values():
        for item in items(made):
            for code in (
                *item.ConceptNameCodeSequence,
                *item.get("ConceptCodeSequence", []),
            ):
                used.add((str(code.CodeValue), str(code.CodeMeaning)))

    missing = {
        (value, meaning)
        for value, meaning in used
        if f"| `{value}` |" not in statement or meaning not in statement
    }
    assert missing == set()
    assert len(used) > 60
