"""Audit messages in the XML of PS3.15 A.5.1, one for each table of A.5.3 that applies.

A message names a study by its UID and never a patient: the participant that the tables
demand for the patient says that it is not known here, as is true of the database.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

from dicom_node.audit import codes
from dicom_node.audit.codes import Code

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may hold, however escaped (XML 1.0, 2.2)."""


class Did(StrEnum):
    """EventActionCode: what was done to the data."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"
    EXECUTE = "E"


class Outcome(StrEnum):
    """EventOutcomeIndicator."""

    SUCCESS = "0"
    MINOR_FAILURE = "4"
    SERIOUS_FAILURE = "8"


@dataclass(frozen=True, slots=True)
class AuditSource:
    """The process that reports."""

    ae_title: str
    process_id: int
    host: str
    source_id: str
    """How the repository knows this node."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other side of an association, as it calls itself and where it is."""

    ae_title: str
    address: str


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, when, and how it ended."""

    id: Code
    did: Did
    at: datetime
    outcome: Outcome = Outcome.SUCCESS
    type: Code | None = None
    said: str = ""
    """A sentence about the outcome."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question as it was put."""

    sop_class_uid: str
    identifier: bytes
    """Encoded in this transfer syntax."""
    transfer_syntax_uid: str


Instances = Mapping[str, int]
"""How many instances of each SOP Class UID."""


def application_activity(source: AuditSource, at: datetime, *, start: bool) -> bytes:
    """A.5.3.1: the application started or stopped."""
    kind = codes.APPLICATION_START if start else codes.APPLICATION_STOP
    event = Event(codes.APPLICATION_ACTIVITY, Did.EXECUTE, at, type=kind)
    return _message(source, event, [_ourselves(source, codes.APPLICATION, asked=False)])


def instances_accessed(
    source: AuditSource, at: datetime, study: str, instances: Instances
) -> bytes:
    """A.5.3.6: a study was graded; ``instances`` were made of it."""
    event = Event(codes.INSTANCES_ACCESSED, Did.CREATE, at)
    who = [_ourselves(source, None, asked=True)]
    return _message(source, event, who, _about(study, instances))


def instances_received(
    source: AuditSource,
    event: tuple[Did, datetime],
    peer: Peer,
    study: str,
    instances: Instances,
) -> bytes:
    """A.5.3.7, by the receiver: what of it was new, known, or other than before."""
    did, at = event
    who = [
        _other(peer, codes.SOURCE, asked=True),
        _ourselves(source, codes.DESTINATION, asked=False),
    ]
    return _message(
        source,
        Event(codes.INSTANCES_TRANSFERRED, did, at),
        who,
        _about(study, instances),
    )


def instances_sent(
    source: AuditSource,
    event: Event,
    peer: Peer,
    study: str,
    instances: Instances,
) -> bytes:
    """A.5.3.7, by the sender, who does not know what the receiver held."""
    return _message(source, event, _from_us(source, peer), _about(study, instances))


def transfer_begun(source: AuditSource, event: Event, peer: Peer, study: str) -> bytes:
    """A.5.3.2, by whoever had a peer send to us what is still to come of a study."""
    who = [
        _other(peer, codes.SOURCE, asked=False),
        _ourselves(source, codes.DESTINATION, asked=True),
    ]
    return _message(source, event, who, _about(study, {}))


def query_issued(source: AuditSource, event: Event, peer: Peer, query: Query) -> bytes:
    """A.5.3.10: a peer was asked; what it answered is not in the message."""
    return _message(source, event, _from_us(source, peer), [_query(query)])


def study_deleted(source: AuditSource, at: datetime, study: str) -> bytes:
    """A.5.3.8: the received files of a study were removed."""
    event = Event(codes.STUDY_DELETED, Did.DELETE, at)
    who = [_ourselves(source, None, asked=True)]
    return _message(source, event, who, _about(study, {}))


def node_refused(source: AuditSource, at: datetime, peer: Peer, why: str) -> bytes:
    """A.5.3.11: somebody was refused; a minor failure, because that was effective."""
    event = Event(
        codes.SECURITY_ALERT,
        Did.EXECUTE,
        at,
        Outcome.MINOR_FAILURE,
        codes.NODE_AUTHENTICATION,
        why,
    )
    who = [_ourselves(source, None, asked=False), _other(peer, None, asked=False)]
    subject = _object(
        codes.SYSTEM, codes.SECURITY_RESOURCE, peer.address, codes.NODE_ID
    )
    return _message(source, event, who, [subject])


def _message(
    source: AuditSource,
    event: Event,
    participants: Sequence[Element],
    objects: Sequence[Element] = (),
) -> bytes:
    message = Element("AuditMessage")
    identification = SubElement(
        message,
        "EventIdentification",
        EventActionCode=event.did.value,
        EventDateTime=event.at.isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=event.outcome.value,
    )
    _coded(identification, "EventID", event.id)
    if event.type:
        _coded(identification, "EventTypeCode", event.type)
    if event.said:
        said = SubElement(identification, "EventOutcomeDescription")
        said.text = _text(event.said)
    message.extend(participants)
    reporter = SubElement(
        message, "AuditSourceIdentification", AuditSourceID=_text(source.source_id)
    )
    SubElement(reporter, "AuditSourceTypeCode", {"csd-code": codes.SERVER_PROCESS})
    message.extend(objects)
    written: bytes = ET.tostring(message, encoding="utf-8", xml_declaration=True)
    return written


def _from_us(source: AuditSource, peer: Peer) -> list[Element]:
    return [
        _ourselves(source, codes.SOURCE, asked=True),
        _other(peer, codes.DESTINATION, asked=False),
    ]


def _ourselves(source: AuditSource, role: Code | None, *, asked: bool) -> Element:
    where = codes.MACHINE_NAME, source.host
    return _participant(str(source.process_id), source.ae_title, role, where, asked)


def _other(peer: Peer, role: Code | None, *, asked: bool) -> Element:
    return _participant(
        peer.ae_title, peer.ae_title, role, (codes.IP_ADDRESS, peer.address), asked
    )


def _participant(
    user_id: str, ae_title: str, role: Code | None, where: tuple[str, str], asked: bool
) -> Element:
    participant = Element(
        "ActiveParticipant",
        UserID=_text(user_id) or codes.NOT_KNOWN,
        AlternativeUserID=f"AETITLES={_text(ae_title)}",
        UserIsRequestor="true" if asked else "false",
        NetworkAccessPointTypeCode=where[0],
        NetworkAccessPointID=_text(where[1]),
    )
    if role:
        _coded(participant, "RoleIDCode", role)
    return participant


def _about(study: str, instances: Instances) -> list[Element]:
    """Return the participants for a study and for the patient whom we do not know."""
    about = _object(codes.SYSTEM, codes.REPORT, study, codes.STUDY_UID)
    if instances:
        description = SubElement(about, "ParticipantObjectDescription")
        for uid, count in instances.items():
            SubElement(
                description, "SOPClass", UID=_text(uid), NumberOfInstances=str(count)
            )
    number = codes.PATIENT_NUMBER, "RFC-3881"
    return [about, _object(codes.PERSON, codes.PATIENT, codes.NOT_KNOWN, *number)]


def _query(query: Query) -> Element:
    asked = _identified(
        codes.SYSTEM, codes.REPORT, query.sop_class_uid, codes.SOP_CLASS_UID
    )
    question = SubElement(asked, "ParticipantObjectQuery")
    question.text = _base64(query.identifier)
    syntax = _base64(query.transfer_syntax_uid.encode("ascii"))
    SubElement(asked, "ParticipantObjectDetail", type="TransferSyntax", value=syntax)
    return asked


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _object(
    kind: str, role: str, identifier: str, id_type: Code, system: str = "DCM"
) -> Element:
    thing = _identified(kind, role, identifier, id_type, system)
    SubElement(thing, "ParticipantObjectName").text = codes.NOT_KNOWN
    return thing


def _identified(
    kind: str, role: str, identifier: str, id_type: Code, system: str = "DCM"
) -> Element:
    thing = Element(
        "ParticipantObjectIdentification",
        ParticipantObjectID=_text(identifier) or codes.NOT_KNOWN,
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )
    _coded(thing, "ParticipantObjectIDTypeCode", id_type, system)
    return thing


def _coded(parent: Element, name: str, code: Code, system: str = "DCM") -> None:
    value, meaning = code
    attributes = {
        "csd-code": value,
        "codeSystemName": system,
        "originalText": meaning,
    }
    SubElement(parent, name, attributes)


def _text(value: str) -> str:
    """Return text from the wire without what XML cannot carry."""
    return NO_XML.sub("\ufffd", value)
