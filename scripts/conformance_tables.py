"""Write the tables of ``docs/conformance.md`` that follow from the code.

Usage: ``python scripts/conformance_tables.py [--check]``; with ``--check`` nothing
is written, and the exit status is 1 where the document is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from pydicom.uid import UID, SecondaryCaptureImageStorage

from dicom_node import config
from dicom_node.report import (
    codes,
    identity,
    localised,
    picture,
    printout,
    structured_report,
    text_report,
)
from dicom_node.report.codes import Concept, private_concepts

DOCUMENT = Path(__file__).parents[1] / "docs" / "conformance.md"


def tables() -> dict[str, str]:
    """Return each generated table by its name in the document."""
    return {
        "private codes": private_codes(),
        "objects sent": objects_sent(),
        "series": series(),
        "copied attributes": copied_attributes(),
        "standard codes": standard_codes(),
        "configuration": keys(),
        "character sets": character_sets(),
    }


def with_tables(text: str) -> str:
    """Return the document with its generated tables up to date.

    Raises
    ------
    ValueError
        The document lacks the marks between which a table belongs.
    """
    for name, table in tables().items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"{DOCUMENT.name} needs {begin} and {end}, once each")
        before, rest = text.split(f"{begin}\n")
        text = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text


def private_codes() -> str:
    """Return the private coding scheme, in its published order."""
    return _table(
        ("Code Value", "Code Meaning", "Source of the scale"),
        ((f"`{it.value}`", it.meaning, it.source) for it in private_concepts()),
    )


def objects_sent() -> str:
    """Return the SOP classes that the Storage SCU proposes."""
    on_request = "where the destination asks for it"
    refused = "where the one before is refused"
    report = structured_report.SERIES
    asked, preferred, enhanced = structured_report.ALL_SOP_CLASSES
    text = text_report.SERIES
    rows = (
        (asked, report.kind, report.number, f"first, {on_request}"),
        (preferred, report.kind, report.number, "first choice"),
        (enhanced, report.kind, report.number, refused),
        (text_report.SOP_CLASS, text.kind, text.number, f"{refused}; {on_request}"),
        (
            SecondaryCaptureImageStorage,
            "summary picture",
            picture.SERIES_NUMBER,
            "always",
        ),
        (printout.SOP_CLASS, printout.KIND, printout.SERIES_NUMBER, on_request),
    )
    return _table(
        ("SOP Class", "SOP Class UID", "What it carries", "Series Number", "Sent"),
        ((UID(uid).name, f"`{uid}`", *map(str, rest)) for uid, *rest in rows),
    )


def series() -> str:
    """Return the series of each kind of object."""
    documents = (structured_report.SERIES, text_report.SERIES)
    rows = [(it.kind, "SR", it.number, it.description) for it in documents]
    rows += [
        ("summary picture", "OT", picture.SERIES_NUMBER, picture.SERIES_DESCRIPTION),
        (printout.KIND, "DOC", printout.SERIES_NUMBER, printout.SERIES_DESCRIPTION),
    ]
    return _table(
        ("Object", "Modality", "Series Number", "Series Description"),
        (tuple(map(str, row)) for row in rows),
    )


def copied_attributes() -> str:
    """Return what is copied from the source, by module."""
    modules = {
        "SOP Common": identity.ENCODING,
        "Patient": (*identity.PATIENT, *identity.DEIDENTIFICATION),
        "Clinical Trial Subject, Study": identity.CLINICAL_TRIAL,
        "General Study": identity.STUDY,
        "Patient Study": identity.PATIENT_STUDY,
    }
    empty = ", ".join(identity.EMPTY_WHERE_ABSENT)
    rows = [(module, ", ".join(words)) for module, words in modules.items()]
    return _table(
        ("Module", "Attributes, by keyword"), [*rows, ("empty where absent", empty)]
    )


def standard_codes() -> str:
    """Return the codes that others define, in the order of the code's tables."""
    named = (it for it in vars(codes).values() if isinstance(it, Concept))
    places = (*codes.DISCS.values(), *codes.SIDES.values())
    concepts = dict.fromkeys((*named, *places))
    return _table(
        ("Code Value", "Scheme", "Code Meaning", "Defined in"),
        ((f"`{it.value}`", it.scheme, it.meaning, it.source) for it in concepts),
    )


KEYS = {
    "node": ("ae_title", "host", "port", "institution_name"),
    "receiver": (
        "quiet_seconds",
        "urgent_calling_ae_titles",
        "allowed_calling_ae_titles",
        "allowed_addresses",
        "max_associations",
        "max_connections",
        "max_connections_per_address",
        "setup_seconds",
        "idle_seconds",
        "max_object_megabytes",
        "memory_megabytes",
    ),
    "tls": (
        "certificate",
        "key",
        "peer_ca",
        "inbound",
        "accept_clients_without_certificate",
    ),
    "completeness": ("ae_title", "host", "port", "fetch", "tls", "tls_name"),
    "report": ("language", "phrases"),
    "destinations": (
        "name",
        "ae_title",
        "host",
        "port",
        "shadow",
        "objects",
        "sr_class",
        "commitment",
        "commitment_ae_title",
        "commitment_host",
        "commitment_port",
        "tls",
        "tls_name",
    ),
}
"""Those that concern DICOM; the file explains every key."""
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "node": config.NodeSection,
    "receiver": config.ReceiverSection,
    "tls": config.TlsSection,
    "completeness": config.CompletenessSection,
    "report": config.ReportSection,
    "destinations": config.Destination,
}


def keys() -> str:
    """Return the configuration's keys with what holds where they are left out."""
    rows = []
    for section, names in KEYS.items():
        fields = {it.name: it for it in msgspec.structs.fields(SECTIONS[section])}
        rows += [(f"`{section}.{name}`", _default(fields[name])) for name in names]
    return _table(("Key", "Where it is left out"), rows)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "must be set"
    value = field.default
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value) or "nothing"
    return "nothing" if value in (None, "", 0) else f"`{value}`"


def character_sets() -> str:
    """Return in which study the node's own text may be in which language."""
    subsets = ", ".join(term or "absent" for term in localised.SUBSETS_OF_UTF_8)
    chinese = ", ".join(localised.CHINESE_SETS)
    rows = (
        (localised.UTF_8, "Chinese, Korean", localised.UTF_8),
        (chinese, "Chinese", "the same"),
        (f"{subsets}, all text ASCII", "Chinese, Korean", localised.UTF_8),
    )
    return _table(
        ("Specific Character Set of the study", "Language", "That of our objects"), rows
    )


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(words: Sequence[str]) -> int:
    """Bring the document up to date, or tell whether it is."""
    text = DOCUMENT.read_text(encoding="utf-8")
    current = with_tables(text)
    if "--check" in words:
        if current != text:
            print(f"{DOCUMENT.name} is out of date: run scripts/conformance_tables.py")
        return int(current != text)
    DOCUMENT.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
