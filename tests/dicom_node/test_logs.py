"""Log lines: one sentence each, no patient in any."""

from __future__ import annotations

import logging
import re
import subprocess
import sys

import pytest

from dicom_node.logs import Action, _LineFormatter, about, where

PATIENT = "Phantom^Anna"


@pytest.fixture
def formatter() -> logging.Formatter:
    return _LineFormatter("%(asctime)s %(levelname)s %(message)s")


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("node", logging.INFO, "here.py", 1, message, None, None)
    made.created, made.msecs = 0.0, 7.0
    made.__dict__.update(extra)
    return made


def failure() -> ValueError:
    """Return an error as a library raises it: it quotes what it read."""

    def read_header() -> None:
        raise ValueError(f"invalid value for VR PN: {PATIENT!r}")

    with pytest.raises(ValueError, match="invalid value") as caught:
        read_header()
    return caught.value


def test_a_line_has_its_time_in_utc_its_action_and_its_study(
    formatter: logging.Formatter,
) -> None:
    line = formatter.format(record("graded", **about(Action.GRADED, study="2.25.1")))

    assert line == ("1970-01-01T00:00:00.007Z INFO graded [action=graded study=2.25.1]")


def test_a_line_without_facts_ends_with_its_sentence(
    formatter: logging.Formatter,
) -> None:
    assert formatter.format(record("well")).endswith(" INFO well")


def test_a_trace_tells_type_and_place_and_not_the_message(
    formatter: logging.Formatter,
) -> None:
    error = failure()
    made = record("cannot be read")
    made.exc_info = (type(error), error, error.__traceback__)

    line = formatter.format(made)

    assert PATIENT not in line
    assert "Anna" not in line
    assert re.search(r"ValueError at .*read_header:\d+", line)


def test_where_tells_places_only() -> None:
    assert "Anna" not in where(failure())
    assert re.search(r"read_header:\d+$", where(failure()))
    assert where(ValueError(PATIENT)) == ""


@pytest.mark.parametrize("control", ["\n", "\r", "\x1b", "\u2028", "\x85", "\0"])
def test_a_value_from_the_wire_starts_no_line_and_steers_no_terminal(
    formatter: logging.Formatter, control: str
) -> None:
    forged = f"1.2{control}2026-01-01 ERROR forged"

    line = formatter.format(record(f"refused {forged}", action="a", study=forged))

    assert control not in line
    assert len(line.splitlines()) == 1


def test_a_fact_is_carried_for_machines() -> None:
    fields = about(Action.GRADED, calling="PACS", seconds=1.5)

    assert fields == {"action": "graded", "calling": "PACS", "seconds": 1.5}


def test_action_names_are_fixed_words() -> None:
    for action in Action:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", action.value)
        assert action.value == action.name.lower()


def test_libraries_that_quote_headers_are_silent() -> None:
    program = f"""
import logging, warnings
from dicom_node.logs import configure
configure("INFO")
for library in ("pydicom", "pynetdicom.acse", "highdicom"):
    logging.getLogger(library).error({PATIENT!r})
from pydicom import Dataset
ds = Dataset()
ds.PatientBirthDate = {PATIENT!r}
logging.getLogger("dicom_node").info("said")
"""

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "Anna" not in ended.stdout + ended.stderr
    assert ended.stderr.count("\n") == 1
    assert " INFO said" in ended.stderr
