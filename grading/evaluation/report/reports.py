"""The three reports: of one table of predictions, of two, and of readers alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from grading.evaluation.case_file import read_cases
from grading.evaluation.cases import Cases
from grading.evaluation.evaluate import Sampling, evaluate
from grading.evaluation.flow import rows_left_out
from grading.evaluation.pairing import pair, side_by_side
from grading.evaluation.reader_study import ReaderStudy, reader_study
from grading.evaluation.readers import Readings
from grading.evaluation.report.blocks import Document
from grading.evaluation.report.csv_tables import write_csv
from grading.evaluation.report.document import evaluation_document, readers_document
from grading.evaluation.report.folder import report_files
from grading.evaluation.report.machine import (
    comparison_json,
    evaluation_json,
    readers_json,
)
from grading.evaluation.report.readers import (
    DISAGREEMENT_COLUMNS,
    DISAGREEMENTS,
    disagreement_rows,
    readers_sections,
)
from grading.evaluation.report.side_by_side import side_by_side_document
from grading.evaluation.report.terminal import terminal

ROWS_LEFT_OUT = "rows-left-out.csv"


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report."""

    files: dict[str, str]
    """Every file, by its path inside the report's folder."""
    text: str
    """The short form, for a terminal."""


def evaluation_report(
    predictions: Path, readings: Readings | None, sampling: Sampling
) -> Report:
    """Evaluate one table of predictions, its reference completed by readers.

    Raises
    ------
    CasesError
        The table cannot be used, or contradicts the readings.
    OSError
        The table cannot be read.
    """
    cases = read_cases(predictions, readings)
    evaluation = evaluate(cases, sampling)
    study = reader_study(readings, cases, sampling) if readings else None
    sections = readers_sections(study) if study else ()
    document = evaluation_document(evaluation, sections)
    files = report_files(document, evaluation_json(evaluation, study))
    files[ROWS_LEFT_OUT] = _rows_left_out(cases)
    return Report(files | _disagreements(study), terminal(document))


def comparison_report(
    first: Path, second: Path, readings: Readings | None, sampling: Sampling
) -> Report:
    """Compare two tables of predictions over one reference.

    Raises
    ------
    CasesError
        A table cannot be used, or the two contradict each other or the readings.
    OSError
        A table cannot be read.
    """
    tables = (read_cases(path, readings) for path in (first, second))
    result = side_by_side(pair(*tables), sampling)
    document = side_by_side_document(result)
    return Report(report_files(document, comparison_json(result)), terminal(document))


def readers_report(readings: Readings, sampling: Sampling) -> Report:
    """Evaluate readers without a model."""
    study = reader_study(readings, None, sampling)
    document: Document = readers_document(study)
    files = report_files(document, readers_json(study, sampling))
    return Report(files | _disagreements(study), terminal(document))


def _rows_left_out(cases: Cases) -> str:
    columns = (
        "line",
        "patient",
        "study",
        "series",
        "sop_instance",
        "frame",
        "level",
        "finding",
        "reason",
    )
    return write_csv(
        columns,
        [
            (
                # What only the readers' table holds has no line in this one.
                int(cases.lines[row]) or "",
                cases.patients[row],
                cases.studies[row],
                cases.series[row],
                cases.sop_instances[row],
                int(cases.frames[row]),
                cases.level(row),
                cases.key(row).finding,
                reason,
            )
            for row, reason in rows_left_out(cases)
        ],
    )


def _disagreements(study: ReaderStudy | None) -> dict[str, str]:
    if study is None:
        return {}
    return {DISAGREEMENTS: write_csv(DISAGREEMENT_COLUMNS, disagreement_rows(study))}
