"""An evaluation as a document: the sections in the order in which a clinician reads."""

from __future__ import annotations

from grading.evaluation.cases import Source
from grading.evaluation.evaluate import Evaluation
from grading.evaluation.reader_study import ReaderStudy
from grading.evaluation.report.blocks import Document, Section
from grading.evaluation.report.findings import finding_section, roc_section
from grading.evaluation.report.further import (
    glossary,
    groups_section,
    left_out_section,
    paper_section,
)
from grading.evaluation.report.participants import participants
from grading.evaluation.report.readers import readers_sections
from grading.evaluation.report.summary import summary
from grading.grades import FIRST_LINES, Basis, Finding

WEAKEST_FIRST = (Basis.PHANTOM, Basis.UNEVALUATED)
NO_MODEL = "Grades of readers only: no model is evaluated here."
ORIGIN_UNKNOWN = (
    "Where these predictions come from is not known to this program: "
    "their table names no bundle."
)
PHANTOM_IMAGES = (
    "The images are a computer-made phantom's: these figures check the software and "
    "say nothing about patients."
)


def first_line(source: Source) -> str:
    """Return what the predictions rest on, the weakest where there are several."""
    bases = {predictor.basis for predictor in source.predictors}
    lines = [FIRST_LINES[basis] for basis in WEAKEST_FIRST if basis in bases]
    if source.unnamed or not bases:
        lines.append(ORIGIN_UNKNOWN)
    elif not lines:
        lines.append(FIRST_LINES[Basis.SITE])
    return f"{lines[0]} {PHANTOM_IMAGES}" if source.phantom else lines[0]


def readers_document(study: ReaderStudy) -> Document:
    """Return the report on readers alone."""
    return Document(
        title=f"Readers of {study.readings.path.name}",
        first_line=NO_MODEL,
        sections=(*readers_sections(study), glossary()),
    )


def evaluation_document(
    evaluation: Evaluation, further: tuple[Section, ...] = ()
) -> Document:
    """Return the whole report; ``further`` sections follow those on the findings."""
    groups = groups_section(evaluation)
    return Document(
        title=f"Evaluation of {_name(evaluation.cases.source)}",
        first_line=first_line(evaluation.cases.source),
        sections=(
            summary(evaluation),
            participants(evaluation),
            roc_section(evaluation),
            *(finding_section(evaluation, finding) for finding in Finding),
            *((groups,) if groups else ()),
            *further,
            paper_section(evaluation),
            left_out_section(evaluation),
            glossary(),
        ),
    )


def _name(source: Source) -> str:
    if source.predictors and not source.unnamed:
        return ", ".join(predictor.name for predictor in source.predictors)
    return source.path.name
