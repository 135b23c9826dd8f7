"""Write the tables of ``docs/conformance.md`` that follow from the code.

Usage: ``python scripts/conformance_tables.py [--check]``; with ``--check`` nothing
is written, and the exit status is 1 where the document is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydicom.uid import UID, SecondaryCaptureImageStorage

from dicom_node.report import picture, printout, structured_report, text_report
from dicom_node.report.codes import private_concepts

DOCUMENT = Path(__file__).parents[1] / "docs" / "conformance.md"


def tables() -> dict[str, str]:
    """Return each generated table by its name in the document."""
    return {"private codes": private_codes(), "objects sent": objects_sent()}


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
