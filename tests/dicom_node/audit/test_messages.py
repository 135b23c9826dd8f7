"""Audit messages have what PS3.15 A.5 demands, and nothing of a patient."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.audit import codes, messages
from dicom_node.audit.messages import AuditSource, Did, Event, Outcome, Peer, Query

SOURCE = AuditSource("LUMBARNODE", 4711, "node.example", "lumbar-1")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SCANNER = Peer("SCANNER", "192.0.2.7")
STUDY, MR = "1.2.3", "1.2.840.10008.5.1.4.1.1.4"

SENT = Event(codes.INSTANCES_TRANSFERRED, Did.READ, NOON, Outcome.SERIOUS_FAILURE)
ASKED = Event(codes.QUERY, Did.EXECUTE, NOON)
TOLD = Event(codes.BEGIN_TRANSFERRING, Did.EXECUTE, NOON, Outcome.MINOR_FAILURE)
FIND = Query("1.2.840.10008.5.1.4.1.2.2.1", b"\x20\x00", "1.2.840.10008.1.2")
MESSAGES = {
    "start": messages.application_activity(SOURCE, NOON, start=True),
    "stop": messages.application_activity(SOURCE, NOON, start=False),
    "received": messages.instances_received(
        SOURCE, (Did.CREATE, NOON), SCANNER, STUDY, {MR: 70}
    ),
    "sent": messages.instances_sent(SOURCE, SENT, SCANNER, STUDY, {MR: 1}),
    "graded": messages.instances_accessed(SOURCE, NOON, STUDY, {MR: 1}),
    "queried": messages.query_issued(SOURCE, ASKED, SCANNER, FIND),
    "had sent": messages.transfer_begun(SOURCE, TOLD, SCANNER, STUDY),
    "deleted": messages.study_deleted(SOURCE, NOON, STUDY),
    "refused": messages.node_refused(SOURCE, NOON, SCANNER, "not on the list"),
}
EVERY_MESSAGE = pytest.mark.parametrize("name", MESSAGES)

ORDER = (
    "EventIdentification",
    "ActiveParticipant",
    "AuditSourceIdentification",
    "ParticipantObjectIdentification",
)
"""Of the children of AuditMessage (A.5.1)."""
DEMANDED = {
    "EventIdentification": {
        "EventActionCode",
        "EventDateTime",
        "EventOutcomeIndicator",
    },
    "ActiveParticipant": {"UserID", "UserIsRequestor"},
    "AuditSourceIdentification": {"AuditSourceID"},
    "ParticipantObjectIdentification": {
        "ParticipantObjectID",
        "ParticipantObjectTypeCode",
        "ParticipantObjectTypeCodeRole",
    },
}
CODED = {"EventID", "EventTypeCode", "RoleIDCode", "ParticipantObjectIDTypeCode"}


def parsed(name: str) -> ET.Element:
    return ET.fromstring(MESSAGES[name])  # noqa: S314


def roles(message: ET.Element) -> list[str]:
    return [it.attrib["csd-code"] for it in message.iter("RoleIDCode")]


@EVERY_MESSAGE
def test_a_message_has_its_parts_in_the_order_of_the_schema(name: str) -> None:
    children = [child.tag for child in parsed(name)]

    assert children == sorted(children, key=ORDER.index)
    assert children.count("EventIdentification") == 1
    assert children.count("AuditSourceIdentification") == 1
    assert children.count("ActiveParticipant") >= 1


@EVERY_MESSAGE
def test_a_part_has_the_attributes_that_the_schema_demands(name: str) -> None:
    for part in parsed(name):
        assert DEMANDED[part.tag] <= part.attrib.keys()
        assert all(part.attrib.values())
        if part.tag == "EventIdentification":
            assert part[0].tag == "EventID"
        if part.tag == "ParticipantObjectIdentification":
            first, second, *_ = (it.tag for it in part)
            assert first == "ParticipantObjectIDTypeCode"
            query = name == "queried"  # the schema demands one or the other
            assert second == f"ParticipantObject{'Query' if query else 'Name'}"


@EVERY_MESSAGE
def test_every_code_has_its_system_and_its_meaning(name: str) -> None:
    for code in (it for it in parsed(name).iter() if it.tag in CODED):
        assert code.attrib.keys() == {"csd-code", "codeSystemName", "originalText"}


@EVERY_MESSAGE
def test_times_are_in_utc_and_outcomes_are_codes(name: str) -> None:
    event = parsed(name)[0].attrib

    assert event["EventDateTime"] == "2026-03-02T12:00:00.000+00:00"
    assert event["EventOutcomeIndicator"] in {"0", "4", "8", "12"}
    assert event["EventActionCode"] in set("CRUDE")


@pytest.mark.parametrize("name", ["received", "sent", "graded", "had sent", "deleted"])
def test_a_study_is_named_and_its_patient_is_not(name: str) -> None:
    study, patient = parsed(name).findall("ParticipantObjectIdentification")

    assert study.attrib["ParticipantObjectID"] == STUDY
    assert study[0].attrib["csd-code"] == "110180"
    assert patient.attrib["ParticipantObjectID"] == "<none>"
    assert patient.attrib["ParticipantObjectTypeCode"] == "1"
    assert patient.attrib["ParticipantObjectTypeCodeRole"] == "1"


def test_a_transfer_tells_who_sent_and_who_received() -> None:
    came, went = parsed("received"), parsed("sent")
    sender, receiver = came.findall("ActiveParticipant")

    assert roles(came) == roles(went) == ["110153", "110152"]
    assert sender.attrib["AlternativeUserID"] == "AETITLES=SCANNER"
    assert sender.attrib["NetworkAccessPointID"] == "192.0.2.7"
    assert receiver.attrib["UserID"] == "4711"
    sop_class = came.find(".//SOPClass")
    assert sop_class is not None
    assert sop_class.attrib == {"UID": MR, "NumberOfInstances": "70"}


def test_a_query_is_told_as_it_was_put_and_to_whom() -> None:
    message = parsed("queried")
    asked, answers = message.findall("ActiveParticipant")
    (query,) = message.findall("ParticipantObjectIdentification")

    assert (message[0][0].attrib["csd-code"], roles(message)) == (
        "110112",
        ["110153", "110152"],
    )
    assert (asked.attrib["UserID"], answers.attrib["UserID"]) == ("4711", "SCANNER")
    assert query.attrib["ParticipantObjectID"] == FIND.sop_class_uid
    assert query[0].attrib["csd-code"] == "110181"
    assert query[1].text == "IAA="
    assert query[2].attrib == {
        "type": "TransferSyntax",
        "value": "MS4yLjg0MC4xMDAwOC4xLjI=",
    }


def test_a_transfer_that_we_asked_for_names_us_as_who_asked_and_who_receives() -> None:
    message = parsed("had sent")
    sender, receiver = message.findall("ActiveParticipant")

    assert message[0][0].attrib["csd-code"] == "110102"
    assert roles(message) == ["110153", "110152"]
    assert sender.attrib["AlternativeUserID"] == "AETITLES=SCANNER"
    assert receiver.attrib["AlternativeUserID"] == "AETITLES=LUMBARNODE"
    requestors = [it.attrib["UserIsRequestor"] for it in (sender, receiver)]
    assert requestors == ["false", "true"]


def test_a_refusal_tells_whom_and_why() -> None:
    message = parsed("refused")

    assert message[0][1].attrib["csd-code"] == "110126"
    assert message[0][2].text == "not on the list"
    subject = message.find("ParticipantObjectIdentification")
    assert subject is not None
    assert subject.attrib["ParticipantObjectID"] == "192.0.2.7"


@given(st.text(st.characters(), max_size=30))
def test_whatever_a_peer_calls_itself_the_message_is_xml(title: str) -> None:
    message = messages.node_refused(SOURCE, NOON, Peer(title, title), title)

    assert ET.fromstring(message).tag == "AuditMessage"  # noqa: S314
