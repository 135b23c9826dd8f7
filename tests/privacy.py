"""Everything the node says in the tests, against everybody it was told of.

A pytest plugin. It hears every log record of any level as it would be written, what the
node's processes and verbs print, and all text in the databases of the nodes that tests
run. After each test nothing of that may name a patient of the tests' inputs. Each test
checks itself, so each worker of pytest-xdist does.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa
from pydicom import Dataset

from dicom_node.logs import _QUOTING_LIBRARIES, _LineFormatter
from storage.database import Database
from storage.tables import metadata
from tests.dicom_factories import mr_image

OURS = ("dicom_node", "storage", "grading")
HITACHI = Path(__file__).parent / "data" / "hitachi"
IDENTIFYING = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "OtherPatientIDs",
    "OtherPatientNames",
    "PatientMotherBirthName",
)
MADE_UP = ("Doe", "Jane", "Anna", "Other^Person", "4711", "MRN 4711")
"""Names and numbers that tests give to patients by hand."""
SHORTEST = 3
"""One or two characters are in every text."""
COMMON = {"phantom", "other", "person", "somebody", "else", "name"}
"""Parts of made-up names that our own sentences and scanners use; the whole is told."""


@dataclass
class Ear:
    """What was heard since the last check, and who must not be in it."""

    heard: list[tuple[str, str]] = field(default_factory=list)
    identifiers: set[str] = field(default_factory=set)

    def hear(self, where: str, text: str) -> None:
        self.heard.append((where, text))

    def remember(self, ds: Dataset) -> None:
        """Take note of who a dataset is about."""
        for keyword in IDENTIFYING:
            value = ds.get(keyword)
            if value is not None:
                self.identifiers |= set(words(str(value)))

    def named(self) -> list[str]:
        """Return where a patient was named, and forget what was heard."""
        heard, self.heard = self.heard, []
        if not heard or not self.identifiers:
            return []
        longest_first = sorted(self.identifiers, key=len, reverse=True)
        anyone = "|".join(map(re.escape, longest_first))
        # A part of a UID is nobody's number.
        pattern = re.compile(rf"(?<![\w.])(?:{anyone})(?!\w|\.\d)")
        return [
            f"{where} names {found[0]!r}: {text[:300]!r}"
            for where, text in heard
            if (found := pattern.search(text))
        ]


EAR = Ear()


def words(value: str) -> list[str]:
    """Return a value whole, and the parts of a name (PS3.5 6.2.1)."""
    parts = [
        part
        for part in re.split(r"[\^=\\ ]+", value)
        if part.lower() not in COMMON and not part.isdigit()
    ]
    return [part for part in (value, *parts) if len(part) >= SHORTEST]


def text_in(database: Database) -> Iterator[tuple[str, str]]:
    """Yield every text in a database, with its table and column."""
    with database.engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(sa.select(table)).mappings():
                for column, value in row.items():
                    if isinstance(value, str):
                        yield f"{table.name}.{column}", value


def hear_database(database: Database) -> None:
    for where, text in text_in(database):
        EAR.hear(where, text)


def pytest_configure() -> None:
    """Listen: to all levels, whatever handlers a test puts in or takes out."""
    formatter = _LineFormatter("%(asctime)s %(levelname)s %(message)s")
    make = logging.getLogRecordFactory()

    def heard(*arguments: object, **named: object) -> logging.LogRecord:
        record = make(*arguments, **named)
        if not record.name.startswith(_QUOTING_LIBRARIES):
            EAR.hear(f"log of {record.name}", formatter.format(record))
        return record

    logging.setLogRecordFactory(heard)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.DEBUG)


@pytest.fixture(scope="session", autouse=True)
def _patients() -> None:
    """Know whom the inputs are about before the first test."""
    EAR.identifiers |= set(MADE_UP)
    EAR.remember(mr_image())
    for path in HITACHI.rglob("*.dcm"):
        EAR.remember(
            pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*IDENTIFYING])
        )


@pytest.fixture(autouse=True)
def _no_patient_is_named(_patients: None) -> Iterator[None]:
    yield
    assert EAR.named() == []
