"""Audit messages in the XML of PS3.15 A.5.1, one for each table of A.5.3 that applies.

A message names a study by its UID and never a patient: the participant that the tables
demand for the patient says that it is not known here, as is true of the database.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

Code = tuple[str, str]
"""A code of the DICOM Controlled Terminology (PS3.16 annex D) and its meaning."""

APPLICATION_ACTIVITY = ("110100", "Application Activity")
INSTANCES_ACCESSED = ("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = ("110104", "DICOM Instances Transferred")
STUDY_DELETED = ("110105", "DICOM Study Deleted")
SECURITY_ALERT = ("110113", "Security Alert")

APPLICATION_START = ("110120", "Application Start")
APPLICATION_STOP = ("110121", "Application Stop")
NODE_AUTHENTICATION = ("110126", "Node Authentication")

APPLICATION = ("110150", "Application")
DESTINATION = ("110152", "Destination Role ID")
SOURCE = ("110153", "Source Role ID")

STUDY_UID = ("110180", "Study Instance UID")
NODE_ID = ("110182", "Node ID")
PATIENT_NUMBER = ("2", "Patient Number")
"""Of RFC 3881, as table A.5.3 asks for it."""

NOT_KNOWN = "<none>"
SERVER_PROCESS = "4"
"""Audit source type: application server process tier."""
MACHINE_NAME, IP_ADDRESS = "1", "2"
PERSON, SYSTEM = "1", "2"
PATIENT, REPORT, SECURITY_RESOURCE = "1", "3", "13"
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


Instances = Mapping[str, int]
"""How many instances of each SOP Class UID."""


def application_activity(source: AuditSource, at: datetime, *, start: bool) -> bytes:
    """A.5.3.1: the application started or stopped."""
    kind = APPLICATION_START if start else APPLICATION_STOP
    event = Event(APPLICATION_ACTIVITY, Did.EXECUTE, at, type=kind)
    return _message(source, event, [_ourselves(source, APPLICATION, asked=False)])


def instances_accessed(
    source: AuditSource, at: datetime, study: str, instances: Instances
) -> bytes:
    """A.5.3.6: a study was graded; ``instances`` were made of it."""
    event = Event(INSTANCES_ACCESSED, Did.CREATE, at)
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
        _other(peer, SOURCE, asked=True),
        _ourselves(source, DESTINATION, asked=False),
    ]
    return _message(
        source, Event(INSTANCES_TRANSFERRED, did, at), who, _about(study, instances)
    )


def instances_sent(
    source: AuditSource,
    event: Event,
    peer: Peer,
    study: str,
    instances: Instances,
) -> bytes:
    """A.5.3.7, by the sender, who does not know what the receiver held."""
    who = [
        _ourselves(source, SOURCE, asked=True),
        _other(peer, DESTINATION, asked=False),
    ]
    return _message(source, event, who, _about(study, instances))


def study_deleted(source: AuditSource, at: datetime, study: str) -> bytes:
    """A.5.3.8: the received files of a study were removed."""
    event = Event(STUDY_DELETED, Did.DELETE, at)
    who = [_ourselves(source, None, asked=True)]
    return _message(source, event, who, _about(study, {}))


def node_refused(source: AuditSource, at: datetime, peer: Peer, why: str) -> bytes:
    """A.5.3.11: somebody was refused; a minor failure, because that was effective."""
    event = Event(
        SECURITY_ALERT,
        Did.EXECUTE,
        at,
        Outcome.MINOR_FAILURE,
        NODE_AUTHENTICATION,
        why,
    )
    who = [_ourselves(source, None, asked=False), _other(peer, None, asked=False)]
    subject = _object(SYSTEM, SECURITY_RESOURCE, peer.address, NODE_ID)
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
    SubElement(reporter, "AuditSourceTypeCode", {"csd-code": SERVER_PROCESS})
    message.extend(objects)
    written: bytes = ET.tostring(message, encoding="utf-8", xml_declaration=True)
    return written


def _ourselves(source: AuditSource, role: Code | None, *, asked: bool) -> Element:
    where = MACHINE_NAME, source.host
    return _participant(str(source.process_id), source.ae_title, role, where, asked)


def _other(peer: Peer, role: Code | None, *, asked: bool) -> Element:
    return _participant(
        peer.ae_title, peer.ae_title, role, (IP_ADDRESS, peer.address), asked
    )


def _participant(
    user_id: str, ae_title: str, role: Code | None, where: tuple[str, str], asked: bool
) -> Element:
    participant = Element(
        "ActiveParticipant",
        UserID=_text(user_id) or NOT_KNOWN,
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
    about = _object(SYSTEM, REPORT, study, STUDY_UID)
    if instances:
        description = SubElement(about, "ParticipantObjectDescription")
        for uid, count in instances.items():
            SubElement(
                description, "SOPClass", UID=_text(uid), NumberOfInstances=str(count)
            )
    return [about, _object(PERSON, PATIENT, NOT_KNOWN, PATIENT_NUMBER, "RFC-3881")]


def _object(
    kind: str, role: str, identifier: str, id_type: Code, system: str = "DCM"
) -> Element:
    thing = Element(
        "ParticipantObjectIdentification",
        ParticipantObjectID=_text(identifier) or NOT_KNOWN,
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )
    _coded(thing, "ParticipantObjectIDTypeCode", id_type, system)
    SubElement(thing, "ParticipantObjectName").text = NOT_KNOWN
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
