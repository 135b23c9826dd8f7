"""Read predictions and references from a CSV file, strictly.

One row is one finding on one slice: ``patient, study, series, sop_instance, frame,
level, finding, reference, p0, p1, p2, p3``. A row that names no SOP Instance is
about a whole disc level. Reference and probabilities may be empty.
"""

from __future__ import annotations

import re
from pathlib import Path

from grading.evaluation.case_rows import CaseRows, Probabilities
from grading.evaluation.cases import PARTS, Cases, Predictor
from grading.evaluation.delimited import CasesError, Row, read_delimited
from grading.evaluation.places import (
    PLACE_COLUMNS,
    Facts,
    Place,
    check_owners,
    read_grade,
    read_place,
)
from grading.evaluation.readers import Reading, Readings
from grading.grades import Basis, Grade

PROBABILITY_COLUMNS = ("p0", "p1", "p2", "p3")
COLUMNS = (*PLACE_COLUMNS, "reference", *PROBABILITY_COLUMNS)
PREDICTOR_COLUMNS = ("bundle", "bundle_sha256", "basis", "bundle_calibration")
FACT_COLUMNS = ("site", "scanner", "sex", "age", "excluded", "images")
PART_COLUMN = "part"
OPTIONAL_COLUMNS = (*FACT_COLUMNS, *PREDICTOR_COLUMNS, PART_COLUMN)
SUM_TOLERANCE = 0.0021
"""Of four probabilities printed with three decimals; they are scaled to one."""
NO_LINE = 0
"""Of a row that the readers' table alone has."""
PHANTOM = "phantom"
SEXES = {"f": "F", "female": "F", "m": "M", "male": "M", "o": "O", "other": "O"}
AGE = re.compile(r"(\d{1,3}(?:[.,]\d+)?)[yY]?")
"""Years, plain or as in PatientAge (PS3.5 6.2, AS)."""
SHA256 = re.compile(r"[0-9a-f]{64}")


def read_cases(path: Path, readings: Readings | None = None) -> Cases:
    """Read a table of predictions and references.

    Parameters
    ----------
    readings
        Fill in the reference grades that the table leaves empty. What the readers
        graded and the table lacks becomes a row without a prediction.

    Raises
    ------
    CasesError
        The table cannot be understood or contradicts itself or the readings; the
        message names file, line, value and cure.
    OSError
        The file cannot be read.
    """
    table = read_delimited(path, COLUMNS, OPTIONAL_COLUMNS)
    rows = CaseRows()
    unmatched = dict(readings.by_key) if readings else {}
    for row in table.rows():
        place = read_place(row, rows.facts)
        _add(rows, row, place, unmatched.pop(place.key, None))
    if not len(rows):
        raise CasesError(path, None, "there is no row below the header")
    for reading in unmatched.values():
        _add_reading(rows, reading)
    return rows.cases(table)


def _add(rows: CaseRows, row: Row, place: Place, reading: Reading | None) -> None:
    _check_facts(row, place, rows.facts)
    probabilities = _probabilities(row)
    if probabilities is not None:
        _note_predictor(rows, row)
        rows.without_part |= not row[PART_COLUMN]
    rows.phantom |= _images(row) == PHANTOM
    if row[PART_COLUMN]:
        rows.parts.setdefault(_part(row))
    reference = read_grade(row, "reference")
    if reading is not None:
        reference = _merged(row, place, reference, reading)
    rows.add(row.spot.line, place, reference, probabilities, row["excluded"])


def _add_reading(rows: CaseRows, reading: Reading) -> None:
    """Take what readers graded and the table of predictions does not hold."""
    check_owners(reading.row, reading.place, rows.facts)
    rows.add(NO_LINE, reading.place, reading.reference, None, "")


def _merged(
    row: Row, place: Place, reference: Grade | None, reading: Reading
) -> Grade | None:
    """Return the reference of a row that readers graded too."""
    there = row.spot.seen(reading.row.spot)
    if place.patient != reading.place.patient:
        raise row.wrong(
            f"`patient` is another here than in {there}; use one key for a patient in "
            "both tables"
        )
    if reference is None:
        return reading.reference
    if reading.reference not in (None, reference):
        raise row.wrong(
            f"`reference` is {reference} here, but the readers' table says "
            f"{reading.reference} in {there}; leave it empty or mend one of the two"
        )
    return reference


def _check_facts(row: Row, place: Place, facts: Facts) -> None:
    """Take what the row says about its patient and its study."""
    facts.check(row, "patient", place.patient, "site", row["site"])
    facts.check(row, "patient", place.patient, "sex", _sex(row))
    facts.check(row, "patient", place.patient, PART_COLUMN, _part(row))
    facts.check(row, "study", place.key.study, "scanner", row["scanner"])
    facts.check(row, "study", place.key.study, "age", _age(row))


def _probabilities(row: Row) -> Probabilities | None:
    cells = [row[column] for column in PROBABILITY_COLUMNS]
    if not any(cells):
        return None
    expected = "a probability from 0 to 1"
    p0, p1, p2, p3 = (row.number(column, expected) for column in PROBABILITY_COLUMNS)
    probabilities = p0, p1, p2, p3
    for column, p in zip(PROBABILITY_COLUMNS, probabilities, strict=True):
        # Written so that "nan" fails too.
        if not 0.0 <= p <= 1.0:
            raise row.wrong(f"`{column}` is {row[column]!r}; write {expected}")
    total = sum(probabilities)
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise row.wrong(
            f"the probabilities {', '.join(cells)} sum to {total:.4g}; the four must "
            "sum to 1, with three decimals or more"
        )
    return probabilities


def _note_predictor(rows: CaseRows, row: Row) -> None:
    name, sha256, basis, calibration = (row[column] for column in PREDICTOR_COLUMNS)
    if not (name or sha256 or basis or calibration):
        rows.unnamed = True
        return
    if not name or not SHA256.fullmatch(sha256) or basis not in list(Basis):
        raise row.wrong(
            f"the bundle is given as {name!r}, {sha256!r}, {basis!r}; fill `bundle` "
            "with its name, `bundle_sha256` with 64 hexadecimal digits and `basis` "
            f"with {' or '.join(Basis)}, or leave all three empty"
        )
    if calibration and not SHA256.fullmatch(calibration):
        raise row.wrong(
            f"`bundle_calibration` is {calibration!r}; write 64 hexadecimal digits, or "
            "nothing"
        )
    rows.predictors.setdefault(Predictor(name, sha256, Basis(basis), calibration))


def _sex(row: Row) -> str:
    text = row["sex"].casefold()
    if text and text not in SEXES:
        raise row.wrong(f"`sex` is {row['sex']!r}; write F, M or O, or nothing")
    return SEXES.get(text, "")


def _age(row: Row) -> str:
    if not row["age"]:
        return ""
    if not (age := AGE.fullmatch(row["age"])):
        raise row.wrong(f"`age` is {row['age']!r}; write whole years, or nothing")
    return f"{float(age[1].replace(',', '.')):g}"


def _images(row: Row) -> str:
    text = row["images"].casefold()
    if text not in ("", PHANTOM):
        raise row.wrong(f"`images` is {row['images']!r}; write {PHANTOM}, or nothing")
    return text


def _part(row: Row) -> str:
    text = row[PART_COLUMN].casefold()
    if text not in ("", *PARTS):
        found = f"`{PART_COLUMN}` is {row[PART_COLUMN]!r}"
        raise row.wrong(f"{found}; write {', '.join(PARTS)}, or nothing")
    return text
