"""Codes of audit messages: of events, roles and identifiers (PS3.15 A.5, PS3.16 D)."""

from __future__ import annotations

Code = tuple[str, str]
"""A code of the DICOM Controlled Terminology (PS3.16 annex D) and its meaning."""

APPLICATION_ACTIVITY = ("110100", "Application Activity")
BEGIN_TRANSFERRING = ("110102", "Begin Transferring DICOM Instances")
INSTANCES_ACCESSED = ("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = ("110104", "DICOM Instances Transferred")
STUDY_DELETED = ("110105", "DICOM Study Deleted")
QUERY = ("110112", "Query")
SECURITY_ALERT = ("110113", "Security Alert")

APPLICATION_START = ("110120", "Application Start")
APPLICATION_STOP = ("110121", "Application Stop")
NODE_AUTHENTICATION = ("110126", "Node Authentication")

APPLICATION = ("110150", "Application")
DESTINATION = ("110152", "Destination Role ID")
SOURCE = ("110153", "Source Role ID")

STUDY_UID = ("110180", "Study Instance UID")
SOP_CLASS_UID = ("110181", "SOP Class UID")
NODE_ID = ("110182", "Node ID")
PATIENT_NUMBER = ("2", "Patient Number")
"""Of RFC 3881, as table A.5.3 asks for it."""

NOT_KNOWN = "<none>"
SERVER_PROCESS = "4"
"""Audit source type: application server process tier."""
MACHINE_NAME, IP_ADDRESS = "1", "2"
PERSON, SYSTEM = "1", "2"
PATIENT, REPORT, SECURITY_RESOURCE = "1", "3", "13"
