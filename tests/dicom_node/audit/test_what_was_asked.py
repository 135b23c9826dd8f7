"""What a PACS was asked, and told to send, is audited; its answers are not."""

from __future__ import annotations

import base64
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest
from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.dsutils import decode

from dicom_node.audit.messages import AuditSource
from dicom_node.audit.sinks import FileSink
from dicom_node.audit.trail import Trail
from dicom_node.errors import QueryFailed
from dicom_node.query import OpenQuery, asking
from tests.dicom_factories import STUDY_UID, as_received, mr_series
from tests.end_to_end.query_pacs import Failing, QueryPacs, query_pacs

QUERY, BEGIN_TRANSFERRING = "110112", "110102"
SERIES_UID = str(mr_series(1)[0].SeriesInstanceUID)


class Talkative(QueryPacs):
    """Tells of the patient, whom nobody has asked about."""

    def answer(self, study: str, series: str) -> Dataset:
        answer = super().answer(study, series)
        answer.PatientName, answer.PatientID = "Doe^Jane", "4711"
        return answer


def audited(
    pacs: QueryPacs, folder: Path, ask: Callable[[OpenQuery], object], *, move: bool
) -> tuple[Element, str]:
    """Return the one message about a question, and the whole trail."""
    file = folder / "audit.xml"
    trail = Trail(
        AuditSource("NODE", 1, "node", "lumbar-1"), FileSink(file, 1 << 20, 2)
    )
    with query_pacs(pacs), asking("NODE", pacs.peer, move=move, trail=trail) as query:
        ask(query)
    trail.stopped()
    text = file.read_text(encoding="utf-8")
    message, _stop = (ET.fromstring(line) for line in text.splitlines())  # noqa: S314
    return message, text


def event(message: Element) -> tuple[str, str]:
    """Return which event it was, and how it ended."""
    return message[0][0].attrib["csd-code"], message[0].attrib["EventOutcomeIndicator"]


def test_a_question_stands_in_the_trail_without_any_attribute_of_a_patient(
    tmp_path: Path,
) -> None:
    pacs = Talkative({}, [as_received(ds) for ds in mr_series(3)])

    message, text = audited(
        pacs, tmp_path, lambda query: query.series_counts(STUDY_UID), move=False
    )

    question = message.findtext(".//ParticipantObjectQuery")
    detail = message.find(".//ParticipantObjectDetail")
    assert question is not None
    assert detail is not None
    syntax = UID(base64.b64decode(detail.attrib["value"]).decode())
    put = decode(
        BytesIO(base64.b64decode(question)),
        syntax.is_implicit_VR,
        syntax.is_little_endian,
    )
    assert event(message) == (QUERY, "0")
    assert put.StudyInstanceUID == STUDY_UID
    assert {element.keyword for element in put} == {
        "QueryRetrieveLevel",
        "Modality",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "NumberOfSeriesRelatedInstances",
    }
    assert "Doe" not in text
    assert "4711" not in text


def test_a_question_that_failed_stands_there_with_why(tmp_path: Path) -> None:
    def ask(query: OpenQuery) -> None:
        with pytest.raises(QueryFailed):
            query.series_counts(STUDY_UID)

    message, _ = audited(Failing({}), tmp_path, ask, move=False)

    assert event(message) == (QUERY, "4")
    said = message.findtext(".//EventOutcomeDescription")
    assert said is not None
    assert said.endswith("answered with status 0xC000")


def test_a_series_that_a_pacs_was_told_to_send_stands_there_by_its_study(
    tmp_path: Path,
) -> None:
    def ask(query: OpenQuery) -> None:
        with pytest.raises(QueryFailed):
            query.move_series(STUDY_UID, SERIES_UID, "NOBODY")

    pacs = Talkative({}, [as_received(ds) for ds in mr_series(3)])

    message, text = audited(pacs, tmp_path, ask, move=True)

    study, patient = message.findall("ParticipantObjectIdentification")
    assert event(message) == (BEGIN_TRANSFERRING, "4")
    assert study.attrib["ParticipantObjectID"] == STUDY_UID
    assert patient.attrib["ParticipantObjectID"] == "<none>"
    assert "status 0xA801" in text
